"""What one client, and all of them together, may take: connections, descriptors, time."""

import os
import resource
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest

from support.gatehouse import binary
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head, request

PROBE = head("GET", "/public/a", "app.example.com")


def answers(connection):
    connection.send(PROBE)
    return connection.read().status == 200


def opened(port, source="127.0.0.1", timeout=10.0):
    connection = Connection.__new__(Connection)
    connection.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))
    connection.buffer = b""
    return connection


def metric(gate, name):
    text = gate.monitor_get("/metrics")[1]
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def is_readable(connection):
    return bool(select.select([connection.socket], [], [], 0)[0])


def processor_seconds(gate):
    with open(f"/proc/{gate.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_connections_of_one_client(simple):
    gate = simple(limits={"connections_per_client": 5, "exempt_networks": ["127.0.0.9"]}, workers=2)
    mine = [opened(gate.port, "127.0.0.5") for _ in range(5)]
    assert all(answers(connection) for connection in mine)
    for _ in range(3):
        with opened(gate.port, "127.0.0.5") as more:
            try:
                more.send(PROBE)
                assert more.socket.recv(1) == b""
            except ConnectionError:
                pass
    # Others are none the worse for it, and neither are those that were there.
    with opened(gate.port, "127.0.0.6") as other:
        assert answers(other)
    assert all(answers(connection) for connection in mine)
    many = [opened(gate.port, "127.0.0.9") for _ in range(10)]
    assert all(answers(connection) for connection in many)
    eventually(lambda: metric(gate, 'gatehouse_connections_refused_total{reason="per_client"}') == 3)
    assert gate.logged("as many connections as it may have").count("as many connections as it may have") == 1
    mine.pop().close()

    def again():
        with opened(gate.port, "127.0.0.5") as connection:
            return answers(connection)

    eventually(again)
    for connection in mine + many:
        connection.close()


def test_it_is_the_told_address_that_counts(simple):
    from support.proxyprotocol import header

    gate = simple(limits={"connections_per_client": 2}, trusted_proxies=["127.0.0.1"], listen=[{"proxy_protocol": True}])

    def told(address):
        connection = Connection(gate.port)
        connection.send(header(address) + PROBE)
        return connection

    kept = [told("2001:db8:1:1::1"), told("2001:db8:1:1:2::2")]
    assert all(connection.read().status == 200 for connection in kept)
    with told("2001:db8:1:1::3") as third:
        with pytest.raises((ConnectionError, AssertionError)):
            third.read()
    with told("2001:db8:1:2::1") as other:
        assert other.read().status == 200
    for connection in kept:
        connection.close()


def limited(gate, descriptors):
    """Starts it with so many descriptors."""
    with open(gate.log, "ab") as log:
        gate._log_start = log.tell()
        gate.process = subprocess.Popen(
            ["prlimit", f"--nofile={descriptors}:{descriptors}", binary(), "serve", "--config", str(gate.config)],
            stdout=subprocess.DEVNULL, stderr=log, stdin=subprocess.DEVNULL, cwd=gate.folder, env=gate.environment)
    eventually(lambda: gate._answers("/readyz"), 30)


def test_no_more_descriptors(simple):
    """At the limit the established are served and the others wait, at no cost; as some go, those are served."""
    gate = simple(limits={"connections_per_client": 100000})
    gate.stop()
    limited(gate, 256)
    assert gate.logged('"connections":"96"')
    served = []
    waiting = []
    for _ in range(140):
        connection = Connection(gate.port, timeout=20)
        connection.send(PROBE)
        waiting.append(connection)

    def gather():
        for connection in [one for one in waiting if is_readable(one)]:
            assert connection.read().status == 200
            waiting.remove(connection)
            served.append(connection)
        return len(served) >= 96

    eventually(gather, 20)
    before = processor_seconds(gate)
    began = time.monotonic()
    assert all(answers(connection) for connection in served)
    eventually(lambda: time.monotonic() - began > 2)
    assert waiting, "nobody waits"
    assert processor_seconds(gate) - before < 1.0
    assert gate.monitor_get("/healthz")[0] == 200
    for connection in served[:60]:
        connection.close()
    for connection in waiting:
        assert connection.read().status == 200
    for connection in served + waiting:
        connection.close()


def descriptors(gate):
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


def test_idle_connections_to_apps_make_room_for_others(make_gate, make_origin):
    """What was needed for one app is not kept from another, nor from whoever else needs a descriptor."""
    names = ["one", "two", "three"]
    gate = make_gate(
        start=False, limits={"connections_per_client": 100000},
        upstreams={name: {"url": [make_origin().url], "connect_timeout": "60s"} for name in names},
        routes=[{"name": name, "host": f"{name}.example.com", "upstream": name, "rules": [{"allow": "everyone"}]}
                for name in names])
    limited(gate, 256)
    clients = [Connection(gate.port, timeout=60) for _ in range(90)]
    for name in names:
        for client in clients:
            client.send(head("GET", "/", f"{name}.example.com"))
        assert [client.read().status for client in clients] == [200] * 90
        assert descriptors(gate) < 250
        assert gate.monitor_get("/healthz")[0] == 200
    for client in clients:
        client.close()


@pytest.mark.skipif(not shutil.which("h2load"), reason="h2load is not installed")
def test_many_streams_leave_descriptors_for_the_rest(simple):
    """A connection of HTTP/2 may ask for a hundred connections to an app that speaks HTTP/1.1."""
    def behave(*_):
        threading.Event().wait(0.3)
        return answer()

    gate = simple(behave, limits={"connections_per_client": 100000}, upstream={"connect_timeout": "60s"})
    gate.stop()
    limited(gate, 256)
    load = subprocess.Popen(
        ["h2load", "-n", "800", "-c", "4", "-m", "100", "-H", ":authority: app.example.com",
         f"http://127.0.0.1:{gate.port}/public/a"],
        stdout=subprocess.PIPE, text=True, cwd=gate.folder)
    most = 0
    while load.poll() is None:
        most = max(most, descriptors(gate))
        assert gate.monitor_get("/healthz")[0] == 200
    assert "800 succeeded, 0 failed" in load.stdout.read()
    assert 100 < most < 250


def test_accepting_fails_for_want_of_descriptors(simple):
    """The limit is lowered while it runs, so that accepting itself fails: nothing is lost but time."""
    gate = simple(limits={"connections_per_client": 100000})
    with Connection(gate.port) as early:
        assert answers(early)
        used = len(os.listdir(f"/proc/{gate.process.pid}/fd"))
        resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (used + 4, used + 4))
        waiting = [Connection(gate.port, timeout=30) for _ in range(20)]
        for connection in waiting:
            connection.send(PROBE)
        eventually(lambda: "no connection can be accepted for the moment" in gate.log_text())
        before = processor_seconds(gate)
        began = time.monotonic()
        # Who is there is answered, if only that the app cannot be connected to.
        early.send(PROBE)
        assert early.read().status in (200, 503)
        eventually(lambda: time.monotonic() - began > 2)
        assert processor_seconds(gate) - before < 1.0
        statuses = set()

        def all_were_served():
            for connection in [one for one in waiting if is_readable(one)]:
                statuses.add(connection.read().status)
                waiting.remove(connection)
                connection.close()
            return not waiting

        eventually(all_were_served, 30)
        assert statuses <= {200, 503}
        assert answers(early)


