"""The paths of ../server.py as an ASGI application, for hypercorn. It can neither fragment nor ping: on those paths it sends one
message."""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
        return
    assert (await receive())["type"] == "websocket.connect" and scope["http_version"] == "2", scope
    await send({"type": "websocket.accept"})
    path = scope["path"]
    if path == "/close":
        await send({"type": "websocket.close", "code": int(scope["query_string"]), "reason": "as you wish"})
        return await receive()
    text = {"/fragments": "grüß" + "e " * 50000 + "end", "/ping": "ponged"}.get(path)
    if text is not None:
        await send({"type": "websocket.send", "text": text})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
