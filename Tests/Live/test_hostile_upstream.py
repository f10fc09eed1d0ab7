"""Every way of `support/hostile.py` in which an app's server misbehaves: the right status, one log line, one count, and
the next request is served as if nothing had been."""

import json
import re

import pytest

from support.gatehouse import Gatehouse
from support.hostile import CASES, CUT, HostileServer
from support.waiting import eventually
from support.wire import Closed, Connection, head

HOST = "app.example.com"


@pytest.fixture(scope="module")
def server():
    server = HostileServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory, server):
    gate = Gatehouse(
        tmp_path_factory.mktemp("hostile"),
        workers="1",
        upstreams={"app": {"url": [server.url], "first_byte_timeout": "2s", "idle_timeout": "2s"}},
        routes=[{"name": "app", "host": [HOST], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    )
    gate.start()
    yield gate
    gate.stop()


def errors(gate):
    text = gate.monitor_get("/metrics")[1]
    return {kind: int(count) for kind, count in re.findall(
        r'^gatehouse_upstream_errors_total\{upstream="app",kind="(\w+)"\} (\d+)$', text, re.M)}


def idle(gate):
    text = gate.monitor_get("/metrics")[1]
    return int(re.search(r'^gatehouse_upstream_connections\{upstream="app",state="idle"\} (\d+)$', text, re.M)[1])


def failures(gate, request_id):
    found = []
    for line in gate.log_text().splitlines():
        entry = json.loads(line)
        if entry["message"] == "an upstream failed" and entry["request_id"] == request_id:
            found.append(entry)
    return found


def ask(gate, case, request_id):
    """The answer; None where it is not whole."""
    headers = [("X-Request-Id", request_id)]
    if case.method in ("POST", "PUT"):
        headers.append(("Content-Length", str(case.announced or len(case.body))))
    with Connection(gate.port, timeout=30) as connection:
        connection.send(head(case.method, "/public/case", HOST, headers) + case.body)
        try:
            return connection.read(case.method)
        except (Closed, ConnectionResetError):
            return None


def well(gate, times=1):
    with Connection(gate.port) as connection:
        for _ in range(times):
            connection.send(head("GET", "/public/well", HOST))
            response = connection.read()
            assert response.status == 200 and response.body == b"ok", response


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_hostile(gate, server, number):
    case = CASES[number]
    server.prepare(case)
    if case.reused:
        well(gate)
    else:
        server.cut()
        eventually(lambda: idle(gate) == 0, 10, "no idle connection")
    before = errors(gate)
    request_id = f"case-{number}"
    response = ask(gate, case, request_id)
    statuses = case.status if isinstance(case.status, tuple) else (case.status,)
    if response is None:
        assert CUT in statuses
    else:
        assert response.status in statuses, response
        if case.kind:
            assert response.code == "upstream_failed" and response["X-Request-Id"] == request_id
        else:
            assert response.body == case.expected
            for name in ("Content-Length", "Transfer-Encoding", "Set-Cookie", "Host", "Remote-User"):
                assert name not in dict(response.trailers), response.trailers
    if case.afterwards:
        server.answered.set()
        assert server.ended.wait(10), "a connection with bytes that nobody asked for is closed"
    well(gate, 2)
    well(gate)
    assert server.plays == case.seen
    expected = dict(before)
    if case.kind:
        expected[case.kind] += 1
        entries = eventually(lambda: failures(gate, request_id), 10, "the log line")
        assert len(entries) == 1
        assert entries[0]["upstream"] == "app" and entries[0]["kind"] == case.kind
        assert entries[0]["server"] == server.url
    else:
        assert failures(gate, request_id) == []
    assert errors(gate) == expected
    assert gate.process.poll() is None
