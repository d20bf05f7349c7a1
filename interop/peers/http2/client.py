"""Tests our server over HTTP/2 with Python's h2 and wsproto. Usage: client.py https://HOST:PORT | http://HOST:PORT [--compress]

The server echoes on /.
"""

import asyncio
import ssl
import sys
from urllib.parse import urlsplit

from mux import CLIENT, Mux
from wsproto.events import CloseConnection, Ping
from wsproto.extensions import PerMessageDeflate

URL = urlsplit(sys.argv[1])
COMPRESS = "--compress" in sys.argv
WEBSOCKETS = 100
SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20, 4 << 20]
CODES = [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]


async def connect():
    context = None
    if URL.scheme == "https":
        context = ssl.create_default_context()
        context.set_alpn_protocols(["h2"])
    _, mux = await asyncio.get_running_loop().create_connection(lambda: Mux(True), URL.hostname, URL.port, ssl=context)
    # RFC 8441 section 4: `:protocol` is not sent before the settings permit it.
    assert await mux.permitted, "the server does not permit WebSockets"
    return mux


async def open_(mux, path="/", **fields):
    headers = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", URL.scheme), (":path", path),
               (":authority", URL.netloc), ("sec-websocket-version", "13")]
    extension = PerMessageDeflate()
    if COMPRESS:
        headers.append(("sec-websocket-extensions", f"permessage-deflate; {extension.offer()}".rstrip("; ")))
    stream = mux.request(headers + list(fields.items()))
    answer = await stream.answer
    if answer[":status"] != "200":
        return stream, answer
    agreed = answer.get("sec-websocket-extensions", "")
    assert agreed.startswith("permessage-deflate") == COMPRESS, agreed
    if COMPRESS:
        extension.finalize(agreed)
    stream.open(CLIENT, [extension] if COMPRESS else [])
    return stream, answer


async def same(stream, sent):
    back = await stream.inbox.get()
    assert type(back) is type(sent) and back == sent, f"{type(sent).__name__} of {len(sent)} bytes came back as another"


async def close(stream, code):
    stream.send(CloseConnection(code=code, reason="bye"))
    answer = await stream.inbox.get()
    assert isinstance(answer, CloseConnection) and answer.code == code, answer
    # RFC 8441 section 5 and RFC 6455 section 7.1.1: the server ends the stream first.
    assert await stream.ended == "END_STREAM", await stream.ended
    stream.finish()


async def main():
    done = 0
    mux = await connect()
    stream, _ = await open_(mux)
    for size in SIZES:
        for sent in ("ü" * (size // 2) + "x" * (size % 2), bytes(i * 7919 % 251 for i in range(size))):
            stream.message(sent)
            await same(stream, sent)
            done += 1
    for pieces in (["a", "", "ü", "b" * 70000], [b"", b"\x00" * 126, b"end"]):
        for i, piece in enumerate(pieces):
            stream.message(piece, more=i + 1 < len(pieces))
        await same(stream, pieces[0][:0].join(pieces))
        done += 1
    stream.send(Ping(payload=b"are you there"))
    assert await stream.inbox.get() == ("pong", b"are you there")
    for i in range(1000):
        stream.message(f"message {i}")
    for i in range(1000):
        await same(stream, f"message {i}")
    await close(stream, 1000)
    done += 3
    for code in CODES:
        stream, _ = await open_(mux)
        await close(stream, code)
        done += 1
    for path, fields, status in (("/no-such-path", {}, "404"), ("/", {"origin": "https://other.example"}, "403")):
        _, answer = await open_(mux, path, **fields)
        assert answer[":status"] == status, answer
        done += 1

    open_streams = await asyncio.gather(*(open_(mux) for _ in range(WEBSOCKETS)))

    async def use(stream, n):
        large = bytes([n]) * ((1 << 20) if n < 5 else 1000)
        stream.message(f"世界 {n}")
        stream.message(large)
        await same(stream, f"世界 {n}")
        await same(stream, large)
        await close(stream, 4001)

    await asyncio.gather(*(use(stream, n) for n, (stream, _) in enumerate(open_streams)))
    mux.transport.close()
    print(f"{done} exchanges, then {WEBSOCKETS} WebSockets on one HTTP/2 connection")


asyncio.run(asyncio.wait_for(main(), 100))
