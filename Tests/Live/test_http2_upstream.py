"""HTTP/2 to the apps: by prior knowledge and by ALPN, honest servers and hostile ones."""

import re
import threading

import pytest

from support.certificates import Authority
from support.http2_origin import H2Origin
from support.waiting import eventually
from support.wire import Connection, head


RULES = [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]


@pytest.fixture
def make_h2(make_gate):
    """A server with one app that speaks HTTP/2; `gate.origin` is the app."""
    origins = []

    def make(behave=None, name="gate", upstream=None, rules=None, route=None, more=(), settings=None, **origin):
        made = H2Origin(behave, **origin)
        origins.append(made)
        gate = make_gate(
            name, start=False,
            upstreams={"app": {"url": [made.url, *more]} | (upstream or {})},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                     "rules": rules or [{"allow": "everyone"}]} | (route or {})],
            **(settings or {}),
        )
        gate.origin = made
        gate.user = gate.add_user("mary", ["staff"], name="Mary Major")
        gate.mary_key = gate.add_key("mary")["key"]
        return gate.start()

    yield make
    for origin in origins:
        origin.close()


def errors(gate, kind):
    text = gate.monitor_get("/metrics")[1]
    return int(re.search(rf'gatehouse_upstream_errors_total{{upstream="app",kind="{kind}"}} (\d+)', text).group(1))


def connections(gate):
    text = gate.monitor_get("/metrics")[1]
    return tuple(
        int(re.search(rf'gatehouse_upstream_connections{{upstream="app",state="{state}"}} (\d+)', text).group(1))
        for state in ("idle", "active"))


# What an honest server sees and says


def test_a_request_is_what_it_was(make_h2):
    gate = make_h2(rules=RULES)
    response = gate.get("/a%20b?x=%2f&y", key=gate.mary_key, headers=[
        ("Remote-User", "eve"), ("X_Forwarded_For", "6.6.6.6"), ("X-Mixed-Case", "Kept As It Is"), ("TE", "gzip"),
        ("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=1"), ("Cookie", "a=1; b=2"),
    ])
    assert response.status == 200 and response.body == b"ok" and response["Content-Length"] == "2"
    stream = gate.origin.last
    assert [stream.get(name) for name in (":method", ":scheme", ":authority", ":path")] == [
        "GET", "http", "app.example.com", "/a%20b?x=%2f&y"]
    assert all(name == name.lower() for name, _ in stream.headers)
    assert stream.get("te") == "trailers" and stream.get("x-mixed-case") == "Kept As It Is"
    assert stream.get("remote-user") == "mary" and stream.get("remote-groups") == "staff"
    assert stream.get("gatehouse-assertion") and stream.get("x-forwarded-for") == "127.0.0.1"
    assert stream.get("cookie") == "a=1; b=2" and stream.get("via") == "1.1 gatehouse"
    names = {name for name, _ in stream.headers}
    assert not names & {"host", "connection", "x-hop", "keep-alive", "x_forwarded_for", "transfer-encoding", "x-api-key"}
    assert "eve" not in [value for _, value in stream.headers]


def test_a_body_that_turns_bad_is_the_clients_fault(make_h2):
    """A good chunk and a bad one in one read: nothing of it goes to the app without its framing."""
    gate = make_h2()
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/", "app.example.com", [("Transfer-Encoding", "chunked")])
                        + b"5\r\nhello\r\nZZ\r\n")
        assert connection.read().status == 400
    assert errors(gate, "malformed") == 0 and errors(gate, "closed") == 0
    assert gate.get().status == 200


def test_requests_share_one_connection(make_h2):
    gate = make_h2(settings={"workers": 1})
    for _ in range(5):
        assert gate.get().status == 200
    assert len(gate.origin.lines) == 1
    assert [stream.number for stream in gate.origin.streams] == [1, 3, 5, 7, 9]
    assert eventually(lambda: connections(gate) == (1, 0))


