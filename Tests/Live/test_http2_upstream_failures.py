"""Apps that speak HTTP/2 badly, or die: malformed answers, resets, GOAWAY, garbage, and what is left of it."""

import json
import threading

import pytest

from support.gatehouse import free_ports
from support.http2_origin import frame
from support.waiting import eventually
from support.wire import Connection, head
from test_http2_upstream import authority, connections, errors, make_h2  # noqa: F401 - fixtures


# Hostile ones


MALFORMED = {
    "CR LF in a value": [(":status", "200"), ("x-a", "1\r\nx-forged: 1")],
    "LF in a value": [(":status", "200"), ("x-a", "1\nx-forged: 1")],
    "an answer in a value": [(":status", "200"), ("x-a", "1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")],
    "NUL in a value": [(":status", "200"), ("x-a", "1\0")],
    "CR LF in a name": [(":status", "200"), ("x-a: 1\r\nx-forged", "1")],
    "a colon in a name": [(":status", "200"), ("x-a:", "1")],
    "a blank in a name": [(":status", "200"), ("x a", "1")],
    "no name": [(":status", "200"), ("", "1")],
    "capitals": [(":status", "200"), ("X-A", "1")],
    "no status": [("x-a", "1")],
    "two statuses": [(":status", "200"), (":status", "404")],
    "a status behind a field": [("x-a", "1"), (":status", "200")],
    "a status that is no number": [(":status", "abc")],
    "a short status": [(":status", "99")],
    "a long status": [(":status", "2000")],
    "a signed status": [(":status", "+20")],
    "an empty status": [(":status", "")],
    "a pseudo-field of requests": [(":status", "200"), (":path", "/")],
    "an unknown pseudo-field": [(":status", "200"), (":x", "1")],
    "connection": [(":status", "200"), ("connection", "x-a")],
    "transfer-encoding": [(":status", "200"), ("transfer-encoding", "chunked")],
    "upgrade": [(":status", "200"), ("upgrade", "websocket")],
    "101": [(":status", "101"), ("x-a", "1")],
    "an interim answer that ends": [(":status", "103")],
    "two lengths": [(":status", "200"), ("content-length", "0"), ("content-length", "0")],
    "a length that is none": [(":status", "200"), ("content-length", "0x0")],
    "less than its length": [(":status", "200"), ("content-length", "5")],
    "blanks around a value": [(":status", "200"), ("x-a", " 1")],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_answer_is_502(make_h2, fields):
    gate = make_h2(lambda line, stream: line.block(stream, fields))
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        response = connection.read()
        assert response.status == 502 and response.code == "upstream_failed"
        assert "x-forged" not in response and "x-a" not in response
        gate.origin.behave = lambda line, stream: line.answer(stream)
        connection.send(head("GET", "/", "app.example.com"))
        assert connection.read().status == 200
    # The failure was that stream's alone, but where HPACK itself forbids the field.
    assert len(gate.origin.lines) == (2 if ("", "1") in fields else 1)
    assert errors(gate, "malformed") == 1
    gate.logged("an upstream failed")


@pytest.mark.parametrize("trailers", [
    [("x-a", "1\r\nx-forged: 1")], [(":status", "200")], [("X-A", "1")], [("connection", "close")],
    [("transfer-encoding", "chunked")],
])
def test_malformed_trailers_cut_the_answer(make_h2, trailers):
    def behave(line, stream):
        line.headers(stream, [(":status", "200")])
        line.data(stream, b"abc")
        line.block(stream, trailers)

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        assert connection.head()[1] in (200, 502)
        assert b"0\r\n\r\n" not in connection.rest() and b"x-forged" not in connection.buffer
    assert errors(gate, "malformed") == 1


@pytest.mark.parametrize("length,pieces", [("5", [b"abc"]), ("5", [b"abc", b"def"]), ("3", [b"abcdef"]), ("0", [b"a"])])
def test_a_body_of_another_length_is_never_whole(make_h2, length, pieces):
    def behave(line, stream):
        line.block(stream, [(":status", "200"), ("content-length", length)], end=False)
        for place, piece in enumerate(pieces):
            line.raw(frame(0, 1 if place == len(pieces) - 1 else 0, stream.number, piece))

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        status = connection.head()[1]
        assert status == 502 or len(connection.rest()) < int(length)
    assert eventually(lambda: errors(gate, "malformed") == 1)


@pytest.mark.parametrize("code", range(0, 14))
def test_each_reset_before_an_answer(make_h2, code):
    """REFUSED_STREAM is sent again, once, whatever it is; anything else is 502."""
    gate = make_h2(lambda line, stream: line.reset(stream, code))
    for method in ("GET", "POST"):
        before = len(gate.origin.streams)
        assert gate.get(method=method).status == 502
        assert len(gate.origin.streams) - before == (2 if code == 7 else 1)
    assert errors(gate, "reset") >= 2
    gate.origin.behave = lambda line, stream: line.answer(stream)
    assert gate.get().status == 200 and len(gate.origin.lines) <= 4


def test_what_was_refused_once_is_sent_again(make_h2):
    def behave(line, stream):
        line.reset(stream, 7) if len(gate.origin.streams) == 1 else line.answer(stream)

    gate = make_h2(behave)
    assert gate.get(method="POST").status == 200
    assert len(gate.origin.streams) == 2 and errors(gate, "reset") == 0


def test_a_body_that_has_gone_is_not_sent_again(make_h2):
    gate = make_h2(lambda line, stream: line.reset(stream, 7))
    assert gate.get(method="POST", body=b"abc").status == 502
    assert len(gate.origin.streams) == 1


def test_a_reset_in_the_body_cuts_the_answer(make_h2):
    def behave(line, stream):
        line.headers(stream, [(":status", "200")])
        line.data(stream, b"abc")
        line.reset(stream, 2)

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        assert connection.head()[1] in (200, 502)
        assert b"0\r\n\r\n" not in connection.rest()
    assert eventually(lambda: errors(gate, "reset") == 1)


def test_lesson51_goaway_lets_what_was_accepted_end_and_sends_the_rest_again(make_h2):
    """The streams above its last are unsent, even POST; the one below is answered on the dying connection."""
    both = threading.Event()

    def behave(line, stream):
        if len(gate.origin.lines) == 1:
            if stream.number == 5:
                both.set()
                line.goaway(3)
            elif stream.number == 3:
                assert both.wait(10)
                line.answer(stream, body=b"old")
            else:
                line.answer(stream)
        else:
            line.answer(stream, body=b"new")

    gate = make_h2(behave, settings={"workers": 1})
    assert gate.get().status == 200
    bodies = {}
    first = threading.Thread(target=lambda: bodies.update(first=gate.get(method="POST").body))
    first.start()
    assert eventually(lambda: len(gate.origin.streams) == 2)
    bodies["second"] = gate.get(method="POST").body
    first.join()
    assert bodies == {"first": b"old", "second": b"new"}
    assert gate.get().body == b"new" and len(gate.origin.lines) == 2


def test_a_used_connection_that_dies_is_tried_again_only_for_what_may_be(make_h2):
    def behave(line, stream):
        if stream.number > 1:
            return line.close()
        line.answer(stream)

    gate = make_h2(behave, settings={"workers": 1})
    assert gate.get().status == 200
    assert gate.get().status == 200 and len(gate.origin.lines) == 2
    assert gate.get(method="POST").status == 502
    assert gate.get().status == 200 and errors(gate, "closed") == 1


def test_a_server_that_dies_at_once(make_h2):
    gate = make_h2(lambda line, stream: line.close())
    for _ in range(3):
        assert gate.get().status == 502
    assert errors(gate, "closed") == 3
    gate.origin.behave = lambda line, stream: line.answer(stream)
    assert gate.get().status == 200


def test_a_server_that_dies_in_mid_body(make_h2):
    def behave(line, stream):
        line.headers(stream, [(":status", "200"), ("content-length", "10")])
        line.data(stream, b"abc")
        line.close()

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        assert connection.head()[1] in (200, 502)
        assert b"0\r\n\r\n" not in connection.rest()
    assert eventually(lambda: errors(gate, "closed") == 1)


def test_a_silent_server_is_504_and_its_connection_not_used_again(make_h2):
    gate = make_h2(lambda line, stream: None, upstream={"first_byte_timeout": "1s"}, settings={"workers": 1})
    assert gate.get().status == 504 and errors(gate, "first_byte_timeout") == 1
    assert eventually(lambda: gate.origin.last.reset == 8 or len(gate.origin.lines) > 0)
    gate.origin.behave = lambda line, stream: line.answer(stream)
    assert gate.get().status == 200


def test_a_client_that_goes_away_resets_its_stream(make_h2):
    gate = make_h2(lambda line, stream: None, settings={"workers": 1})
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        assert eventually(lambda: len(gate.origin.streams) == 1)
        connection.abort()
    assert eventually(lambda: gate.origin.last.reset == 8)
    gate.origin.behave = lambda line, stream: line.answer(stream)
    assert gate.get().status == 200 and len(gate.origin.lines) == 1


def continuation_flood(number):
    return frame(1, 0, number, b"\x88") + b"".join(frame(9, 0, number, b"") for _ in range(50))


def endless_header(number):
    entry = b"\x00\x01a\x7f\x81\x7f" + b"b" * 16384
    return frame(1, 0, number, entry[:16384]) + b"".join(frame(9, 0, number, b"c" * 16384) for _ in range(8))


GARBAGE = {
    "HTTP/1.1": lambda number: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "noise": lambda number: bytes(range(256)) * 40,
    "a frame that is too large": lambda number: frame(0, 0, number, b"x" * 20_000),
    "data for a stream that is none": lambda number: frame(0, 0, number + 100, b"x"),
    "headers for a stream that is none": lambda number: frame(1, 4, number + 100, b"\x88"),
    "a push": lambda number: frame(5, 4, number, (2).to_bytes(4, "big") + b"\x82"),
    "a broken header block": lambda number: frame(1, 5, number, b"\xff\xff\xff\xff\xff"),
    "a window of nothing": lambda number: frame(8, 0, 0, (0).to_bytes(4, "big")),
    "a window beyond all bounds": lambda number: frame(8, 0, 0, (2**31 - 1).to_bytes(4, "big")),
    "settings of a wrong size": lambda number: frame(4, 0, 0, b"12345"),
    "a ping of a wrong size": lambda number: frame(6, 0, 0, b"1234"),
    "a continuation of nothing": lambda number: frame(9, 4, number, b"\x88"),
    "an endless continuation": continuation_flood,
    "an endless header": endless_header,
    "a flood of settings": lambda number: frame(4, 0, 0, b"") * 20_000,
    "a flood of pings": lambda number: frame(6, 0, 0, b"12345678") * 20_000,
    "a flood of empty data": lambda number: frame(1, 4, number, b"\x88") + frame(0, 0, number, b"") * 20_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_ends_the_connection_and_nothing_else(make_h2, garbage):
    gate = make_h2(lambda line, stream: line.raw(garbage(stream.number)), settings={"workers": 1},
                   upstream={"first_byte_timeout": "5s"})
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        status = connection.head()[1]
        if status == 200:
            assert b"0\r\n\r\n" not in connection.rest()
    assert status in (200, 502)
    assert eventually(lambda: "HTTP/2 connection to an upstream failed" in gate.log_text())
    gate.origin.behave = lambda line, stream: line.answer(stream)
    assert gate.get().status == 200 and len(gate.origin.lines) == 2


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 100, b""])
def test_a_server_that_does_not_speak_http2(make_h2, greeting):
    def greet(connection):
        connection.sendall(greeting)
        connection.recv(65536)

    gate = make_h2(greet=greet, upstream={"first_byte_timeout": "2s"})
    assert gate.get().status == 502
    if greeting:
        assert eventually(lambda: "does not speak HTTP/2" in gate.log_text())
    gate.origin.greet = None
    assert gate.get().status == 200


