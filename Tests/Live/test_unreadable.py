"""Requests that are refused before they are judged: what a real nginx makes of it, what the log and the audit are told,
and that the answer arrives and the connection ends with it."""

import re
import signal
import subprocess
import time

import pytest

from support.gatehouse import free_ports
from support.nginx import binary as nginx_binary
from support.waiting import eventually
from support.wire import Connection, head, raw, request
from test_access_log import line
from test_http2 import HOST, secure  # noqa: F401  (a fixture)

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_buffer_size 64k;
    large_client_header_buffers 4 64k;
    upstream gatehouse {{ server 127.0.0.1:{gate}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ auth_request /check; proxy_pass http://127.0.0.1:{app}; }}
        location = /check {{
            internal;
            proxy_pass http://gatehouse/.auth/check/nginx;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-URL $scheme://$host$request_uri;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
    server {{
        listen 127.0.0.1:{app};
        return 200 "the app";
    }}
}}
"""


@pytest.fixture
def nginx(make_gate, tmp_path):
    """nginx, and behind it everybody is let in."""
    gate = make_gate(
        trusted_proxies=["127.0.0.1"],
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}])
    folder, (port, app) = tmp_path / "nginx", free_ports(2)
    folder.mkdir()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, app=app, gate=gate.port))
    process = subprocess.Popen(
        [nginx_binary(), "-p", str(folder), "-c", str(folder / "nginx.conf")], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: request(app).status == 200, 20, "nginx")
        gate.nginx = port
        yield gate
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)


@pytest.mark.parametrize("name, lines, status", [
    ("nothing special", [], 200),
    ("many lines", [(f"X-{number}", "v") for number in range(240)], 200),
    # nginx itself takes a thousand.
    ("too many lines", [(f"X-{number}", "v") for number in range(990)], 403),
    ("a control byte", [("X", "a\x01b")], 403), ("DEL", [("X", "a\x7fb")], 403),
    ("an expectation, which nginx keeps to itself", [("Expect", "x")], 200),
    ("more than a head holds", [(f"X-{number}", "v" * 10_000) for number in range(4)], 403),
])
def test_nginx_never_makes_a_500_of_it(nginx, name, lines, status):
    for _ in range(3):
        assert raw(nginx.nginx, head("GET", "/page", "app.example.com", lines)).status == status, name


def test_explain_and_audit_know_them(simple):
    gate = simple(log={"format": "json", "level": "info", "requests": "denied"})
    cases = [
        (b"GET /a/../b?token=secret HTTP/1.1\r\nHost: app.example.com\r\n\r\n", 400, "path_refused", "dot_segment",
         "GET", "/a/../b"),
        (b"TRACE /t HTTP/1.1\r\nHost: app.example.com\r\n\r\n", 405, "method_refused", "method_refused", "TRACE", "/t"),
        (head("GET", "/" + "a" * 9000, "app.example.com"), 414, "too_large", "target_too_long", "GET", "/" + "a" * 1023),
        (head("GET", "/h", "app.example.com", [("X", "a" * 40_000)]), 431, "too_large", "head_too_large", "GET", "/h"),
        (b"GET /two HTTP/1.1\r\nHost: app.example.com\r\nHost: other.example.com\r\n\r\n", 400, None, "host_repeated",
         "GET", "/two"),
    ]
    for data, status, reason, code, method, path in cases:
        response = raw(gate.port, data)
        assert response.status == status, response
        assert response.json().get("code") == reason and response.get("Gatehouse-Reason") == reason
        told = gate.json("explain", "--request", response["X-Request-Id"], "--expect", "deny")
        assert (told.get("reason"), told["method"], told["host"], told["path"], told["shape"], told["address"]) == (
            reason, method, "app.example.com", path, "inline", "127.0.0.1")
        entry = line(gate, request_id=response["X-Request-Id"])
        assert (entry.get("reason"), entry["code"], entry["method"], entry["host"], entry["path"]) == (
            reason, code, method, "app.example.com", path)
        gate.event(event_type="request_denied", reason=reason, success=False)
    assert "secret" not in gate.log_text() + str(gate.audit())
    text = gate.cli("explain", "--request", response["X-Request-Id"]).stdout
    assert text.startswith("deny (it could not be read)\n") and "GET app.example.com/two" in text
    # Many of them are one event.
    for _ in range(50):
        raw(gate.port, b"TRACE /flood HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
    eventually(lambda: sum(event["metadata"]["count"] for event in gate.audit("--type", "request_denied")
                           if event["reason"] == "method_refused") == 51, 15, "all of them")
    assert len([event for event in gate.audit("--type", "request_denied") if event["reason"] == "method_refused"]) < 10


@pytest.mark.parametrize("data, status", [
    (b"GET /x HTTP/1.1\r\nHost: app.example.com\r\nX: a\x01\r\n\r\n", 400), (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417), (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (head("GET", "/" + "a" * 9000, "a"), 414), (head("GET", "/", "a", [("X", "a" * 40_000)]), 431),
    (head("POST", "/page", "app.example.com", [("Content-Length", "100000")]), 401),
])
def test_the_end_is_seen_at_once(simple, data, status):
    gate = simple()
    with Connection(gate.port) as connection:
        connection.send(data)
        begin = time.monotonic()
        response = connection.read()
        assert response.status == status and response["Connection"] == "close"
        assert connection.rest() == b""
        assert time.monotonic() - begin < 0.9


def test_head_has_no_body_however_it_is_refused(simple):
    gate = simple()
    for lines, path in [([("X", "a\x01")], "/"), ([("Expect", "x")], "/"), ([("X", "a" * 40_000)], "/"), ([], "/a/../b"),
                        ([], "/" + "a" * 9000)]:
        with Connection(gate.port) as connection:
            connection.send(head("HEAD", path, "app.example.com", lines))
            assert connection.read("HEAD").status in (400, 414, 417, 431)
            assert connection.rest() == b""


@pytest.mark.parametrize("path, host, status", [("/page", "app.example.com", 401), ("/page", "none.example.com", 421)])
def test_a_bad_chunk_takes_no_refusal_away(simple, path, host, status):
    gate = simple()
    for _ in range(20):
        with Connection(gate.port) as connection:
            connection.send(head("POST", path, host, [("Transfer-Encoding", "chunked")]) + b"zz\r\n")
            assert connection.read().status == status
            assert connection.rest() == b""


def test_a_large_upload_that_is_refused_gets_its_answer(simple, tmp_path):
    gate = simple()
    body = tmp_path / "body"
    body.write_bytes(bytes(20_000_000))
    for more in ([], ["-H", "Expect:"], ["-H", "Transfer-Encoding: chunked"]):
        for _ in range(8):
            result = subprocess.run(
                ["curl", "-sS", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: app.example.com", *more,
                 "--data-binary", f"@{body}", f"http://127.0.0.1:{gate.port}/page"],
                capture_output=True, text=True, timeout=60)
            assert result.stdout == "401", (more, result)
    # None of them is held for longer than its moment.
    eventually(lambda: re.search(r"^gatehouse_connections 0$", gate.monitor_get("/metrics")[1], re.M), 10, "their ends")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_so_does_one_in_tls(secure, tmp_path, version):
    body = tmp_path / "body"
    body.write_bytes(bytes(20_000_000))
    for _ in range(8):
        result = subprocess.run(
            ["curl", "-sS", version, "-o", "/dev/null", "-w", "%{http_code}", "--cacert", secure.authority.certificate,
             "--resolve", f"{HOST}:{secure.port}:127.0.0.1", "--data-binary", f"@{body}",
             f"https://{HOST}:{secure.port}/page"], capture_output=True, text=True, timeout=60)
        assert result.stdout == "401", result


def test_a_head_may_have_many_lines(simple):
    gate = simple()
    lines = [(f"X-{number}", "v") for number in range(240)]
    assert gate.get("/page", headers=lines, key=gate.mary_key).status == 200
    seen = gate.origin.requests[-1]
    assert not any(name.lower() == "x-api-key" for name, _ in seen.headers) and ("X-239", "v") in seen.headers
    refused = gate.get("/page", headers=[("A", "b")] * 260)
    assert refused.status == 431 and refused.code == "too_large"


def test_hosts_and_prefixes_in_other_spellings(gate, origin):
    assert raw(gate.port, head("GET", "/public/x", "app.example.com:", [("Connection", "close")])).status == 200
    response = raw(gate.port, head("GET", "/%61pp/public/a%20b", "stripped.example.com", [("Connection", "close")]))
    assert response.status == 200 and origin.requests[-1].target == "/public/a%20b"
