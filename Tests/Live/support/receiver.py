"""A small HTTP server: notes what is posted to it, and answers ranges of published passwords."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.waiting import eventually


class _Server:
    def __init__(self):
        self.requests = []
        self.status = 204
        self.headers = {}
        self.hold = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self):
                self.answer(b"")

            def answer(self, body):
                outer.requests.append((self.path, dict(self.headers.items()), body))
                if outer.hold:
                    outer.hold.wait(30)
                status, content = outer.answer(self.path)
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path):
        return self.status, b""

    def got(self, count):
        """The first `count` requests, once there are as many."""
        eventually(lambda: len(self.requests) >= count, 20, f"{count} requests")
        return self.requests[:count]

    def close(self):
        if self.hold:
            self.hold.set()
        self.server.shutdown()
        self.server.server_close()


class Receiver(_Server):
    """A webhook's other end."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/in/SECRETPATH"


class Breaches(_Server):
    """Published passwords by their ranges, in the form that api.pwnedpasswords.com documents."""

    def __init__(self, *passwords):
        super().__init__()
        self.status = 200
        self.digests = [hashlib.sha1(password.encode()).hexdigest().upper() for password in passwords]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/range"

    def answer(self, path):
        prefix = path.rsplit("/", 1)[1]
        lines = [f"{digest[5:]}:{7}" for digest in self.digests if digest.startswith(prefix)]
        lines += ["0" * 34 + "A:1", "F" * 35 + ":0"]
        return self.status, "\r\n".join(lines).encode()
