"""TLS of the listeners: versions, ciphers, certificates by name, files that change, redirects from plain http."""

import os
import signal
import socket
import ssl
import subprocess
import time

import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.origins import answer
from support.wire import Connection, head, raw, request


PUBLIC = [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]


class TLSConnection(Connection):
    """As the plain one, by TLS; an end without a goodbye is an error."""

    def __init__(self, port, context, name="app.example.com", timeout=15.0):
        super().__init__(port, timeout)
        self.socket = context.wrap_socket(self.socket, server_hostname=name, suppress_ragged_eofs=False)

    def serial(self):
        return int(self.socket.getpeercert()["serialNumber"], 16)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def make_secure(make_gate, make_origin, authority):
    """A server with a TLS listener, and a plain one at `gate.plain`."""

    def make(*pairs, behave=None, tls=None, plain=None, name="gate", start=True, **settings):
        pairs = pairs or (authority.issue("app", "app.example.com"),)
        origin = make_origin(behave)
        plain_port = free_ports(1)[0]
        gate = make_gate(
            name,
            start=False,
            public_url=settings.pop("public_url", "https://auth.example.com"),
            listen=[
                {"tls": {"certificates": [pair.settings for pair in pairs]} | (tls or {})},
                {"address": f"127.0.0.1:{plain_port}"} | (plain or {}),
            ],
            upstreams={"app": {"url": [origin.url]}},
            routes=[
                {"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": PUBLIC},
                {"name": "wild", "host": ["*.wild.example.com"], "upstream": "app", "rules": PUBLIC},
                {"name": "rest", "paths": ["/anywhere/**"], "upstream": "app", "rules": [{"allow": "everyone"}]},
            ],
            **settings,
        )
        gate.origin = origin
        gate.plain = plain_port
        gate.pairs = pairs
        return gate.start() if start else gate

    return make


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    """One server for the tests that change nothing: three certificates, two kinds of keys."""
    from support.gatehouse import Gatehouse
    from support.origins import RawOrigin

    origin = RawOrigin()
    pairs = {
        "first": authority.issue("first", "first.example.com"),
        "app": authority.issue("app-rsa", "app.example.com", "www.app.example.com", kind="rsa"),
        "wild": authority.issue("wild", "*.example.com"),
    }
    gate = Gatehouse(
        tmp_path_factory.mktemp("tls"),
        listen=[{"tls": {"certificates": [pair.settings for pair in pairs.values()]}}],
        public_url="https://auth.example.com",
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": PUBLIC}],
    )
    gate.add_user("mary", ["staff"])
    gate.mary_key = gate.add_key("mary")["key"]
    gate.pairs = pairs
    gate.origin = origin
    gate.start()
    yield gate
    gate.stop()
    origin.close()


def s_client(port, *arguments, name="app.example.com"):
    """What `openssl s_client` says about a handshake."""
    names = ["-servername", name] if name else ["-noservername"]
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *names, *arguments],
        input=b"", capture_output=True, timeout=30,
    )
    return result.returncode, (result.stdout + result.stderr).decode("utf-8", "replace")


# Versions and ciphers


