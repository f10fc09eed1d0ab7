"""Apps that speak HTTP/2 as TLS agrees on it, and servers that others wrote."""

import shutil
import subprocess
import threading

import pytest

from support.gatehouse import free_ports
from support.waiting import eventually
from support.wire import Connection, head
from test_http2_upstream import authority, errors, make_h2  # noqa: F401 - fixtures


@pytest.mark.parametrize("offered", [["h2"], ["h2", "http/1.1"]])
def test_https_chooses_http2(make_h2, authority, offered):
    context = authority.issue("h2", "127.0.0.1").server_context()
    context.set_alpn_protocols(offered)
    gate = make_h2(tls=context, upstream={"tls": {"ca": str(authority.certificate)}}, settings={"workers": 1})
    for _ in range(3):
        assert gate.get().status == 200
    assert gate.origin.last.get(":scheme") == "https"
    assert len(gate.origin.lines) == 1 and [stream.number for stream in gate.origin.streams] == [1, 3, 5]


def test_https_without_http2_stays_with_http1(make_gate, make_origin, authority):
    context = authority.issue("h1", "127.0.0.1").server_context()
    origin = make_origin(tls=context)
    gate = make_gate(
        upstreams={"app": {"url": origin.url, "tls": {"ca": str(authority.certificate)}}}, workers=1,
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}])
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(gate.get().status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8 and {request.version for request in origin.requests} == {"HTTP/1.1"}
    assert errors(gate, "tls") == 0


def test_an_upgrade_needs_http1(make_h2, authority):
    """To https a connection of its own that offers HTTP/1.1 only; to h2c it cannot be."""
    offered = []
    context = authority.issue("tunnel", "127.0.0.1").server_context()
    context.set_alpn_protocols(["http/1.1"])
    gate = make_h2()
    fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    response = gate.get(headers=fields)
    assert response.status == 502 and response.code == "upstream_failed"
    assert gate.logged("cannot take an Upgrade") and errors(gate, "unsupported") == 1
    assert gate.origin.streams == [] and gate.get().status == 200


def test_an_upgrade_finds_the_server_that_can(make_h2, make_origin):
    plain = make_origin()
    gate = make_h2(more=[plain.url])
    for _ in range(4):
        assert gate.get(headers=[("Connection", "Upgrade"), ("Upgrade", "websocket")]).status == 200
    assert len(plain.requests) == 4


# Servers that others wrote


@pytest.fixture
def nghttpd(tmp_path, authority):
    """nghttp2's server with a folder of files; `start(tls)` gives its address."""
    if not shutil.which("nghttpd"):
        pytest.fail("nghttpd is missing: the Debian package nghttp2-server")
    started = []
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "small").write_bytes(b"small")
    (folder / "large").write_bytes(bytes(range(256)) * 40_000)

    def start(tls=False):
        [port] = free_ports(1)
        pair = authority.issue("nghttpd", "127.0.0.1")
        arguments = [str(pair.key), str(pair.certificate)] if tls else ["--no-tls"]
        started.append(subprocess.Popen(
            ["nghttpd", "-a", "127.0.0.1", "-d", str(folder), "--echo-upload", str(port), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

        def listens():
            import socket
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True

        eventually(listens)
        return f"{'https' if tls else 'h2c'}://127.0.0.1:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("tls", [False, True])
def test_nghttpd(nghttpd, make_gate, authority, tls):
    gate = make_gate(
        upstreams={"app": {"url": nghttpd(tls), "tls": {"ca": str(authority.certificate)}} if tls
                   else {"url": nghttpd(tls)}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}])
    large = bytes(range(256)) * 40_000
    with Connection(gate.port) as connection:
        for path, body in [("/small", b"small"), ("/large", large), ("/small", b"small")]:
            connection.send(head("GET", path, "app.example.com"))
            response = connection.read()
            assert response.status == 200 and response.body == body
        connection.send(head("POST", "/echo", "app.example.com", [("Content-Length", str(len(large)))]) + large)
        response = connection.read("POST")
        assert response.status == 200 and response.body == large
        connection.send(head("GET", "/absent", "app.example.com"))
        assert connection.read().status == 404
