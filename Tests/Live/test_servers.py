"""Several servers of an app: whom requests go to, who is passed over, health checks, names that move; real nginx as
servers that are restarted and reloaded."""

import re
import signal
import socket
import subprocess
import threading

import pytest

from support.certificates import Authority
from support.gatehouse import Gatehouse, binary, free_ports
from support.load import Load
from support.nginx import Nginx
from support.origins import answer
from support.waiting import eventually
from support.wire import Connection, head

HOST = "app.example.com"


def settings(urls, **upstream):
    return {
        "upstreams": {"app": {"url": urls} | upstream},
        "routes": [{"name": "app", "host": [HOST], "upstream": "app", "rules": [{"allow": "everyone"}]}],
    }


def up(gate):
    """The server's label and whether requests are given to it."""
    text = gate.monitor_get("/metrics")[1]
    return {server: int(value) for server, value in re.findall(
        r'^gatehouse_upstream_up\{upstream="app",server="([^"]+)"\} (\d)$', text, re.M)}


def bodies(gate, count=20):
    found = set()
    for _ in range(count):
        response = gate.get("/")
        assert response.status == 200, response
        found.add(response.body)
    return found


@pytest.fixture
def make_nginx(tmp_path):
    made = []

    def make(text):
        made.append(Nginx(tmp_path / f"nginx-{len(made)}", text).start())
        return made[-1]

    yield make
    for server in made:
        server.stop(signal.SIGTERM)


# Choice and ejection


def test_slow_server_gets_fewer_requests(make_gate, make_origin):
    release = threading.Event()
    slow = make_origin(lambda request, _: release.wait(20) and answer(b"slow"))
    quick = make_origin(lambda request, _: answer(b"quick"))
    gate = make_gate(workers="2", **settings([slow.url, quick.url]))
    waiting = []
    try:
        while not slow.requests:
            connection = Connection(gate.port, 30)
            connection.send(head("GET", "/", HOST))
            waiting.append(connection)
            eventually(lambda: len(slow.requests) + len(quick.requests) >= len(waiting))
        assert bodies(gate) == {b"quick"}, "the other one is busy with a request, on whatever loop that is"
    finally:
        release.set()
        for connection in waiting:
            connection.close()


def test_server_that_dies_and_comes_back(make_gate, make_nginx):
    first, second = make_nginx("1"), make_nginx("2")
    gate = make_gate(workers="2", **settings([first.url, second.url]))
    assert bodies(gate) == {b"1", b"2"}
    with Load(gate.port, clients=4) as load:
        eventually(lambda: load.answered > 200, 30)
        first.kill()
        eventually(lambda: up(gate) == {first.url: 0, second.url: 1}, 20, "the pause")
        mark = load.answered
        eventually(lambda: load.answered > mark + 200, 30)
        first.start()
        eventually(lambda: up(gate) == {first.url: 1, second.url: 1}, 30, "the return")
    # A request that was with the server when it was killed may be lost; nothing after that.
    assert len(load.failures) <= 4, load.failures
    assert bodies(gate) == {b"1", b"2"}
    assert gate.logged("a server of an upstream is passed over for a while", "is used like the others")


def test_nginx_that_is_restarted_under_load(make_gate, make_nginx):
    servers = [make_nginx("1"), make_nginx("2")]
    gate = make_gate(workers="2", **settings([server.url for server in servers]))
    with Load(gate.port, clients=8) as load:
        for server in servers * 2:
            mark = load.answered
            eventually(lambda: load.answered > mark + 200, 30)
            server.stop()
            mark = load.answered
            eventually(lambda: load.answered > mark + 200, 30)
            server.start()
            eventually(lambda: set(up(gate).values()) == {1}, 30, "the return")
    # Nothing is asked twice on a fresh connection, so one that waits in nginx's queue when it goes may be lost: it has
    # no way to say so. Everything else is asked again.
    assert len(load.failures) <= 4, load.failures


def test_nginx_that_is_reloaded_under_load(make_gate, make_nginx):
    server = make_nginx("0")
    gate = make_gate(workers="2", **settings(server.url))
    with Load(gate.port, clients=8) as load:
        for turn in range(1, 8):
            mark = load.answered
            eventually(lambda: load.answered > mark + 200, 30)
            server.reload(str(turn))
    assert load.failures == []
    # An old worker may take one more connection after the first new one has answered.
    eventually(lambda: bodies(gate) == {b"7"}, 30)