def test_many_at_once_on_as_many_streams_as_the_server_allows(make_h2):
    from h2.settings import SettingCodes

    together = threading.Barrier(20, timeout=20)
    most = {}

    def behave(line, stream):
        open_now = sum(1 for other in line.streams.values() if not getattr(other, "done", False))
        most[id(line)] = max(most.get(id(line), 0), open_now)
        together.wait()
        stream.done = True
        line.answer(stream, body=b"%d" % stream.number)

    gate = make_h2(settings={"workers": 1}, h2_settings={SettingCodes.MAX_CONCURRENT_STREAMS: 4})
    assert gate.get().status == 200  # from now on the connection's settings are known
    gate.origin.last.done = True
    gate.origin.behave = behave
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(gate.get(timeout=30).status)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 20
    assert most[id(gate.origin.lines[0])] <= 4 and len(gate.origin.lines) >= 2


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_both_ways(make_h2, size, chunked):
    def behave(line, stream):
        line.headers(stream, [(":status", "200"), *([] if chunked else [("content-length", str(size))])], end=False)
        position = 0
        while position < size:
            with line.lock:
                room = min(line.h2.local_flow_control_window(stream.number), 16_384, size - position)
                if room:
                    line.h2.send_data(stream.number, stream.body[position:position + room])
                    line.flush()
            position += room
            if not room:
                threading.Event().wait(0.001)
        line.data(stream, b"", end=True)

    gate = make_h2(behave)
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    fields = [("Transfer-Encoding", "chunked")] if chunked else []
    sent = b"".join(b"%x\r\n%b\r\n" % (len(body[at:at + 70_000]), body[at:at + 70_000]) for at in range(0, size, 70_000))
    with Connection(gate.port) as connection:
        for _ in range(2):
            if chunked:
                connection.send(head("POST", "/", "app.example.com", fields) + sent + b"0\r\n\r\n")
            else:
                connection.send(head("POST", "/", "app.example.com", [("Content-Length", str(size))]) + body)
            response = connection.read("POST")
            assert response.status == 200 and response.body == body
            assert gate.origin.last.get("content-length") == (None if chunked else str(size))
    assert len(gate.origin.lines) == 1


def test_trailers_both_ways(make_h2):
    def behave(line, stream):
        line.headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        line.data(stream, b"message")
        line.headers(stream, [("grpc-status", "5"), ("grpc-message", "not%20there"), ("content-type", "forged"),
                              ("set-cookie", "gatehouse=forged"), ("remote-user", "eve")], end=True)

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/", "app.example.com", [("Transfer-Encoding", "chunked")])
                        + b"3\r\nabc\r\n0\r\nX-Checksum: 1\r\nRemote-User: eve\r\nContent-Length: 9\r\n\r\n")
        response = connection.read("POST")
    assert response.status == 200 and response.body == b"message"
    assert response.trailers == [("grpc-status", "5"), ("grpc-message", "not%20there")]
    assert gate.origin.last.body == b"abc" and gate.origin.last.trailers == [("x-checksum", "1")]


