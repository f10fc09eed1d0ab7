"""TLS to the apps: whom we believe, what we show of ourselves, and what happens when it fails."""

import re
import socket
import ssl
import threading
import time

import pytest

from support.certificates import Authority
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("app-authority"))


@pytest.fixture
def make_app(make_gate, make_origin, authority):
    """A server in front of an app behind https; `gate.origin` is the app."""

    def make(context, behave=None, tls=None, name="gate", host="127.0.0.1", **upstream):
        origin = make_origin(behave, tls=context)
        url = origin.url.replace("127.0.0.1", host)
        gate = make_gate(
            name,
            upstreams={"app": {"url": url, "tls": {"ca": str(authority.certificate)} | (tls or {})} | upstream},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
        )
        gate.origin = origin
        return gate

    return make


def errors(gate, kind="tls"):
    text = gate.monitor_get("/metrics")[1]
    return int(re.search(rf'gatehouse_upstream_errors_total{{upstream="app",kind="{kind}"}} (\d+)', text).group(1))


def test_requests_share_a_connection(make_app, authority):
    pair = authority.issue("app", "app.internal")
    context = pair.server_context()
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)
    context.set_alpn_protocols(["http/1.1"])
    gate = make_app(context, behave=lambda request, _: answer(request.body or b"ok"), tls={"server_name": "app.internal"})
    with Connection(gate.port) as connection:
        for number in range(5):
            body = b"x" * number * 100_000
            connection.send(head("POST", "/", "app.example.com", [("Content-Length", str(len(body)))]) + body)
            response = connection.read("POST")
            assert response.status == 200 and response.body == (body or b"ok")
    assert gate.origin.connections == 1 and names == ["app.internal"]
    assert gate.origin.last["Host"] == "app.example.com"
    assert 'gatehouse_upstream_connections{upstream="app",state="idle"} 1' in gate.monitor_get("/metrics")[1]


def test_a_server_by_its_address(make_app, authority):
    gate = make_app(authority.issue("address", "127.0.0.1").server_context(), host="127.0.0.1")
    assert gate.get().status == 200


def test_a_server_by_its_name(make_app, authority):
    names = []
    context = authority.issue("local", "localhost").server_context()
    context.sni_callback = lambda _, name, __: names.append(name)
    gate = make_app(context, name="local", host="localhost")
    gate.origin.requests.clear()
    assert gate.get().status == 200
    assert names == ["localhost"]


def stranger(folder):
    return Authority(folder, "stranger")


