"""CONTRACT section 4, "Refused with 400 before judging", on raw sockets; and what is served instead."""

import pytest

from support.nginx_app import NginxApp
from support.origins import answer
from support.wire import Connection, head, raw

H = "Host: app.example.com\r\n"


def get(lines="", host=H, path="/public/x", version="HTTP/1.1", method="GET", body=""):
    return f"{method} {path} {version}\r\n{host}{lines}\r\n{body}".encode("latin-1")


# name, bytes, status
REFUSED = {
    "bare LF after the request line": (b"GET /public/x HTTP/1.1\nHost: app.example.com\r\n\r\n", 400),
    "bare LF in the headers": (get("X: y\nZ: w\r\n"), 400),
    "bare LF at the end": (b"GET /public/x HTTP/1.1\r\nHost: app.example.com\r\n\n", 400),
    "all bare LF": (b"GET /public/x HTTP/1.1\nHost: app.example.com\n\n", 400),
    "bare CR in a value": (get("X: a\rb\r\n"), 400),
    "bare CR between lines": (get("X: a\rRemote-User: admin\r\n"), 400),
    "obs-fold with a space": (get("X: a\r\n b\r\n"), 400),
    "obs-fold with a tab": (get("X: a\r\n\tb\r\n"), 400),
    "folded first line": (b"GET /public/x HTTP/1.1\r\n Host: app.example.com\r\n\r\n", 400),
    "space before the colon": (get("X : a\r\n"), 400),
    "tab before the colon": (get("X\t: a\r\n"), 400),
    "Host with a space before the colon": (get(host="Host : app.example.com\r\n"), 400),
    "no colon": (get("nonsense\r\n"), 400),
    "empty name": (get(": a\r\n"), 400),
    "name with a space": (get("X Y: a\r\n"), 400),
    "name with a slash": (get("X/Y: a\r\n"), 400),
    "name with a byte over 0x7f": (get("X\xe9: a\r\n"), 400),
    "name with a NUL": (get("X\x00: a\r\n"), 400),
    "NUL in a value": (get("X: a\x00b\r\n"), 400),
    "control byte in a value": (get("X: a\x01b\r\n"), 400),
    "DEL in a value": (get("X: a\x7fb\r\n"), 400),
    "no Host": (get(host=""), 400),
    "two Hosts": (get(host=H + H), 400),
    "two different Hosts": (get(host=H + "Host: other.example.com\r\n"), 400),
    "Host with a byte over 0x7f": (get(host="Host: \xe9.example.com\r\n"), 400),
    "Host with user information": (get(host="Host: a@app.example.com\r\n"), 400),
    "Host with a path": (get(host="Host: app.example.com/x\r\n"), 400),
    "Host with a space": (get(host="Host: app example.com\r\n"), 400),
    "Host list": (get(host="Host: app.example.com, other.example.com\r\n"), 400),
    "absolute form that disagrees": (get(path="http://other.example.com/public/x"), 400),
    "absolute form with user information": (get(path="http://a@app.example.com/public/x"), 400),
    "absolute form of another scheme": (get(path="ftp://app.example.com/public/x"), 400),
    "no leading slash": (get(path="public/x"), 400),
    "length and chunked": (get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", method="POST", body="0\r\n\r\n"), 400),
    "chunked and length": (get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", method="POST", body="0\r\n\r\n"), 400),
    "two lengths": (get("Content-Length: 1\r\nContent-Length: 2\r\n", method="POST", body="ab"), 400),
    "two equal lengths": (get("Content-Length: 1\r\nContent-Length: 1\r\n", method="POST", body="a"), 400),
    "list of lengths": (get("Content-Length: 1, 1\r\n", method="POST", body="a"), 400),
    "length with a plus": (get("Content-Length: +1\r\n", method="POST", body="a"), 400),
    "length with a minus": (get("Content-Length: -1\r\n", method="POST"), 400),
    "length in hex": (get("Content-Length: 0x1\r\n", method="POST", body="a"), 400),
    "length with a space inside": (get("Content-Length: 1 1\r\n", method="POST", body="a" * 11), 400),
    "length empty": (get("Content-Length: \r\n", method="POST"), 400),
    "length too large for any machine": (get("Content-Length: 99999999999999999999\r\n", method="POST"), 400),
    "length of 2 to the 64th": (get("Content-Length: 18446744073709551616\r\n", method="POST"), 400),
    "identity": (get("Transfer-Encoding: identity\r\n", method="POST"), 400),
    "gzip, chunked": (get("Transfer-Encoding: gzip, chunked\r\n", method="POST", body="0\r\n\r\n"), 400),
    "chunked twice": (get("Transfer-Encoding: chunked, chunked\r\n", method="POST", body="0\r\n\r\n"), 400),
    "two Transfer-Encoding": (get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", method="POST",
                                  body="0\r\n\r\n"), 400),
    "xchunked": (get("Transfer-Encoding: xchunked\r\n", method="POST", body="0\r\n\r\n"), 400),
    "chunked with a parameter": (get("Transfer-Encoding: chunked;q=1\r\n", method="POST", body="0\r\n\r\n"), 400),
    "chunked with a vertical tab": (get("Transfer-Encoding: \x0bchunked\r\n", method="POST", body="0\r\n\r\n"), 400),
    "Transfer-Encoding with a space before the colon": (get("Transfer-Encoding : chunked\r\n", method="POST",
                                                            body="0\r\n\r\n"), 400),
    "chunked in HTTP/1.0": (get("Transfer-Encoding: chunked\r\n", version="HTTP/1.0", method="POST",
                                body="0\r\n\r\n"), 400),
    "DEL in the target": (get(path="/public/\x7f"), 400),
    "byte over 0x7f in the target": (get(path="/public/\xe9"), 400),
    "byte over 0x7f in the query": (get(path="/public/x?\xe9"), 400),
    "NUL in the target": (get(path="/public/\x00"), 400),
    "tab in the target": (get(path="/public/\tx"), 400),
    "two spaces before the version": (b"GET /public/x  HTTP/1.1\r\nHost: app.example.com\r\n\r\n", 400),
    "two spaces before the target": (b"GET  /public/x HTTP/1.1\r\nHost: app.example.com\r\n\r\n", 400),
    "space after the version": (b"GET /public/x HTTP/1.1 \r\nHost: app.example.com\r\n\r\n", 400),
    "method with a control byte": (get(method="GE\x01T"), 400),
    "method with a colon": (get(method="GET:"), 400),
    "segment ..": (get(path="/public/../x"), 400),
    "segment .. encoded": (get(path="/public/%2e%2E/x"), 400),
    "encoded slash": (get(path="/public/%2fx"), 400),
    "encoded backslash": (get(path="/public/%5cx"), 400),
    "encoded NUL": (get(path="/public/%00"), 400),
    "backslash": (get(path="/public\\x"), 400),
    "two slashes": (get(path="/public//x"), 400),
    "raw hash": (get(path="/public/x#y"), 400),
    "raw hash in the query": (get(path="/public/x?y#z"), 400),
    "bad escape": (get(path="/public/%xx"), 400),
    "cut escape": (get(path="/public/%a"), 400),
    "double encoded dots": (get(path="/public/%252e%252e/x"), 400),
    "head over 32 KiB": (get("X: " + "a" * 33000 + "\r\n"), 431),
    "many headers over 32 KiB": (get("".join(f"X-{n}: {'a' * 100}\r\n" for n in range(400))), 431),
    "target over 8 KiB": (get(path="/public/" + "a" * 8300), 414),
    "query over 8 KiB": (get(path="/public/x?" + "a" * 8300), 414),
    "HTTP/2.0": (get(version="HTTP/2.0"), 505),
    "HTTP/1.2": (get(version="HTTP/1.2"), 505),
    "HTTP/0.9": (get(version="HTTP/0.9"), 505),
    "nearly HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505),
    "other Expect": (get("Expect: 200-ok\r\n", method="POST"), 417),
    "CONNECT": (get(method="CONNECT", path="app.example.com:443"), 405),
    "TRACE": (get(method="TRACE"), 405),
    "star for GET": (get(path="*"), 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_judging(gate, origin, name):
    data, status = REFUSED[name]
    before = len(origin.requests)
    with Connection(gate.port) as connection:
        connection.send(data)
        response = connection.read()
        assert response.status == status, response
        if status == 400:
            assert connection.rest() == b"", "a 400 closes"
    assert len(origin.requests) == before


@pytest.mark.parametrize("name", [name for name, (_, status) in REFUSED.items() if status == 400])
def test_smuggled_request_behind_a_refused_one_is_never_served(gate, origin, name):
    before = len(origin.requests)
    with Connection(gate.port) as connection:
        connection.send(REFUSED[name][0] + get(path="/public/smuggled"))
        assert connection.read().status == 400
        assert connection.rest() == b""
    assert len(origin.requests) == before


# What is not HTTP at all, or another version's way of writing it.
@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 64, b"hello\r\n\r\n",
                                  b"GET /public/x\r\n\r\n", b"GET\r\n\r\n", b"\r\r\r\n\r\n"])
def test_garbage(gate, data):
    with Connection(gate.port) as connection:
        connection.send(data)
        assert connection.read().status in (400, 505)
        assert connection.rest() == b""


@pytest.mark.parametrize("body", [
    "5\r\nhello", "x\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
    "fffffffffffffffff\r\n", "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n", "\r\n0\r\n\r\n",
], ids=repr)
def test_bad_chunks(gate, origin, body):
    before = len([request for request in origin.requests if request.target == "/public/chunks"])
    with Connection(gate.port) as connection:
        connection.send(get("Transfer-Encoding: chunked\r\n", method="POST", path="/public/chunks", body=body))
        connection.socket.shutdown(1)
        rest = connection.rest()
        assert rest == b"" or rest.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408")), rest
    whole = [request for request in origin.requests if request.target == "/public/chunks"]
    assert len(whole) == before, "the app never sees such a body end well"


def test_chunked_is_framed_anew(gate, origin):
    body = "5;ext=1;x=\"y\"\r\nhello\r\n0000001\r\n \r\nA\r\n0123456789\r\n000\r\n\r\n"
    assert raw(gate.port, get("Transfer-Encoding: Chunked\r\n", method="POST", body=body)).status == 200
    assert origin.last.body == b"hello 0123456789"
    assert origin.last["Transfer-Encoding"] == "chunked" and "Content-Length" not in origin.last


def test_star_is_answered_by_us(gate, origin):
    before = len(origin.requests)
    response = raw(gate.port, get(method="OPTIONS", path="*"))
    assert response.status in (200, 204)
    assert len(origin.requests) == before


def test_http_1_0(gate, origin):
    with Connection(gate.port) as connection:
        connection.send(get(version="HTTP/1.0"))
        response = connection.read()
        assert response.status == 200 and response.body == b"ok"
        assert connection.rest() == b"", "1.0 closes unless asked"
    assert origin.last.version == "HTTP/1.1"


def test_http_1_0_keep_alive(gate):
    with Connection(gate.port) as connection:
        for _ in range(2):
            connection.send(get("Connection: keep-alive\r\n", version="HTTP/1.0"))
            assert connection.read().status == 200


def test_http_1_0_without_host_fits_only_a_route_without_host(gate, make_gate, make_origin):
    assert raw(gate.port, get(host="", version="HTTP/1.0")).status == 421
    origin = make_origin()
    any_host = make_gate(upstreams={"app": {"url": [origin.url]}},
                         routes=[{"name": "any", "upstream": "app", "rules": [{"allow": "everyone"}]}])
    assert raw(any_host.port, get(host="", version="HTTP/1.0")).status == 200


def test_chunked_answer_to_http_1_0_ends_with_the_connection(simple):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    gate = simple(lambda request, _: chunked)
    response = raw(gate.port, get(version="HTTP/1.0"))
    assert response.body == b"hello" and "Transfer-Encoding" not in response


def test_pipelined_requests_are_answered_in_order(simple):
    gate = simple(lambda request, _: answer(request.target.encode()))
    with Connection(gate.port) as connection:
        connection.send(b"".join(get(path=f"/public/{n}") for n in range(50)))
        for n in range(50):
            assert connection.read().body == f"/public/{n}".encode()


def test_pipelined_refusals_keep_their_place(simple):
    gate = simple(lambda request, _: answer(request.target.encode()))
    with Connection(gate.port) as connection:
        connection.send(get(path="/public/1") + get(path="/private") + get(path="/public/2"))
        assert connection.read().body == b"/public/1"
        assert connection.read().status == 401
        assert connection.read().body == b"/public/2"


def test_byte_by_byte(gate, origin):
    data = get("Content-Length: 3\r\nX-API-Key: " + gate.mary_key + "\r\n", path="/page", method="POST", body="abc")
    with Connection(gate.port) as connection:
        for index in range(len(data)):
            connection.send(data[index:index + 1])
        assert connection.read().status == 200
    assert origin.last.body == b"abc"


def test_blank_line_before_a_request(gate):
    response = raw(gate.port, b"\r\n" + get())
    assert response.status in (200, 400)


def test_half_closed_client_gets_its_answer(gate):
    with Connection(gate.port) as connection:
        connection.send(get())
        connection.socket.shutdown(1)
        assert connection.read().status == 200


def test_expect_continue(gate, origin):
    with Connection(gate.port) as connection:
        connection.send(get("Expect: 100-continue\r\nContent-Length: 5\r\n", method="POST"))
        version, status, _, _ = connection.head()
        assert status == 100
        connection.send(b"hello")
        assert connection.read().status == 200
    assert origin.last.body == b"hello"


def test_expect_continue_is_not_asked_of_a_refused_request(gate):
    with Connection(gate.port) as connection:
        connection.send(get("Expect: 100-continue\r\nContent-Length: 5\r\n", method="POST", path="/page"))
        response = connection.read()
        assert response.status == 401 and response.interim == []


def test_head(gate):
    with Connection(gate.port) as connection:
        connection.send(get(method="HEAD") + get())
        response = connection.read("HEAD")
        assert response.status == 200 and response["Content-Length"] == "2"
        assert connection.read().body == b"ok"
        connection.send(get(method="HEAD", path="/page") + get())
        assert connection.read("HEAD").status == 401
        assert connection.read().status == 200


def test_body_limit_of_a_route(gate, origin):
    def post(size, chunked):
        if chunked:
            body = f"{size:x}\r\n".encode() + b"a" * size + b"\r\n0\r\n\r\n"
            lines = [("Transfer-Encoding", "chunked")]
        else:
            body, lines = b"a" * size, [("Content-Length", str(size))]
        return raw(gate.port, head("POST", "/x", "small.example.com", lines) + body)

    for chunked in (False, True):
        assert post(1024, chunked).status == 200
        before = len(origin.requests)
        refusal = post(1025, chunked)
        assert refusal.status == 413, refusal
        assert len(origin.requests) == before


@pytest.mark.parametrize("size", [10, 60_000])
def test_refused_body_is_drained_so_that_the_answer_arrives(gate, size):
    data = b"a" * size
    for _ in range(5):
        with Connection(gate.port) as connection:
            connection.send(head("POST", "/page", "app.example.com", [("Content-Length", str(size))]) + data)
            assert connection.read().status == 401


def test_refused_endless_body_is_not_read_to_its_end(gate):
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/page", "app.example.com", [("Content-Length", str(1 << 40))]))
        assert connection.read().status == 401
        with pytest.raises(OSError):
            while True:
                connection.send(b"a" * 65536)


def test_upgrade_of_another_protocol_is_not_forwarded(gate, origin):
    for protocol in ["h2c", "h2", "HTTP/2.0", "TLS/1.0", "h2c, websocket"]:
        lines = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", protocol), ("HTTP2-Settings", "AAMAAABk")]
        response = raw(gate.port, head("GET", "/public/x", "app.example.com", lines))
        assert response.status in (200, 400)
        if response.status == 200:
            assert "Upgrade" not in origin.last and "HTTP2-Settings" not in origin.last


def test_a_connection_outlives_an_answer_that_came_before_the_body(make_gate, tmp_path):
    """nginx answers a POST at once, and its answer says nothing of closing: the next request is served."""
    app = NginxApp(tmp_path / "app")
    try:
        gate = make_gate(upstreams={"app": {"url": [app.url]}}, routes=[
            {"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}])
        with Connection(gate.port) as connection:
            connection.send(head("POST", "/first", "app.example.com", [("Content-Length", "4000")]) + b"x" * 1000)
            first = connection.read()
            assert first.status == 200 and first.get("Connection") is None
            connection.send(b"x" * 3000 + head("GET", "/second", "app.example.com"))
            assert connection.read().body == b"an answer"
    finally:
        app.stop()
