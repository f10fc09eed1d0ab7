"""Clients that ask an HTTP/2 connection for more than it is there for: each ends with GOAWAY, at flat memory, and
nobody else notices."""

import random
import socket

import pytest

from support.http2 import ACK, END_HEADERS, END_STREAM, PREFACE, Frames, frame, literal, pseudo
from support.nginx_app import NginxApp
from support.origins import answer
from support.waiting import eventually
from support.wire import request

MIB = 1 << 20
CALM = 11
GET = literal(*pseudo(path="/public/x"))
POST = literal(*pseudo("POST", "/public/x"))


def headers(stream, block=GET, flags=END_STREAM | END_HEADERS):
    return frame("HEADERS", stream, flags, block)


def reset(stream, code=8):
    return frame("RST_STREAM", stream, 0, code.to_bytes(4, "big"))


def flood(gate, blocks, expected=CALM):
    """Sends until it is told to stop; says how many blocks that took."""
    before = gate.anonymous_memory()
    sent = 0
    with Frames(gate.port) as client:
        for block in blocks:
            sent += 1
            if not client.send(block):
                break
        assert client.goaway() in (expected, None)
    assert request(gate.port, "/public/x", "app.example.com").status == 200
    assert gate.anonymous_memory() - before < 32 * MIB
    return sent


def said_calm(gate, blocks):
    """The GOAWAY itself, by a client that reads it."""
    with Frames(gate.port) as client:
        for block in blocks:
            if not client.send(block):
                break
        return client.goaway()


def rapid_reset(count):
    """CVE-2023-44487."""
    for index in range(count):
        yield headers(2 * index + 1) + reset(2 * index + 1)


def made_reset(count):
    """CVE-2025-8671: the server is made to reset."""
    for index in range(count):
        yield headers(2 * index + 1, POST, END_HEADERS) + frame("WINDOW_UPDATE", 2 * index + 1, 0, b"\0\0\0\0")


def malformed(count):
    for index in range(count):
        yield headers(2 * index + 1, literal(*pseudo(path="/public/x"), ("connection", "close")))


FLOODS = {
    "rapid-reset": lambda count: rapid_reset(count),
    "made-you-reset": lambda count: made_reset(count),
    "malformed-requests": lambda count: malformed(count),
    "settings": lambda count: (frame("SETTINGS") for _ in range(count)),
    "settings-with-content": lambda count: (frame("SETTINGS", 0, 0, b"\0\x04\0\0\xff\xff" * 10) for _ in range(count)),
    "ping": lambda count: (frame("PING", payload=b"12345678") for _ in range(count)),
    "priority": lambda count: (frame("PRIORITY", 2 * n + 1, 0, b"\0\0\0\0\x10") for n in range(count)),
    "window-update": lambda count: (frame("WINDOW_UPDATE", 0, 0, b"\0\0\0\x01") for _ in range(count)),
    "empty-data": lambda count: (frame("DATA", 1) if n else headers(1, POST, END_HEADERS) for n in range(count)),
    "continuation": lambda count: (
        frame("CONTINUATION", 1, 0, literal(("x", "y"))) if n else headers(1, GET, END_STREAM) for n in range(count)),
}


@pytest.mark.parametrize("kind", sorted(FLOODS))
def test_a_flood_ends_its_connection(gate, kind):
    assert flood(gate, FLOODS[kind](20_000)) <= 20_000
    # What is little more than allowed is told why.
    assert said_calm(gate, FLOODS[kind](2_300)) == CALM


def test_memory_is_flat_after_many_floods(make_gate, tmp_path):
    """In front of an app that takes connections as quickly as they are made: a request whose client has gone still
    waits for its own."""
    app = NginxApp(tmp_path / "app")
    try:
        gate = make_gate(upstreams={"app": {"url": [app.url]}}, routes=[
            {"name": "app", "upstream": "app", "rules": [{"allow": "everyone"}]}])
        for _ in range(30):
            said_calm(gate, rapid_reset(400))
        before = gate.anonymous_memory()
        for _ in range(60):
            said_calm(gate, rapid_reset(400))
        assert gate.anonymous_memory() - before < 8 * MIB
    finally:
        app.stop()


def test_who_gets_answers_may_cancel(gate):
    """A reset for each answer is what a browser does that leaves pages; it is no attack."""
    with Frames(gate.port) as client:
        for index in range(600):
            stream = 4 * index + 1
            assert client.send(headers(stream) + headers(stream + 2, POST, END_HEADERS))
            answered = b""
            while stream.to_bytes(4, "big") not in answered:
                answered += client.socket.recv(65536)
            assert client.send(reset(stream + 2))
        assert client.send(frame("PING", payload=b"still-ok"))
        data = b""
        while b"still-ok" not in data:
            data += client.socket.recv(65536)