REFUSED = {
    "another name": lambda authority, folder: authority.issue("wrong", "other.internal"),
    "a name that only looks alike": lambda authority, folder: authority.issue("alike", "app.internal.evil.test"),
    "a wildcard that does not reach": lambda authority, folder: authority.issue("deep", "*.app.internal", "*.internal.test"),
    "no name at all": lambda authority, folder: authority.issue("nameless"),
    "an unknown authority": lambda authority, folder: stranger(folder).issue("app", "app.internal"),
    "an expired certificate": lambda authority, folder: authority.issue("old", "app.internal", since=-10, days=-1),
    "a certificate of tomorrow": lambda authority, folder: authority.issue("new", "app.internal", since=1),
    "a certificate for clients": lambda authority, folder: authority.issue("client-only", "app.internal", client=True),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_server_that_is_not_who_it_should_be(make_app, authority, tmp_path, what):
    pair = REFUSED[what](authority, tmp_path / "stranger")
    gate = make_app(pair.server_context(), tls={"server_name": "app.internal"})
    response = gate.get()
    assert response.status == 502 and response.code == "upstream_failed"
    assert gate.origin.requests == [], "not a byte of the request reaches it"
    assert errors(gate) == 1
    line = next(line for line in gate.logged("cannot be trusted").splitlines() if "cannot be trusted" in line)
    assert "the server's certificate" in line and '"app"' in line, line


def test_the_system_does_not_know_the_authority_of_a_test(make_app, authority):
    gate = make_app(authority.issue("app", "app.internal").server_context(), tls={"ca": "system", "server_name": "app.internal"})
    assert gate.get().status == 502
    assert errors(gate) == 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version_is_not_spoken(make_app, authority):
    context = authority.issue("app", "app.internal").server_context()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    gate = make_app(context, tls={"server_name": "app.internal"})
    assert gate.get().status == 502 and errors(gate) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_we_show_our_certificate(make_app, authority, version):
    context = authority.issue("app", "app.internal").server_context(client_ca=authority.certificate)
    context.minimum_version = context.maximum_version = version
    subjects = []

    def behave(request, connection):
        subjects.append(connection.getpeercert()["subject"])
        return answer()

    client = authority.issue("gatehouse-client", "gatehouse.internal", client=True)
    gate = make_app(context, behave, tls={"server_name": "app.internal"} | client.settings)
    assert gate.get().status == 200
    assert subjects == [((("commonName", "gatehouse-client"),),)]
    assert 'gatehouse_certificate_expiry_seconds{name="gatehouse.internal"} ' in gate.monitor_get("/metrics")[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_more_of_us(make_app, authority, version):
    context = authority.issue("app", "app.internal").server_context(client_ca=authority.certificate)
    context.minimum_version = context.maximum_version = version
    gate = make_app(context, tls={"server_name": "app.internal"})
    assert gate.get().status == 502
    assert gate.origin.requests == []


def test_a_renewed_client_certificate_is_taken(make_app, authority):
    context = authority.issue("app", "app.internal").server_context(client_ca=authority.certificate)
    serials = []

    def behave(request, connection):
        serials.append(int(connection.getpeercert()["serialNumber"], 16))
        return answer(headers=[("Connection", "close")])

    client = authority.issue("renewed-client", client=True)
    gate = make_app(context, behave, tls={"server_name": "app.internal"} | client.settings)
    assert gate.get().status == 200 and serials[-1] == client.serial
    new = authority.issue("renewed-client", client=True)
    eventually(lambda: gate.get().status == 200 and serials[-1] == new.serial, 10, "the new certificate")


def test_a_handshake_that_never_ends(make_gate, make_origin, authority):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    gate = make_gate(
        upstreams={"app": {"url": f"https://127.0.0.1:{listener.getsockname()[1]}", "connect_timeout": "1s"}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    begin = time.monotonic()
    response = gate.get()
    assert response.status == 504 and 0.8 < time.monotonic() - begin < 8
    assert errors(gate, "connect_timeout") == 1
    listener.close()


def test_garbage_instead_of_a_handshake(make_gate):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)

    def serve():
        plain = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        for reply in (plain, b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x03\xff\xff" + b"x" * 70_000, b""):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    gate = make_gate(
        upstreams={"app": {"url": f"https://127.0.0.1:{listener.getsockname()[1]}"}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    for _ in range(4):
        assert gate.get().status == 502
    assert errors(gate) == 4
    assert gate.logged("does not speak TLS there")
    listener.close()


@pytest.mark.parametrize("says_goodbye", [True, False])
def test_an_answer_that_ends_with_the_connection(make_app, authority, says_goodbye):
    """Whoever cuts the line must not make a part of an answer look whole."""

    def behave(request, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        if says_goodbye:
            connection.unwrap()
        else:
            connection.shutdown(socket.SHUT_RDWR)

    gate = make_app(authority.issue("app", "app.internal").server_context(), behave, tls={"server_name": "app.internal"})
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/", "app.example.com", [("Connection", "close")]))
        version, status, _, headers = connection.head()
        assert status == 200 and ("Transfer-Encoding", "chunked") in headers
        assert connection._until(b"half") is not None
        assert (b"0\r\n\r\n" in connection.rest()) == says_goodbye


def test_a_dead_kept_connection_is_replaced(make_app, authority):
    gate = make_app(authority.issue("app", "app.internal").server_context(), tls={"server_name": "app.internal"})
    assert gate.get().status == 200
    gate.origin.cut()
    for _ in range(5):
        assert gate.get().status == 200


def test_a_good_server_beside_a_bad_one(make_gate, make_origin, authority):
    good = make_origin(tls=authority.issue("app", "app.internal").server_context())
    bad = make_origin(tls=authority.issue("wrong", "other.internal").server_context())
    gate = make_gate(
        upstreams={"app": {"url": [bad.url, good.url],
                           "tls": {"ca": str(authority.certificate), "server_name": "app.internal"}}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    for _ in range(6):
        assert gate.get().status == 200
    assert bad.requests == [] and errors(gate) >= 1