def test_server_that_does_not_take_connections(make_gate, make_origin):
    """Its queue is full: it neither refuses nor accepts."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queue = []
        try:
            # The kernel takes one or two more than it was told.
            while True:
                waiting = socket.socket()
                waiting.settimeout(0.5)
                queue.append(waiting)
                try:
                    waiting.connect(full.getsockname())
                except TimeoutError:
                    break
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            gate = make_gate("one", **settings([url], connect_timeout="1s"))
            response = gate.get("/")
            assert response.status == 504 and response.code == "upstream_failed"
            assert gate.logged('"kind":"connect_timeout"')
            gate.stop()
            origin = make_origin()
            gate = make_gate("two", **settings([url, origin.url], connect_timeout="1s"))
            for _ in range(4):
                assert gate.get("/", method="POST", body=b"once").status == 200
            assert up(gate) == {url: 0, origin.url: 1}
            assert len(origin.requests) == 4
        finally:
            for waiting in queue:
                waiting.close()


# Health checks


class Patient:
    """An app that says how it is."""

    def __init__(self):
        self.status = "200 OK"
        self.checks = []

    def __call__(self, request, _):
        if request.target == "/healthz?deep=1":
            self.checks.append(request)
            return answer(status=self.status)
        return answer(b"page")


CHECK = {"path": "/healthz?deep=1", "every": "1s"}


def unhealthy(gate):
    response = gate.get("/")
    return response.status == 503 and response.code == "upstream_failed" and response["Retry-After"]


def test_health_checks(make_gate, make_origin):
    patients = [Patient(), Patient()]
    origins = [make_origin(patient) for patient in patients]
    gate = make_gate(workers="2", **settings([origin.url for origin in origins], health=CHECK))
    assert bodies(gate) == {b"page"}
    eventually(lambda: all(patient.checks for patient in patients), 10, "the first checks")
    assert patients[0].checks[0]["Host"] == f"127.0.0.1:{origins[0].port}"
    patients[0].status = "500 Internal Server Error"
    eventually(lambda: up(gate) == {origins[0].url: 0, origins[1].url: 1}, 20, "one is out")
    mark = len([request for request in origins[0].requests if request.target == "/"])
    assert bodies(gate) == {b"page"}
    assert len([request for request in origins[0].requests if request.target == "/"]) == mark
    patients[1].status = "404 Not Found"
    eventually(lambda: unhealthy(gate), 20, "all are out")
    assert gate.monitor_get("/readyz")[0] == 200, "an app that is down does not make Gatehouse unready"
    # A reload changes nothing about what is known.
    gate.cli("reload")
    assert unhealthy(gate)
    patients[0].status = "302 Found"
    eventually(lambda: gate.get("/").status == 200, 20, "one is well again")
    assert gate.logged("fails its health checks", "is well again", '"kind":"unhealthy"')
    # No checks any more once the key is gone; whoever was ill is used again.
    del gate.settings["upstreams"]["app"]["health"]
    gate.write(gate.settings)
    gate.cli("reload")
    assert set(up(gate).values()) == {1}


def test_health_checks_by_tls_and_over_a_socket_file(make_gate, make_origin, tmp_path):
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("app", "127.0.0.1")
    patients = [Patient(), Patient()]
    origins = [
        make_origin(patients[0], tls=pair.server_context()),
        make_origin(patients[1], path=str(tmp_path / "app.sock")),
    ]
    urls = [origin.url for origin in origins]
    gate = make_gate(**settings(urls, health=CHECK, tls={"ca": str(authority.certificate)}))
    eventually(lambda: all(len(patient.checks) > 2 for patient in patients), 20, "checks")
    assert up(gate) == dict.fromkeys(urls, 1)
    assert patients[1].checks[0]["Host"] == "localhost"
    gate.stop()
    # An authority that did not issue the certificate: nobody is asked for anything.
    other = Authority(tmp_path / "other")
    gate = make_gate("distrusting", **settings(urls, health=CHECK, tls={"ca": str(other.certificate)}))
    eventually(lambda: up(gate) == dict(zip(urls, [0, 1])), 20, "distrust")


def test_server_that_accepts_and_says_nothing_is_ill(make_gate, make_origin):
    origin = make_origin(lambda request, connection: request.target == "/" and answer() or connection.recv(1) and None)
    gate = make_gate(**settings(origin.url, health={"path": "/healthz", "every": "1s"}))
    assert gate.get("/").status == 200
    eventually(lambda: unhealthy(gate), 20, "no answer is no good answer")


# Names


class Named(Gatehouse):
    """With a hosts file of its own, in a mount namespace of its own."""

    def __init__(self, folder, **more):
        folder.mkdir(parents=True)
        self.hosts = folder / "hosts"
        self.hosts.write_text("")
        super().__init__(folder, **more)

    def _spawn(self):
        script = 'mount --make-rprivate / && mount --bind "$0" /etc/hosts && exec "$@"'
        with open(self.log, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", script, str(self.hosts), binary(), "serve", "--config", str(self.config)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment)

    def name(self, *addresses):
        """In place: the file itself is what is mounted."""
        self.hosts.write_text("".join(f"{address} app.internal\n" for address in addresses))


def may_mount():
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount --bind /etc/hosts /etc/hosts"],
        capture_output=True).returncode == 0


@pytest.fixture
def named(tmp_path):
    if not may_mount():
        pytest.skip("a hosts file of its own needs a mount namespace, which only root may make")
    made = []

    def make(**more):
        made.append(Named(tmp_path / "named", **more))
        return made[-1]

    yield make
    for gate in made:
        gate.stop()


def test_name_that_moves(named, make_origin):
    port = free_ports(1)[0]
    origins = {
        address: make_origin(lambda request, _, text=address: answer(text.encode()), address=address, port=port)
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4")
    }
    gate = named(**settings(f"http://app.internal:{port}", host="upstream"))
    gate.start()
    response = gate.get("/")
    assert response.status == 502 and response.code == "upstream_failed"
    assert gate.logged('"kind":"resolve"')
    # It is looked up again while it is unknown.
    gate.name("127.0.0.2")
    eventually(lambda: gate.get("/").status == 200, 20, "the name")
    assert bodies(gate) == {b"127.0.0.2"}
    assert origins["127.0.0.2"].last["Host"] == f"app.internal:{port}"
    # The server is gone and the name means another: found at the first connection that fails.
    gate.name("127.0.0.3", "127.0.0.4")
    origins["127.0.0.2"].close()
    eventually(lambda: gate.get("/").status == 200, 20, "the new addresses")
    assert bodies(gate) == {b"127.0.0.3", b"127.0.0.4"}
    url = f"http://app.internal:{port}"
    assert up(gate) == {f"{url} (127.0.0.3)": 1, f"{url} (127.0.0.4)": 1}
    # The name is lost: what is known stays in use.
    gate.name()
    gate.settings["upstreams"]["app"]["idle_timeout"] = "7m"
    gate.write(gate.settings)
    gate.cli("reload")
    eventually(lambda: "known addresses stay in use" in gate.log_text(), 20, "the warning")
    assert bodies(gate) == {b"127.0.0.3", b"127.0.0.4"}
    # An address that is taken out drains: what is under way ends, idle connections go.
    gate.name("127.0.0.4")
    eventually(lambda: list(up(gate)) == [f"{url} (127.0.0.4)"], 60, "the address that is left")
    assert bodies(gate) == {b"127.0.0.4"}
    eventually(lambda: not origins["127.0.0.3"].open, 10, "its idle connections are closed")


def test_name_with_an_address_that_is_dead(named, make_origin):
    """An IPv6 address that leads nowhere is passed over."""
    origin = make_origin(address="127.0.0.2")
    gate = named(**settings(f"http://app.internal:{origin.port}"))
    gate.name("100::1", "127.0.0.2", "::1")
    gate.start()
    for _ in range(10):
        assert gate.get("/", method="POST", body=b"once").status == 200
    assert len(origin.requests) == 10


def test_exchange_under_way_outlives_its_address(named, make_origin):
    release = threading.Event()

    def slow(request, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        release.wait(60)
        return b"done"

    old = make_origin(slow, address="127.0.0.2")
    new = make_origin(lambda request, _: answer(b"new"), address="127.0.0.3", port=old.port)
    gate = named(**settings(f"http://app.internal:{old.port}"))
    gate.name("127.0.0.2")
    gate.start()
    try:
        with Connection(gate.port, 60) as connection:
            connection.send(head("GET", "/", HOST))
            assert connection.head()[1] == 200
            gate.name("127.0.0.3")
            gate.settings["upstreams"]["app"]["idle_timeout"] = "7m"
            gate.write(gate.settings)
            gate.cli("reload")
            eventually(lambda: gate.get("/").body == b"new", 20, "the new address")
            release.set()
            assert connection._exactly(8) == b"halfdone"
        assert len(new.requests) > 0
    finally:
        release.set()
