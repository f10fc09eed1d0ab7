"""WebSocket by a library that others wrote: a server that says back what it hears, and clients of it."""

import socket
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

HOST = "app.example.com"

PATIENCE = {"open_timeout": 10, "close_timeout": 2, "ping_interval": None, "compression": None, "max_size": None}


class EchoServer:
    """`headers` of every handshake are kept; a message `close` ends the connection, `big N` answers with N bytes."""

    def __init__(self):
        self.headers = []
        self.open = 0
        self._lock = threading.Lock()
        self.server = serve(self._serve, "127.0.0.1", 0, **PATIENCE)
        self.port = self.server.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _serve(self, connection):
        with self._lock:
            self.headers.append(connection.request.headers)
            self.open += 1
        try:
            for message in connection:
                if message == "close":
                    return
                if isinstance(message, str) and message.startswith("big "):
                    connection.send(bytes(int(message[4:])))
                else:
                    connection.send(message)
        finally:
            with self._lock:
                self.open -= 1

    def close(self):
        self.server.shutdown()


def dial(gate, path="/", key=None, headers=()):
    headers = dict(headers)
    if key:
        headers["X-API-Key"] = key
    sock = socket.create_connection(("127.0.0.1", gate.port))
    return connect(f"ws://{HOST}{path}", sock=sock, additional_headers=headers, proxy=None, **PATIENCE)


def works(connection, message="hello"):
    connection.send(message)
    return connection.recv(timeout=10) == message


def closed_after(connection):
    """Seconds until a WebSocket connection ends; it must."""
    start = time.monotonic()
    with pytest.raises(ConnectionClosed):
        connection.recv(timeout=20)
    return time.monotonic() - start


def tunnels(gate, route="chat"):
    for line in gate.monitor_get("/metrics")[1].splitlines():
        if line.startswith(f'gatehouse_tunnels{{route="{route}"}}'):
            return int(line.split()[-1])
    return None
