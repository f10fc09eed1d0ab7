"""Apps that are down, slow, broken or hostile; several of them; unix sockets."""

import os
import socket
import time

import pytest

from support.gatehouse import free_ports
from support.origins import RawOrigin, answer
from support.waiting import eventually
from support.wire import Connection, head, raw, request

GET = head("GET", "/public/x", "app.example.com")


def failed(response, *statuses):
    assert response.status in statuses, response
    assert response["X-Request-Id"] and response.code == "upstream_failed"


def test_nobody_listens(make_gate):
    gate = make_gate(
        upstreams={"app": {"url": [f"http://127.0.0.1:{free_ports(1)[0]}"]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    failed(gate.get("/public/x"), 502, 503)
    text = gate.monitor_get("/metrics")[1]
    assert "gatehouse_upstream_errors_total" in text


GARBAGE = {
    "no HTTP": b"hello world\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "obs-fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "bad status": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status below 100": b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "control byte": b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    "unasked 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "nothing at all": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_of_the_app(simple, name):
    def behave(_, connection):
        connection.sendall(GARBAGE[name])
        return None

    gate = simple(behave)
    failed(gate.get("/public/x"), 502)
    gate.origin.behave = lambda request, _: answer()
    assert gate.get("/public/x").status == 200, "the next request has a connection of its own"


def test_app_that_never_answers(simple):
    gate = simple(lambda _, connection: connection.recv(1) and None, upstream={"first_byte_timeout": "1s"})
    begin = time.monotonic()
    failed(gate.get("/public/x", timeout=20), 504)
    assert time.monotonic() - begin < 15


def test_app_that_closes_in_the_middle_of_its_body(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    gate = simple(behave)
    with Connection(gate.port) as connection:
        connection.send(GET)
        version, status, _, headers = connection.head()
        assert status == 200
        assert connection.rest() == b"half", "cut, so that the client can tell"


def test_app_that_cuts_its_chunks(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe")

    gate = simple(behave)
    with Connection(gate.port) as connection:
        connection.send(GET)
        assert connection.head()[1] == 200
        assert not connection.rest().endswith(b"0\r\n\r\n"), "the last chunk was never sent"


def test_more_than_the_length_says_is_no_second_answer(simple):
    gate = simple(lambda request, _: answer(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
    with Connection(gate.port) as connection:
        for _ in range(3):
            connection.send(GET)
            response = connection.read()
            assert response.body == b"ok" or response.status == 502, response


def test_body_until_the_close(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end")

    assert simple(behave).get("/public/x").body == b"until the end"


def test_http_1_0_app(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    gate = simple(behave)
    for _ in range(3):
        assert gate.get("/public/x").body == b"ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body(simple, status):
    gate = simple(lambda request, _: f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode())
    with Connection(gate.port) as connection:
        for _ in range(2):
            connection.send(GET)
            response = connection.read()
            assert response.status == int(status[:3]) and response.body == b""


def test_interim_answers_are_passed_on(simple):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n"
    gate = simple(lambda request, _: early + answer())
    response = raw(gate.port, GET)
    assert response.status == 200
    assert [status for status, _ in response.interim] in ([103], [])


def test_trailers_of_the_app(simple):
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"
    gate = simple(lambda request, _: data)
    response = raw(gate.port, head("GET", "/public/x", "app.example.com", [("TE", "trailers")]))
    assert response.body == b"hello"
    assert response.trailers in ([("X-Sum", "42")], [])


def test_answer_before_the_body_was_read(simple):
    gate = simple()
    gate.origin.close()
    early = socket.create_server(("127.0.0.1", gate.origin.port))

    def serve():
        connection, _ = early.accept()
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        connection.sendall(answer(b"too much", "413 Payload Too Large", [("Connection", "close")]))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    import threading

    threading.Thread(target=serve, daemon=True).start()
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/public/x", "app.example.com", [("Content-Length", "1000000")]) + b"a" * 1000)
        assert connection.read().status == 413
    early.close()


def test_connections_are_kept_and_used_again(simple):
    gate = simple(workers="1")
    with Connection(gate.port) as connection:
        for _ in range(20):
            connection.send(GET)
            assert connection.read().status == 200
    assert gate.origin.connections == 1


def test_connection_that_died_while_idle_is_replaced(simple):
    gate = simple()
    for _ in range(5):
        assert gate.get("/public/x").status == 200
        gate.origin.cut()
        assert gate.get("/public/x").status == 200


def test_post_is_not_sent_twice(simple):
    gate = simple(lambda request, _: None if request.method == "POST" else answer())
    assert gate.get("/public/x").status == 200
    failed(gate.get("/public/x", method="POST", body=b"once"), 502)
    assert len([request for request in gate.origin.requests if request.method == "POST"]) == 1


def test_several_addresses(make_gate, make_origin):
    first, second = make_origin(lambda request, _: answer(b"1")), make_origin(lambda request, _: answer(b"2"))
    gate = make_gate(
        upstreams={"app": {"url": [first.url, second.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    bodies = {gate.get("/public/x").body for _ in range(40)}
    assert bodies == {b"1", b"2"}
    first.close()
    bodies = [gate.get("/public/x") for _ in range(20)]
    assert any(response.body == b"2" for response in bodies)


def test_app_that_comes_back(simple):
    gate = simple()
    assert gate.get("/public/x").status == 200
    port = gate.origin.port
    gate.origin.close()
    failed(gate.get("/public/x"), 502, 503)
    again = RawOrigin.__new__(RawOrigin)
    listener = socket.create_server(("127.0.0.1", port))
    again.__dict__.update(gate.origin.__dict__, listener=listener, requests=[])
    import threading

    threading.Thread(target=again._accept, daemon=True).start()
    eventually(lambda: gate.get("/public/x").status == 200, 10, "the app")
    again.close()


def test_unix_sockets_on_both_sides(make_gate, make_origin, tmp_path):
    origin = make_origin(path=str(tmp_path / "app.sock"))
    listener = str(tmp_path / "gate.sock")
    gate = make_gate(
        listen=[{"serve": ["apps", "portal"]},
                {"address": f"unix:{listener}", "serve": ["apps"], "unix": {"mode": "0600"}}],
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                 "rules": [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]}],
    )
    assert os.stat(listener).st_mode & 0o777 == 0o600
    for address in (listener, gate.port):
        assert request(address, "/public/x").status == 200
        assert request(address, "/page").status == 401
        assert origin.last["Host"] == "app.example.com"
    gate.stop()
    gate.start()
    assert request(listener, "/public/x").status == 200, "a socket file left behind is no obstacle"


def test_listener_serves_only_what_it_says(make_gate, make_origin):
    origin = make_origin()
    apps, portal = free_ports(2)
    gate = make_gate(
        listen=[{"address": f"127.0.0.1:{apps}", "serve": ["apps"]},
                {"address": f"127.0.0.1:{portal}", "serve": ["portal"]}],
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
        trusted_proxies=["127.0.0.1"],
    )
    assert request(apps, "/public/x").status == 200
    assert request(portal, "/public/x").status == 404
    assert request(portal, "/.auth/jwks.json", host="auth.example.com").status == 200
    description = [("X-Original-URL", "http://app.example.com/"), ("X-Original-Method", "GET")]
    for port in (apps, portal):
        assert request(port, "/.auth/check/nginx", headers=description).status == 404
    assert gate.process.poll() is None
