#!/usr/bin/env python3
"""Tests the deflate codecs with Python's zlib in both directions.

Every window size, level, strategy and memory level; context takeover and none; random and structured messages;
pieces with every flush; final blocks, stored blocks, empty blocks; and damaged messages, where both must come to the
same verdict and the same bytes. Needs nothing but python3 and cargo:

    interop/deflate_zlib.py [--seed N] [--rounds N] [--pipe PROGRAM]

The program is `ws-core/examples/deflate_pipe.rs`; without --pipe it is built first.
"""

import argparse
import pathlib
import random
import struct
import subprocess
import sys
import time
import zlib

TAIL = b"\x00\x00\xff\xff"
# An empty final block: only a stream between two blocks ends exactly after it (see `Inflater`).
PROBE = b"\x01\x00\x00\xff\xff"
NONE, SYNC, MESSAGE = 0, 1, 2


class Pipe:
    """Our codecs: one connection at a time."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, letter, a=0, b=0, c=0, data=b""):
        self.process.stdin.write(letter + struct.pack(">IIII", a, b, c, len(data)) + data)
        self.process.stdin.flush()
        ok, length = struct.unpack(">II", self.read(8))
        return ok == 1, self.read(length)

    def read(self, length):
        data = self.process.stdout.read(length)
        if len(data) != length:
            raise SystemExit("the codecs' process has ended")
        return data

    def close(self):
        self.process.stdin.close()
        if self.process.wait(timeout=10) != 0:
            raise SystemExit("the process of the codecs has failed")


class Messages:
    """Data that compresses well, badly and in between."""

    def __init__(self, rng):
        self.rng = rng

    def next(self):
        rng = self.rng
        length = rng.choice([0, 1, 2, 10, 100, 500, 1000, 5000, 20000, rng.randrange(90000)])
        make = rng.choice([self.noise, self.text, self.echoes, self.echoes, self.monotone])
        return make(length)

    def noise(self, length):
        return self.rng.randbytes(length)

    def monotone(self, length):
        return bytes([self.rng.randrange(256)]) * length

    def text(self, length):
        words = [b'{"id":', b'"name":"', b"},", b"true", b"null", b"websocket", b"[1,2,3]", b'"price":']
        data = b""
        while len(data) < length:
            data += self.rng.choice(words) + str(self.rng.randrange(10000)).encode()
        return data[:length]

    def echoes(self, length):
        """Data with repetitions at every distance up to 64 KiB."""
        data = bytearray(self.rng.randbytes(20))
        while len(data) < length:
            if self.rng.random() < 0.25:
                data += self.rng.randbytes(1 + self.rng.randrange(30))
            else:
                start = len(data) - 1 - self.rng.randrange(min(len(data), 1 << self.rng.randrange(3, 17)))
                data += data[start : start + 3 + self.rng.randrange(300)]
        return bytes(data[:length])


def pieces(rng, data):
    """Splits data at up to five positions, possibly none."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    return [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])]


def ours_to_zlib(pipe, rng, messages, bits, takeover, level):
    pipe.call(b"N", bits, not takeover, level)
    inflater = zlib.decompressobj(-bits)
    for _ in range(8):
        message = messages.next()
        if rng.random() < 0.5:
            pays, payload = pipe.call(b"W", data=message)
            if not pays:
                assert payload == b""
                continue
            assert len(payload) < len(message)
        else:
            payload = b""
            parts = pieces(rng, message)
            for part in parts[:-1]:
                payload += pipe.call(b"D", rng.choice([NONE, SYNC]), data=part)[1]
            payload += pipe.call(b"D", MESSAGE, data=parts[-1])[1]
        if not takeover:
            inflater = zlib.decompressobj(-bits)
        back = inflater.decompress(payload + TAIL)
        assert back == message, f"zlib inflates {len(back)} bytes of {len(message)}"
        assert not inflater.eof and not inflater.unused_data
        checked = inflater.copy()
        assert checked.decompress(PROBE) == b"" and checked.eof, "the message does not end between two blocks"


class ZlibSender:
    """A peer that uses zlib's compressor in all ways that RFC 7692 section 7.2.1 allows."""

    def __init__(self, rng, bits, takeover, level):
        self.rng, self.takeover = rng, takeover
        self.make = (level, zlib.DEFLATED, -max(bits, 9), rng.randrange(1, 10), rng.randrange(5))
        self.window = (1 << bits) if bits > 8 else 0
        self.history = b""
        self.start()

    def start(self):
        dictionary = self.history[-self.window :] if self.window else b""
        self.codec = zlib.compressobj(*self.make, dictionary) if dictionary else zlib.compressobj(*self.make)

    def message(self, data):
        if not self.takeover:
            self.history = b""
            self.start()
        payload = b""
        parts = pieces(self.rng, data)
        for n, part in enumerate(parts):
            payload += self.codec.compress(part)
            self.history = (self.history + part)[-32768:]
            last = n + 1 == len(parts)
            action = self.rng.choice(["none", "partial", "sync", "full", "block", "final", "empty", "empty fixed"])
            if action == "partial":
                payload += self.codec.flush(zlib.Z_PARTIAL_FLUSH)
            elif action == "sync":
                payload += self.codec.flush(zlib.Z_SYNC_FLUSH)
            elif action == "full":
                payload += self.codec.flush(zlib.Z_FULL_FLUSH)
            elif action == "block":
                payload += self.codec.flush(zlib.Z_BLOCK)
            elif action == "final":
                payload += self.codec.flush(zlib.Z_FINISH)
                self.start()
                if last:
                    # Section 7.2.3.4: an empty stored block follows, without its last four bytes.
                    return payload + b"\x00"
            elif action == "empty":
                payload += self.codec.flush(zlib.Z_SYNC_FLUSH)
                payload += (b"\x00" + TAIL) * self.rng.randrange(1, 5)
            elif action == "empty fixed":
                payload += self.codec.flush(zlib.Z_SYNC_FLUSH)
                payload += (b"\x02\x00" + TAIL) * self.rng.randrange(1, 5)
        payload += self.codec.flush(zlib.Z_SYNC_FLUSH)
        if not payload:
            return b"\x00"
        return payload[:-4] if payload.endswith(TAIL) else payload + b"\x00"