def test_a_preface_byte_by_byte(gate):
    with socket.create_connection(("127.0.0.1", gate.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in PREFACE + frame("SETTINGS") + headers(1):
            connection.sendall(bytes([byte]))
        data = b""
        while b"ok" not in data:
            data += connection.recv(65536)
        assert data[3] == 4


@pytest.mark.parametrize("start", [b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\nHost: x\r\n\r\n",
                                   b"PRI /x HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n"])
def test_what_is_nearly_a_preface_is_refused_as_http1(gate, start):
    with socket.create_connection(("127.0.0.1", gate.port), 10) as connection:
        connection.sendall(start)
        data = connection.recv(65536)
        assert data.startswith(b"HTTP/1.1 505") or data.startswith(b"HTTP/1.1 400"), data


def test_a_preface_behind_a_request_is_no_preface(gate):
    with socket.create_connection(("127.0.0.1", gate.port), 10) as connection:
        connection.sendall(b"GET /public/x HTTP/1.1\r\nHost: app.example.com\r\n\r\n" + PREFACE + frame("SETTINGS"))
        data = b""
        while b"HTTP/1.1 505" not in data and b"HTTP/1.1 400" not in data:
            piece = connection.recv(65536)
            assert piece, data
            data += piece
        assert data.startswith(b"HTTP/1.1 200")


def test_acknowledgements_are_no_flood(gate):
    with Frames(gate.port) as client:
        client.send(frame("PING", flags=ACK, payload=b"12345678") * 5000 + headers(1))
        data = b""
        while b"ok" not in data:
            data += client.socket.recv(65536)


def test_lesson51_who_leaves_while_answers_wait_brings_nothing_down(simple):
    """Asks, takes nothing, and ends its half: the last stream ends while bytes of others still wait here. How many of
    them the kernel takes is its own affair, so it is asked for ever more, in steps of less than may wait here."""
    body, clients = b"a" * 40_000, []
    gate = simple(lambda *_: answer(body))
    for count in range(20, 100):
        client = socket.socket()
        clients.append(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", gate.port))
        client.sendall(PREFACE + frame("SETTINGS") + frame("WINDOW_UPDATE", payload=(1 << 30).to_bytes(4, "big")))
        before = len(gate.origin.requests)
        client.sendall(b"".join(headers(2 * number + 1) for number in range(count)))
        client.shutdown(socket.SHUT_WR)
        eventually(lambda: len(gate.origin.requests) == before + count)
        assert request(gate.port, "/public/x", "app.example.com").status == 200, count
    for client in clients:
        client.close()
    assert request(gate.port, "/public/x", "app.example.com").status == 200
    assert gate.process.poll() is None


def test_lesson51_random_frames_bring_nothing_down(simple):
    """GOAWAY, resets, settings and nonsense in any order: connections end, the server does not, and nothing is left of
    them for which its drain would wait."""
    gate = simple(drain="60s")
    source = random.Random(51)
    kinds = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"]
    lengths = {"PRIORITY": 5, "RST_STREAM": 4, "PING": 8, "GOAWAY": 8, "WINDOW_UPDATE": 4, "SETTINGS": 6}
    process = gate.process.pid
    for _ in range(300):
        with Frames(gate.port) as client:
            sent = b""
            stream = 1
            for _ in range(source.randrange(1, 40)):
                kind = source.choice(kinds)
                if source.random() < 0.4:
                    sent += headers(stream, source.choice([GET, POST]), source.choice([1, 4, 5]))
                    stream += 2
                    continue
                length = lengths.get(kind, source.randrange(0, 40)) if source.random() < 0.9 else source.randrange(0, 40)
                on = 0 if kind in ("SETTINGS", "PING", "GOAWAY") else source.choice([0, 1, stream, max(1, stream - 2)])
                sent += frame(kind, on, source.choice([0, 0, 1, 4, 5, 8, 0x20]), source.randbytes(length))
            if source.random() < 0.3:
                sent = bytearray(sent)
                sent[source.randrange(len(sent))] = source.randrange(256)
            client.send(bytes(sent))
            if source.random() < 0.5:
                client.socket.shutdown(socket.SHUT_WR)
    assert gate.process.poll() is None and gate.process.pid == process
    assert request(gate.port, "/public/x", "app.example.com").status == 200
    assert gate.stop() == 0
