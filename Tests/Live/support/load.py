"""Clients that ask again and again on connections that they keep, and count what goes wrong."""

import threading

from support.wire import Closed, Connection, head


class Load:
    """`with Load(port, headers, clients) as load: …`: every answer must be the status that is expected. A client that
    was told `Connection: close` connects anew; nothing is ever asked twice, so a lost request is a failure."""

    def __init__(self, port, headers=(), clients=8, host="app.example.com", path="/", expected=(200,)):
        self.port = port
        self.expected = expected
        self.request = head("GET", path, host, headers)
        self.answered = 0
        self.failures = []
        self.connections = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def _run(self):
        while not self._stop.is_set():
            try:
                with Connection(self.port, timeout=30) as connection:
                    with self._lock:
                        self.connections += 1
                    self._use(connection)
            except (OSError, Closed, AssertionError) as error:
                with self._lock:
                    self.failures.append(repr(error))

    def _use(self, connection):
        while not self._stop.is_set():
            connection.send(self.request)
            response = connection.read()
            with self._lock:
                self.answered += 1
                if response.status not in self.expected:
                    self.failures.append(repr(response))
            if response.get("Connection") == "close":
                return
