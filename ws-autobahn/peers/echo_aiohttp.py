"""An echo server, or Autobahn's testee, by aiohttp. Usage: echo_aiohttp.py server|client PORT"""

import asyncio
import sys

import aiohttp
from aiohttp import WSMsgType, web


async def echo(ws):
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)


async def handler(request):
    ws = web.WebSocketResponse(max_msg_size=0)
    await ws.prepare(request)
    await echo(ws)
    return ws


async def client(port):
    base = f"ws://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{base}/getCaseCount") as ws:
            count = int(await ws.receive_str())
        for case in range(1, count + 1):
            try:
                url = f"{base}/runCase?case={case}&agent=aiohttp"
                async with session.ws_connect(url, max_msg_size=0, compress=15) as ws:
                    await echo(ws)
            except Exception:
                pass  # The verdict is the suite's.
        async with session.ws_connect(f"{base}/updateReports?agent=aiohttp"):
            pass


if sys.argv[1] == "server":
    app = web.Application()
    app.add_routes([web.get("/", handler)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)
else:
    asyncio.run(client(int(sys.argv[2])))
