"""Stores that somebody changed, disks that failed, backups that were cut: what is found, what is said, and how it ends."""

import json
import random
import shutil

import pytest

from support.tampering import Dump
from support.waiting import eventually

PAGE = 4096


@pytest.fixture
def used(make_gate, make_origin):
    """A server that has run, and stopped."""
    def make():
        origin = make_origin()
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                     "rules": [{"allow": {"groups": ["staff"]}}]}])
        gate.add_user("mary", ["staff"])
        gate.mary_key = gate.add_key("mary")["key"]
        gate.start()
        for number in range(8):
            gate.add_user(f"user{number}")
        assert gate.get("/page", key=gate.mary_key).status == 200
        gate.stop()
        return gate

    return make


def failed(gate, *arguments):
    """What a command says that must fail: by exit code 1, not by a signal, with words."""
    result = gate.cli(*arguments, check=False)
    assert result.returncode == 1, (arguments, result)
    assert result.stdout + result.stderr
    return result.stdout + result.stderr


# Tampering


TAMPERINGS = {
    "cut": lambda dump: dump.cut(5, keep_seal=True),
    "cut, no seal": lambda dump: dump.cut(5, keep_seal=False),
    "rewritten": lambda dump: dump.rewrite(b"user3", b"user9", keep_seal=True),
    "rewritten, no seal": lambda dump: dump.rewrite(b"user3", b"user9", keep_seal=False),
    "emptied": lambda dump: dump.empty(),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_that_was_found_stays_found(used, name):
    gate = used()
    dump = Dump(gate.folder / "data")
    TAMPERINGS[name](dump)
    dump.write()
    failed(gate, "audit", "verify")
    assert "audit log" in failed(gate, "store", "check")
    gate.start()
    gate.logged("the audit log was changed behind the program's back")
    gate.add_user("later")
    gate.stop()
    for _ in range(2):
        problem = json.loads(gate.cli("audit", "verify", "--json", check=False).stdout)["problem"]
        assert problem["kind"] in ("head", "changed", "cut")
        failed(gate, "store", "check")
        gate.add_user(f"again{random.random()}")
    event, = [event for event in gate.audit("--type", "audit_resealed") if not event["success"]]
    assert event["reason"] in ("seal_not_genuine", "seal_missing", "log_missing")
    # A backup of it is made, and is not passed off as good.
    backup = gate.folder / "backup"
    assert "not sound" in failed(gate, "backup", backup)
    assert json.loads(gate.cli("backup", gate.folder / "other", "--json", check=False).stdout)["problems"]
    failed(gate, "restore", backup)
    assert json.loads(gate.cli("restore", backup, "--despite-problems", "--json").stdout)["problems"]


def test_commands_before_the_first_server_are_no_tampering(used, make_gate):
    gate = used()
    gate.cli("audit", "verify")
    # Its dump, loaded again: the tools themselves change nothing.
    Dump(gate.folder / "data").write()
    gate.cli("audit", "verify")
    gate.cli("store", "check")
    gate.start()
    gate.stop()
    assert all(event["success"] for event in gate.audit("--type", "audit_resealed"))
    gate.cli("audit", "verify")


# Damage


def damaged(gate, change):
    """The data file with `change` done to its bytes, in a copy of the folder."""
    data = gate.folder / "data" / "data.mdb"
    content = bytearray(gate.good)
    change(content)
    data.write_bytes(content)
    (gate.folder / "data" / "lock.mdb").unlink(missing_ok=True)
    for name in ("backup", "source"):
        shutil.rmtree(gate.folder / name, ignore_errors=True)
    (gate.folder / "source").mkdir()
    (gate.folder / "source" / "data.mdb").write_bytes(content)


def test_no_damage_ends_a_command_by_a_signal(used):
    gate = used()
    gate.good = (gate.folder / "data" / "data.mdb").read_bytes()
    pages = len(gate.good) // PAGE
    seeded = random.Random(7)
    found = 0
    for page in seeded.sample(range(pages), min(pages, 12)):
        def overwrite(content, page=page):
            content[page * PAGE:page * PAGE + 3000] = seeded.randbytes(3000)

        damaged(gate, overwrite)
        codes = [gate.cli(*command, check=False).returncode for command in
                 (("store", "check"), ("backup", gate.folder / "backup"), ("audit", "verify"))]
        restored = gate.cli("restore", gate.folder / "source", check=False).returncode
        assert {*codes, restored} <= {0, 1}, (page, codes, restored)
        # A free page may hold anything; else all of them say so.
        assert codes[0] == codes[1], (page, codes)
        assert not (gate.folder / "backup" / ".unfinished").exists()
        found += codes[0] == 1
    assert found > 3


@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.5, 0.75])
def test_stores_and_backups_that_were_cut(used, part):
    gate = used()
    gate.cli("backup", gate.folder / "whole")
    gate.good = (gate.folder / "whole" / "data.mdb").read_bytes()
    damaged(gate, lambda content: content.__delitem__(slice(int(len(content) * part), None)))
    for command in (("store", "check"), ("backup", gate.folder / "backup"), ("restore", gate.folder / "source")):
        failed(gate, *command)
    gate.cli("restore", gate.folder / "whole")
    gate.cli("store", "check")