# Slow clients


def probing(gate, stop, failures):
    while not stop.is_set():
        began = time.monotonic()
        try:
            status = request(gate.port, "/public/a", timeout=10).status
            if status != 200:
                failures.append(status)
        except (OSError, AssertionError) as error:
            failures.append(repr(error))
        if time.monotonic() - began > 5:
            failures.append("slow")
        stop.wait(0.1)


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
@pytest.mark.parametrize("mode", [["-H"], ["-B", "-s", "8192"], ["-X", "-w", "1", "-y", "1", "-n", "5", "-z", "32"],
                                  ["-R"]])
def test_slow_clients_keep_nobody_out(simple, mode, seconds=6):
    gate = simple(behave=None, limits={"connections_per_client": 100000})
    slow(gate, mode, seconds, 200)


def slow(gate, mode, seconds, count):
    stop = threading.Event()
    failures = []
    probe = threading.Thread(target=probing, args=(gate, stop, failures))
    probe.start()
    try:
        result = subprocess.run(
            ["slowhttptest", *mode, "-c", str(count), "-r", "200", "-i", "1", "-l", str(seconds), "-p", "3",
             "-u", f"http://127.0.0.1:{gate.port}/public/a"],
            capture_output=True, text=True, timeout=seconds + 60, cwd=gate.folder)
    finally:
        stop.set()
        probe.join()
    assert not failures, failures[:5]
    assert "service available:" in result.stdout
    last = result.stdout[result.stdout.rindex("service available:"):].splitlines()[0]
    assert "YES" in last, result.stdout[-800:]
    return result.stdout


@pytest.mark.long
@pytest.mark.parametrize("mode", [["-H"], ["-B", "-s", "8192"]])
def test_slow_clients_are_cut_off(simple, mode):
    gate = simple(limits={"connections_per_client": 100000})
    slow(gate, mode, 110, 300)
    eventually(lambda: metric(gate, "gatehouse_connections") <= 2, 20)


@pytest.mark.long
def test_a_byte_a_second_does_not_extend_the_time_for_a_head(simple):
    gate = simple()
    with Connection(gate.port, timeout=5) as connection:
        began = time.monotonic()
        connection.send(b"GET /public/a HTTP/1.1\r\nHost: app.example.com\r\nX: ")
        connection.socket.settimeout(1)
        while True:
            assert time.monotonic() - began < 40
            try:
                connection.socket.send(b"a")
                if connection.socket.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert 25 < time.monotonic() - began < 40
