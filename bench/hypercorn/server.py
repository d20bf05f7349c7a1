"""An echo on hypercorn, over TLS: server.py CORE CERTIFICATE KEY. It ends with its standard input."""

import asyncio
import os
import socket
import sys
import threading

import hypercorn.asyncio
import hypercorn.config


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
        return
    assert (await receive())["type"] == "websocket.connect" and scope["http_version"] == "2", scope
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


def end_with_input():
    sys.stdin.read(1)
    os._exit(0)


core, certificate, key = sys.argv[1:]
os.sched_setaffinity(0, {int(core)})
threading.Thread(target=end_with_input, daemon=True).start()
listener = socket.create_server(("127.0.0.1", 0))
config = hypercorn.config.Config()
config.bind = [f"fd://{listener.fileno()}"]
config.certfile, config.keyfile = certificate, key
config.errorlog = None
print(listener.getsockname()[1])
print(open(certificate).read(), end="", flush=True)
asyncio.run(hypercorn.asyncio.serve(app, config))
