"""WebSockets on an HTTP/2 connection (RFC 8441), for both sides, with Python's h2 and wsproto."""

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage

# The windows that this side gives to the other.
WINDOW = 1 << 20
PERMISSION = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Stream:
    """A WebSocket on a stream: whole messages, pongs, and the peer's Close arrive in `inbox`."""

    def __init__(self, mux, number):
        self.mux, self.number = mux, number
        self.inbox = asyncio.Queue()
        self.answer = asyncio.get_running_loop().create_future()
        # END_STREAM or RST_STREAM: the code of the latter.
        self.ended = asyncio.get_running_loop().create_future()
        self.outgoing, self.is_finished, self.is_reset = bytearray(), False, False
        self.parts, self.body, self.echoes = [], b"", False
        self.ws = None

    def open(self, role, extensions):
        self.ws = Connection(role, extensions)
        # What came with the handshake.
        early, self.body = self.body, b""
        self.receive(early)

    def receive(self, data):
        if self.ws is None:
            self.body += data
            return
        if not data:
            # The frame of an END_STREAM: wsproto takes nothing after a Close, not even nothing.
            return
        self.ws.receive_data(data)
        for event in self.ws.events():
            if isinstance(event, Message):
                self.parts.append(event.data)
                if event.message_finished:
                    whole, self.parts = self.parts[0][:0].join(self.parts), []
                    # At once, as wsproto sends no message after the peer's Close.
                    self.message(whole) if self.echoes else self.inbox.put_nowait(whole)
            elif isinstance(event, Ping):
                # wsproto sends no Pong after a Close.
                if self.ws.state is ConnectionState.OPEN:
                    self.send(event.response())
            elif isinstance(event, Pong):
                self.inbox.put_nowait(("pong", bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                self.inbox.put_nowait(event)

    def send(self, event):
        self.outgoing += self.ws.send(event)
        self.mux.pump(self)

    def message(self, data, more=False):
        kind = TextMessage if isinstance(data, str) else BytesMessage
        self.send(kind(data=data, message_finished=not more))

    def finish(self):
        """Sends END_STREAM once everything else is sent."""
        self.is_finished = True
        self.mux.pump(self)


class Mux(asyncio.Protocol):
    def __init__(self, client, serve=None):
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self.h2, self.serve, self.streams, self.tasks = h2.connection.H2Connection(config), serve, {}, set()
        values = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW}
        # RFC 8441 section 3: the server permits it. (RFC 9113 section 6.5.2: a client pushes nothing.)
        values |= {h2.settings.SettingCodes.ENABLE_PUSH: 0} if client else {PERMISSION: 1}
        self.h2.local_settings = h2.settings.Settings(client=client, initial_values=values)
        self.permitted = asyncio.get_event_loop().create_future()
        self.lost = asyncio.get_event_loop().create_future()

    def connection_made(self, transport):
        self.transport, self.peer = transport, transport.get_extra_info("peername")
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(16 * WINDOW)
        self.flush()

    def connection_lost(self, error):
        self.lost.set_result(error)
        for stream in self.streams.values():
            self.end(stream, "connection lost")

    def data_received(self, data):
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()

    def handle(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            # Every server sends settings first, with or without the permission.
            if not self.permitted.done():
                self.permitted.set_result(self.h2.remote_settings.get(PERMISSION, 0) == 1)
            self.pump_all()
        elif isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = stream = Stream(self, event.stream_id)
            task = asyncio.create_task(self.serve(stream, dict(event.headers)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        elif isinstance(event, h2.events.ResponseReceived):
            stream.answer.set_result(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            stream.receive(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.end(stream, "END_STREAM")
        elif isinstance(event, h2.events.StreamReset):
            # Also after END_STREAM, from a peer that takes nothing more (RFC 9113 section 8.1).
            stream.is_reset = True
            self.end(stream, f"RST_STREAM {event.error_code}")
        elif isinstance(event, h2.events.WindowUpdated):
            self.pump_all() if event.stream_id == 0 else stream and self.pump(stream)

    def end(self, stream, how):
        if not stream.ended.done():
            stream.ended.set_result(how)
        if not stream.answer.done():
            stream.answer.cancel()

    def request(self, headers):
        stream = Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.number] = stream
        self.h2.send_headers(stream.number, headers)
        self.flush()
        return stream

    def respond(self, stream, headers, body=None):
        self.h2.send_headers(stream.number, headers)
        if body is not None:
            stream.outgoing += body
            stream.finish()
        self.flush()

    def pump_all(self):
        for stream in list(self.streams.values()):
            self.pump(stream)

    def pump(self, stream):
        """Sends what the windows permit."""
        if self.lost.done() or stream.is_reset:
            return
        while stream.outgoing:
            size = min(self.h2.local_flow_control_window(stream.number), self.h2.max_outbound_frame_size, len(stream.outgoing))
            if size <= 0:
                break
            self.h2.send_data(stream.number, bytes(stream.outgoing[:size]))
            del stream.outgoing[:size]
        if stream.is_finished and not stream.outgoing:
            self.h2.end_stream(stream.number)
            stream.is_finished = False
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data and not self.lost.done():
            self.transport.write(data)


CLIENT, SERVER = ConnectionType.CLIENT, ConnectionType.SERVER
