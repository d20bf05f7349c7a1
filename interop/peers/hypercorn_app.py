"""The echo server of server.py as an application for hypercorn: over HTTP/2 and HTTP/1.1. Usage:
hypercorn_app.py PORT [--tls CERTIFICATE KEY]

ASGI has neither fragments nor pings: /fragments sends one message, /ping says "ponged" at once.
"""

import asyncio
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"no page here"})
        return
    assert (await receive())["type"] == "websocket.connect"
    path, query = scope["path"], scope["query_string"].decode()
    if path == "/refuse":
        # Before accept: a refusal with 403.
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept", "headers": [(b"x-http-version", scope["http_version"].encode())]})
    if path == "/echo":
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})
    elif path == "/fragments":
        await send({"type": "websocket.send", "text": "grüß" + "e " * 50000 + "end"})
        await receive()
    elif path == "/ping":
        await send({"type": "websocket.send", "text": "ponged"})
        await receive()
    elif path == "/close":
        await send({"type": "websocket.close", "code": int(query), "reason": "as you wish"})


async def main():
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    config.websocket_max_message_size = 1 << 26
    scheme = "ws"
    if "--tls" in sys.argv:
        at = sys.argv.index("--tls")
        config.certfile, config.keyfile = sys.argv[at + 1], sys.argv[at + 2]
        scheme = "wss"
    started = asyncio.create_task(serve(app, config))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    print(f"{scheme}://127.0.0.1:{sys.argv[1]}", flush=True)
    await started


asyncio.run(main())
