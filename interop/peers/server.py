"""An echo server with Python's websockets, with further functions by path. Usage: server.py [--compress] [--tls CERTIFICATE KEY]

/echo          echoes
/fragments     sends one text message in pieces
/ping          pings, says "ponged" once the answer is there
/close?CODE    closes with CODE
"""

import asyncio
import ssl
import sys

from websockets.asyncio.server import serve

COMPRESS = "--compress" in sys.argv
TLS = None
if "--tls" in sys.argv:
    at = sys.argv.index("--tls")
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(sys.argv[at + 1], sys.argv[at + 2])


async def handler(ws):
    path, _, query = ws.request.path.partition("?")
    if path == "/echo":
        async for message in ws:
            await ws.send(message)
    elif path == "/fragments":
        await ws.send(iter(["grü", "", "ß", "e " * 50000, "end"]))
        await ws.wait_closed()
    elif path == "/ping":
        await asyncio.wait_for(await ws.ping(b"are you there"), 5)
        await ws.send("ponged")
        await ws.wait_closed()
    elif path == "/close":
        await ws.close(int(query), "as you wish")


async def main():
    compression = "deflate" if COMPRESS else None
    async with serve(handler, "127.0.0.1", 0, ssl=TLS, compression=compression, max_size=None) as server:
        scheme = "wss" if TLS else "ws"
        print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
