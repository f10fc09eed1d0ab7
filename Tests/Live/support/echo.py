"""A WebSocket server that others wrote, in a thread of its own: says back what it hears."""

import threading

from websockets.sync.server import serve

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
