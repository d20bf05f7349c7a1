"""An echo server over HTTP/2 with Python's h2 and wsproto, with the paths of ../server.py. Usage: server.py [--compress] [--tls CERTIFICATE KEY]

/echo          echoes
/fragments     sends one text message in pieces
/ping          pings, sends "ponged" when the answer has arrived
/close?CODE    closes with CODE
"""

import asyncio
import ssl
import sys

from mux import SERVER, Mux
from wsproto.events import CloseConnection, Ping
from wsproto.extensions import PerMessageDeflate

COMPRESS = "--compress" in sys.argv
TLS = None
if "--tls" in sys.argv:
    at = sys.argv.index("--tls")
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(sys.argv[at + 1], sys.argv[at + 2])
    TLS.set_alpn_protocols(["h2"])


async def serve(stream, headers):
    if headers.get(":protocol") != "websocket":
        return stream.mux.respond(stream, [(":status", "404")], b"only WebSockets are here\n")
    assert headers[":method"] == "CONNECT" and headers["sec-websocket-version"] == "13", headers
    assert "sec-websocket-key" not in headers and "upgrade" not in headers, headers
    answer, extensions = [(":status", "200")], []
    offer = headers.get("sec-websocket-extensions", "")
    if COMPRESS and offer.startswith("permessage-deflate"):
        extensions = [PerMessageDeflate()]
        agreed = extensions[0].accept(offer)
        answer.append(("sec-websocket-extensions", f"permessage-deflate; {agreed}".rstrip("; ")))
    stream.mux.respond(stream, answer)
    path, _, query = headers[":path"].partition("?")
    stream.echoes = path == "/echo"
    stream.open(SERVER, extensions)
    if path == "/fragments":
        pieces = ["grü", "", "ß", "e " * 50000, "end"]
        for i, piece in enumerate(pieces):
            stream.message(piece, more=i + 1 < len(pieces))
    elif path == "/ping":
        stream.send(Ping(payload=b"are you there"))
        assert await stream.inbox.get() == ("pong", b"are you there")
        stream.message("ponged")
    elif path == "/close":
        stream.send(CloseConnection(code=int(query), reason="as you wish"))
        assert isinstance(await stream.inbox.get(), CloseConnection)
        return stream.finish()
    while not isinstance(message := await stream.inbox.get(), CloseConnection):
        pass
    stream.send(message.response())
    stream.finish()


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Mux(False, serve), "127.0.0.1", 0, ssl=TLS)
    print(f"{'wss' if TLS else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