def test_an_answer_of_trailers_only(make_h2):
    gate = make_h2(lambda line, stream: line.headers(
        stream, [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")], end=True))
    response = gate.get()
    assert response.status == 200 and response["grpc-status"] == "12" and response.body == b""
    assert response["Content-Length"] == "0"


@pytest.mark.parametrize("method,status", [("HEAD", "200"), ("GET", "204"), ("GET", "304")])
@pytest.mark.parametrize("late", [False, True])
def test_answers_without_a_body(make_h2, method, status, late):
    def behave(line, stream):
        fields = [(":status", status)] + ([("content-length", "5")] if status != "204" else [])
        line.headers(stream, fields, end=not late)
        if late:
            line.data(stream, b"", end=True)

    gate = make_h2(behave)
    with Connection(gate.port) as connection:
        for _ in range(2):
            connection.send(head(method, "/", "app.example.com"))
            response = connection.read(method)
            assert response.status == int(status) and response.body == b""
            assert status == "204" or response["Content-Length"] == "5"
    assert len(gate.origin.lines) == 1
    assert all(stream.reset is None for stream in gate.origin.streams)


def test_interim_answers_go_on(make_h2):
    def behave(line, stream):
        line.headers(stream, [(":status", "103"), ("link", "</a.css>; rel=preload")])
        line.answer(stream)

    response = make_h2(behave).get()
    assert response.status == 200
    assert [(status, dict(fields)["link"]) for status, fields in response.interim] == [(103, "</a.css>; rel=preload")]


def test_an_early_answer_ends_the_request(make_h2):
    """RFC 9113 section 8.1: a whole answer, then RST_STREAM(NO_ERROR): no failure."""
    def behave(line, stream):
        line.answer(stream, "413", b"too much")
        line.reset(stream, 0)

    gate = make_h2(behave, early=True)
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/", "app.example.com", [("Content-Length", "1000000")]) + b"x" * 1000)
        response = connection.read("POST")
    assert response.status == 413 and response.body == b"too much"
    assert errors(gate, "reset") == 0 and gate.get().status == 413


def test_both_talk_at_once(make_h2):
    """A conversation: each piece is answered before the next is sent."""
    def behave(line, stream):
        line.headers(stream, [(":status", "200")])
        seen = 0
        for _ in range(5):
            with stream.changed:
                assert stream.changed.wait_for(lambda: len(stream.body) > seen, 10)
                piece = stream.body[seen:]
            seen += len(piece)
            line.data(stream, piece.upper())
        line.data(stream, b"", end=True)

    gate = make_h2(behave, early=True)
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/", "app.example.com", [("Transfer-Encoding", "chunked")]))
        assert connection.head()[1] == 200
        for piece in (b"a", b"bc", b"def", b"ghij", b"klmno"):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            size = int(connection._until(b"\r\n"), 16)
            assert connection._exactly(size + 2) == piece.upper() + b"\r\n"
        connection.send(b"0\r\n\r\n")
        assert connection._until(b"0\r\n\r\n") == b""


def test_a_slow_client_holds_only_itself_back(make_h2):
    """128 KiB and what the kernel's buffers take, not the whole body; others on the same connection go on."""
    sent = {}

    def behave(line, stream):
        if stream.get(":path") != "/big":
            return line.answer(stream)
        line.headers(stream, [(":status", "200")])
        while sent.setdefault(stream.number, 0) < 64_000_000 and stream.reset is None:
            with line.lock:
                room = min(line.h2.local_flow_control_window(stream.number), 16_384)
                if room and stream.reset is None:
                    line.h2.send_data(stream.number, b"x" * room)
                    line.flush()
            sent[stream.number] += room
            threading.Event().wait(0 if room else 0.005)

    gate = make_h2(behave, settings={"workers": 1})
    with Connection(gate.port) as slow:
        slow.send(head("GET", "/big", "app.example.com"))
        assert slow.head()[1] == 200

        def stands_still():
            before = sent.get(1, 0)
            threading.Event().wait(0.3)
            return sent.get(1, 0) == before > 0

        eventually(stands_still, 20)
        assert sent[1] < 32_000_000
        for _ in range(3):
            assert gate.get().status == 200
    # The client is gone: the server hears of it.
    assert eventually(lambda: gate.origin.streams[0].reset == 8)
    assert len(gate.origin.lines) == 1


def test_a_slow_server_holds_the_client_back(make_h2):
    gate = make_h2(lambda line, stream: None, early=True, reads=False)
    with Connection(gate.port, timeout=1.0) as connection:
        connection.send(head("POST", "/", "app.example.com", [("Content-Length", "100000000")]))
        total = 0
        with pytest.raises(TimeoutError):
            while total < 100_000_000:
                total += connection.socket.send(b"x" * 65536)
        assert total < 50_000_000
        assert len(gate.origin.last.body) <= 65_535
        connection.abort()
    assert eventually(lambda: gate.origin.last.reset == 8)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("h2-authority"))
