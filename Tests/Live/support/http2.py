"""HTTP/2 by the `h2` library, which others wrote: a client with several streams at once, and frames by hand."""

import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TYPES = {"DATA": 0, "HEADERS": 1, "PRIORITY": 2, "RST_STREAM": 3, "SETTINGS": 4, "PING": 6, "GOAWAY": 7,
         "WINDOW_UPDATE": 8, "CONTINUATION": 9}
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, stream=0, flags=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([TYPES[kind], flags]) + struct.pack(">I", stream) + payload


def literal(*fields):
    """A header block of literals that are not put into the table, without Huffman's code."""

    def string(text):
        data = text if isinstance(text, bytes) else text.encode("latin-1")
        assert len(data) < 127
        return bytes([len(data)]) + data

    return b"".join(b"\0" + string(name) + string(value) for name, value in fields)


def pseudo(method="GET", path="/", host="app.example.com", scheme="http"):
    return [(":method", method), (":scheme", scheme), (":authority", host), (":path", path)]


class Answer:
    """What has come on one stream so far."""

    def __init__(self):
        self.interim = []
        self.headers = []
        self.trailers = []
        self.body = b""
        self.pieces = 0
        self.ended = False
        # The code of RST_STREAM.
        self.reset = None

    @property
    def status(self):
        return int(dict(self.headers)[":status"]) if self.headers else None

    def __getitem__(self, name):
        return dict(self.headers).get(name.lower())

    @property
    def over(self):
        return self.ended or self.reset is not None

    def __repr__(self):
        return f"<{self.headers} {self.body[:200]!r} ended={self.ended} reset={self.reset}>"


class Client:
    """One connection. `lenient`: sends what the library would not."""

    def __init__(self, port, context=None, name="app.example.com", timeout=15.0, lenient=False, acknowledge=True,
                 window=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.scheme = "https" if context else "http"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=not lenient, normalize_outbound_headers=not lenient,
            validate_inbound_headers=True))
        self.answers = {}
        self.acknowledge = acknowledge
        # (code, last stream) of the GOAWAYs.
        self.goaways = []
        self.pings = []
        self.closed = False
        self.buffer = b""
        self.h2.initiate_connection()
        if window:
            self.h2.increment_flow_control_window(window)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def raw(self, data):
        """Bytes behind the library's back. False when the other side takes no more."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def start(self, path="/", method="GET", host="app.example.com", headers=(), end=True, fields=None):
        """Opens a stream with its head; returns its number."""
        stream = self.h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self.h2.send_headers(
            stream, fields or pseudo(method, path, host, self.scheme) + list(headers), end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data=b"", end=False):
        """All of `data`, as fast as the windows let it."""
        view = memoryview(data)
        while view.nbytes or end:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room <= 0 and view.nbytes:
                self.read()
                if self.answers[stream].over or self.closed:
                    return
                continue
            piece, view = view[:room], view[room:]
            self.h2.send_data(stream, bytes(piece), end_stream=end and not view.nbytes)
            self.flush()
            if not view.nbytes:
                return

    def request(self, path="/", body=None, **more):
        """One whole exchange."""
        method = more.pop("method", "POST" if body is not None else "GET")
        headers = list(more.pop("headers", []))
        if body is not None:
            headers.append(("content-length", str(len(body))))
        stream = self.start(path, method, headers=headers, end=body is None, **more)
        if body is not None:
            self.send(stream, body, end=True)
        return self.wait(stream)

    def wait(self, stream):
        """Until the answer is over."""
        answer = self.answers[stream]
        while not answer.over:
            if not self.read():
                raise AssertionError(f"closed within {answer}, goaways {self.goaways}")
        return answer

    def until(self, condition, seconds=15.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not come: {self.answers} {self.goaways}"
            if not self.read():
                return condition()
        return True

    def until_closed(self):
        while self.read():
            pass
        return self

    def read(self):
        """Takes what comes next; False at the end."""
        if self.closed:
            return False
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(self._without_goaways(data)):
            self._take(event)
        try:
            self.flush()
        except OSError:
            pass
        return True

    def _without_goaways(self, data):
        """Whole frames, but for GOAWAY: the library would have the connection closed with the first, although answers
        come behind it (RFC 9113 section 6.8)."""
        self.buffer += data
        whole = b""
        while len(self.buffer) >= 9:
            end = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < end:
                break
            if self.buffer[3] == TYPES["GOAWAY"]:
                last, code = struct.unpack(">II", self.buffer[9:17])
                self.goaways.append((code, last))
            else:
                whole += self.buffer[:end]
            self.buffer = self.buffer[end:]
        return whole

    def _take(self, event):
        if isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)
            return
        answer = self.answers.get(getattr(event, "stream_id", None))
        if answer is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            answer.headers = event.headers
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = event.headers
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            answer.pieces += 1
            if self.acknowledge:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code


class Frames:
    """Frames by hand: for what no library sends. Reads only what ends the connection."""

    def __init__(self, port, timeout=15.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(PREFACE + frame("SETTINGS") + frame("SETTINGS", flags=ACK))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the other side takes no more."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def goaway(self):
        """The code of the GOAWAY that ends the connection; None: it ended without."""
        code = None
        while True:
            while len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) < 9 + length:
                    break
                if self.buffer[3] == TYPES["GOAWAY"]:
                    code = int.from_bytes(self.buffer[13:17], "big")
                self.buffer = self.buffer[9 + length:]
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return code
            self.buffer += data
