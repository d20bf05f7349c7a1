"""An echo server, or Autobahn's testee, by Python's websockets. Usage: echo_websockets.py server|client PORT"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def server(port):
    async with serve(echo, "127.0.0.1", port, max_size=None) as running:
        await running.serve_forever()


async def client(port):
    base = f"ws://127.0.0.1:{port}"
    async with connect(f"{base}/getCaseCount") as ws:
        count = int(await ws.recv())
    for case in range(1, count + 1):
        try:
            async with connect(f"{base}/runCase?case={case}&agent=websockets", max_size=None) as ws:
                await echo(ws)
        except Exception:
            pass  # The verdict is the suite's.
    async with connect(f"{base}/updateReports?agent=websockets"):
        pass


asyncio.run({"server": server, "client": client}[sys.argv[1]](int(sys.argv[2])))
