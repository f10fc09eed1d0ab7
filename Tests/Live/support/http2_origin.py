"""An app that speaks HTTP/2 by PyPI's `h2`, and says what no honest app says where a test wants that."""

import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


class Stream:
    def __init__(self, number, headers):
        self.number = number
        self.headers = headers
        self.body = b""
        self.trailers = []
        self.ended = threading.Event()
        #: The code of the reset that the client sent.
        self.reset = None
        self.changed = threading.Condition()

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None


class Line:
    """One connection of a client; whoever writes holds the lock."""

    def __init__(self, origin, connection):
        self.origin = origin
        self.socket = connection
        self.lock = threading.Lock()
        self.streams = {}
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False, header_encoding="latin-1", validate_outbound_headers=False,
                normalize_outbound_headers=False, validate_inbound_headers=True,
            ))

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def headers(self, stream, fields, end=False):
        with self.lock:
            self.h2.send_headers(stream.number, fields, end_stream=end)
            self.flush()

    def data(self, stream, data, end=False):
        with self.lock:
            self.h2.send_data(stream.number, data, end_stream=end)
            self.flush()

    def answer(self, stream, status="200", body=b"ok", fields=(), length=True):
        more = [("content-length", str(len(body)))] if length else []
        self.headers(stream, [(":status", status), *more, *fields], end=not body)
        if body:
            self.data(stream, body, end=True)

    def block(self, stream, fields, end=True):
        """A HEADERS frame with these fields, whatever they are: `h2` itself would not send all of them."""
        block = self.h2.encoder.encode(fields)
        self.raw(frame(1, 4 | (1 if end else 0), stream.number, block))

    def reset(self, stream, code):
        self.raw(frame(3, 0, stream.number, code.to_bytes(4, "big")))

    def goaway(self, last, code=0):
        self.raw(frame(7, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big")))

    def raw(self, data):
        with self.lock:
            self.flush()
            self.socket.sendall(data)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(self):
        with self.lock:
            self.h2.initiate_connection()
            if self.origin.settings:
                self.h2.update_settings(self.origin.settings)
            self.flush()
        while True:
            data = self.socket.recv(65536)
            if not data:
                return
            with self.lock:
                events = self.h2.receive_data(data)
                self.flush()
            for event in events:
                self._handle(event)

    def _handle(self, event):
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[event.stream_id] = Stream(event.stream_id, list(event.headers))
            stream.line = self
            self.origin.streams.append(stream)
            if self.origin.early:
                self._behave(stream)
        elif isinstance(event, h2.events.DataReceived):
            stream = self.streams[event.stream_id]
            with stream.changed:
                stream.body += event.data
                stream.changed.notify_all()
            if self.origin.reads:
                with self.lock:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    self.flush()
        elif isinstance(event, h2.events.TrailersReceived):
            self.streams[event.stream_id].trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            stream = self.streams[event.stream_id]
            stream.ended.set()
            if not self.origin.early:
                self._behave(stream)
        elif isinstance(event, h2.events.StreamReset):
            stream = self.streams.get(event.stream_id)
            if stream:
                stream.reset = event.error_code

    def _behave(self, stream):
        def run():
            try:
                self.origin.behave(self, stream)
            except (OSError, h2.exceptions.ProtocolError):
                self.close()

        threading.Thread(target=run, daemon=True).start()


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class H2Origin:
    """`behave(line, stream)` answers one request: when it is complete, or with `early` as soon as its head is here.
    `tls`: an SSLContext; its ALPN is the caller's. `greet(socket)` replaces the whole connection."""

    def __init__(self, behave=None, tls=None, early=False, reads=True, h2_settings=None, greet=None):
        self.behave = behave or (lambda line, stream: line.answer(stream))
        self.tls = tls
        self.early = early
        self.reads = reads
        self.settings = h2_settings
        self.greet = greet
        self.streams = []
        self.lines = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'h2c'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def last(self):
        return self.streams[-1]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(self, connection)
            self.lines.append(line)
            with connection:
                if self.greet:
                    self.greet(connection)
                else:
                    line.serve()
        except (OSError, h2.exceptions.ProtocolError):
            pass

    def cut(self):
        for line in list(self.lines):
            line.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()
