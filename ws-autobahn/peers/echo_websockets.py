"""An echo server and client by Python's websockets.

Usage: echo_websockets.py server PORT, echo_websockets.py client PORT (Autobahn's protocol for testees), or
echo_websockets.py once URL (one connection).
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def server(port):
    async with serve(echo, "127.0.0.1", int(port), max_size=None) as running:
        await running.serve_forever()


async def once(url):
    try:
        async with connect(url, max_size=None) as ws:
            await echo(ws)
    except Exception:
        pass  # The verdict is the suite's.


async def client(port):
    base = f"ws://127.0.0.1:{port}"
    async with connect(f"{base}/getCaseCount") as ws:
        count = int(await ws.recv())
    for case in range(1, count + 1):
        await once(f"{base}/runCase?case={case}&agent=websockets")
    async with connect(f"{base}/updateReports?agent=websockets"):
        pass


asyncio.run({"server": server, "client": client, "once": once}[sys.argv[1]](sys.argv[2]))
