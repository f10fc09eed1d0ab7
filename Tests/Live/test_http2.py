"""HTTP/2 to clients: by curl, nghttp and h2load, and by the `h2` library."""

import subprocess
import threading
import time

import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.http2 import Client, pseudo
from support.origins import answer


MIB = 1 << 20
HOST = "app.example.com"
PUBLIC = [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]


def run(*command, check=True):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    if check:
        assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


@pytest.fixture
def secure(make_gate, make_origin, tmp_path):
    """A server with a TLS listener, and a plain one at `gate.plain` that sends on to it."""
    origin = make_origin()
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("app", HOST)
    plain = free_ports(1)[0]
    gate = make_gate(
        start=False,
        public_url="https://auth.example.com",
        listen=[{"tls": {"certificates": [pair.settings]}},
                {"address": f"127.0.0.1:{plain}", "redirect_to_https": True}],
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": [HOST], "upstream": "app", "rules": PUBLIC}],
    )
    gate.origin, gate.plain, gate.authority = origin, plain, authority
    return gate.start()


# Clients that others wrote


def test_curl_with_prior_knowledge(gate):
    url = f"http://127.0.0.1:{gate.port}/public/x?y=1"
    out = run("curl", "-sS", "--http2-prior-knowledge", "-H", f"Host: {HOST}", "-w", "%{http_version} %{http_code}", url)
    assert out == "ok2 200"


def test_curl_agrees_on_it_by_tls(secure):
    command = ["curl", "-sS", "--resolve", f"{HOST}:{secure.port}:127.0.0.1", "--cacert", secure.authority.certificate,
               "-w", "%{http_version} %{http_code}"]
    url = f"https://{HOST}:{secure.port}/public/x"
    assert run(*command, "--http2", url) == "ok2 200"
    assert run(*command, "--http1.1", url) == "ok1.1 200"
    assert run(*command, "--http2", "-d", "hello", url) == "ok2 200"
    assert secure.origin.last.body == b"hello"


def test_upgrade_to_h2c_is_not_offered(gate):
    """RFC 9113 has no Upgrade any more: the request is answered in the version that it came in."""
    url = f"http://127.0.0.1:{gate.port}/public/x"
    assert run("curl", "-sS", "--http2", "-H", f"Host: {HOST}", "-w", "%{http_version} %{http_code}", url) == "ok1.1 200"


def test_nghttp(gate):
    out = run("nghttp", "-v", "-H", f":authority: {HOST}", f"http://127.0.0.1:{gate.port}/public/x")
    assert ":status: 200" in out and "GOAWAY frame" in out


@pytest.mark.parametrize("streams", [1, 10, 100])
def test_h2load_has_no_failed_request(gate, streams):
    out = run("h2load", "-n", "2000", "-c", "4", "-m", streams, "-H", f":authority: {HOST}",
              f"http://127.0.0.1:{gate.port}/public/x")
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in out


# Requests and answers


