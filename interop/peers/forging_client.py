"""A WebSocket client at an address of its own that claims another: it sends fields that name 203.0.113.9, and, if asked to, a header of the
PROXY protocol. Prints the status of the answer, or `none`, and the first message, or the body of a refusal.

forging_client.py CLIENT PORT [tls] [line | binary] [outside] [hold]
    tls       TLS to PORT
    line      sends a header of version 1 before its request; `binary` one of version 2
    outside   the header is sent before TLS, not in it
    hold      keeps the WebSocket open until this process is ended
"""

import socket
import ssl
import struct
import sys

FORGED = "203.0.113.9"
LINE = f"PROXY TCP4 {FORGED} 203.0.113.10 1234 443\r\n".encode()
BINARY = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
    + socket.inet_aton(FORGED)
    + socket.inet_aton("203.0.113.10")
    + struct.pack("!HH", 1234, 443)
)


def read(stream, length):
    received = b""
    while len(received) < length:
        part = stream.recv(length - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def main():
    client, port, *words = sys.argv[1:]
    header = LINE if "line" in words else BINARY if "binary" in words else b""
    stream = socket.create_connection(("127.0.0.1", int(port)), 10, (client, 0))
    if "outside" in words:
        stream.sendall(header)
        header = b""
    if "tls" in words:
        stream = ssl.create_default_context().wrap_socket(stream, server_hostname="localhost")
    request = (
        f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"X-Forwarded-For: {FORGED}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n"
        f"Forwarded: for={FORGED};proto=https;host=evil.example\r\n\r\n"
    )
    stream.sendall(header + request.encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read(stream, 1)
    status = head.split(b" ", 2)[1].decode()
    if status != "101":
        body = stream.recv(10_000).decode(errors="replace")
        print(status, body.strip(), flush=True)
        return
    if "hold" in words:
        print(status, flush=True)
        stream.settimeout(None)
        while stream.recv(1000):
            pass
        return
    _, length = read(stream, 2)
    print(status, read(stream, length).decode(), flush=True)


try:
    main()
except (EOFError, OSError):
    print("none")
