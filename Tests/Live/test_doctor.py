"""`gatehouse doctor` through real proxies: each planted fault is found, in its line, and nothing is found in the
configurations that are shipped."""

import json
import os
import signal
import subprocess

import pytest

from support.certificates import Authority
from support.gatehouse import binary, free_ports
from support.faulty_proxies import PROXIES
from support.waiting import eventually
from support.wire import request

ROUTE = {"name": "canary", "host": ["canary.example.com"],
         "rules": [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": "signed_in"}]}


class Ward:
    """Gatehouse, a proxy in front of the canary's place, and the doctor."""

    def __init__(self, make_gate, folder, proxy):
        self.proxy = proxy
        self.folder = folder
        self.front, self.canary = free_ports(2)
        self.gate = make_gate(
            start=False, public_url=f"http://auth.example.com:{self.front}", trusted_proxies=["127.0.0.1/32"],
            sessions={"cookie": {"domain": "example.com"}},
            upstreams={"canary": {"url": [f"http://127.0.0.1:{self.canary}"]}},
            routes=[ROUTE | {"upstream": "canary"}])
        self.gate.add_user("mary", ["staff"], name="Mary Major")
        self.key = folder / "key"
        self.key.write_text(self.gate.add_key("mary")["key"])
        self.gate.start()
        self.process = None

    def start(self, *changes):
        """`changes`: (old, new) texts of the printed configuration, each of which must be in it."""
        changes = [(old, new.replace("CANARY", f"127.0.0.1:{self.canary}")) for old, new in changes]
        self.files = self.proxy.write(self.folder, self.gate, self.front, changes)
        with open(self.folder / "proxy.log", "ab") as log:
            self.process = subprocess.Popen(
                self.proxy.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True)
        eventually(self.answers, 30, self.proxy.name)
        return self

    def answers(self):
        assert self.process.poll() is None, (self.folder / "proxy.log").read_text()
        # 404: its routes are not there yet.
        return request(self.front, "/", "canary.example.com").status != 404

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def ask(self, *arguments, key=True, json=True):
        command = [
            binary(), "doctor", "--target", f"http://canary.example.com:{self.front}", "--connect",
            f"127.0.0.1:{self.front}", "--canary", f"127.0.0.1:{self.canary}", "--config", str(self.gate.config)]
        command += [word for file in self.files for word in ("--proxy-config", str(file))] + list(arguments)
        command += ["--key-file", str(self.key)] if key else []
        command += ["--json"] if json else []
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def report(self, **more):
        result = self.ask(**more)
        assert result.returncode in (0, 1), result.stdout + result.stderr
        report = json.loads(result.stdout)
        assert (result.returncode == 1) == (report["leaks"] > 0)
        assert report["proxy"] == self.proxy.name
        return report


@pytest.fixture
def ward(make_gate, tmp_path, request):
    proxy = PROXIES[request.param]
    if not proxy.program():
        pytest.skip(f"{proxy.name} is not installed")
    tmp_path.chmod(0o755)
    made = Ward(make_gate, tmp_path, proxy)
    yield made
    made.stop()


@pytest.mark.parametrize("ward", PROXIES, indirect=True)
def test_nothing_is_found_in_what_is_shipped(ward):
    ward.start()
    report = ward.report()
    assert [entry for entry in report["findings"] if entry["severity"] == "leak"] == []
    assert report["not_examined"] == []
    assert 150 < report["requests"] < 500
    text = ward.ask(json=False)
    assert text.returncode == 0 and "nothing leaks" in text.stdout
    assert ward.key.read_text() not in text.stdout


FAULTS = [(name, fault) for name, proxy in PROXIES.items() for fault in proxy.faults]


@pytest.mark.parametrize(("ward", "fault"), FAULTS, indirect=["ward"], ids=[f"{n}-{f}" for n, f in FAULTS])
def test_planted_faults_are_found(ward, fault):
    planted = ward.proxy.faults[fault]
    ward.start(*planted.changes)
    report = ward.report()
    found = {entry["fault"] for entry in report["findings"] if entry["severity"] == "leak"}
    assert planted.fault in found, (found, report["findings"], [file.read_text() for file in ward.files])
    assert found <= {planted.fault, *planted.also}, found
    entry = next(entry for entry in report["findings"] if entry["fault"] == planted.fault)
    assert entry["write"] and entry["sent"] and entry["seen"]
    assert entry["configuration"]["file"] in map(str, ward.files)
    assert planted.line in entry["configuration"]["text"], entry
    text = ward.ask(json=False)
    assert text.returncode == 1
    assert "LEAK" in text.stdout and f"{entry['configuration']['file']}:{entry['configuration']['line']}" in text.stdout
    assert ward.key.read_text() not in text.stdout


@pytest.mark.parametrize("ward", ["nginx"], indirect=True)
def test_without_a_key_it_says_what_it_could_not_see(ward):
    ward.start()
    report = ward.report(key=False)
    assert report["leaks"] == 0
    assert any("--key-file" in line for line in report["not_examined"])


@pytest.mark.parametrize("ward", ["nginx"], indirect=True)
def test_what_is_missing_is_said(ward):
    ward.start()
    other = ward.ask("--canary", f"127.0.0.1:{free_ports(1)[0]}")
    assert other.returncode == 2
    assert "did not come to the canary" in other.stderr and "canary.example.com" in other.stderr
    taken = ward.ask("--canary", f"127.0.0.1:{ward.front}")
    assert taken.returncode == 2 and "cannot listen" in taken.stderr
    unknown = ward.ask("--target", "http://unknown.example.com")
    assert unknown.returncode == 2 and "no route takes" in unknown.stderr
    nobody = ward.ask("--connect", f"127.0.0.1:{free_ports(1)[0]}")
    assert nobody.returncode == 2
    assert ward.ask("--proxy", "apache").returncode == 2
    wrong = ward.folder / "no key"
    wrong.write_text("hello")
    assert ward.ask("--key-file", str(wrong), key=False).returncode == 2


def test_the_key_is_sent_to_nobody_who_does_not_ask_gatehouse(make_gate, make_origin, tmp_path):
    """Another server under the target's name: it gets a request without the key and no other."""
    stranger = make_origin()
    gate = make_gate(start=False, routes=[ROUTE | {"rules": [{"allow": "signed_in"}]}])
    gate.add_user("mary")
    key = tmp_path / "key"
    key.write_text(gate.add_key("mary")["key"])
    command = [binary(), "doctor", "--config", str(gate.config), "--key-file", str(key), "--canary",
               f"127.0.0.1:{free_ports(1)[0]}", "--target", "http://canary.example.com"]
    result = subprocess.run(command + ["--connect", f"127.0.0.1:{stranger.port}"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and "the key was not sent" in result.stderr, result.stderr
    assert len(stranger.requests) == 1 and key.read_text() not in str(vars(stranger.requests[0]))
    clear = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert clear.returncode == 2 and "in the clear" in clear.stderr, clear.stderr


@pytest.mark.parametrize("ward", ["nginx"], indirect=True)
def test_it_changes_nothing(ward):
    ward.start()
    users, keys = ward.gate.lines("user", "list"), ward.gate.lines("api-key", "list")
    ward.report()
    assert ward.gate.lines("user", "list") == users
    assert [key["id"] for key in ward.gate.lines("api-key", "list")] == [key["id"] for key in keys]
    assert request(ward.front, "/", "canary.example.com").status == 401


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_gatehouse_itself_leaks_nothing(make_gate, tmp_path, scheme):
    """Inline: the target is Gatehouse, the canary its upstream."""
    canary = free_ports(1)[0]
    settings = {}
    trusted = []
    if scheme == "https":
        authority = Authority(tmp_path)
        pair = authority.issue("canary", "canary.example.com")
        settings["listen"] = [{"tls": {"certificates": [pair.settings]}}]
        trusted = ["--ca", str(authority.certificate)]
    gate = make_gate(start=False, upstreams={"app": {"url": [f"http://127.0.0.1:{canary}"]}},
                     routes=[ROUTE | {"upstream": "app"}], **settings)
    gate.add_user("mary", ["staff"], name="Mary Major")
    key = tmp_path / "key"
    key.write_text(gate.add_key("mary")["key"])
    gate.start()

    def ask(*more):
        return subprocess.run(
            [binary(), "doctor", "--target", f"{scheme}://canary.example.com", "--connect", f"127.0.0.1:{gate.port}",
             "--canary", f"127.0.0.1:{canary}", "--config", str(gate.config), "--key-file", str(key), "--json", *more],
            capture_output=True, text=True, timeout=300)

    result = ask(*trusted)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["findings"] == []
    if scheme == "https":
        unknown = ask()
        assert unknown.returncode == 2 and "cannot be asked" in unknown.stderr and unknown.stdout == ""


def test_names_below_localhost_are_this_machine(make_gate, tmp_path):
    """As browsers have it: no resolver is asked, and a key that is sent there by plain http leaves no machine."""
    canary = free_ports(1)[0]
    gate = make_gate(start=False, public_url="http://auth.apps.localhost:8080",
                     upstreams={"app": {"url": [f"http://127.0.0.1:{canary}"]}},
                     routes=[ROUTE | {"upstream": "app", "host": ["canary.apps.localhost"]}])
    gate.add_user("mary", ["staff"])
    key = tmp_path / "key"
    key.write_text(gate.add_key("mary")["key"])
    gate.start()

    def ask(host):
        return gate.cli("doctor", "--target", f"http://{host}:{gate.port}", "--canary", f"127.0.0.1:{canary}",
                        "--key-file", key, check=False)

    result = ask("canary.apps.localhost")
    assert result.returncode == 0 and "nothing leaks" in result.stdout, result
    other = ask("other.apps.localhost")
    # What it says to write can be written: a route's host has no port.
    assert other.returncode == 2 and "host: [other.apps.localhost]" in other.stderr, other
