"""Another master key: everything is sealed anew while the server runs, whatever is killed in between."""

import json
import signal
import subprocess
import threading
import time

import pyotp
import pytest

from support.gatehouse import Failed, binary
from support.portal import PASSWORD, add_person, api, login
from support.waiting import eventually
from support.wire import Connection, head

PEOPLE = 2500


@pytest.fixture
def gate(make_gate):
    gate = make_gate(
        start=False, upstreams={}, limits={"sign_in": {"rate": "1000/s", "burst": 1000}}, mail="log",
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    gate.cli("keygen", "--out", str(gate.folder / "new.key"))
    return gate


def enrolled(gate, tmp_path, person="mary"):
    """Somebody with an authenticator, in a row that is sealed."""
    totp = pyotp.TOTP(pyotp.random_base32())
    table = tmp_path / f"{person}.csv"
    table.write_text(f"email,username,totp\n{person}@example.com,{person},{totp.provisioning_uri()}\n")
    gate.cli("user", "import", table, "--format", "csv")
    gate.cli("user", "set-password", person, input=PASSWORD + "\n")
    return totp


def configure(gate, current, *previous):
    gate.settings |= {"master_key": {"file": str(gate.folder / current)},
                      "previous_master_keys": [{"file": str(gate.folder / name)} for name in previous]}
    gate.write(gate.settings)


def rotate(gate, *more, check=True):
    return gate.cli("master-key", "rotate", "--new", gate.folder / "new.key", *more, check=check)


def code(totp):
    """Each is good once, and none of an earlier step after it: this step's, then the next one's."""
    step = max(int(time.time()) // 30, getattr(totp, "last", 0) + 1)
    totp.last = step
    return totp.at(step * 30)


def signs_in(gate, totp, person="mary"):
    answer = login(gate, person, two_factor_code=code(totp))
    assert answer.status == 200, answer.body
    return answer.json()["access_token"]


def test_a_running_server_takes_it_and_the_old_key_is_needed_no_more(gate, tmp_path):
    totp = enrolled(gate, tmp_path)
    gate.start()
    before = signs_in(gate, totp)
    # A mail with a link that waits.
    gate.add_user("rolf")
    gate.cli("user", "reset-2fa", "rolf")
    report = json.loads(rotate(gate, "--json").stdout)
    assert report["unreadable"] == [] and report["resealed"]["totp/secret"] == 1
    assert report["resealed"]["keys/private_key"] >= 2
    gate.logged("secrets are sealed under another master key")
    # The same server goes on with it: what it opens, what it seals, what it signs.
    token = signs_in(gate, totp)
    assert api(gate, "GET", "/me", token=before).status == 200
    add_person(gate, "adam", [])
    adam = login(gate, "adam").json()["access_token"]
    secret = api(gate, "POST", "/2fa/setup", {}, adam).json()["secret"]
    assert api(gate, "GET", "/me", token=token).status == 200
    again = json.loads(rotate(gate, "--json").stdout)
    assert sum(again["resealed"].values()) == 0, "the server has sealed nothing under the old one since"
    assert len([event for event in gate.audit() if event["event_type"] == "master_key_rotated"]) == 1
    gate.stop()
    # Without the old key, which is gone for good.
    configure(gate, "new.key")
    (gate.folder / "master.key").unlink()
    gate.start()
    assert api(gate, "GET", "/me", token=token).status == 200
    assert api(gate, "POST", "/2fa/verify", {"code": pyotp.TOTP(secret).now()}, adam).status == 204
    assert gate.cli("audit", "verify").returncode == 0
    assert not [event for event in gate.audit() if event["event_type"] == "audit_resealed"]
    gate.cli("token", "issue", "--user", "mary")


def test_a_server_with_the_wrong_key_does_not_start(gate, tmp_path):
    enrolled(gate, tmp_path)
    gate.start().stop()
    rotate(gate)
    with pytest.raises(Failed) as failure:
        gate.start()
    assert "sealed under another master key" in failure.value.log
    configure(gate, "new.key")
    gate.start()
    assert gate.cli("audit", "verify").returncode == 0


def many(gate, tmp_path):
    totps = {f"u{number}": pyotp.TOTP(pyotp.random_base32()) for number in range(PEOPLE)}
    table = tmp_path / "many.csv"
    table.write_text("email,username,totp\n" + "".join(
        f"{person}@example.com,{person},{totp.provisioning_uri()}\n" for person, totp in totps.items()))
    gate.cli("user", "import", table, "--format", "csv")
    return totps


def test_kill_9_of_the_command_and_of_the_server_in_the_middle(gate, tmp_path):
    totps = many(gate, tmp_path)
    configure(gate, "new.key", "master.key")
    gate.start()
    for person in ("u1", f"u{PEOPLE - 1}"):
        gate.cli("user", "set-password", person, input=PASSWORD + "\n")
    seen = []
    for turn in range(2):
        process = subprocess.Popen(
            [binary(), "master-key", "rotate", "--new", str(gate.folder / "new.key"), "--config", str(gate.config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=gate.environment)
        # After the first batch is on disk; where it was faster, it has ended in order, which is as good.
        line = process.stderr.readline()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        process.stderr.close()
        seen.append(line)
        if turn == 0:
            gate.kill()
            gate.start()
        person = ("u1", f"u{PEOPLE - 1}")[turn]
        signs_in(gate, totps[person], person)
    assert "secrets" in seen[0], seen
    report = json.loads(rotate(gate, "--json").stdout)
    assert report["unreadable"] == []
    assert report["resealed"]["totp/secret"] < PEOPLE, "what was done before is not done again"
    gate.stop()
    configure(gate, "new.key")
    gate.start()
    assert json.loads(rotate(gate, "--json").stdout)["unreadable"] == []
    assert gate.cli("audit", "verify").returncode == 0 and gate.cli("store", "check").returncode == 0


def test_nothing_that_is_set_up_meanwhile_is_left_behind(gate, tmp_path):
    """People enrol while the key changes: every one of them can prove the set-up under the new key alone."""
    people = [f"p{number}" for number in range(12)]
    for person in people:
        add_person(gate, person, [])
    gate.start()
    tokens = {person: login(gate, person).json()["access_token"] for person in people}
    secrets, rotated = {}, threading.Event()

    def enrol():
        for number, person in enumerate(people):
            # Half of them at least before the end, whoever is faster.
            if number >= len(people) - 2:
                assert rotated.wait(60)
            secrets[person] = api(gate, "POST", "/2fa/setup", {}, tokens[person]).json()["secret"]

    worker = threading.Thread(target=enrol)
    worker.start()
    rotate(gate)
    rotated.set()
    worker.join(120)
    assert len(secrets) == len(people)
    # What began before the key came is sealed anew, and what began after it is under it: nothing is left to be done.
    assert sum(json.loads(rotate(gate, "--json").stdout)["resealed"].values()) == 0
    gate.stop()
    configure(gate, "new.key")
    gate.start()
    for person in people:
        proved = api(gate, "POST", "/2fa/verify", {"code": pyotp.TOTP(secrets[person]).now()}, tokens[person])
        assert proved.status == 204, (person, proved.body)


def test_a_server_that_cannot_be_asked_keeps_its_key(gate, tmp_path):
    """Its socket was lost: nothing says that it takes the key, so nothing is sealed under one that it does not have."""
    totp = enrolled(gate, tmp_path)
    gate.start()
    (gate.folder / "data" / "control.sock").unlink()
    refused = rotate(gate, check=False)
    assert refused.returncode == 1 and "no server answers" in refused.stderr, refused.stderr
    assert "in use by process" in refused.stderr and "nothing was changed" in refused.stderr, refused.stderr
    signs_in(gate, totp)
    gate.restart()
    assert json.loads(rotate(gate, "--json").stdout)["resealed"]["totp/secret"] == 1
    gate.logged("secrets are sealed under another master key")
    signs_in(gate, totp)


def test_a_server_that_fails_to_start_does_not_stand_between(gate, tmp_path):
    totp = enrolled(gate, tmp_path)
    gate.start()
    second = subprocess.run(
        [binary(), "serve", "--config", str(gate.config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=gate.environment, timeout=120)
    assert second.returncode != 0, "the port is the first one's"
    gate.cli("reload")
    rotate(gate)
    gate.logged("secrets are sealed under another master key")
    signs_in(gate, totp)


def test_a_server_that_drains_takes_it_too(simple, tmp_path):
    go = threading.Event()

    def slow(request, connection):
        go.wait(120)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    gate = simple(behave=slow, rules=[{"allow": "everyone"}], drain="120s")
    gate.cli("keygen", "--out", str(gate.folder / "new.key"))
    try:
        with Connection(gate.port) as busy:
            busy.send(head("GET", "/slow", "app.example.com"))
            eventually(lambda: gate.origin.requests, 30)
            gate.process.send_signal(signal.SIGTERM)
            eventually(lambda: "stopping" in gate.log_text(), 30)
            rotate(gate)
            gate.logged("secrets are sealed under another master key")
            go.set()
            assert busy.read().status == 200
            assert gate.process.wait(60) == 0
    finally:
        go.set()
    configure(gate, "new.key")
    gate.start()
    assert gate.cli("audit", "verify").returncode == 0


def test_a_command_with_the_configuration_of_before_changes_nothing(gate, tmp_path):
    enrolled(gate, tmp_path)
    gate.start().stop()
    rotate(gate)
    refused = gate.cli("token", "issue", "--user", "mary", check=False)
    assert refused.returncode == 1 and "another master key" in refused.stderr, refused.stderr
    # What needs no master key still seals the audit log as the server expects it.
    gate.add_user("rolf")
    assert gate.cli("audit", "verify").returncode == 0
    configure(gate, "new.key")
    gate.start()
    assert gate.cli("audit", "verify").returncode == 0
    assert not [event for event in gate.audit() if event["event_type"] == "audit_resealed"]


def test_what_is_refused(gate, make_gate, tmp_path):
    enrolled(gate, tmp_path)
    gate.start()
    (gate.folder / "short.key").write_text("AAAA\n")
    (gate.folder / "open.key").write_text((gate.folder / "new.key").read_text())
    (gate.folder / "short.key").chmod(0o600)
    (gate.folder / "open.key").chmod(0o644)
    for name, words, code in (("short.key", "32 bytes", 1), ("open.key", "may be read by others", 1),
                              ("none.key", "cannot read", 3)):
        refused = gate.cli("master-key", "rotate", "--new", gate.folder / name, check=False)
        assert refused.returncode == code and words in refused.stderr, (name, refused.stderr)
    assert gate.cli("master-key", "rotate", check=False).returncode == 2
    # A configuration whose keys are none of the server's: nothing is touched.
    gate.cli("keygen", "--out", str(gate.folder / "stranger.key"))
    running = gate.settings
    configure(gate, "stranger.key")
    refused = rotate(gate, check=False)
    assert refused.returncode == 1 and "another master key" in refused.stderr, refused.stderr
    gate.settings = running
    configure(gate, "master.key")
    assert json.loads(rotate(gate, "--json").stdout)["unreadable"] == []
    eventually(lambda: api(gate, "GET", "/me").status == 401, 30, "the server")
