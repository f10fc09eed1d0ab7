"""The PROXY protocol on listeners: whose connection it is, who may say so, and what is no header."""

import shutil
import socket
import subprocess
import time

import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.proxyprotocol import header
from support.waiting import eventually
from support.wire import Closed, Connection, head

OFFICE = [{"paths": ["/office/**"], "networks": ["198.51.100.0/24", "2001:db8::/32"], "allow": "everyone"},
          {"paths": ["/public/**"], "allow": "everyone"}]


@pytest.fixture
def behind(simple):
    """A server with a listener for proxies, which are trusted, and a plain one at `gate.plain`."""

    def make(**settings):
        plain = free_ports(1)[0]
        return_value = simple(
            rules=OFFICE, trusted_proxies=settings.pop("trusted_proxies", ["127.0.0.1"]),
            listen=[{"proxy_protocol": True} | settings.pop("listener", {}), {"address": f"127.0.0.1:{plain}"}],
            **settings,
        )
        return_value.plain = plain
        return return_value

    return make


def ask(port, path, before=b"", headers=(), pieces=None):
    with Connection(port) as connection:
        data = before + head("GET", path, "app.example.com", headers=headers)
        if pieces:
            for piece in range(0, len(data), pieces):
                connection.send(data[piece:piece + pieces])
        else:
            connection.send(data)
        return connection.read()


def is_closed(port, data, timeout=5.0):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            connection.sendall(data)
            return connection.recv(1) == b""
        except ConnectionError:
            return True


def test_the_address_that_is_told_is_the_clients(behind):
    gate = behind()
    assert ask(gate.port, "/office/a", header("198.51.100.7")).status == 200
    assert gate.origin.last["X-Forwarded-For"] == "198.51.100.7"
    assert ask(gate.port, "/office/a", header("2001:db8::7")).status == 200
    assert gate.origin.last["X-Forwarded-For"] == "2001:db8::7"
    assert ask(gate.port, "/office/a", header("192.0.2.7")).status != 200
    # TLVs are passed over, and so is what came with the header.
    assert ask(gate.port, "/office/a", header("198.51.100.7", tail=b"\x04\x00\x02ab" * 100)).status == 200
    assert ask(gate.port, "/office/a", header("198.51.100.7"), pieces=1).status == 200


def test_the_told_client_is_no_proxy(behind):
    """Only the peer that told the address was trusted, not whoever it told of."""
    gate = behind()
    forwarded = [("X-Forwarded-For", "198.51.100.7")]
    assert ask(gate.port, "/office/a", header("192.0.2.7"), forwarded).status != 200
    # One of the trusted proxies may be the client of another.
    assert ask(gate.port, "/office/a", header("127.0.0.1"), forwarded).status == 200
    # LOCAL: the connection is the proxy's own, and so is its trust.
    assert ask(gate.port, "/office/a", header(), forwarded).status == 200
    assert ask(gate.port, "/public/a", header()).status == 200
    # A client of the proxy's unix socket is nobody in particular, and not our own `unix`.
    unix = header(family=0x31, payload=b"/tmp/a.sock".ljust(216, b"\0"))
    assert ask(gate.port, "/office/a", unix, forwarded).status != 200
    assert ask(gate.port, "/public/a", unix).status == 200
    # Neither is one that the proxy passes on without a word of whose it is (UNSPEC): the trust is not theirs.
    unspecified = header(command=1, family=0, payload=b"")
    assert ask(gate.port, "/office/a", unspecified, forwarded).status != 200
    assert ask(gate.port, "/public/a", unspecified, forwarded).status == 200
    assert gate.origin.last.get("X-Forwarded-For") != "198.51.100.7"


@pytest.mark.parametrize("data", [
    b"GET /public/a HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
    b"PROXY TCP4 198.51.100.7 192.0.2.254 4711 443\r\nGET /public/a HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
    header("198.51.100.7")[:12] + b"\x31" + header("198.51.100.7")[13:],
    header(family=0x12, payload=b"\0" * 12),
    header(family=0x11, payload=b"\0" * 11),
    header(family=0x11, payload=b"\0" * 5000),
    b"\x16\x03\x01\x02\x00\x01",
])
def test_what_is_no_header_is_closed(behind, data):
    gate = behind()
    assert is_closed(gate.port, data)
    text = eventually(lambda: gate.log_text() if "PROXY protocol header" in gate.log_text() else None)
    if data.startswith(b"PROXY"):
        assert "send-proxy-v2" in text
    assert ask(gate.port, "/public/a", header("192.0.2.7")).status == 200
    assert 'gatehouse_connections_refused_total{reason="proxy_protocol"} 1' in gate.monitor_get("/metrics")[1]


def test_strangers_may_not_tell(behind):
    gate = behind(trusted_proxies=["192.0.2.1"])
    for _ in range(3):
        assert is_closed(gate.port, header("198.51.100.7"))
    assert ask(gate.plain, "/public/a").status == 200
    eventually(lambda: gate.log_text().count("its peer is not in trusted_proxies") == 1)
    assert gate.log_text().count("its peer is not in trusted_proxies") == 1


def test_other_listeners_take_no_header(behind):
    gate = behind()
    with Connection(gate.plain) as connection:
        connection.send(header("198.51.100.7") + head("GET", "/public/a", "app.example.com"))
        with pytest.raises((Closed, ConnectionError, AssertionError)):
            assert connection.read().status == 200


def test_it_stands_before_tls(behind, tmp_path):
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("app", "app.example.com")
    gate = behind(listener={"tls": {"certificates": [pair.settings]}})
    with Connection(gate.port) as connection:
        connection.send(header("198.51.100.7"))
        connection.socket = authority.client_context().wrap_socket(
            connection.socket, server_hostname="app.example.com")
        connection.send(head("GET", "/office/a", "app.example.com"))
        assert connection.read().status == 200
    assert gate.origin.last["X-Forwarded-For"] == "198.51.100.7"


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
def test_haproxy_tells(behind, tmp_path):
    gate = behind()
    port = free_ports(1)[0]
    config = tmp_path / "haproxy.cfg"
    config.write_text(f"""
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen front
    bind 127.0.0.1:{port}
    server gatehouse 127.0.0.1:{gate.port} send-proxy-v2
""")
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: ask(port, "/public/a").status == 200)
        with socket.socket() as client:
            # Any address of the loopback network is ours to come from.
            client.bind(("127.0.0.77", 0))
            client.connect(("127.0.0.1", port))
            client.sendall(head("GET", "/public/a", "app.example.com"))
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        assert gate.origin.last["X-Forwarded-For"] == "127.0.0.77"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.long
def test_a_header_that_does_not_come(behind):
    gate = behind()
    with socket.create_connection(("127.0.0.1", gate.port), timeout=60) as connection:
        began = time.monotonic()
        connection.sendall(header("198.51.100.7")[:20])
        assert connection.recv(1) == b""
        assert time.monotonic() - began > 25
