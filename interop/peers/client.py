"""Tests our echo server with Python's websockets. Usage: client.py URL [--compress]"""

import asyncio
import json
import pathlib
import sys

from websockets.asyncio.client import connect

URL = sys.argv[1]
COMPRESS = "--compress" in sys.argv
SIZES = json.loads(pathlib.Path(__file__).with_name("sizes.json").read_text())
CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]


def open_():
    return connect(URL, compression="deflate" if COMPRESS else None, max_size=None, proxy=None, open_timeout=10)


def payloads(size):
    line = '{"id": 1234, "text": "grüße, 你好 🎉"}\n'
    text = line * (size // len(line.encode()))
    yield text + "x" * (size - len(text.encode()))
    yield bytes(i * 7919 % 251 for i in range(size))


async def main():
    done = 0
    async with open_() as ws:
        agreed = [e.name for e in ws.protocol.extensions]
        assert agreed == (["permessage-deflate"] if COMPRESS else []), agreed
        for size in SIZES:
            for sent in payloads(size):
                await ws.send(sent)
                back = await ws.recv()
                assert back == sent, f"{type(sent).__name__} of {size} bytes came back as {len(back)}"
                done += 1
        # In fragments, one of which ends inside a character.
        for pieces in (["a", "", "ü", "b" * 70000], [b"", b"\x00" * 126, b"end"], [""]):
            await ws.send(iter(pieces))
            back = await ws.recv()
            assert back == pieces[0][:0].join(pieces), f"pieces {len(pieces)}"
            done += 1
        for payload in (b"", b"x", b"p" * 125):
            await asyncio.wait_for(await ws.ping(payload), 5)
            done += 1
        await ws.pong(b"nobody asked")
        # Many messages without waiting; the answers arrive in order.
        async def send():
            for i in range(1000):
                await ws.send(f"message {i}")
        sending = asyncio.create_task(send())
        for i in range(1000):
            assert await ws.recv() == f"message {i}"
        await sending
        done += 1
    assert (ws.close_code, ws.protocol.close_rcvd.code) == (1000, 1000), ws.protocol.close_rcvd
    for code in CODES:
        async with open_() as ws:
            await ws.close(code, "bye")
            assert ws.protocol.close_rcvd and ws.protocol.close_rcvd.code == code, (code, ws.protocol.close_rcvd)
            done += 1
    print(f"{done} exchanges")


asyncio.run(asyncio.wait_for(main(), 100))
