"""The command line: exit codes, --json, the store while the server runs, and the monitor listener."""

import base64
import json
import os
import re
import stat
import subprocess

import pytest

from support.gatehouse import ENVIRONMENT, binary


@pytest.fixture
def idle(make_gate, make_origin):
    """A configuration and a store with nobody serving."""
    origin = make_origin()
    gate = make_gate(
        start=False, upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                 "rules": [{"allow": {"groups": ["staff"]}}]}])
    gate.origin = origin
    return gate


def run(*arguments, **more):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=ENVIRONMENT | more.pop("environment", {}), **more)


# Exit codes


def test_exit_codes(idle):
    def code(*arguments):
        result = idle.cli(*arguments, check=False)
        if result.returncode:
            assert result.stderr.strip(), "a failure says what to do next"
            assert result.stdout == "", "nothing but the document on stdout"
        return result.returncode

    assert code("user", "add", "mary@example.com", "--username", "mary") == 0
    assert code("user", "add", "mary@example.com") == 4
    assert code("user", "add", "other@example.com", "--username", "MARY") == 4
    assert code("user", "show", "nobody") == 3
    assert code("user", "disable", "nobody") == 3
    assert code("api-key", "create", "--user", "nobody", "--name", "x") == 3
    assert code("api-key", "revoke", "nothing") == 3
    assert code("session", "revoke", "nothing") in (2, 3)
    assert code("user", "add", "no-address") in (1, 2)
    assert code("user", "add") == 2
    assert code("user", "fly") == 2
    assert code("user", "add", "x@example.com", "--wings") == 2
    assert code("no-such-command") == 2


def test_configuration_that_is_not_there():
    result = run("check-config", "--config", "/nonexistent/gatehouse.yaml")
    assert result.returncode == 2 and "/nonexistent/gatehouse.yaml" in result.stderr


def test_configuration_from_the_environment(idle):
    result = run("check-config", environment={"GATEHOUSE_CONFIG": str(idle.config)})
    assert result.returncode == 0, result.stderr


def test_version():
    result = run("version", "--json")
    assert result.returncode == 0 and json.loads(result.stdout)
    assert run("version").stdout.strip()
    assert run("--help").returncode == 0


def test_json_is_one_document_a_line(idle):
    idle.add_user("one")
    idle.add_user("two")
    assert {user["username"] for user in idle.lines("user", "list")} == {"one", "two"}
    assert idle.add_user("three").keys() >= {"id", "email", "username"}
    made = idle.add_key("one", "laptop", scopes="a,b", expires="30d")
    assert made.keys() >= {"id", "key", "prefix"}
    [listed] = idle.lines("api-key", "list", "--user", "one")
    assert listed["id"] == made["id"] and sorted(listed["scopes"]) == ["a", "b"]


def test_keygen(tmp_path):
    path = tmp_path / "new.key"
    assert run("keygen", "--out", path).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(path.read_text())) == 32
    before = path.read_bytes()
    assert run("keygen", "--out", path).returncode in (1, 4)
    assert path.read_bytes() == before, "never over an existing file"
    printed = run("keygen").stdout.strip()
    assert len(base64.b64decode(printed)) == 32


