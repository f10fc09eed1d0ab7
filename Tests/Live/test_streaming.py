"""Bodies are never held whole: large ones, slow ones, and event streams, at constant memory."""

import hashlib
import socket
import threading

import pytest

from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head

MIB = 1 << 20
BLOCK = bytes(range(256)) * 256  # 64 KiB
LIMIT = 64 * MIB


class Streams:
    """An origin for large bodies on raw sockets: GET answers with `size` bytes, POST digests what it gets."""

    def __init__(self, size, chunked=False):
        self.size = size
        self.chunked = chunked
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            start, rest = data.split(b"\r\n\r\n", 1)
            if start.startswith(b"GET"):
                self._download(connection)
            else:
                self._upload(connection, rest)

    def _download(self, connection):
        framing = b"Transfer-Encoding: chunked" if self.chunked else b"Content-Length: %d" % self.size
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\nConnection: close\r\n\r\n")
        try:
            for _ in range(self.size // len(BLOCK)):
                connection.sendall(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK) if self.chunked else BLOCK)
            if self.chunked:
                connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass

    def _upload(self, connection, rest):
        digest, count = hashlib.sha1(rest), len(rest)
        while count < self.size:
            data = connection.recv(MIB)
            if not data:
                return
            digest.update(data)
            count += len(data)
        connection.sendall(answer(digest.hexdigest().encode(), headers=[("Connection", "close")]))


def digest_of(size):
    digest = hashlib.sha1()
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    return digest.hexdigest()


