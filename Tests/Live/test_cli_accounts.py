"""Commands about users, keys, the audit log and passwords, as an operator runs them."""

import json
import re

from support.waiting import eventually
from test_cli import idle  # noqa: F401 - a fixture


BCRYPT = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"


# Users and keys


def test_users(idle):
    made = idle.add_user("mary", ["staff"], name="Mary Major")
    shown = idle.json("user", "show", "mary")
    assert shown["id"] == made["id"] and shown["name"] == "Mary Major" and shown["groups"] == ["staff"]
    assert idle.json("user", "show", "mary@example.com")["id"] == made["id"]
    idle.cli("user", "rename", "mary", "mia")
    assert idle.json("user", "show", "mia")["id"] == made["id"]
    assert idle.cli("user", "add", "second@example.com", "--username", "mary", check=False).returncode == 4, \
        "a name is never given to a second account"


def test_keys_of_a_disabled_user_are_listed_as_cut(idle):
    idle.add_user("mary", ["staff"])
    idle.add_key("mary")
    result = idle.cli("user", "disable", "mary")
    assert result.stdout.strip() or result.stderr.strip(), "it prints what was cut"


def test_changes_are_audited(idle):
    made = idle.add_user("mary", ["staff"])
    key = idle.add_key("mary")
    idle.cli("api-key", "revoke", key["id"])
    events = idle.audit()
    sequences = [event["sequence"] for event in events]
    assert sequences == sorted(sequences, reverse=True), "newest first"
    for event in events:
        assert event.keys() >= {"sequence", "created_at", "event_type", "success", "actor"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["created_at"])
        assert event["actor"].startswith("cli:")
    assert {event["user_id"] for event in events if event.get("user_id")} == {made["id"]}
    assert len([event for event in events if event.get("user") == "mary"]) >= 3
    assert key["key"] not in json.dumps(events)
    assert idle.cli("audit", "verify").returncode == 0


def test_audit_filters(idle):
    idle.add_user("mary")
    idle.add_user("nina")
    assert {event["user"] for event in idle.audit("--user", "nina")} == {"nina"}
    assert len(idle.audit("--limit", "1")) == 1
    kind = idle.audit("--user", "nina")[0]["event_type"]
    assert {event["event_type"] for event in idle.audit("--type", kind)} == {kind}
    assert idle.audit("--from", "2100-01-01T00:00:00Z") == []


def test_audit_export_and_checkpoint(idle):
    idle.add_user("mary")
    exported = idle.cli("audit", "export").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in exported] == sorted(json.loads(line)["sequence"] for line in exported)
    checkpoint = idle.folder / "checkpoint"
    checkpoint.write_text(idle.cli("audit", "checkpoint", "--json").stdout)
    idle.add_user("nina")
    assert idle.cli("audit", "verify", "--checkpoint", checkpoint).returncode == 0


def test_access_is_one_event_a_day(simple):
    gate = simple()
    for _ in range(10):
        assert gate.get("/page", key=gate.mary_key).status == 200
    event = gate.event(seconds=30, event_type="access", user="mary", route="app")
    assert event["success"] is True
    assert len([event for event in gate.audit() if event["event_type"] == "access"]) == 1
    assert gate.cli("audit", "report", "access").stdout


def test_last_used_is_written(simple):
    gate = simple()
    gate.get("/page", key=gate.mary_key)
    eventually(lambda: gate.lines("api-key", "list", "--user", "mary")[0].get("last_used_at"), 30, "last_used_at")


def test_denials_are_gathered(simple):
    gate = simple(limits={"exempt_networks": ["127.0.0.0/8"]})
    for _ in range(50):
        assert gate.get("/page", key="gate_" + "a" * 49).status == 401
    event = gate.event(reason="credential_unknown")
    denials = [event for event in gate.audit() if event.get("reason") == "credential_unknown"]
    assert len(denials) < 10
    counts = [int((event.get("metadata") or {}).get("count", event.get("count", 1))) for event in denials]
    eventually(lambda: sum(
        int((event.get("metadata") or {}).get("count", event.get("count", 1)))
        for event in gate.audit() if event.get("reason") == "credential_unknown") == 50, 10, f"50 ({counts}, {event})")


def test_user_deleted_and_listed(idle):
    idle.add_user("mary")
    idle.cli("user", "delete", "mary")
    assert idle.cli("user", "show", "mary", check=False).returncode == 3
    assert idle.audit()[0]["user"] == "mary"


def test_import_is_idempotent(idle, tmp_path):
    def outcomes(*arguments):
        lines = idle.cli("user", "import", *arguments, "--json").stdout.splitlines()
        return [json.loads(line)["outcome"] for line in lines]

    table = tmp_path / "users.csv"
    table.write_text(f"email,username,groups,password_hash\nmary@example.com,mary,staff,{BCRYPT}\nnonsense,x,,\n")
    assert outcomes(table, "--format", "csv", "--dry-run") == ["new", "skipped"]
    assert idle.cli("user", "list", "--json").stdout == ""
    assert outcomes(table, "--format", "csv") == ["new", "skipped"]
    assert outcomes(table, "--format", "csv", "--update") == ["unchanged", "skipped"]
    passwords = tmp_path / "htpasswd"
    passwords.write_text(f"john:{BCRYPT}\n")
    assert outcomes(passwords, "--format", "htpasswd") == ["new"]
    authelia = tmp_path / "users_database.yml"
    authelia.write_text(
        "users:\n  jane:\n    disabled: false\n    displayname: 'Jane'\n    email: jane@example.com\n"
        f"    password: '{BCRYPT}'\n    groups: [staff, dev]\n  none:\n    displayname: x\n")
    assert outcomes(authelia, "--format", "authelia") == ["new", "skipped"]
    jane = idle.json("user", "show", "jane")
    assert jane["groups"] == ["dev", "staff"] and jane["name"] == "Jane"
    shown = idle.cli("user", "import", authelia, "--format", "authelia").stdout
    assert "0 new, 0 changed, 1 unchanged, 0 disabled, 1 skipped" in shown
    for spelling, outcome in (("Yes", "new"), ("on", "new"), ("'true'", "new"), ("perhaps", "skipped")):
        name = "gone-" + spelling.strip("'").lower()
        authelia.write_text(f"users:\n  {name}:\n    email: {name}@example.com\n    disabled: {spelling}\n")
        assert outcomes(authelia, "--format", "authelia") == [outcome], spelling
        assert outcome == "skipped" or idle.json("user", "show", name)["disabled"] is True, spelling
    assert idle.cli("user", "import", table, "--format", "ldif", check=False).returncode == 2
    assert idle.cli("user", "import", tmp_path / "missing", "--format", "csv", check=False).returncode == 3
