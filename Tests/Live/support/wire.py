"""HTTP/1.1 on raw sockets: what a library would tidy up goes out as it is written, and answers are read strictly."""

import json
import socket
import struct


class Response:
    def __init__(self, status, reason, headers, body, version="HTTP/1.1", trailers=(), interim=()):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.version = version
        self.trailers = list(trailers)
        self.interim = list(interim)

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name}: {values} in {self}"
        return values[0]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def __contains__(self, name):
        return bool(self.all(name))

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The reason of a refusal; the header and the problem document must agree."""
        problem = self.json()
        assert self["Content-Type"].startswith("application/problem+json"), self
        assert problem["status"] == self.status, self
        assert len(self.body) < 2048
        assert self["Gatehouse-Reason"] == problem["code"], self
        return problem["code"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:600]!r}>"


class Closed(ConnectionError):
    """The peer closed the connection before an answer was complete."""


class Connection:
    """A client connection; reads answers one by one, so that pipelining can be seen."""

    def __init__(self, address, timeout=15.0):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(("127.0.0.1", address), timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def abort(self):
        """Goes away without a goodbye: the peer's next look at the connection fails."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(f"closed after {self.buffer[:200]!r}")
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        part, self.buffer = self.buffer.split(mark, 1)
        return part

    def _exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part

    def head(self):
        """(version, status, reason, headers) of the next answer."""
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        version, status, *reason = lines[0].decode("latin-1").split(" ", 2)
        headers = []
        for line in lines[1:]:
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon and name == name.strip() and name, f"bad header line {line!r}"
            headers.append((name, value.strip()))
        return version, int(status), "".join(reason), headers

    def read(self, method="GET"):
        """The next final answer, whole; 1xx answers before it are in `interim`."""
        interim = []
        while True:
            version, status, reason, headers = self.head()
            if status < 200 and status != 101:
                interim.append((status, headers))
                continue
            break
        lower = [(name.lower(), value) for name, value in headers]
        lengths = [value for name, value in lower if name == "content-length"]
        codings = [value for name, value in lower if name == "transfer-encoding"]
        assert not (lengths and codings), headers
        trailers = []
        if method == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif codings:
            assert codings == ["chunked"], headers
            body, trailers = self._chunked()
        elif lengths:
            assert len(lengths) == 1, headers
            body = self._exactly(int(lengths[0]))
        else:
            body = self.rest()
        return Response(status, reason, headers, body, version, trailers, interim)

    def _chunked(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n"), 16)
            if size == 0:
                break
            body += self._exactly(size)
            assert self._exactly(2) == b"\r\n"
        trailers = []
        while True:
            line = self._until(b"\r\n").decode("latin-1")
            if not line:
                return body, trailers
            name, _, value = line.partition(":")
            trailers.append((name, value.strip()))

    def rest(self):
        """Everything until the peer closes."""
        while True:
            try:
                self._more()
            except (Closed, ConnectionResetError):
                part, self.buffer = self.buffer, b""
                return part

    def is_closed_by_peer(self):
        """Reads until the end; true when there was nothing more."""
        return self.rest() == b""


def head(method, path, host, headers=(), version="HTTP/1.1"):
    """A request head as bytes; the parts go out as they are."""
    lines = [f"{method} {path} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(address, path="/", host="app.example.com", method="GET", headers=(), body=None, timeout=15.0):
    """One request on a connection of its own."""
    headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if body is not None and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        headers.append(("Content-Length", str(len(body))))
    with Connection(address, timeout) as connection:
        connection.send(head(method, path, host, headers + [("Connection", "close")]) + (body or b""))
        return connection.read(method)


def raw(address, data, method="GET", timeout=15.0):
    """Sends bytes and reads one answer."""
    with Connection(address, timeout) as connection:
        connection.send(data)
        return connection.read(method)
