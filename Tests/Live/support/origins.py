"""Apps that know nothing about Gatehouse: one on WSGI, one on raw sockets that records what reaches it."""

import json
import os
import socket
import socketserver
import threading
import wsgiref.simple_server


class RecordedRequest:
    """A request as it came in, byte for byte."""

    def __init__(self, head, body, trailers):
        self.head = head
        self.body = body
        self.trailers = trailers
        lines = head.split(b"\r\n")
        self.method, self.target, self.version = lines[0].decode("latin-1").split(" ")
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            self.headers.append((name, value.strip()))

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else default

    def __getitem__(self, name):
        value = self.get(name)
        assert value is not None, f"{name} is not among {self.headers}"
        return value

    def __contains__(self, name):
        return bool(self.all(name))

    def folded(self):
        """Header names as CGI and WSGI show them, with their values."""
        return [(name.upper().replace("-", "_"), value) for name, value in self.headers]

    def __repr__(self):
        return f"<{self.head!r} {self.body[:200]!r}>"


def answer(body=b"ok", status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class RawOrigin:
    """A keep-alive HTTP/1.1 server that records requests. `behave(request, socket)` returns the bytes of the answer, or
    None when it wrote to the socket itself and wants it closed. `tls`: an SSLContext to speak TLS with."""

    def __init__(self, behave=None, path=None, tls=None, address="127.0.0.1", port=0):
        self.behave = behave or (lambda request, _: answer())
        self.tls = tls
        self.requests = []
        self.connections = 0
        self._lock = threading.Lock()
        self._open = set()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o666)
            self.url = f"unix:{path}"
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((address, port))
            self.port = self.listener.getsockname()[1]
            self.url = f"{'https' if tls else 'http'}://{address}:{self.port}"
        self.listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Stops listening and cuts every connection."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.cut()

    def cut(self):
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @property
    def open(self):
        """How many connections are."""
        with self._lock:
            return len(self._open)

    @property
    def last(self):
        return self.requests[-1]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
            with connection:
                buffer = b""
                while True:
                    buffer, request = self._read(connection, buffer)
                    if request is None:
                        return
                    self.requests.append(request)
                    data = self.behave(request, connection)
                    if data is None:
                        return
                    connection.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)

    def _read(self, connection, buffer):
        def more():
            data = connection.recv(65536)
            if not data:
                raise ConnectionError("closed")
            return data

        try:
            while b"\r\n\r\n" not in buffer:
                buffer += more()
        except ConnectionError:
            return b"", None
        head, buffer = buffer.split(b"\r\n\r\n", 1)
        request = RecordedRequest(head, b"", [])
        if request.get("Expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (request.get("Transfer-Encoding") or ""):
            while True:
                while b"\r\n" not in buffer:
                    buffer += more()
                line, buffer = buffer.split(b"\r\n", 1)
                size = int(line, 16)
                if size == 0:
                    break
                while len(buffer) < size + 2:
                    buffer += more()
                request.body += buffer[:size]
                assert buffer[size:size + 2] == b"\r\n"
                buffer = buffer[size + 2:]
            while True:
                while b"\r\n" not in buffer:
                    buffer += more()
                line, buffer = buffer.split(b"\r\n", 1)
                if not line:
                    break
                name, _, value = line.decode("latin-1").partition(":")
                request.trailers.append((name, value.strip()))
        else:
            length = int(request.get("Content-Length") or 0)
            while len(buffer) < length:
                buffer += more()
            request.body, buffer = buffer[:length], buffer[length:]
        return buffer, request


class _QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]

    def log_message(self, *arguments):
        pass


class _WSGIServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address
        self.setup_environ()


class WSGIOrigin:
    """Answers with the `HTTP_…` part of its environment, as any WSGI app would see it; `seen` has the paths."""

    def __init__(self):
        self.seen = []
        self.server = wsgiref.simple_server.make_server("127.0.0.1", 0, self._app, _WSGIServer, _QuietHandler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _app(self, environ, start_response):
        self.seen.append(environ["PATH_INFO"])
        seen = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
        body = json.dumps(seen).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]