def test_an_event_that_was_changed_is_in_every_answer(used):
    gate = used()
    dump = Dump(gate.folder / "data")
    value = dump.value("audit", 4)
    dump.rows("audit")[9] = dump.line(value.replace(b'"success":true', b'"success":null')[:-1] + b" ")
    dump.write()
    assert "event 5" in failed(gate, "store", "check")
    assert "event 5" in failed(gate, "backup", gate.folder / "backup")
    assert (gate.folder / "backup" / "data.mdb").exists()


# Exit codes and documents


def test_exit_codes_of_what_is_not_there_and_what_is(used):
    gate = used()
    gate.cli("backup", gate.folder / "backup")
    assert gate.cli("backup", gate.folder / "backup", check=False).returncode == 4
    assert gate.cli("backup", gate.folder / "data", check=False).returncode == 4
    assert gate.cli("restore", gate.folder / "nowhere", check=False).returncode == 3
    assert gate.cli("restore", gate.folder / "backup", "--audit-export", gate.folder / "no", check=False).returncode == 3
    assert gate.cli("audit", "verify", "--checkpoint", gate.folder / "no", check=False).returncode == 3


def test_a_checkpoint_is_a_document_too(used):
    gate = used()
    document = gate.json("audit", "checkpoint")
    line = gate.cli("audit", "checkpoint").stdout
    assert document["checkpoint"].split()[:4] == line.split()[:4]
    assert document["sequence"] == gate.audit("--limit", "1")[0]["sequence"] and len(document["hash"]) == 64
    kept = gate.folder / "kept"
    for text in (line, json.dumps(document)):
        kept.write_text(text)
        gate.cli("audit", "verify", "--checkpoint", kept)
    gate.add_user("last")
    forged = document | {"checkpoint": document["checkpoint"].replace(document["hash"], "0" * 64)}
    kept.write_text(json.dumps(forged))
    assert gate.cli("audit", "verify", "--checkpoint", kept, check=False).returncode == 1


# Restores


def test_a_restore_names_a_password_that_is_back(used):
    gate = used()
    gate.cli("user", "set-password", "mary", input="correct horse battery staple\n")
    gate.cli("backup", gate.folder / "backup")
    gate.cli("user", "set-password", "mary", input="a wholly new password\n")
    gate.cli("user", "disable", "user1")
    gate.cli("user", "enable", "user1")
    (gate.folder / "export").write_text(gate.cli("audit", "export").stdout)
    report = gate.json("restore", gate.folder / "backup")
    assert [(event["event_type"], event["user"]) for event in report["lost_revocations"]] == [("password_changed", "mary")]
    report = gate.json("restore", gate.folder / "backup", "--audit-export", gate.folder / "export")
    assert [event["event_type"] for event in report["lost_revocations"]] == ["password_changed"]
    assert [event["event_type"] for event in report["replayed"]] == ["user_disabled"]
    assert gate.json("user", "show", "user1")["disabled"] is False
    assert "No later revocation" not in gate.cli("restore", gate.folder / "backup", "--audit-export",
                                                 gate.folder / "export").stdout


# Two servers of one folder


def test_a_second_server_is_no_sign_that_the_first_died(used, make_gate):
    gate = used()
    gate.start()
    # Another configuration, with ports of its own, on the same folder.
    other = type(gate)(gate.folder / "other", **gate.settings | {
        "data_dir": str(gate.folder / "data"), "master_key": {"file": str(gate.folder / "master.key")}})
    try:
        other.start()
        other.logged("another server runs on the same data_dir")
        assert not gate.audit("--type", "audit_gap")
        assert gate.json("reload")["configuration"] == str(other.config), "the newest one has the name"
        assert other.stop() == 0
        eventually(lambda: gate.cli("reload", check=False).returncode == 0, 20, "the first one answers again")
        assert gate.json("reload")["configuration"] == str(gate.config)
        # Its own end is noticed as before.
        assert gate.get("/page", key="gate_" + "a" * 49).status == 401
        gate.event(reason="credential_unknown")
        gate.kill()
        gate.start()
        assert len(gate.audit("--type", "audit_gap")) == 1
    finally:
        other.kill()
