"""What commands say and how they end: output that cannot be written, `--json`, usage, exit codes, places of errors."""

import json
import os
import re
import socket
import subprocess
import threading

import pytest

from support.gatehouse import ENVIRONMENT, binary
from support.waiting import eventually


@pytest.fixture
def idle(make_gate):
    gate = make_gate(
        start=False, routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    gate.add_user("mary", ["staff"])
    return gate


def run(*arguments, stdout=subprocess.PIPE, **more):
    return subprocess.run(
        [binary(), *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
        env=ENVIRONMENT | more.pop("environment", {}), **more)


# Output that cannot be written


@pytest.mark.parametrize("command", [
    ["audit", "export"], ["audit", "list"], ["audit", "checkpoint"], ["user", "list"], ["user", "list", "--json"],
    ["user", "show", "mary", "--json"], ["api-key", "create", "--user", "mary", "--name", "x"],
    ["check-config"], ["store", "info"],
], ids=" ".join)
def test_a_full_disk_is_a_failure(idle, command):
    with open("/dev/full", "w") as full:
        result = run(*command, "--config", idle.config, stdout=full)
    assert result.returncode == 1 and "No space left on device" in result.stderr, result.stderr


def test_a_key_that_nobody_got_is_a_failure():
    with open("/dev/full", "w") as full:
        for more in ([], ["--json"]):
            result = run("keygen", *more, stdout=full)
            assert result.returncode == 1 and "standard output" in result.stderr


def test_a_reader_that_went_away_is_not_complained_about(idle):
    for ignored in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        result = run("audit", "export", "--config", idle.config, stdout=writer, restore_signals=not ignored)
        os.close(writer)
        assert result.returncode == (1 if ignored else -13) and result.stderr == ""


def test_a_server_serves_although_nobody_hears_where(idle):
    with open("/dev/full", "w") as full, open(idle.log, "wb") as log:
        idle._log_start = 0
        idle.process = subprocess.Popen(
            [binary(), "serve", "--config", str(idle.config)], stdout=full, stderr=log, env=ENVIRONMENT)
        eventually(lambda: idle._answers("/readyz"), 30, "readiness")
        assert "could not be written to standard output" in idle.log_text()


# One document


def test_keygen_in_json():
    key = json.loads(run("keygen", "--json").stdout)["key"]
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", key)


def test_serve_in_json_says_where_it_listens(idle):
    # A pipe, since the lines are to be read while it runs.
    process = subprocess.Popen(
        [binary(), "serve", "--config", str(idle.config), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=ENVIRONMENT)
    try:
        assert json.loads(process.stdout.readline()) == {"listening": f"127.0.0.1:{idle.port}"}
    finally:
        process.terminate()
        assert process.communicate(timeout=60)[0] == ""


def test_errors_of_a_configuration_in_json(idle):
    idle.settings["routes"][0]["rules"] = [{"allow": "signedin"}]
    idle.settings["workers"] = "many"
    idle.write(idle.settings)
    result = idle.cli("check-config", "--json", check=False)
    document = json.loads(result.stdout)
    assert result.returncode == 2 and document["configuration"] == str(idle.config)
    assert len(document["errors"]) == 2 and ["plain http" in line for line in document["warnings"]] == [True]
    assert all(re.match(rf"{re.escape(str(idle.config))}:\d+:\d+: ", line) for line in document["errors"])
    # For people, every line begins with its place, as editors and tools read it.
    assert result.stderr.splitlines() == document["errors"]
    assert idle.cli("check-config", check=False).stderr.splitlines() == document["errors"]


def test_warnings_in_json(idle):
    idle.settings["upstreams"] = {"unused": {"url": ["http://127.0.0.1:1"]}}
    idle.write(idle.settings)
    for more, code in (([], 0), (["--strict"], 2)):
        result = idle.cli("check-config", "--json", *more, check=False)
        document = json.loads(result.stdout)
        assert result.returncode == code and document["errors"] == [] and len(document["warnings"]) == 2


# Usage


@pytest.mark.parametrize("verbs", [
    [], ["user"], ["api-key"], ["token"], ["session"], ["block"], ["provider"], ["audit"], ["audit", "report"], ["key"],
    ["master-key"], ["outbox"], ["store"],
], ids=" ".join)
def test_a_command_that_is_missing_is_wrong_usage(verbs):
    result = run(*verbs)
    assert result.returncode == 2 and result.stdout == ""
    assert f"USAGE: {' '.join(['gatehouse', *verbs])} <subcommand>" in result.stderr, result.stderr
    asked = run(*verbs, "--help")
    assert asked.returncode == 0 and "USAGE:" in asked.stdout and asked.stderr == ""


def test_what_is_typed_wrongly_is_wrong_usage(idle):
    for command in (
        ["user", "add", "a@example.com", "--groups", "bad group"], ["user", "add", "a@example.com", "--username", "a b!"],
        ["user", "add", "a@example.com", "--name", "a\nb"], ["user", "rename", "mary", "a b"],
        ["user", "set-groups", "mary", "bad group"], ["api-key", "create", "--user", "mary", "--name", ""],
        ["api-key", "create", "--user", "mary", "--name", "x", "--scopes", 'a"b'],
        ["api-key", "create", "--user", "mary", "--name", "x", "--methods", "G T"],
        ["token", "issue", "--user", "mary", "--lifetime", "25h"], ["user", "add", "no-address"],
    ):
        result = idle.cli(*command, check=False)
        assert result.returncode == 2 and result.stderr and not result.stdout, (command, result)
    assert [user["username"] for user in idle.lines("user", "list")] == ["mary"]


def test_files_that_are_not_there(idle):
    missing = idle.folder / "missing"
    for command in (
        ["user", "import", missing, "--format", "csv"], ["master-key", "rotate", "--new", missing],
        ["audit", "verify", "--checkpoint", missing], ["explain", "GET", "http://app.example.com/", "--jwt", missing],
    ):
        result = idle.cli(*command, check=False)
        assert result.returncode == 3 and str(missing) in result.stderr, (command, result)
    folder = idle.cli("user", "import", idle.folder, "--format", "csv", check=False)
    assert folder.returncode == 1 and str(idle.folder) in folder.stderr, "there, and not to be read"


def test_an_empty_variable_names_no_configuration():
    result = run("check-config", environment={"GATEHOUSE_CONFIG": ""})
    assert "/etc/gatehouse/gatehouse.yaml" in result.stderr + result.stdout


# The running server


def test_health_by_a_unix_socket(idle):
    path = idle.folder / "monitor.sock"
    idle.settings["monitor_listen"] = f"unix:{path}"
    idle.write(idle.settings)
    missing = idle.cli("health", check=False)
    assert missing.returncode == 1 and str(path) in missing.stderr
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 503 X\r\n\r\nnot yet", b"nonsense", b""]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            for answer in answers:
                client, _ = listener.accept()
                client.recv(4096)
                client.sendall(answer)
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        results = [idle.cli("health", "--json", check=False) for _ in answers]
        thread.join()
    assert [result.returncode for result in results] == [0, 1, 1, 1]
    assert json.loads(results[0].stdout) == {"ready": True} and "not yet" in results[1].stderr


def test_health_of_a_server_on_a_unix_socket(idle):
    path = idle.folder / "monitor.sock"
    idle.settings["monitor_listen"] = f"unix:{path}"
    document = json.loads(idle.config.read_text()) | {"monitor_listen": f"unix:{path}"}
    idle.config.write_text(json.dumps(document))
    with open(idle.log, "wb") as log:
        idle._log_start = 0
        idle.process = subprocess.Popen(
            [binary(), "serve", "--config", str(idle.config)], stdout=subprocess.DEVNULL, stderr=log, env=ENVIRONMENT)
        eventually(lambda: idle.cli("health", check=False).returncode == 0, 30, "health")


def test_reload_of_another_data_folder_says_what_it_needs(simple):
    gate = simple()
    (gate.folder / "other").mkdir(mode=0o700)
    gate.write(gate.settings | {"data_dir": "other"})
    result = gate.cli("reload", check=False)
    assert result.returncode == 1 and "data_dir that was changed needs a restart" in result.stderr