class Memory:
    """The largest RssAnon that was seen while the block ran."""

    def __init__(self, gate):
        self.gate = gate
        self.largest = 0
        self.done = threading.Event()

    def __enter__(self):
        def watch():
            while not self.done.wait(0.05):
                self.largest = max(self.largest, self.gate.anonymous_memory())

        self.thread = threading.Thread(target=watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.largest = max(self.largest, self.gate.anonymous_memory())


@pytest.fixture(params=[
    pytest.param(256 * MIB, id="256MiB"), pytest.param(1024 * MIB, id="1GiB", marks=pytest.mark.long),
])
def size(request):
    return request.param


def gate_for(make_gate, streams):
    gate = make_gate(
        start=False,
        upstreams={"app": {"url": [streams.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": {"groups": ["staff"]}}]}],
    )
    gate.add_user("mary", ["staff"])
    gate.mary_key = gate.add_key("mary")["key"]
    return gate.start()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_download_at_constant_memory(make_gate, size, chunked):
    gate = gate_for(make_gate, Streams(size, chunked))
    digest = hashlib.sha1()
    with Memory(gate) as memory, Connection(gate.port, 120) as connection:
        connection.send(head("GET", "/big", "app.example.com", [("X-API-Key", gate.mary_key)]))
        assert connection.head()[1] == 200
        if chunked:
            stream = connection.socket.makefile("rb")
            digest, count = _dechunk(connection.buffer, stream)
        else:
            digest.update(connection.buffer)
            count = len(connection.buffer)
            while count < size:
                data = connection.socket.recv(MIB)
                assert data, f"closed after {count} bytes"
                digest.update(data)
                count += len(data)
    assert count == size and digest.hexdigest() == digest_of(size)
    assert memory.largest < LIMIT, f"{memory.largest / MIB:.0f} MiB"


def _dechunk(buffer, stream):
    """Digest and count of a chunked body, never held whole."""
    digest, count = hashlib.sha1(), 0

    def exactly(number):
        nonlocal buffer
        if len(buffer) < number:
            buffer += stream.read(number - len(buffer))
        part, buffer = buffer[:number], buffer[number:]
        return part

    def line():
        nonlocal buffer
        while b"\n" not in buffer:
            more = stream.readline()
            assert more, "closed in a chunk"
            buffer += more
        part, buffer = buffer.split(b"\n", 1)
        return part.strip()

    while True:
        number = int(line(), 16)
        if number == 0:
            assert line() == b""
            return digest, count
        digest.update(exactly(number))
        count += number
        assert exactly(2) == b"\r\n"


@pytest.mark.parametrize("chunked", [False])
def test_upload_at_constant_memory(make_gate, size, chunked):
    gate = gate_for(make_gate, Streams(size))
    with Memory(gate) as memory, Connection(gate.port, 120) as connection:
        connection.send(head("POST", "/big", "app.example.com", [
            ("X-API-Key", gate.mary_key), ("Content-Length", str(size))]))
        for _ in range(size // len(BLOCK)):
            connection.send(BLOCK)
        response = connection.read()
    assert response.status == 200 and response.body.decode() == digest_of(size)
    assert memory.largest < LIMIT, f"{memory.largest / MIB:.0f} MiB"


def test_slow_reader_holds_the_app_back(make_gate):
    """A client that does not read: the app stops being read, and nothing is piled up."""
    streams = Streams(512 * MIB)
    gate = gate_for(make_gate, streams)
    with Memory(gate) as memory, Connection(gate.port, 120) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        connection.send(head("GET", "/big", "app.example.com", [("X-API-Key", gate.mary_key)]))
        assert connection.head()[1] == 200
        seen = [gate.anonymous_memory()]

        def settled():
            seen.append(gate.anonymous_memory())
            return len(seen) > 20 and seen[-1] == seen[-10]

        eventually(settled, 20, "memory at rest")
        assert gate.get("/.auth/jwks.json", host="auth.example.com").status == 200, "others are served meanwhile"
    assert memory.largest < LIMIT


def test_slow_app_holds_the_client_back(simple):
    """An app that does not read: the client is stopped, and nothing is piled up."""
    held = threading.Event()

    gate = simple()
    gate.origin.close()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    listener.bind(("127.0.0.1", gate.origin.port))
    listener.listen()

    def serve():
        connection, _ = listener.accept()
        held.wait(60)
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with Memory(gate) as memory, Connection(gate.port, 2) as connection:
        connection.send(head("POST", "/public/x", "app.example.com", [("Content-Length", str(1 << 40))]))
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 256 * MIB:
                connection.send(BLOCK)
                sent += len(BLOCK)
        assert sent < 64 * MIB
    held.set()
    listener.close()
    assert memory.largest < LIMIT


def test_events_arrive_as_they_are_sent(simple):
    send_next = threading.Event()

    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(3):
            connection.sendall(b"9\r\ndata: %d\n\n\r\n" % n)
            assert send_next.wait(10)
            send_next.clear()
        connection.sendall(b"0\r\n\r\n")

    gate = simple(behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/events", "app.example.com"))
        assert connection.head()[1] == 200
        for n in range(3):
            assert connection._until(b"\n\n").endswith(b"data: %d" % n), "the next comes only after this one was seen"
            send_next.set()


def test_uploads_arrive_as_they_are_sent(simple):
    """The app sees the first bytes while the client still holds back the rest."""
    seen = threading.Event()

    gate = simple()
    gate.origin.close()
    listener = socket.create_server(("127.0.0.1", gate.origin.port))

    def serve():
        connection, _ = listener.accept()
        data = b""
        while b"first" not in data:
            data += connection.recv(65536)
        seen.set()
        while b"second" not in data:
            data += connection.recv(65536)
        connection.sendall(answer())

    threading.Thread(target=serve, daemon=True).start()
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/public/x", "app.example.com", [("Content-Length", "11")]) + b"first")
        assert seen.wait(10)
        connection.send(b"second")
        assert connection.read().status == 200
    listener.close()


def test_many_connections_at_once(simple):
    gate = simple()
    connections = [Connection(gate.port) for _ in range(200)]
    try:
        for connection in connections:
            connection.send(head("GET", "/page", "app.example.com", [("X-API-Key", gate.mary_key)]))
        assert all(connection.read().status == 200 for connection in connections)
    finally:
        for connection in connections:
            connection.close()
