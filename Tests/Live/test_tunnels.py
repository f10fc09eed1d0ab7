"""WebSocket and other upgrades: what becomes a tunnel, what does not, and when a tunnel ends."""

import hashlib
import resource
import socket
import threading
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.echo import HOST, dial, tunnels, works
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


# A library's client and server


def test_messages_go_both_ways_and_the_app_knows_who(chat, echo):
    gate = chat()
    with dial(gate, "/room?x=1", gate.mary_key) as connection:
        assert works(connection)
        assert works(connection, b"\x00\xff" * 1000)
        headers = echo.headers[-1]
        assert headers["Remote-User"] == "mary"
        assert headers["Via"] == "1.1 gatehouse"
        assert "X-API-Key" not in headers
        assert connection.response.headers["Upgrade"] == "websocket"
        assert eventually(lambda: tunnels(gate) == 1)
    assert eventually(lambda: tunnels(gate) == 0)
    assert eventually(lambda: echo.open == 0)


def test_large_messages_both_ways(chat):
    gate = chat()
    block = bytes(range(256)) * (32 << 10)  # 8 MiB
    with dial(gate, key=gate.mary_key) as connection:
        connection.send(block)
        assert hashlib.sha1(connection.recv(timeout=60)).digest() == hashlib.sha1(block).digest()
        connection.send("big 20000000")
        assert len(connection.recv(timeout=60)) == 20_000_000


def test_many_at_once(chat, echo):
    gate = chat()
    with ExitStack() as stack:
        connections = [stack.enter_context(dial(gate, key=gate.mary_key)) for _ in range(60)]
        for number, connection in enumerate(connections):
            connection.send(f"message {number}")
        for number, connection in enumerate(connections):
            assert connection.recv(timeout=20) == f"message {number}"
        assert tunnels(gate) == 60
    assert eventually(lambda: tunnels(gate) == 0 and echo.open == 0)


def test_either_side_may_close(chat, echo):
    gate = chat()
    with dial(gate, key=gate.mary_key) as connection:
        connection.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)
        assert closed.value.rcvd.code == 1000
    with dial(gate, key=gate.mary_key) as connection:
        connection.close(1001, "gone")
    assert eventually(lambda: echo.open == 0)


@pytest.mark.parametrize("headers, status", [
    ({}, 401), ({"X-API-Key": "gate_" + "x" * 49}, 401), ({"Remote-User": "mary"}, 401),
])
def test_without_a_credential_there_is_no_tunnel(chat, echo, headers, status):
    gate = chat()
    with pytest.raises(InvalidStatus) as refused:
        dial(gate, headers=headers)
    assert refused.value.response.status_code == status
    assert echo.headers == []
    assert tunnels(gate) == 0


# What is no tunnel


@pytest.mark.parametrize("fields", [
    [("Connection", "Upgrade"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "H2C")],
    [("Connection", "Upgrade"), ("Upgrade", "h2")],
    [("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")],
    [("Connection", "Upgrade"), ("Upgrade", "HTTP/2.0")],
    [("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")],
    [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Upgrade", "h2c")],
    [("Connection", "Upgrade"), ("Upgrade", "web socket")],
    [("Connection", "Upgrade"), ("Upgrade", "")],
    [("Upgrade", "websocket")],
    [("Connection", "close"), ("Upgrade", "websocket")],
    [("Connection", "Upgrade")],
], ids=lambda fields: "+".join(value for _, value in fields) or "none")
def test_what_is_not_forwarded_as_an_upgrade(simple, fields):
    gate = simple(lambda *_: SWITCHED)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, fields))
        # A 101 that nobody asked for is no answer.
        assert connection.read().status == 502
    assert "Upgrade" not in gate.origin.last
    assert "HTTP2-Settings" not in gate.origin.last
    assert "pgrade" not in gate.origin.last.get("Connection", "")


def test_a_body_or_an_old_version_is_no_upgrade(simple):
    gate = simple()
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/public/x", HOST, UPGRADE + [("Content-Length", "2")]) + b"hi")
        assert connection.read().status == 200
    assert "Upgrade" not in gate.origin.last
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE, version="HTTP/1.0"))
        assert connection.read().status == 200
    assert "Upgrade" not in gate.origin.last


