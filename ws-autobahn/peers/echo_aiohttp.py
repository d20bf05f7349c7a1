"""An echo server and client by aiohttp.

Usage: echo_aiohttp.py server PORT, echo_aiohttp.py client PORT (Autobahn's protocol for testees), or
echo_aiohttp.py once URL (one connection).
"""

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


async def run(session, url):
    try:
        async with session.ws_connect(url, max_msg_size=0, compress=15) as ws:
            await echo(ws)
    except Exception:
        pass  # The verdict is the suite's.


async def once(url):
    async with aiohttp.ClientSession() as session:
        await run(session, url)


async def client(port):
    base = f"ws://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{base}/getCaseCount") as ws:
            count = int(await ws.receive_str())
        for case in range(1, count + 1):
            await run(session, f"{base}/runCase?case={case}&agent=aiohttp")
        async with session.ws_connect(f"{base}/updateReports?agent=aiohttp"):
            pass


if sys.argv[1] == "server":
    app = web.Application()
    app.add_routes([web.get("/", handler)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)
elif sys.argv[1] == "client":
    asyncio.run(client(sys.argv[2]))
else:
    asyncio.run(once(sys.argv[2]))