@pytest.mark.parametrize("version, spoken", [("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_versions(shared, version, spoken):
    code, text = s_client(shared.port, version, "-cipher", "DEFAULT@SECLEVEL=0")
    assert (code == 0) == spoken, text


def test_a_higher_minimum(make_secure):
    gate = make_secure(tls={"minimum": "1.3"})
    assert s_client(gate.port, "-tls1_2")[0] != 0
    assert s_client(gate.port, "-tls1_3")[0] == 0


@pytest.mark.parametrize("cipher", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"])
def test_ciphers_of_today(shared, cipher):
    code, text = s_client(shared.port, "-tls1_2", "-cipher", cipher)
    assert code == 0 and f"Cipher is {cipher}" in text, text


@pytest.mark.parametrize(
    "cipher",
    ["ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "AES128-GCM-SHA256", "AES256-SHA", "DHE-RSA-AES128-GCM-SHA256",
     "ADH-AES128-GCM-SHA256:@SECLEVEL=0", "NULL-SHA256:@SECLEVEL=0"],
)
def test_ciphers_of_yesterday(shared, cipher):
    code, text = s_client(shared.port, "-tls1_2", "-cipher", cipher)
    assert code != 0, text


def test_nothing_else_is_offered(shared):
    code, text = s_client(shared.port, "-tls1_2", "-alpn", "http/1.1,h2")
    assert "ALPN protocol: h2" in text, text
    code, text = s_client(shared.port, "-tls1_2", "-alpn", "http/1.1")
    assert "ALPN protocol: http/1.1" in text, text
    assert "Compression: NONE" in text
    assert "Secure Renegotiation IS supported" in text


# Certificates by name


@pytest.mark.parametrize(
    "name, pair",
    [("app.example.com", "app"), ("www.app.example.com", "app"), ("APP.Example.COM", "app"),
     ("other.example.com", "wild"), ("first.example.com", "first"), ("a.b.example.com", "first"),
     ("example.com", "first"), ("elsewhere.test", "first"), (None, "first")],
)
def test_certificate_of_the_name(shared, name, pair, authority):
    context = authority.client_context()
    context.check_hostname = False
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        with TLSConnection(shared.port, context, name) as connection:
            assert connection.serial() == shared.pairs[pair].serial


# Requests


def test_curl(shared, authority):
    command = [
        "curl", "-sS", "--cacert", str(authority.certificate), "--resolve", f"app.example.com:{shared.port}:127.0.0.1",
        "-H", f"X-API-Key: {shared.mary_key}", "-w", "\n%{http_code} %{http_version} %{num_connects}\n",
    ]
    url = f"https://app.example.com:{shared.port}/wiki?a=b"
    result = subprocess.run([*command, url, url], capture_output=True, text=True, timeout=30)
    assert result.stdout == "ok\n200 2 1\nok\n200 2 0\n", result
    seen = shared.origin.last
    assert seen["Remote-User"] == "mary"
    assert seen["X-Forwarded-Proto"] == "https"
    result = subprocess.run(
        ["curl", "-sS", "--resolve", f"app.example.com:{shared.port}:127.0.0.1", url], capture_output=True, timeout=30)
    assert result.returncode == 60, "nobody but the test trusts this authority"


def test_refusals_and_keep_alive(shared, authority):
    with TLSConnection(shared.port, authority.client_context()) as connection:
        for _ in range(3):
            connection.send(head("GET", "/private", "app.example.com"))
            assert connection.read().status == 401
            connection.send(head("GET", "/public/x", "app.example.com"))
            assert connection.read().status == 200
        connection.send(head("GET", "/public/../x", "app.example.com"))
        assert connection.read().status == 400
        assert connection.rest() == b"", "the end is said, so nobody can cut an answer short"


def test_pipelined_and_split_records(shared, authority):
    one = head("GET", "/public/x", "app.example.com")
    with TLSConnection(shared.port, authority.client_context()) as connection:
        connection.send(one * 5)
        for _ in range(5):
            assert connection.read().status == 200
        for byte in one:
            connection.send(bytes([byte]))
        assert connection.read().status == 200


def test_large_bodies_both_ways(make_secure, authority):
    size = 8 << 20
    gate = make_secure(behave=lambda request, _: answer(request.body))
    body = os.urandom(size)
    with TLSConnection(gate.port, authority.client_context(), timeout=60) as connection:
        connection.send(head("POST", "/public/x", "app.example.com", [("Content-Length", str(size))]))
        connection.send(body)
        assert connection.read("POST").body == body


def test_a_client_that_does_not_read_holds_nobody_else_up(make_secure, authority):
    """Back-pressure works through TLS: what the client does not take stays with the app."""
    size = 64 << 20

    def behave(request, connection):
        if request.target == "/public/large":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size >> 20):
                connection.sendall(b"x" * (1 << 20))
            return b""
        return answer()

    gate = make_secure(behave=behave)
    before = gate.anonymous_memory()
    with TLSConnection(gate.port, authority.client_context(), timeout=60) as connection:
        connection.send(head("GET", "/public/large", "app.example.com"))
        connection.head()
        for _ in range(20):
            with TLSConnection(gate.port, authority.client_context()) as other:
                other.send(head("GET", "/public/x", "app.example.com"))
                assert other.read().status == 200
        assert gate.anonymous_memory() - before < 24 << 20
        count = len(connection.buffer)
        while count < size:
            count += len(connection.socket.recv(1 << 20))
        assert count == size


# Clients that do not play along


def still_answers(gate, authority):
    with TLSConnection(gate.port, authority.client_context()) as connection:
        connection.send(head("GET", "/public/x", "app.example.com"))
        assert connection.read().status == 200


GARBAGE = {
    "plain http": b"GET /public/x HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
    "zeros": bytes(1000),
    "noise": bytes(range(256)) * 8,
    "a record of another version": b"\x16\x02\x00\x00\x05hello",
    "an empty hello": b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    "a long record": b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
    "application data first": b"\x17\x03\x03\x00\x05hello",
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "half a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_handshake_is_cut(shared, authority, name):
    with Connection(shared.port, timeout=30) as connection:
        try:
            connection.send(GARBAGE[name])
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            assert b"HTTP/1" not in connection.rest(), "nothing is answered in plain text"
        except ConnectionResetError:
            pass
    still_answers(shared, authority)


def test_a_slow_handshake_is_cut(shared, authority):
    begin = time.monotonic()
    with Connection(shared.port, timeout=30) as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01")
        connection.rest()
    assert 5 < time.monotonic() - begin < 20
    still_answers(shared, authority)


def test_a_client_that_vanishes(shared, authority):
    for _ in range(20):
        connection = TLSConnection(shared.port, authority.client_context())
        connection.send(head("POST", "/public/x", "app.example.com", [("Content-Length", "10")]) + b"half")
        connection.socket.unwrap = None
        socket.socket.close(connection.socket)
    still_answers(shared, authority)


# Plain http


def test_redirect(make_secure):
    gate = make_secure(plain={"redirect_to_https": True})
    cases = {
        ("GET", "/public/x?a=b&c=%20", "app.example.com"): "https://app.example.com/public/x?a=b&c=%20",
        ("POST", "/private", "APP.example.com.:8080"): "https://app.example.com/private",
        ("HEAD", "/", "a.wild.example.com"): "https://a.wild.example.com/",
        ("GET", "/.auth/login", "auth.example.com"): "https://auth.example.com/.auth/login",
    }
    for (method, path, host), location in cases.items():
        response = request(gate.plain, path, host, method=method)
        assert response.status == 308 and response["Location"] == location, response
        assert response["X-Request-Id"]
    assert gate.origin.requests == []
    response = request(gate.plain, "/public/x", "app.example.com", method="POST", body=b"x" * 1000)
    assert response.status == 308


def test_a_redirect_names_the_port_of_the_public_url(make_secure):
    gate = make_secure(plain={"redirect_to_https": True}, public_url="https://auth.example.com:8443", name="port")
    assert request(gate.plain, "/x", "app.example.com")["Location"] == "https://app.example.com:8443/x"


@pytest.mark.parametrize("host", ["evil.test", "app.example.com.evil.test", "xapp.example.com", "wild.example.com",
                                  "127.0.0.1", "[::1]"])
def test_lesson09_lesson66_lesson73_a_redirect_goes_only_where_the_configuration_says(make_secure, host):
    gate = make_secure(plain={"redirect_to_https": True})
    for path in ("/", "/anywhere/x"):
        response = request(gate.plain, path, host)
        assert response.status == 421 and "Location" not in response
    for target in (f"http://{host}/x", f"//{host}/", f"/\\{host}", "/%0d%0aLocation:%20https://evil.test/"):
        response = raw(gate.plain, head("GET", target, "app.example.com"))
        assert response.status in (400, 308), response
        for location in response.all("Location"):
            assert location.startswith("https://app.example.com/"), location


def test_checks_are_never_redirected(make_secure):
    gate = make_secure(plain={"redirect_to_https": True}, trusted_proxies=["127.0.0.1/32"])
    response = request(gate.plain, "/.auth/check/nginx", "auth.example.com", headers=[
        ("X-Original-URL", "https://app.example.com/public/x"), ("X-Original-Method", "GET")])
    assert response.status in (200, 401, 403) and "Location" not in response, response


def test_a_stop_does_not_wait_for_idle_connections(make_secure, authority):
    gate = make_secure()
    connections = [TLSConnection(gate.port, authority.client_context()) for _ in range(5)]
    for connection in connections:
        connection.send(head("GET", "/public/x", "app.example.com"))
        assert connection.read().status == 200
    begin = time.monotonic()
    assert gate.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begin < 15
    for connection in connections:
        connection.close()
