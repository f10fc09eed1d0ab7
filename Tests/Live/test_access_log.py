"""The access log: one line an exchange, what it says, and what it never says."""

import json
import os
import socket
import subprocess
import threading

import pytest

from support.gatehouse import binary
from support.echo import dial, works
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head, raw, request


def lines(gate, **fields):
    """The access lines with these fields."""
    found = []
    for line in gate.log_text().splitlines():
        entry = json.loads(line)
        if entry["message"] == "request" and all(entry.get(name) == value for name, value in fields.items()):
            found.append(entry)
    return found


def line(gate, **fields):
    return eventually(lambda: (lines(gate, **fields) or [None])[-1], what=f"an access line with {fields}")


@pytest.fixture
def logged(simple):
    def make(requests="all", **settings):
        rules = [{"name": "open", "paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]
        return simple(log={"format": "json", "level": "info", "requests": requests}, rules=rules, **settings)

    return make


def test_what_a_line_says(logged):
    gate = logged(behave=lambda *_: answer(b"x" * 1000))
    gate.get("/wiki/a?secret=gate_in_the_query", key=gate.mary_key, headers=[("X-Request-Id", "r1")])
    entry = line(gate, request_id="r1")
    assert "secret" not in json.dumps(entry) and gate.mary_key not in gate.log_text()
    assert {name: entry[name] for name in (
        "method", "host", "path", "status", "route", "rule", "verdict", "user", "credential_kind", "shape", "address",
        "upstream", "server",
    )} == {
        "method": "GET", "host": "app.example.com", "path": "/wiki/a", "status": 200, "route": "app", "rule": "1",
        "verdict": "allow", "user": "mary", "credential_kind": "api_key", "shape": "inline", "address": "127.0.0.1",
        "upstream": "app", "server": gate.origin.url,
    }
    assert entry["bytes_sent"] > 1000 and 0 < entry["first_byte_us"] <= entry["duration_us"]
    assert entry["time"].endswith("Z")
    gate.get("/public/a", headers=[("X-Request-Id", "r2")])
    entry = line(gate, request_id="r2")
    assert entry["rule"] == "open" and "user" not in entry
    gate.get("/.auth/jwks.json", host="auth.example.com", headers=[("X-Request-Id", "r3")])
    assert line(gate, request_id="r3")["shape"] == "portal"


def test_refusals_are_lines_too(logged):
    gate = logged("denied")
    gate.get("/public/a", headers=[("X-Request-Id", "fine")])
    gate.get("/wiki/a", headers=[("X-Request-Id", "no")])
    entry = line(gate, request_id="no")
    assert (entry["status"], entry["reason"], entry["verdict"]) == (401, "sign_in_required", "sign_in")
    gate.get("/a", host="nowhere.example.com", headers=[("X-Request-Id", "none")])
    assert line(gate, request_id="none")["reason"] == "no_route"
    raw(gate.port, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    entry = line(gate, status=400)
    assert (entry["method"], entry["host"], entry["path"], entry["code"]) == ("GET", "a b", "/", "host_invalid")
    assert not lines(gate, request_id="fine")


def test_failures_are_lines_even_where_only_denials_are_asked_for(logged):
    gate = logged("denied")
    gate.origin.close()
    gate.get("/wiki/a", key=gate.mary_key, headers=[("X-Request-Id", "down")])
    entry = line(gate, request_id="down")
    assert (entry["status"], entry["verdict"], entry["reason"]) == (503, "allow", "upstream_failed")
    assert (entry["kind"], entry["user"], entry["path"]) == ("connect", "mary", "/wiki/a")


def test_none_is_none(logged):
    gate = logged("none")
    gate.get("/wiki/a")
    gate.get("/public/a")
    raw(gate.port, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    gate.stop()
    assert '"message":"request"' not in gate.log.read_text()


def test_a_client_that_goes_away(logged):
    reached = threading.Event()
    release = threading.Event()

    def behave(_, connection):
        reached.set()
        release.wait(20)
        return answer()

    gate = logged(behave=behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/a", "app.example.com", [("X-Request-Id", "gone")]))
        assert reached.wait(10)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    entry = line(gate, request_id="gone")
    assert (entry["status"], entry["aborted"]) == (499, True)
    release.set()


def test_a_tunnel_is_a_line_when_it_ends(chat):
    gate = chat(log={"format": "json", "level": "info", "requests": "all"})
    with dial(gate, "/room", gate.mary_key, [("X-Request-Id", "ws")]) as connection:
        assert works(connection, b"x" * 1000)
        assert not lines(gate, request_id="ws")
    entry = line(gate, request_id="ws")
    assert (entry["status"], entry["tunnel"], entry["user"]) == (101, True, "mary")
    assert entry["bytes_sent"] > 1000 and entry["bytes_received"] > 1000 and "aborted" not in entry


def test_an_answer_that_is_cut(logged):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    gate = logged("denied", behave=behave)
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/a", "app.example.com", [("X-Request-Id", "half")]))
        with pytest.raises((ConnectionError, AssertionError)):
            connection.read()
    entry = line(gate, request_id="half")
    assert (entry["status"], entry["kind"]) == (200, "closed") and "aborted" not in entry


def test_nothing_of_a_client_begins_a_line(logged):
    gate = logged()
    with Connection(gate.port) as connection:
        connection.send(b'GET /public/%22%0a{"message":"request"} HTTP/1.1\r\nHost: app.example.com\r\n'
                        b"X-Request-Id: a b\r\n\r\n")
        connection.read()
    for written in gate.log_text().splitlines():
        json.loads(written)


def test_text(simple):
    gate = simple(log={"format": "text", "level": "info", "requests": "all"})
    gate.get("/public/a", headers=[("X-Request-Id", "t1")])
    eventually(lambda: 'request_id="t1"' in gate.log_text())
    written = next(one for one in gate.log_text().splitlines() if 'request_id="t1"' in one)
    assert ' info request ' in written and 'status="200"' in written and 'path="/public/a"' in written


def test_a_log_that_nobody_reads_stops_nobody(logged):
    """Standard error is a pipe that is full: requests are answered, lines are left out and counted."""
    gate = logged()
    gate.stop()
    reading, writing = os.pipe()
    gate.process = subprocess.Popen(
        [binary(), "serve", "--config", str(gate.config)], stdout=subprocess.DEVNULL, stderr=writing,
        stdin=subprocess.DEVNULL, cwd=gate.folder, env=gate.environment)
    os.close(writing)
    try:
        eventually(lambda: gate.monitor_get("/readyz")[0] == 200, 30)
        path = "/public/" + "a" * 7000
        with Connection(gate.port) as connection:
            for _ in range(900):
                connection.send(head("GET", path, "app.example.com"))
                assert connection.read().status == 200

        def lost():
            text = gate.monitor_get("/metrics")[1]
            return int(next(one for one in text.splitlines() if one.startswith("gatehouse_log_lost_total ")).split()[1])

        assert eventually(lost) > 0
        assert gate.stop() == 0
    finally:
        os.close(reading)
