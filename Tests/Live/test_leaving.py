"""Clients that leave while a connection to the app is still being made: nothing of them stays behind."""

import os
import socket

import pytest

from support.http2 import Client, Frames
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head
from test_http2_floods import headers, reset

CLOSED = head("GET", "/public/x", "app.example.com")


class FullListener:
    """Nobody takes the connections, and the kernel drops whoever knocks when the queue is full."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def close(self):
        for filler in self.fillers:
            filler.close()
        self.socket.close()


@pytest.fixture
def full():
    listener = FullListener()
    yield listener
    listener.close()


def gate_before(make_gate, url, **upstream):
    return make_gate(
        upstreams={"app": {"url": url, "connect_timeout": "60s"} | upstream},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )


def descriptors(gate):
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


def errors(gate):
    text = gate.monitor_get("/metrics")[1]
    return [line for line in text.splitlines()
            if line.startswith("gatehouse_upstream_errors_total") and not line.endswith(" 0")]


@pytest.mark.parametrize("scheme", ["http", "h2c", "https"])
def test_a_flood_of_resets_holds_nothing(make_gate, full, scheme):
    gate = gate_before(make_gate, [f"{scheme}://127.0.0.1:{full.port}"])
    before = descriptors(gate)
    memory = gate.anonymous_memory()
    for _ in range(40):
        with Frames(gate.port) as client:
            for index in range(100):
                if not client.send(headers(2 * index + 1) + reset(2 * index + 1)):
                    break
    eventually(lambda: descriptors(gate) <= before + 5, 30, "the descriptors of before")
    assert gate.anonymous_memory() - memory < 32 << 20
    assert not errors(gate)
    assert "an upstream failed" not in gate.log_text()


def test_closed_connections_hold_nothing(make_gate, full):
    gate = gate_before(make_gate, [f"http://127.0.0.1:{full.port}"])
    before = descriptors(gate)
    clients = []
    for _ in range(100):
        client = Connection(gate.port)
        client.socket.sendall(CLOSED)
        clients.append(client)
    # The probes that saw it start may have had a few of those before.
    eventually(lambda: descriptors(gate) >= before + 190, 30, "a descriptor for each side of each")
    for client in clients:
        client.abort()
    eventually(lambda: descriptors(gate) <= before + 5, 30, "the descriptors of before")
    assert not errors(gate)


def test_many_who_stay_hold_a_known_number(make_gate, full):
    gate = gate_before(make_gate, [f"http://127.0.0.1:{full.port}"])
    before = descriptors(gate)
    clients = [Connection(gate.port) for _ in range(600)]
    for client in clients:
        client.socket.sendall(CLOSED)
    workers = 2 * 256  # two loops at most on the machine of a test
    eventually(lambda: descriptors(gate) >= before + 600 + 190, 30, "attempts")
    assert descriptors(gate) <= before + 600 + workers
    for client in clients:
        client.abort()
    eventually(lambda: descriptors(gate) <= before + 5, 30, "the descriptors of before")


def test_another_server_is_still_used(make_gate, make_origin, full):
    """The one that takes nobody is not ejected for clients that left, nor is the other one."""
    origin = make_origin(lambda request, _: answer(b"ok"))
    gate = gate_before(make_gate, [f"http://127.0.0.1:{full.port}", origin.url])
    for _ in range(30):
        client = Connection(gate.port)
        client.socket.sendall(CLOSED)
        client.abort()
    assert "passed over" not in gate.log_text()
    assert not errors(gate)


def test_who_stays_gets_the_connection_that_others_waited_for(make_gate, full):
    """All streams wait for one connection of HTTP/2; most of them leave."""
    gate = gate_before(make_gate, [f"h2c://127.0.0.1:{full.port}"], connect_timeout="3s")
    with Client(gate.port) as client:
        streams = [client.start("/public/x") for _ in range(20)]
        for stream in streams[:-1]:
            client.h2.reset_stream(stream, 8)
        client.flush()
        # The last one waits for the connection as long as that may take, and is told.
        assert client.wait(streams[-1]).status == 504
    assert len(errors(gate)) == 1