def zlib_to_ours(pipe, rng, messages, bits, takeover, level):
    pipe.call(b"N", bits, not takeover, level)
    sender = ZlibSender(rng, bits, takeover, level)
    for _ in range(8):
        message = messages.next()
        payload = sender.message(message)
        back = b""
        fragments = pieces(rng, payload)
        for n, fragment in enumerate(fragments):
            room, step = rng.choice([3, 1000, 1 << 20]), rng.choice([1, 50, 1 << 20])
            ok, output = pipe.call(b"I", n + 1 == len(fragments), room, step, fragment)
            assert ok, f"a message of {len(message)} bytes in {len(payload)} does not inflate: {payload[:80].hex()}"
            back += output
        assert back == message, f"we inflate {len(back)} bytes of {len(message)}"


def reference(payload, history):
    """Returns a message as zlib inflates it, or None."""
    out = b""
    data, begun = payload, False
    codec = zlib.decompressobj(-15, history) if history else zlib.decompressobj(-15)
    try:
        while data:
            out += codec.decompress(data)
            begun = not codec.eof
            if not codec.eof:
                break
            data = codec.unused_data
            window = (history + out)[-32768:]
            codec = zlib.decompressobj(-15, window) if window else zlib.decompressobj(-15)
        if begun:
            # Section 7.2.1 does not say that the empty block that TAIL ends is not a final one.
            if codec.decompress(TAIL + PROBE) != b"" or not codec.eof or codec.unused_data not in (b"", PROBE):
                return None
    except zlib.error:
        return None
    return out


def damaged(pipe, rng, messages, bits, takeover, level):
    """Returns how many damaged messages were refused, and how many were not."""
    refused = accepted = 0
    for _ in range(20):
        sender = ZlibSender(rng, bits, takeover, level)
        first = messages.next()[:3000]
        sender.message(first)
        payload = bytearray(sender.message(messages.next()[:3000]))
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(payload))
            match rng.randrange(4):
                case 0:
                    payload[place] ^= 1 << rng.randrange(8)
                case 1:
                    payload[place] = rng.randrange(256)
                case 2:
                    del payload[place:]
                    break
                case 3:
                    payload[place:place] = rng.randbytes(rng.randrange(1, 9))
        expected = reference(bytes(payload), first[-32768:] if takeover else b"")
        for room, step in [(1 << 20, 1 << 20), (7, 1)]:
            pipe.call(b"N", 15, not takeover, level)
            assert pipe.call(b"I", 1, 1 << 20, 1 << 20, stored(first))[0]
            ok, output = pipe.call(b"I", 1, room, step, bytes(payload))
            if expected is None:
                assert not ok, f"zlib refuses and we accept: {payload.hex()}"
            else:
                assert ok, f"zlib accepts and we refuse: {payload.hex()}"
                assert output == expected
        refused, accepted = refused + (expected is None), accepted + (expected is not None)
    return refused, accepted


def stored(data):
    codec = zlib.compressobj(0, zlib.DEFLATED, -15)
    return (codec.compress(data) + codec.flush(zlib.Z_SYNC_FLUSH))[:-4] if data else b"\x00"


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seed", type=int, default=7692)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--pipe")
    options = options.parse_args()
    root = pathlib.Path(__file__).resolve().parent.parent
    if options.pipe is None:
        build = ["cargo", "build", "--quiet", "-p", "ws-core", "--features", "deflate", "--example", "deflate_pipe"]
        build += ["--target-dir", str(root / "target")]
        subprocess.run(build, cwd=root, check=True)
        options.pipe = str(root / "target/debug/examples/deflate_pipe")
    started = time.monotonic()
    pipe = Pipe(options.pipe)
    sessions = refused = accepted = 0
    for round in range(options.rounds):
        for bits in range(8, 16):
            for level in range(10):
                for takeover in (False, True):
                    seed = f"{options.seed}/{round}/{bits}/{level}/{takeover}"
                    rng = random.Random(seed)
                    messages = Messages(rng)
                    try:
                        ours_to_zlib(pipe, rng, messages, bits, takeover, level)
                        zlib_to_ours(pipe, rng, messages, bits, takeover, level)
                        no, yes = damaged(pipe, rng, messages, bits, takeover, level)
                    except AssertionError:
                        print(f"failed with seed {seed}", file=sys.stderr)
                        raise
                    sessions, refused, accepted = sessions + 1, refused + no, accepted + yes
    pipe.close()
    # Otherwise the message would not be damaged.
    assert refused > 100 and accepted > 10, (refused, accepted)
    print(
        f"deflate: {sessions} sessions each way with zlib {zlib.ZLIB_RUNTIME_VERSION} agree, "
        f"and so do {refused} refused and {accepted} accepted damaged messages ({time.monotonic() - started:.1f} s)"
    )


if __name__ == "__main__":
    main()
