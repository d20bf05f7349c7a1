"""Python's websockets at one end of a slow link; counts every byte. Its pings are off, so that only ours are tested.

slow.py serve HOST            /ack answers each message with its number and length, and closes after "end";
                              /burst sends 20 messages of 100 KB and closes
slow.py echo URL BYTES        one message of this length, and its echo
slow.py lines URL COUNT       messages of 1,000 bytes without waiting, then a Close; all answers of /ack have to come
slow.py burst URL             20 messages of 100 KB, then a clean Close
slow.py target HOST BYTES [SENT]    plain TCP: sends SENT bytes; once BYTES, or the end, have come it prints and sends how
                              many came, and closes; prints its port first
slow.py tunnel HOST PORT BYTES    plain TCP to such a target, which sends as many: sends so many bytes, reads to the end
slow.py upload HOST PORT BYTES    plain TCP to a target that sends none: sends so many bytes and the end, waits for its end
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

LIBRARY = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": 150}
BURST = [chr(ord("a") + i) * 100_000 for i in range(20)]


def client(url):
    return connect(url, proxy=None, open_timeout=30, **LIBRARY)


def closed_cleanly(ws):
    codes = (ws.protocol.close_sent and ws.protocol.close_sent.code, ws.protocol.close_rcvd and ws.protocol.close_rcvd.code)
    assert codes == (1000, 1000), f"closed with {ws.protocol.close_sent} and {ws.protocol.close_rcvd}"


async def handler(ws):
    if ws.request.path == "/burst":
        for message in BURST:
            await ws.send(message)
        await ws.close()
    else:
        number = 0
        # It answers a Close at once, even if its queue is not empty: so it must close first.
        async for message in ws:
            if message == "end":
                break
            number += 1
            await ws.send(f"ack {number} {len(message)}")


async def run_server(host):
    async with serve(handler, host, 0, **LIBRARY) as server:
        print(f"ws://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


async def run_echo(url, size):
    async with client(url) as ws:
        sent = "0123456789" * (int(size) // 10)
        await ws.send(sent)
        back = await ws.recv()
        assert back == sent, f"{len(back)} bytes came back otherwise"
    closed_cleanly(ws)
    return 2 * len(sent)


async def run_lines(url, count):
    count = int(count)
    async with client(url) as ws:
        answers = []

        async def receive():
            async for answer in ws:
                answers.append(answer)

        receiving = asyncio.create_task(receive())
        for number in range(count):
            await ws.send(f"{number:01000}")
        # The answers in transit arrive before the answer to this.
        closing = asyncio.create_task(ws.close())
        await receiving
        await closing
        expected = [f"ack {number + 1} 1000" for number in range(count)]
        assert answers == expected, f"{len(answers)} of {count} answers, close {ws.protocol.close_rcvd}"
    closed_cleanly(ws)
    return 1000 * count


async def run_burst(url):
    received = 0
    async with client(url) as ws:
        try:
            async for message in ws:
                assert message == BURST[received], f"message {received} is another"
                received += 1
        finally:
            if received != len(BURST):
                print(f"{received} of {len(BURST)} messages", file=sys.stderr)
    assert received == len(BURST)
    closed_cleanly(ws)
    return sum(map(len, BURST))


async def run_target(host, size, sent=0):
    size = int(size)

    async def carry(reader, writer):
        async def send():
            writer.write(b"t" * int(sent))
            await writer.drain()

        sending = asyncio.create_task(send())
        received = 0
        try:
            while received < size and (chunk := await reader.read(1 << 16)):
                received += len(chunk)
        except OSError as error:
            print(error, file=sys.stderr)
        print(f"{received} bytes", flush=True)
        await sending
        writer.write(f"{received:08}".encode())
        writer.close()

    server = await asyncio.start_server(carry, host, 0)
    print(f"tcp {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def run_tunnel(host, port, size):
    size = int(size)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"c" * size)
    received = await reader.read(-1)
    expected = b"t" * size + f"{size:08}".encode()
    assert received == expected, f"{len(received)} of {len(expected)} bytes, the last {received[-8:]!r}"
    return 2 * size


async def run_upload(host, port, size):
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"c" * int(size))
    writer.write_eof()
    # A WebSocket that closes transfers nothing back, so that an answer may be missing.
    await reader.read(-1)
    writer.close()
    return int(size)


COMMANDS = {
    "serve": run_server, "echo": run_echo, "lines": run_lines, "burst": run_burst, "target": run_target, "tunnel": run_tunnel,
    "upload": run_upload,
}
try:
    delivered = asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
    print(f"{delivered} bytes")
except Exception as error:
    sys.exit(f"slow.py {sys.argv[1]}: {type(error).__name__}: {error}")