def test_nobody_there_is_503(make_gate):
    [port] = free_ports(1)
    gate = make_gate(
        upstreams={"app": {"url": f"h2c://127.0.0.1:{port}"}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}])
    assert gate.get().status == 503 and errors(gate, "connect") == 1


# Reload and stop


def test_a_reload_keeps_what_runs_and_lets_go_of_the_rest(make_h2):
    go = threading.Event()

    def behave(line, stream):
        if stream.get(":path") == "/slow":
            line.headers(stream, [(":status", "200")])
            line.data(stream, b"a")
            assert go.wait(10)
            return line.data(stream, b"b", end=True)
        line.answer(stream)

    gate = make_h2(behave, settings={"workers": 1})
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/slow", "app.example.com"))
        assert connection.head()[1] == 200
        changed = json.loads(json.dumps(gate.settings))
        changed["upstreams"]["app"]["idle_timeout"] = "10m"
        gate.write(changed)
        gate.cli("reload")
        assert gate.get().status == 200 and len(gate.origin.lines) == 2
        go.set()
        assert connection._until(b"0\r\n\r\n").endswith(b"b\r\n")
    assert eventually(lambda: connections(gate) == (1, 0))


def test_nothing_is_left_behind(make_h2):
    """Answers, resets, cut clients and dead connections: in the end the pool counts what there is."""
    def behave(line, stream):
        path = stream.get(":path")
        if path == "/reset":
            line.reset(stream, 2)
        elif path == "/die":
            line.close()
        elif path == "/bad":
            line.block(stream, [("x", "1")])
        elif path != "/hang":
            line.answer(stream)

    gate = make_h2(behave, settings={"workers": 1}, upstream={"first_byte_timeout": "1s"})
    for _ in range(5):
        assert gate.get("/reset").status == 502
        assert gate.get("/bad").status == 502
        assert gate.get("/ok").status == 200
        assert gate.get("/die").status == 502
        with Connection(gate.port) as connection:
            connection.send(head("GET", "/hang", "app.example.com"))
            assert eventually(lambda: gate.origin.last.get(":path") == "/hang")
            connection.abort()
    assert gate.get("/hang").status == 504
    assert gate.get("/ok").status == 200
    assert eventually(lambda: connections(gate)[1] == 0)


@pytest.mark.parametrize("tls", [False, True])
def test_health_is_asked_for_in_http2(make_h2, authority, tls):
    ill = threading.Event()

    def behave(line, stream):
        line.answer(stream, "500" if ill.is_set() and stream.get(":path") == "/healthz" else "200")

    context = None
    if tls:
        context = authority.issue("health", "127.0.0.1").server_context()
        context.set_alpn_protocols(["h2"])
    gate = make_h2(behave, tls=context, upstream={"health": {"path": "/healthz", "every": "1s"}}
                   | ({"tls": {"ca": str(authority.certificate)}} if tls else {}))
    checks = lambda: [stream for stream in gate.origin.streams if stream.get(":path") == "/healthz"]
    assert eventually(checks)[0].get(":scheme") == ("https" if tls else "http")
    assert gate.get().status == 200
    ill.set()
    assert eventually(lambda: gate.get().status == 503)
    ill.clear()
    assert eventually(lambda: gate.get().status == 200)
