"""The operator at a terminal: passwords, root and the owner of the data folder, first steps, words that are no command."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from support.gatehouse import ENVIRONMENT, binary, free_ports
from support.waiting import eventually

PASSWORD = "three quiet herons fly"
ROUTES = [{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}]


@pytest.fixture
def idle(make_gate):
    gate = make_gate(start=False, routes=ROUTES)
    gate.add_user("mary", ["staff"])
    return gate


def run(*arguments, environment=None, **more):
    return subprocess.run(
        [binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60,
        env=ENVIRONMENT | (environment or {}), **more)


# Passwords


def test_the_operators_passwords_are_as_long_as_everybodys(make_gate):
    gate = make_gate(start=False, routes=ROUTES, login={"password": {"min_length": 20}},
                     branding={"name": "Pelicanopolis"})
    gate.add_user("mary")
    short = gate.cli("user", "set-password", "mary", input="k7mZq2vRk7mZq2w\n", check=False)
    assert short.returncode == 1 and "at least 20 characters. (password_too_short)" in short.stderr, short
    short = gate.cli("user", "add", "ann@example.com", "--password-stdin", input="k7mZq2vRk7mZq2w\n", check=False)
    assert short.returncode == 1 and "password_too_short" in short.stderr, short
    ours = gate.cli("user", "set-password", "mary", input="PelicanopolisPelicanopolis\n", check=False)
    assert ours.returncode == 1 and "password_about_you" in ours.stderr, ours
    gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")


@pytest.mark.parametrize("line", [b"", b"\n", b"\0" * 40, b"\xff" * 40, b"a" * 3_000_000, b"tiny"])
def test_what_is_no_password_is_refused_with_a_sentence(idle, line):
    result = subprocess.run([binary(), "user", "set-password", "mary", "--config", idle.config], input=line,
                            capture_output=True, timeout=60, env=ENVIRONMENT)
    assert result.returncode == 1 and b"The password" in result.stderr and b"(password_" in result.stderr, result


def test_one_line_is_enough(idle):
    """A pipe that stays open has said everything with its first line."""
    with subprocess.Popen([binary(), "user", "set-password", "mary", "--config", idle.config], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        process.stdin.write(PASSWORD.encode() + b"\n")
        process.stdin.flush()
        assert process.wait(60) == 0


class Terminal:
    """A command with a terminal for its input and its errors."""

    def __init__(self, *arguments):
        self.master, slave = pty.openpty()
        self.slave = os.dup(slave)
        self.process = subprocess.Popen([binary(), *map(str, arguments)], stdin=slave, stderr=slave,
                                        stdout=subprocess.PIPE, env=ENVIRONMENT, start_new_session=True)
        os.close(slave)
        self.seen = b""

    def wait_for(self, text, count=1):
        deadline = time.monotonic() + 30
        while self.seen.count(text) < count:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 1)[0]:
                self.seen += os.read(self.master, 4096)

    def type(self, data):
        # What is typed before the terminal is ready is thrown away.
        eventually(lambda: not self.echoes, 10, "an unseen line")
        os.write(self.master, data)

    @property
    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def end(self):
        code = self.process.wait(60)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 4096)
        assert self.echoes, "the terminal is as it was"
        os.close(self.master)
        os.close(self.slave)
        self.process.stdout.close()
        return code


def test_a_terminal_is_asked_and_does_not_show_it(idle):
    terminal = Terminal("user", "set-password", "mary", "--config", idle.config)
    terminal.wait_for(b"Password: ")
    terminal.type(PASSWORD.encode() + b"\n")
    terminal.wait_for(b"again: ")
    terminal.type(PASSWORD.encode() + b"\n")
    assert terminal.end() == 0 and PASSWORD.encode() not in terminal.seen
    assert [event["event_type"] for event in idle.audit("--type", "password_changed")] == ["password_changed"]


def test_a_slip_at_a_terminal_changes_nothing(idle):
    terminal = Terminal("user", "set-password", "mary", "--config", idle.config)
    terminal.wait_for(b"Password: ")
    terminal.type(PASSWORD.encode() + b"\n")
    terminal.wait_for(b"again: ")
    terminal.type(PASSWORD.encode() + b"x\n")
    assert terminal.end() == 1 and b"not the same" in terminal.seen
    terminal = Terminal("user", "set-password", "mary", "--config", idle.config)
    terminal.wait_for(b"Password: ")
    terminal.type(b"three quiet\x03")
    assert terminal.end() == 1 and b"nothing was changed" in terminal.seen
    assert idle.audit("--type", "password_changed") == []


# First steps


def test_a_missing_configuration_says_what_makes_one(tmp_path):
    for command in (["serve"], ["check-config"], ["user", "list"]):
        result = run(*command, "--config", tmp_path / "none.yaml")
        assert result.returncode == 2 and "gatehouse init" in result.stderr and "--config" in result.stderr, result


def test_a_missing_data_folder_says_so(idle):
    (idle.folder / "data").rename(idle.folder / "elsewhere")
    backup = idle.folder / "backup"
    backup.mkdir()
    for command in (["user", "list"], ["serve"], ["restore", backup]):
        result = idle.cli(*command, check=False)
        assert result.returncode == 1 and f"data_dir {idle.folder}/data does not exist" in result.stderr, result


@pytest.mark.parametrize("url, address", [
    ("http://auth.apps.localhost:9000", "127.0.0.1:9000"), ("http://auth.apps.localhost:8080", None),
    ("http://127.0.0.1:9000", "127.0.0.1:9000"), ("http://[::1]:9000", "[::1]:9000"),
    ("http://auth.apps.localhost", "127.0.0.1:80"), ("https://auth.apps.localhost:9000", None),
    ("http://auth.example.com:9000", None),
])
def test_init_listens_where_browsers_of_this_machine_come(tmp_path, url, address):
    config = tmp_path / "gatehouse.yaml"
    host = url.split("://")[1].rsplit(":", 1)[0] if url.count(":") > 1 else url.split("://")[1]
    result = run("init", "--public-url", url, "--app", f"{host}=http://127.0.0.1:3000", "--config", config)
    assert result.returncode == 0, result.stderr
    listen = re.search(r"^listen: (.*)$", config.read_text(), re.M)
    assert (listen and listen[1]) == (address and f'[ {{ address: "{address}" }} ]')


def test_init_says_how_the_administrator_gets_in(tmp_path):
    config = tmp_path / "gatehouse.yaml"
    said = run("init", "--public-url", "https://auth.example.com", "--admin", "root@example.com", "--config", config)
    line = re.search(r"gatehouse (user link .*)$", said.stdout, re.M)
    link = run(*line[1].split())
    assert link.returncode == 0 and "https://auth.example.com/.auth/" in link.stdout


@pytest.mark.parametrize("words, group, meant", [
    (["srve"], "gatehouse", "serve"), (["user", "shwo", "mary"], "gatehouse user", "show"),
    (["audit", "report", "acces"], "gatehouse audit report", "access"), (["user", "frobnicate"], "gatehouse user", None),
])
def test_a_word_that_is_no_command(words, group, meant):
    result = run(*words)
    unknown = words[len(group.split()) - 1]
    assert result.returncode == 2 and f"there is no command `{group} {unknown}`" in result.stderr, result
    assert (f'did you mean "{meant}"?' in result.stderr) if meant else "did you mean" not in result.stderr
    assert "there are: " in result.stderr and "import, " not in result.stderr.replace("unlink, import", ""), "hidden ones"


@pytest.mark.parametrize("address, words", [
    ("unix:/nonexistent/gate.sock", "No such file or directory"), ("203.0.113.7:18080", "Cannot assign requested address"),
])
def test_an_address_that_cannot_be_listened_at(idle, address, words):
    idle.settings["listen"] = [{"address": address}]
    idle.write(idle.settings)
    result = idle.cli("serve", check=False)
    assert result.returncode == 1 and result.stderr.endswith(f"cannot listen on {address}: {words}\n"), result


def test_a_doctor_whom_nobody_answers_says_why(idle):
    port = free_ports(1)[0]
    idle.settings["routes"].append({"name": "canary", "host": ["canary.example.com"], "rules": [{"allow": "everyone"}]})
    idle.write(idle.settings)
    for more, words in ((["--connect", f"127.0.0.1:{port}"], "Connection refused"),
                        (["--connect", "no.such.name.invalid:80"], "no address is known|nobody answered in time")):
        result = idle.cli("doctor", "--target", "http://canary.example.com", "--canary",
                          f"127.0.0.1:{free_ports(1)[0]}", *more, check=False)
        assert result.returncode == 2 and re.search(words, result.stderr) and "--connect" in result.stderr, result


@pytest.mark.parametrize("when", ["starting", "announced"])
def test_a_demo_leaves_nothing_behind(tmp_path, when):
    for _ in range(4):
        process = subprocess.Popen([binary(), "demo", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=ENVIRONMENT | {"TMPDIR": str(tmp_path)})
        if when == "announced":
            process.stdout.readline()
        else:
            eventually(lambda: any(tmp_path.iterdir()), 30, "its folder")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert list(tmp_path.iterdir()) == []


# Root and the owner of the data folder


@pytest.fixture
def installed():
    """A folder that root has made for somebody else, and one of root's own."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-test-"))
    folder.chmod(0o755)
    (folder / "root").mkdir(mode=0o700)
    config = folder / "gatehouse.yaml"
    assert run("init", "--public-url", "https://auth.example.com", "--app", "app.example.com=http://127.0.0.1:3000",
               "--config", config).returncode == 0
    for path in [folder / "master.key", folder / "data"]:
        os.chown(path, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


def test_root_leaves_nothing_of_roots_in_the_data_folder(installed):
    config = installed / "gatehouse.yaml"
    for command in (["user", "add", "mary@example.com", "--username", "mary"], ["key", "rotate"], ["audit", "verify"],
                    ["backup", installed / "data" / "copy"]):
        result = run(*command, "--config", config)
        assert result.returncode == 0, result.stderr
    assert {path.stat().st_uid for path in (installed / "data").rglob("*")} == {65534}
    events = [json.loads(line) for line in run("audit", "list", "--config", config).stdout.splitlines()]
    assert {event["actor"] for event in events} == {"cli:root"}


def test_files_that_root_names_are_read_as_root(installed):
    config = installed / "gatehouse.yaml"
    root = installed / "root"
    run("user", "add", "mary@example.com", "--username", "mary", "--config", config)
    key = json.loads(run("api-key", "create", "--user", "mary", "--name", "k", "--config", config, "--json").stdout)
    assert run("backup", installed / "data" / "copy", "--config", config).returncode == 0
    assert run("api-key", "revoke", key["id"], "--config", config).returncode == 0
    (root / "export").write_text(run("audit", "export", "--config", config).stdout)
    (root / "jwt").write_text("e30.e30.e30\n")
    explained = run("explain", "GET", "https://app.example.com/", "--jwt", root / "jwt", "--config", config)
    assert explained.returncode == 0, explained.stderr
    os.rename(installed / "data" / "copy", installed / "copy")
    restored = run("restore", installed / "copy", "--audit-export", root / "export", "--config", config)
    assert restored.returncode == 0 and "No later revocation is lost" in restored.stdout, restored
    keys = json.loads(run("api-key", "list", "--config", config, "--json").stdout)
    assert keys["revoked_at"]


def test_folders_that_the_owner_may_not_use_are_said(installed):
    config = installed / "gatehouse.yaml"
    run("user", "list", "--config", config)
    for folder in (installed / "root" / "copy", installed / "copy"):
        result = run("backup", folder, "--config", config)
        assert result.returncode == 1 and "ran as nobody" in result.stderr and "may write to" in result.stderr, result
    assert run("backup", installed / "data" / "copy", "--config", config).returncode == 0
    os.rename(installed / "data" / "copy", installed / "root" / "copy")
    result = run("restore", installed / "root" / "copy", "--config", config)
    assert result.returncode == 1 and "ran as nobody" in result.stderr and "may read" in result.stderr, result