def test_init_makes_what_serve_needs(tmp_path, make_origin):
    origin = make_origin()
    folder = tmp_path / "etc"
    folder.mkdir()
    config = folder / "gatehouse.yaml"
    arguments = ["init", "--public-url", "http://auth.example.com", "--admin", "root@example.com",
                 "--app", f"app.example.com={origin.url}", "--config", config]
    result = run(*arguments, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert run("check-config", "--config", config).returncode == 0
    assert "root@example.com" in run("user", "list", "--config", config).stdout
    before = config.read_bytes()
    assert run(*arguments, cwd=folder).returncode in (1, 4)
    assert config.read_bytes() == before


# check-config


GOOD = """\
public_url: https://auth.example.com
data_dir: data
upstreams:
  wiki: { url: "http://127.0.0.1:3000" }
routes:
  - name: wiki
    host: wiki.example.com
    upstream: wiki
    rules:
      - { allow: signed_in }
sessions: { cookie: { domain: example.com } }
"""


def check_config(folder, text):
    path = folder / "checked.yaml"
    path.write_text(text)
    if not (folder / "master.key").exists():
        run("keygen", "--out", folder / "master.key")
    return run("check-config", "--config", path)


def test_good_configuration(tmp_path):
    result = check_config(tmp_path, GOOD)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("change,line,words", [
    (("public_url:", "public_ulr:"), 1, ["public_ulr", "public_url"]),
    (("upstream: wiki", "upstream: wikki"), 8, ["wikki", "wiki"]),
    (("allow: signed_in", "allow: signedin"), 10, ["signedin", "signed_in"]),
    (("http://127.0.0.1:3000", "gopher://x"), 4, ["gopher"]),
    (("- { allow: signed_in }", "- { allow: signed_in, pahts: [/x] }"), 10, ["pahts", "paths"]),
    (("- { allow: signed_in }", "- { allow: everyone }\n      - { paths: [/x], allow: signed_in }"), 11, []),
    (("- { allow: signed_in }", "- { allow: { groups: [staff], factor: 2 } }"), 10, ["factor"]),
    (("data_dir: data", "data_dir: data\nsessions: { idle: 12 parsecs }"), 3, []),
    (("data_dir: data", "data_dir: data\nstore: { max_size: 64 parsecs }"), 3, ["max_size"]),
    (("data_dir: data", "data_dir: data\nworkers: some"), 3, ["workers", "some"]),
    (("data_dir: data", "data_dir: data\ndata_dir: other"), 3, ["data_dir"]),
    (("data_dir: data", "data_dir: data\ntrusted_proxies: [10.0.0.0/33]"), 3, ["10.0.0.0/33"]),
    (("data_dir: data", "data_dir: { env: NOT_SET_ANYWHERE }"), 2, ["NOT_SET_ANYWHERE"]),
], ids=lambda value: value[1] if isinstance(value, tuple) else None)
def test_bad_configuration(tmp_path, change, line, words):
    assert change[0] in GOOD
    result = check_config(tmp_path, GOOD.replace(*change))
    assert result.returncode == 2, result.stdout
    assert re.search(rf"checked\.yaml:{line}:\d+: ", result.stderr), result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def test_all_errors_at_once(tmp_path):
    text = GOOD.replace("public_url:", "public_ulr:").replace("upstream: wiki", "upstream: x").replace("signed_in", "y")
    lines = set(re.findall(r"checked\.yaml:(\d+):\d+: ", check_config(tmp_path, text).stderr))
    assert {"1", "8", "10"} <= lines


def test_two_routes_for_one_host_and_path(tmp_path):
    twice = GOOD.partition("sessions:")[0] + "  - { name: again, host: wiki.example.com, upstream: wiki, rules: [ { allow: signed_in } ] }\n"
    result = check_config(tmp_path, twice)
    assert result.returncode == 2 and "checked.yaml:11:" in result.stderr


def test_scalars_are_what_they_say(tmp_path):
    """YAML would guess `no` to be false and 1_000 a number."""
    text = GOOD.replace("signed_in", "{ groups: [no, 1_000, 12:30, on, 0x10] }")
    assert check_config(tmp_path, text).returncode == 0
    result = run("explain", "GET", "https://wiki.example.com/", "--config", tmp_path / "checked.yaml", "--json")
    assert json.loads(result.stdout)["verdict"] == "sign_in"


def test_secret_that_others_may_read(tmp_path):
    check_config(tmp_path, GOOD)
    (tmp_path / "master.key").chmod(0o644)
    result = run("serve", "--config", tmp_path / "checked.yaml")
    assert result.returncode == 2 or result.returncode == 1
    assert "master.key" in result.stderr


def test_serve_refuses_a_bad_configuration(tmp_path):
    check_config(tmp_path, GOOD.replace("upstream: wiki", "upstream: wikki"))
    result = run("serve", "--config", tmp_path / "checked.yaml")
    assert result.returncode == 2 and "wikki" in result.stderr


# Keeping it


def test_backup_and_restore(simple):
    gate = simple()
    gate.add_user("nina", ["staff"])
    backup = gate.folder / "backup"
    gate.cli("backup", backup)
    gate.add_user("late", ["staff"])
    assert gate.get("/page", key=gate.mary_key).status == 200
    refusal = gate.cli("restore", backup, check=False)
    assert refusal.returncode == 1 and gate.get("/page", key=gate.mary_key).status == 200, "not while it is in use"
    gate.stop()
    gate.cli("restore", backup)
    assert {user["username"] for user in gate.lines("user", "list")} == {"mary", "nina"}
    assert gate.cli("audit", "verify").returncode == 0
    gate.start()
    assert gate.get("/page", key=gate.mary_key).status == 200


def test_restore_refuses_another_master_key(idle, tmp_path):
    idle.add_user("mary")
    idle.json("token", "issue", "--user", "mary")
    backup = idle.folder / "backup"
    idle.cli("backup", backup)
    os.remove(idle.folder / "master.key")
    run("keygen", "--out", idle.folder / "master.key")
    assert idle.cli("restore", backup, check=False).returncode == 1


def test_store_info_and_check(idle):
    idle.add_user("mary")
    assert idle.json("store", "info")
    assert idle.cli("store", "check").returncode == 0


def test_signing_keys(simple):
    gate = simple()
    before = gate.lines("key", "list")
    assert before
    gate.get("/page", key=gate.mary_key)
    old = gate.origin.last["Gatehouse-Assertion"]
    gate.cli("key", "rotate")
    after = gate.lines("key", "list")
    assert len(after) > len(before)
    import jwt

    published = {key["kid"] for key in gate.get("/.auth/jwks.json", host="auth.example.com").json()["keys"]}
    assert jwt.get_unverified_header(old)["kid"] in published, "the old key is kept until its last token has expired"


def test_revocations_hold_over_a_restart(simple):
    gate = simple()
    made = gate.add_key("mary")
    gate.cli("api-key", "revoke", made["id"])
    gate.restart()
    assert gate.get("/page", key=made["key"]).status == 401
    assert gate.get("/page", key=gate.mary_key).status == 200


def test_two_servers_on_one_store(simple):
    gate = simple()
    assert gate.cli("user", "list").returncode == 0, "the command line works beside the server"


def test_stop_is_clean(simple):
    gate = simple()
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert gate.stop() == 0
    gate.start()
    assert not [event for event in gate.audit() if event["event_type"] == "audit_gap"]


def test_unclean_stop_leaves_a_gap_event(simple):
    gate = simple()
    gate.get("/page", key=gate.mary_key)
    gate.kill()
    gate.start()
    gate.event(event_type="audit_gap")
    assert gate.cli("audit", "verify").returncode == 0


# The monitor listener


def test_monitor(gate):
    assert gate.monitor_get("/healthz")[0] == 200
    assert gate.monitor_get("/readyz")[0] == 200
    assert gate.monitor_get("/")[0] == 404
    assert gate.cli("health").returncode == 0


METRICS = [
    "gatehouse_requests_total", "gatehouse_request_seconds", "gatehouse_upstream_connections",
    "gatehouse_store_map_used_bytes", "gatehouse_store_map_bytes", "gatehouse_store_write_queue",
    "gatehouse_store_commit_seconds", "gatehouse_audit_lost_total", "gatehouse_build_info",
]


def test_metrics(gate):
    gate.get("/page", key=gate.mary_key)
    gate.get("/page")
    status, text = gate.monitor_get("/metrics")
    assert status == 200
    samples = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        match = re.fullmatch(r'([a-z_]+)(\{[^}]*\})? (\S+)( \d+)?', line)
        assert match, line
        float(match[3])
        samples.setdefault(match[1], []).append((match[2] or "", float(match[3])))
    for name in METRICS:
        assert any(sample.startswith(name) for sample in samples), name
    requests = samples["gatehouse_requests_total"]
    allowed = [value for labels, value in requests if 'route="app"' in labels and 'verdict="allow"' in labels]
    denied = [labels for labels, _ in requests if 'reason="sign_in_required"' in labels]
    assert sum(allowed) > 0 and denied


def test_health_of_a_server_that_is_not_there(idle):
    assert idle.cli("health", check=False).returncode == 1


def test_log_has_no_secrets(simple):
    gate = simple(log={"format": "json", "level": "debug", "requests": "all"})
    gate.get("/page", key=gate.mary_key)
    gate.get(f"/page?token={gate.mary_key}", headers=[("Authorization", f"Bearer {gate.mary_key}")])
    gate.get("/page", key="gate_" + "z" * 49)
    text = gate.log_text()
    for line in text.splitlines():
        json.loads(line)
    assert gate.mary_key not in text


# Passwords, links, locks, imports


def test_passwords_come_by_standard_input(idle):
    def command(*arguments, text=""):
        return run(*arguments, "--config", idle.config, "--json", input=text)

    good = "correct horse battery staple\n"
    added = command("user", "add", "mary@example.com", "--username", "mary", "--password-stdin", text=good)
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["username"] == "mary"
    assert command("user", "set-password", "mary", text="short\n").returncode == 1
    assert command("user", "set-password", "nobody", text=good).returncode == 3
    changed = command("user", "set-password", "mary", text="another horse battery staple\n")
    assert changed.returncode == 0 and json.loads(changed.stdout)["sessions_ended"] == []
    assert command("user", "add", "b@example.com", "--service", "--password-stdin", text=good).returncode == 2
    for secret in ("horse", "argon2"):
        assert secret not in idle.cli("audit", "export").stdout


def test_links_are_printed_and_kept_as_digests(idle):
    idle.cli("user", "add", "mary@example.com")
    link = idle.json("user", "link", "mary@example.com", "--kind", "reset-password")
    assert re.fullmatch(r"https?://[^/]+/\.auth/reset-password/[A-Za-z0-9_-]{43}", link["link"])
    token = link["link"].rsplit("/", 1)[1]
    assert token not in idle.cli("audit", "export").stdout
    invited = idle.json("user", "add", "new@example.com", "--invite")
    assert invited["email"] == "new@example.com" and "/.auth/reset-password/" in invited["link"]
    assert idle.cli("user", "link", "mary@example.com", "--kind", "nonsense", check=False).returncode == 2
    assert idle.cli("user", "link", "nobody", check=False).returncode == 3
    assert idle.json("user", "unlock", "mary@example.com") == {"was_locked": False}
    assert idle.json("user", "sign-out", "mary@example.com") == {"sessions_ended": []}
    assert idle.json("user", "disable", "mary@example.com")["links"] == 1
    assert idle.cli("user", "link", "mary@example.com", check=False).returncode == 1