@pytest.mark.parametrize("lines", [
    "Connection: Upgrade\r\nUpgrade: other", "Connection: Upgrade\r\nUpgrade: websocket, h2c", "Upgrade: websocket",
    "Connection: Upgrade", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3",
])
def test_a_101_to_something_else_is_502(simple, lines):
    gate = simple(lambda *_: f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n\r\nabc".encode())
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        response = connection.read()
        assert response.status == 502 and response.code == "upstream_failed"
    assert eventually(lambda: tunnels(gate, "app") == 0)


def test_an_app_that_does_not_switch_gives_an_ordinary_answer(simple):
    gate = simple(lambda request, _: answer(b"no", status="426 Upgrade Required") if "Upgrade" in request else answer())
    with Connection(gate.port) as connection:
        second = head("GET", "/public/second", HOST)
        connection.send(head("GET", "/public/x", HOST, UPGRADE) + second)
        assert connection.read().status == 426
        # What came behind the request was the next one, judged for itself.
        assert connection.read().status == 200
        connection.send(head("GET", "/private", HOST))
        assert connection.read().status == 401
    assert [request.target for request in gate.origin.requests] == ["/public/x", "/public/second"]


# Bytes


def raw_tunnel(behave):
    """An origin's behaviour that switches, writes `first` at once, and then does as `behave(connection)`."""

    def serve(request, connection):
        assert request["Upgrade"] == "websocket" and request["Connection"] == "Upgrade"
        behave(connection)

    return serve


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        assert part, data
        data += part
    return data


def test_bytes_right_behind_the_heads_are_not_lost(simple):
    def behave(connection):
        connection.sendall(SWITCHED + b"behind the 101")
        connection.sendall(b" and heard: " + read_exactly(connection, 18))

    gate = simple(raw_tunnel(behave))
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE) + b"behind the request")
        assert connection.read().status == 101
        assert connection.rest() == b"behind the 101 and heard: behind the request"


def test_interim_answers_may_come_before(simple):
    def behave(connection):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + SWITCHED + b"x")

    gate = simple(raw_tunnel(behave))
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        response = connection.read()
        assert response.status == 101 and [status for status, _ in response.interim] == [103]
        assert response["Upgrade"] == "websocket" and response["Connection"] == "Upgrade"
        assert connection.rest() == b"x"


def test_each_side_may_end_alone(simple):
    """The client's last byte does not end what the app still says, nor the other way round."""
    size = 4 << 20

    def client_first(connection):
        connection.sendall(SWITCHED)
        data = b""
        while part := connection.recv(65536):
            data += part
        connection.sendall(hashlib.sha1(data).hexdigest().encode() + bytes(size))

    gate = simple(raw_tunnel(client_first))
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        assert connection.read().status == 101
        connection.send(b"a" * size)
        connection.socket.shutdown(socket.SHUT_WR)
        rest = connection.rest()
        assert rest[:40] == hashlib.sha1(b"a" * size).hexdigest().encode() and len(rest) == 40 + size

    heard = []
    done = threading.Event()

    def app_first(connection):
        connection.sendall(SWITCHED + b"bye")
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            heard.append(part)
        done.set()

    gate.origin.behave = raw_tunnel(app_first)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        assert connection.read().status == 101
        assert connection.rest() == b"bye"
        connection.send(b"b" * size)
    assert done.wait(10)
    assert len(b"".join(heard)) == size
    assert eventually(lambda: tunnels(gate, "app") == 0)


def test_the_death_of_the_app_closes_the_clients_side(simple):
    stop = threading.Event()

    def behave(connection):
        connection.sendall(SWITCHED + b"x")
        stop.wait(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    gate = simple(raw_tunnel(behave))
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        assert connection.read().status == 101
        stop.set()
        assert connection.rest() in (b"x", b"")
    assert eventually(lambda: tunnels(gate, "app") == 0)


def test_a_slow_reader_holds_the_app_back(simple):
    """Nothing is piled up for a client that does not read, and nothing is lost."""
    size = 256 << 20
    sent = []

    def behave(connection):
        connection.sendall(SWITCHED)
        for _ in range(size >> 16):
            connection.sendall(bytes(65536))
            sent.append(65536)

    gate = simple(raw_tunnel(behave))
    with Connection(gate.port, timeout=60) as connection:
        connection.send(head("GET", "/public/x", HOST, UPGRADE))
        assert connection.read().status == 101
        pause = threading.Event()
        last = -1
        while sum(sent) != last:
            last = sum(sent)
            pause.wait(0.5)
        assert last < size // 2
        assert gate.anonymous_memory() < 64 << 20
        count = len(connection.buffer)
        while part := connection.socket.recv(1 << 20):
            count += len(part)
        assert count == size


@pytest.fixture
def descriptors():
    """As many as this machine allows, for this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_memory_of_idle_tunnels(simple, descriptors, count):
    """An idle tunnel is two connections, what it is judged by, and next to no buffers."""
    count = min(count, descriptors // 2 - 500)
    release = threading.Event()
    gate = simple(lambda *_: answer(), limits={"exempt_networks": ["127.0.0.0/8"]})
    gate.origin.close()
    listener = socket.create_server(("127.0.0.1", gate.origin.port), backlog=1024)
    held = []

    def accept():
        while not release.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(65536)
            connection.sendall(SWITCHED)
            held.append(connection)

    threading.Thread(target=accept, daemon=True).start()
    clients = []

    def open_one():
        connection = Connection(gate.port)
        connection.send(head("GET", "/page", HOST, UPGRADE + [("X-API-Key", gate.mary_key)]))
        assert connection.read().status == 101
        clients.append(connection)

    try:
        for _ in range(100):
            open_one()
        before = gate.anonymous_memory()
        for _ in range(count):
            open_one()
        each = (gate.anonymous_memory() - before) / count
        assert tunnels(gate, "app") == len(clients)
        assert each < 12_000, each
    finally:
        release.set()
        for connection in clients:
            connection.close()
        listener.close()
        for connection in held:
            connection.close()