def test_headers_go_both_ways(simple):
    gate = simple(lambda *_: answer(headers=[("X-Mixed-Case", "Yes"), ("Connection", "close"), ("Keep-Alive", "x"),
                                             ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    with Client(gate.port) as client:
        got = client.request("/public/x", headers=[("x-sent", "1"), ("cookie", "a=1"), ("cookie", "b=2"),
                                                   ("te", "trailers")])
    assert got.status == 200 and got.body == b"ok"
    names = [name for name, _ in got.headers]
    assert got["x-mixed-case"] == "Yes" and names.count("set-cookie") == 2
    assert not {"connection", "keep-alive", "transfer-encoding"} & set(names)
    seen = gate.origin.last
    assert seen["X-Sent"] == "1" and seen["Host"] == HOST and seen.all("Cookie") == ["a=1; b=2"]


def test_bodies_with_and_without_a_length(gate, origin):
    with Client(gate.port) as client:
        assert client.request("/public/x", b"hello").status == 200
        assert origin.last.body == b"hello" and origin.last["Content-Length"] == "5"
        stream = client.start("/public/x", "POST", end=False)
        client.send(stream, b"hel")
        client.send(stream, b"lo", end=True)
        assert client.wait(stream).status == 200
        assert origin.last.body == b"hello" and origin.last["Transfer-Encoding"] == "chunked"


def test_trailers_go_both_ways(simple):
    def behave(*_):
        return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                b"2\r\nok\r\n0\r\nX-Sum: 9\r\nRemote-User: root\r\n\r\n")

    gate = simple(behave)
    with Client(gate.port) as client:
        stream = client.start("/public/x", "POST", end=False)
        client.send(stream, b"hello")
        client.h2.send_headers(stream, [("x-count", "5"), ("remote-user", "root")], end_stream=True)
        client.flush()
        got = client.wait(stream)
    assert got.body == b"ok" and ("x-sum", "9") in got.trailers
    assert gate.origin.last.trailers == [("x-count", "5")]


def test_head_and_answers_without_body(simple):
    def behave(request, _):
        return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" if request.method == "HEAD" else (
            b"HTTP/1.1 204 No Content\r\n\r\n" if "204" in request.target else
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n")

    gate = simple(behave)
    with Client(gate.port) as client:
        for method, path, status in [("HEAD", "/public/x", 200), ("GET", "/public/204", 204), ("GET", "/public/304", 304)]:
            got = client.request(path, method=method)
            assert (got.status, got.body, got.ended) == (status, b"", True)


def test_interim_answers(simple):
    gate = simple(lambda *_: b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer())
    with Client(gate.port) as client:
        got = client.request("/public/x")
    assert got.status == 200 and [dict(head)[":status"] for head in got.interim] == ["103"]


def test_expect_is_answered_by_the_app(gate, origin):
    with Client(gate.port) as client:
        stream = client.start("/public/x", "POST", headers=[("expect", "100-continue")], end=False)
        client.until(lambda: client.answers[stream].interim)
        client.send(stream, b"hello", end=True)
        assert client.wait(stream).status == 200
    assert origin.last.body == b"hello"


def test_many_streams_at_once_each_get_their_own_answer(simple):
    gate = simple(lambda request, _: answer(request.target.encode()))
    with Client(gate.port) as client:
        for _ in range(5):
            streams = {client.start(f"/public/{number}"): f"/public/{number}" for number in range(100)}
            for stream, path in streams.items():
                got = client.wait(stream)
                assert got.status == 200 and got.body == path.encode()
    # A connection is one connection, however many requests it carries.
    assert "gatehouse_requests_total" in gate.monitor_get("/metrics")[1]


def test_a_slow_stream_holds_up_no_other(simple):
    go = threading.Event()

    def behave(request, _):
        if "slow" in request.target:
            go.wait(20)
        return answer(request.target.encode())

    gate = simple(behave)
    with Client(gate.port) as client:
        slow = client.start("/public/slow")
        for number in range(20):
            assert client.request(f"/public/{number}").status == 200
        assert not client.answers[slow].headers
        go.set()
        assert client.wait(slow).body == b"/public/slow"


def test_redirects_checks_and_metrics_work_the_same(secure, make_gate):
    with Client(secure.plain) as client:
        got = client.request("/a?b=1")
        assert (got.status, got["location"]) == (308, f"https://{HOST}/a?b=1")
    gate = make_gate("check", trusted_proxies=["127.0.0.1/32"],
                     routes=[{"name": "app", "host": [HOST], "rules": [{"allow": "everyone"}]}])
    described = [("x-original-method", "GET"), ("x-original-url", f"http://{HOST}/x")]
    with Client(gate.port) as client:
        got = client.request("/.auth/check/nginx", headers=described)
        assert got.status in (200, 403), got
        assert client.request("/.auth/jwks.json", host="auth.example.com").status == 200


# Who it is


def test_identity_by_key_and_by_token(gate, origin, issuer):
    with Client(gate.port) as client:
        assert client.request("/").status == 401
        assert client.request("/", headers=[("x-api-key", gate.mary_key)]).status == 200
        assert origin.last["Remote-User"] == "mary" and "X-API-Key" not in origin.last
        assert client.request("/", headers=[("authorization", f"Bearer {issuer.token()}")]).status == 200
        assert origin.last["Remote-User"].startswith("corp:")
        assert client.request("/admin/x", headers=[("x-api-key", gate.mary_key)]).status == 403


@pytest.mark.parametrize("name", ["remote-user", "remote_user", "x-remote-user", "x-forwarded-user", "remote.user",
                                  "gatehouse-assertion", "x_gatehouse_user", "forwarded"])
def test_identity_cannot_be_forged(gate, origin, name):
    with Client(gate.port) as client:
        assert client.request("/", headers=[("x-api-key", gate.mary_key), (name, "root")]).status == 200
    assert origin.last["Remote-User"] == "mary"
    assert all("root" not in value for _, value in origin.last.headers)


def test_revocation_closes_a_stream_within_a_second(simple):
    leave = threading.Event()

    def behave(request, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"3\r\none\r\n")
        leave.wait(30)

    gate = simple(behave)
    key = gate.add_key("mary", "streams")
    with Client(gate.port) as client:
        stream = client.start("/x", headers=[("x-api-key", key["key"])])
        other = client.start("/x", headers=[("x-api-key", gate.mary_key)])
        client.until(lambda: client.answers[stream].body and client.answers[other].body)
        gate.cli("api-key", "revoke", key["id"])
        start = time.monotonic()
        got = client.wait(stream)
        assert time.monotonic() - start < 1.5
        # Cut off, not ended; and only this one.
        assert got.reset is not None and not got.ended
        assert not client.answers[other].over
    leave.set()


def test_event_streams_come_as_they_are_sent(simple):
    seen = threading.Semaphore(0)

    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(5):
            connection.sendall(b"data: %d\n\n" % number)
            assert seen.acquire(timeout=10)

    gate = simple(behave)
    with Client(gate.port) as client:
        stream = client.start("/public/events")
        for number in range(5):
            client.until(lambda: client.answers[stream].body.endswith(b"data: %d\n\n" % number))
            seen.release()
        assert client.wait(stream).ended


# What is no request


@pytest.mark.parametrize("fields", [
    pytest.param(pseudo(path="/public/x HTTP/1.1\r\nHost: evil"), id="line-end-in-path"),
    pytest.param(pseudo(path="/public/x") + [("x", "1\r\n\r\nGET /admin/x HTTP/1.1")], id="line-end-in-value"),
    pytest.param(pseudo(path="/public/x") + [("x: y\r\nz", "1")], id="line-end-in-name"),
    pytest.param(pseudo(path="/public/x") + [("transfer-encoding", "chunked")], id="transfer-encoding"),
    pytest.param(pseudo(path="/public/x") + [("content-length", "4"), ("content-length", "40")], id="two-lengths"),
    pytest.param(pseudo("GET /admin/x HTTP/1.1\r\nx:", "/public/x"), id="line-end-in-method"),
    pytest.param(pseudo(path="/public/x", host="app.example.com\r\nx: y"), id="line-end-in-authority"),
    pytest.param(pseudo(path="/public/x") + [("connection", "x-api-key")], id="connection"),
    pytest.param(pseudo(path="http://other.example.com/public/x"), id="absolute-path"),
    pytest.param(pseudo(path="public/x"), id="lesson83-path-without-slash"),
])
def test_smuggling_is_a_stream_error(gate, origin, fields):
    before = len(origin.requests)
    with Client(gate.port, lenient=True) as client:
        stream = client.start(fields=fields)
        assert client.wait(stream).reset == 1
        assert client.request("/public/after").status == 200
    assert [request.target for request in origin.requests[before:]] == ["/public/after"]


def test_a_body_longer_than_its_length_is_not_another_request(gate, origin):
    before = len(origin.requests)
    with Client(gate.port, lenient=True) as client:
        stream = client.start("/public/x", "POST", headers=[("content-length", "3")], end=False)
        client.raw(b"\0\0\x23\0\1" + stream.to_bytes(4, "big") + b"abcGET /admin/x HTTP/1.1\r\nHost: x\r\n\r\n"[:35])
        assert client.wait(stream).reset == 1
        assert client.request("/public/after").status == 200
    targets = [request.target for request in origin.requests[before:]]
    assert "/admin/x" not in targets and targets[-1] == "/public/after"


def test_another_host_is_refused(gate):
    with Client(gate.port, lenient=True) as client:
        assert client.request("/public/x", headers=[("host", "other.example.com")]).status == 400
        assert client.request("/public/x", headers=[("host", "APP.example.com")]).status == 200
        assert client.request("/public/x", host="unknown.example.org").status == 421


def test_refusals_are_those_of_http1(gate):
    cases = [
        ({"path": "/public/../x"}, 400), ({"path": "/" + "x" * 9000}, 414), ({"path": "/public/x", "method": "TRACE"}, 405),
        ({"path": "/public/x", "headers": [("expect", "gold")]}, 417),
    ]
    with Client(gate.port) as client:
        for more, status in cases:
            assert client.request(**more).status == status
        # Beyond the first frame: the library knows our limit once it was acknowledged.
        assert client.request("/public/x", headers=[(f"x-{n}", "y" * 6000) for n in range(6)]).status == 431
        assert client.request("/public/x", headers=[("x", "y")] * 260).status == 431
        assert client.request("/public/x", headers=[(f"x-{n}", "y") for n in range(240)]).status == 200


def test_a_refused_body_ends_the_stream_alone(make_gate, origin):
    gate = make_gate(upstreams={"raw": {"url": [origin.url]}}, routes=[
        {"name": "small", "host": [HOST], "upstream": "raw", "max_body": "1KiB", "rules": [{"allow": "everyone"}]}])
    with Client(gate.port) as client:
        got = client.request("/x", b"x" * 300_000)
        assert got.status == 413 and got.ended
        assert client.request("/x", b"small").status == 200
        stream = client.start("/x", "POST", end=False)
        client.send(stream, b"x" * 40_000)
        client.send(stream, b"x" * 400_000, end=True)
        assert client.wait(stream).status == 413
        assert client.request("/x").status == 200


def test_an_upstream_that_dies_in_mid_body_is_no_whole_answer(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    gate = simple(behave)
    with Client(gate.port) as client:
        got = client.request("/public/x")
        assert got.status == 200 and got.body == b"half" and got.reset is not None and not got.ended
        gate.origin.behave = lambda *_: answer()
        assert client.request("/public/x").status == 200
