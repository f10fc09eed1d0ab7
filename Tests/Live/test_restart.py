"""Restarts without a dropped connection: sockets that somebody else holds, the drain, and what systemd is told."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from support.gatehouse import Gatehouse, binary
from support.load import Load
from support.waiting import eventually
from support.wire import Connection, head

# What systemd does between fork and exec: the sockets from descriptor 3 on, and our own process id.
PASS_ON = """
import os, sys
given, names = [int(fd) for fd in sys.argv[1].split(",")], sys.argv[2]
kept = [os.dup2(fd, 100 + place) for place, fd in enumerate(given)]
for place, fd in enumerate(kept):
    os.dup2(fd, 3 + place, inheritable=True)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
"""


def listening(path=None):
    sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    sock.bind(str(path) if path else ("127.0.0.1", 0))
    sock.listen(256)
    return sock


class Activated(Gatehouse):
    """Started with sockets that this process made and keeps."""

    def __init__(self, folder, sockets, names, **settings):
        self.sockets = sockets
        self.names = names
        super().__init__(folder, **settings)

    def _spawn(self):
        descriptors = [sock.fileno() for sock in self.sockets]
        with open(self.log, "ab") as log, open(self.folder / "gatehouse.out", "ab") as output:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-c", PASS_ON, ",".join(map(str, descriptors)), ":".join(self.names), binary(),
                 "serve", "--config", str(self.config)],
                stdout=output, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment,
                pass_fds=descriptors,
            )


@pytest.fixture
def activated(tmp_path, make_origin):
    made = []
    sockets = []

    def make(listen=({"address": "systemd:web"},), names=("web",), paths=(None,), start=True, behave=None, **settings):
        own = [listening(path) for path in paths]
        sockets.extend(own)
        origin = make_origin(behave)
        gate = Activated(
            tmp_path / "gate", own, names, listen=list(listen),
            upstreams={"app": {"url": [origin.url]}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
            **settings)
        gate.origin = origin
        made.append(gate)
        gate.web = own[0].getsockname() if paths[0] else own[0].getsockname()[1]
        return gate.start() if start else gate

    yield make
    for gate in made:
        gate.stop()
    for sock in sockets:
        sock.close()


def ask(address, path="/"):
    with Connection(address) as connection:
        connection.send(head("GET", path, "app.example.com", [("Connection", "close")]))
        return connection.read()


# Sockets of somebody else

def test_passed_sockets_are_listened_at(activated, tmp_path):
    gate = activated(
        listen=({"address": "systemd:web"}, {"address": "systemd:checks", "serve": ["check"]}),
        names=("web", "web", "checks"), paths=(None, tmp_path / "web.sock", None))
    assert ask(gate.web).status == 200
    assert ask(str(tmp_path / "web.sock")).status == 200
    assert ask(gate.sockets[2].getsockname()[1]).status == 404
    said = (gate.folder / "gatehouse.out").read_text()
    assert f"listening on 127.0.0.1:{gate.web}" in said and f"unix:{tmp_path}/web.sock" in said
    # Nobody that we start may believe that they are his.
    environment = open(f"/proc/{gate.process.pid}/environ", "rb").read()
    assert b"LISTEN_PID" in environment, "the test did what systemd does"
    gate.stop()
    assert (tmp_path / "web.sock").exists(), "it is not ours to remove"


def test_connections_wait_while_nobody_serves(activated):
    gate = activated()
    gate.stop()
    with Connection(gate.web) as connection:
        connection.send(head("GET", "/", "app.example.com"))
        gate.start()
        assert connection.read().status == 200


@pytest.mark.parametrize("names", [("other",), ("",)])
def test_a_socket_that_was_not_passed(activated, names):
    gate = activated(names=names, start=False)
    gate._spawn()
    assert gate.process.wait(30) == 1
    assert gate.logged("there is no socket web")


def test_a_socket_that_does_not_listen(activated):
    gate = activated(start=False)
    with socket.socket() as idle:
        gate.sockets = [idle]
        gate._spawn()
        assert gate.process.wait(30) == 1
    assert gate.logged("not one that listens")


# The end of a server

def test_restart_under_load_loses_no_request(activated):
    """SIGTERM, and the next server when the last has ended, on a listener that lives on: three times, and nobody's
    request is lost, nor asked twice."""
    gate = activated(workers=2)
    with Load(gate.web, clients=8) as load:
        for _ in range(3):
            before = load.answered
            eventually(lambda: load.answered > before + 50, 20, "answers")
            gate.stop()
            gate.start()
        before = load.answered
        eventually(lambda: load.answered > before + 50, 20, "answers")
    assert load.failures == [], load.failures[:3]


def test_next_server_may_begin_before_the_last_has_ended(activated, tmp_path):
    gate = activated(workers=1)
    old = gate.process
    with Load(gate.web, clients=6) as load:
        eventually(lambda: load.answered > 50, 20, "answers")
        # The monitor's port is still the old one's.
        gate.choose_ports()
        gate.start()
        old.send_signal(signal.SIGTERM)
        assert old.wait(40) == 0
        before = load.answered
        eventually(lambda: load.answered > before + 100, 20, "answers")
    assert load.failures == [], load.failures[:3]
    assert gate.cli("reload").returncode == 0, "the control socket is the new one's"


def test_drain_lets_answers_end_and_closes_what_is_idle(simple):
    go = threading.Event()

    def slow(request, connection):
        if request.target == "/slow":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            go.wait(30)
            return b"half"
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    gate = simple(behave=slow, rules=[{"allow": "everyone"}])
    with Connection(gate.port) as idle, Connection(gate.port) as late, Connection(gate.port) as busy:
        for connection in (idle, late):
            connection.send(head("GET", "/", "app.example.com"))
            answer = connection.read()
            assert answer.status == 200 and "Connection" not in answer
        busy.send(head("GET", "/slow", "app.example.com"))
        eventually(lambda: gate.origin.last.target == "/slow", 10)
        gate.process.send_signal(signal.SIGTERM)
        eventually(lambda: "stopping" in gate.log_text(), 10)
        # On its way when the server decided to stop: answered, and told to go.
        late.send(head("GET", "/", "app.example.com"))
        answer = late.read()
        assert answer.status == 200 and answer["Connection"] == "close"
        assert late.is_closed_by_peer()
        assert idle.is_closed_by_peer()
        with pytest.raises(OSError):
            Connection(gate.port)
        go.set()
        assert busy.read().body == b"halfhalf"
        assert gate.process.wait(20) == 0


def test_drain_has_an_end(simple):
    gate = simple(behave=lambda request, connection: time.sleep(20), rules=[{"allow": "everyone"}], drain="1s")
    with Connection(gate.port) as busy:
        busy.send(head("GET", "/", "app.example.com"))
        eventually(lambda: gate.origin.requests, 10)
        gate.process.send_signal(signal.SIGTERM)
        assert gate.process.wait(15) == 0
        assert busy.is_closed_by_peer()


# What systemd is told

@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(simple, tmp_path, abstract):
    name = f"\0gatehouse-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(name)
        told.settimeout(20)
        gate = simple(environment={"NOTIFY_SOCKET": name.replace("\0", "@")})

        def message():
            return dict(line.split("=", 1) for line in told.recv(4096).decode().splitlines())

        ready = message()
        assert ready["READY"] == "1" and f"127.0.0.1:{gate.port}" in ready["STATUS"]
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        gate.cli("reload")
        reloading = message()
        assert reloading["RELOADING"] == "1"
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert message()["READY"] == "1"
        gate.config.write_text("public_url: [")
        gate.process.send_signal(signal.SIGHUP)
        assert message()["RELOADING"] == "1"
        assert message()["READY"] == "1", "also after a refusal: the server serves"
        gate.process.send_signal(signal.SIGTERM)
        assert message()["STOPPING"] == "1"


def test_the_units_are_good():
    """`systemd-analyze verify` where it is installed; it wants the binary to exist, so its own word on that is left out."""
    config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config")
    units = [os.path.join(config, name) for name in ("gatehouse.service", "gatehouse.socket")]
    texts = [open(unit).read() for unit in units]
    assert "Type=notify" in texts[0] and "ExecReload=/usr/bin/gatehouse reload" in texts[0]
    assert "FileDescriptorName=gatehouse" in texts[1]
    try:
        result = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        return
    complaints = [line for line in result.stderr.splitlines() if any(unit in line for unit in units)]
    assert not [line for line in complaints if "is not executable" not in line], result.stderr
