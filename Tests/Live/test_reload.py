"""Reloads: what is taken, what is refused, and that nobody notices; `gatehouse reload`, SIGHUP, `reload: watch`."""

import json
import signal
import threading

import pytest

from support.load import Load
from support.waiting import eventually
from support.wire import Connection, head


def rules_for(*groups):
    return [{"allow": {"groups": list(groups)}}]


def set_rules(gate, rules):
    gate.settings["routes"][0]["rules"] = rules
    gate.write(gate.settings)


def metric(gate, name):
    for line in gate.monitor_get("/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no {name}")


def events(gate, kind):
    """Read with a good configuration, whatever the server's own looks like at the moment."""
    good = gate.folder / "good.yaml"
    if not good.exists():
        own, gate.config = gate.config, good
        gate.write(gate.settings)
        gate.config = own
    result = gate.cli("audit", "list", "--type", kind, "--json", "--config", good, config=False)
    return [json.loads(line) for line in result.stdout.splitlines()]


def last_event(gate, kind):
    return next(iter(events(gate, kind)), None)


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)


# What is taken, and by whom it is asked for

def test_reload_takes_routes_and_upstreams(simple, make_origin):
    gate = simple()
    other = make_origin()
    assert gate.get("/", host="blog.example.com", key=gate.mary_key).status == 421
    gate.settings["upstreams"]["blog"] = {"url": [other.url]}
    gate.settings["routes"].append(
        {"name": "blog", "host": ["blog.example.com"], "upstream": "blog", "rules": [{"allow": "everyone"}]})
    gate.settings["routes"][0]["rules"] = rules_for("admins")
    gate.write(gate.settings)
    report = gate.json("reload")
    assert report["reloaded"] is True and report["errors"] == [] and report["needs_restart"] == []
    assert "upstreams.blog" in report["changed"] and "routes[blog]" in report["changed"]
    assert any(path.startswith("routes[app].rules") for path in report["changed"])
    assert gate.get("/", host="blog.example.com").status == 200
    assert len(other.requests) == 1
    assert gate.get("/", key=gate.mary_key).status == 403
    event = last_event(gate, "config_reloaded")
    assert event["success"] and event["actor"].startswith("cli:")
    assert event["metadata"]["changed"] == report["changed"]


def test_reload_by_signal(simple):
    gate = simple()
    set_rules(gate, rules_for("admins"))
    gate.process.send_signal(signal.SIGHUP)
    eventually(lambda: gate.get("/", key=gate.mary_key).status == 403, 10, "the new rule")
    eventually(lambda: (last_event(gate, "config_reloaded") or {}).get("actor") == "system", 10, "the audit event")
    assert gate.logged("the configuration was reloaded")
    assert gate.logged("routes[app].rules")


def test_reload_of_the_same_changes_nothing(simple):
    gate = simple()
    result = gate.cli("reload")
    assert "Nothing differs." in result.stdout
    assert gate.json("reload")["changed"] == []
    assert gate.get("/", key=gate.mary_key).status == 200


def test_connections_are_kept(simple):
    gate = simple()
    with Connection(gate.port) as connection:
        ask = head("GET", "/", "app.example.com", [("X-API-Key", gate.mary_key)])
        connection.send(ask)
        assert connection.read().status == 200
        set_rules(gate, rules_for("admins"))
        gate.cli("reload")
        connection.send(ask)
        assert connection.read().status == 403
    assert gate.origin.connections == 1, "the app's connection stayed as well"


def test_reloads_at_once_take_turns(simple):
    gate = simple()
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(gate.cli("reload", check=False).returncode))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 6
    assert len(events(gate, "config_reloaded")) == 6


# What is refused

def test_bad_file_changes_nothing_and_says_why(simple):
    gate = simple()
    assert metric(gate, "gatehouse_config_last_reload_success") == 1
    before = metric(gate, "gatehouse_config_last_reload_timestamp_seconds")
    gate.config.write_text(gate.config.read_text().replace(
        '"routes": [', '"rutes": [], "log": {"level": "loud"}, "routes": ['))
    result = gate.cli("reload", check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "rutes: unknown key" in result.stderr
    place = [line for line in result.stderr.splitlines() if "rutes" in line][0]
    assert place.startswith(f"{gate.config}:") and place[len(str(gate.config)) + 1].isdigit()
    assert gate.get("/", key=gate.mary_key).status == 200
    assert metric(gate, "gatehouse_config_last_reload_success") == 0
    assert metric(gate, "gatehouse_config_last_reload_timestamp_seconds") >= before
    event = last_event(gate, "config_refused")
    assert not event["success"] and any("rutes" in error for error in event["metadata"]["errors"])
    assert gate.logged("the old one stays")

    result = gate.cli("reload", "--json", check=False)
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["reloaded"] is False and any("rutes" in error for error in report["errors"])

    gate.write(gate.settings)
    gate.cli("reload")
    assert metric(gate, "gatehouse_config_last_reload_success") == 1


def test_a_refused_signal_keeps_the_server(simple):
    gate = simple()
    gate.config.write_text("public_url: [")
    gate.process.send_signal(signal.SIGHUP)
    eventually(lambda: last_event(gate, "config_refused"), 10, "the refusal")
    assert gate.get("/", key=gate.mary_key).status == 200


def test_no_yaml_is_a_matter_of_the_command(simple):
    gate = simple()
    text = gate.config.read_text()
    gate.config.write_text("public_url: [")
    result = gate.cli("reload", check=False)
    assert result.returncode == 2 and f"{gate.config}:" in result.stderr
    gate.config.unlink()
    assert gate.cli("reload", check=False).returncode == 2
    gate.config.write_text(text)


def test_without_a_server(simple):
    gate = simple()
    gate.stop()
    result = gate.cli("reload", check=False)
    assert result.returncode == 1 and "no server runs on" in result.stderr
    gate.start()
    gate.kill()
    result = gate.cli("reload", check=False)
    assert result.returncode == 1 and "no server runs on" in result.stderr
    gate.start()
    gate.cli("reload")


def test_secret_that_went_missing_is_refused(simple):
    gate = simple()
    (gate.folder / "master.key").rename(gate.folder / "gone")
    result = gate.cli("reload", check=False)
    assert result.returncode == 1 and "master.key" in result.stderr
    assert gate.get("/", key=gate.mary_key).status == 200
    (gate.folder / "gone").rename(gate.folder / "master.key")


@pytest.mark.parametrize("key, value", [
    ("workers", 3), ("public_url", "https://elsewhere.example.com"), ("monitor_listen", "127.0.0.1:1"),
    ("listen", [{"address": "127.0.0.1:2"}]), ("store", {"max_size": "8GiB"}),
])
def test_keys_that_need_a_restart(simple, key, value):
    gate = simple()
    old = gate.config.read_text()
    document = json.loads(old) | {key: value}
    document["routes"][0]["rules"] = rules_for("admins")
    gate.config.write_text(json.dumps(document, indent=2))
    report = gate.json("reload")
    assert report["reloaded"] and report["needs_restart"] == [key]
    assert gate.get("/", key=gate.mary_key).status == 403, "the rest is in force"
    if key == "public_url":
        refusal = gate.get("/").json()
        assert "http://auth.example.com" in json.dumps(refusal), "the old value stays"
    result = gate.cli("reload")
    assert f"{key}: needs a restart" in result.stdout, "said until it was restarted"
    gate.config.write_text(old)
    assert gate.json("reload")["needs_restart"] == []


def test_log_level_and_format(simple):
    gate = simple(log={"format": "json", "level": "error"})
    gate.settings["log"] = {"format": "text", "level": "info", "requests": "all"}
    gate.write(gate.settings)
    gate.cli("reload")
    assert gate.get("/", key=gate.mary_key).status == 200
    line = eventually(lambda: [line for line in gate.log_text().splitlines() if " info request " in line], 10)[0]
    assert not line.startswith("{")


# Files that are watched

def test_watch_takes_the_file_its_includes_and_new_ones(simple):
    gate = simple()
    (gate.folder / "routes.d").mkdir()
    gate.settings |= {"reload": "watch", "include": ["routes.d/*.yaml"]}
    gate.write(gate.settings)
    gate.cli("reload")

    extra = gate.folder / "routes.d" / "extra.yaml"
    route = {"routes": [{"name": "more", "host": "more.example.com", "upstream": "app", "rules": [{"allow": "everyone"}]}]}
    extra.write_text(json.dumps(route))
    eventually(lambda: gate.get("/", host="more.example.com").status == 200, 15, "a new included file")

    route["routes"][0]["rules"] = [{"deny": "everyone"}]
    extra.write_text(json.dumps(route))
    eventually(lambda: gate.get("/", host="more.example.com").status in (401, 403), 15, "a changed included file")

    set_rules(gate, rules_for("admins"))
    eventually(lambda: gate.get("/", key=gate.mary_key).status == 403, 15, "the changed file")
    reloads = len(events(gate, "config_reloaded"))

    gate.config.write_text("nonsense: [")
    eventually(lambda: last_event(gate, "config_refused"), 15, "the refusal")
    gate.write(gate.settings | {"drain": "7s"})
    eventually(lambda: len(events(gate, "config_reloaded")) > reloads, 15, "the mended file")
    assert len(events(gate, "config_refused")) == 1, "refused once, not once a second"


def proxy_secret_gate(simple, **settings):
    def behave(secret):
        return [("Gatehouse-Proxy-Secret", secret), ("X-Forwarded-For", "203.0.113.9")]

    gate = simple(rules=[{"paths": ["/near/**"], "networks": ["203.0.113.0/24"], "allow": "everyone"}],
                  trusted_proxies=["127.0.0.0/8"], **settings)
    write_private(gate.folder / "proxy.secret", "the-first-secret-of-it\n")
    gate.settings |= {"proxy_secret": {"file": "proxy.secret"}}
    gate.write(gate.settings)
    gate.cli("reload")
    gate.near = lambda secret: gate.get("/near/x", headers=behave(secret)).status
    return gate


def test_secret_files_are_read_again(simple):
    gate = proxy_secret_gate(simple)
    assert gate.near("the-first-secret-of-it") == 200
    write_private(gate.folder / "proxy.secret", "quite-another-secret\n")
    report = gate.json("reload")
    assert report["changed"] == ["proxy_secret"]
    assert "quite-another" not in json.dumps(report) + gate.log_text()
    assert gate.near("the-first-secret-of-it") != 200
    assert gate.near("quite-another-secret") == 200


def test_secret_files_are_watched(simple):
    gate = proxy_secret_gate(simple, reload="watch")
    write_private(gate.folder / "proxy.secret", "quite-another-secret\n")
    eventually(lambda: gate.near("quite-another-secret") == 200, 15, "the new secret")
    assert gate.near("the-first-secret-of-it") != 200


# Under load

# Whoever checks must end with the configuration that asked for it.
CHECKED = {"health": {"path": "/healthz", "every": "1s"}}


def reload_under_load(gate, times):
    """SIGHUP so often, each taken before the next, with clients at work; returns how often it was reloaded."""
    taken = 0
    with Load(gate.port, [("X-API-Key", gate.mary_key)], clients=6) as load:
        for turn in range(times):
            gate.settings["upstreams"]["app"]["idle_timeout"] = f"{60 + turn % 7}m"
            gate.settings["routes"] = gate.settings["routes"][:1] + [
                {"name": f"extra{n}", "host": [f"extra{n}.example.com"], "rules": [{"allow": "everyone"}]}
                for n in range(turn % 5)]
            gate.write(gate.settings)
            if turn % 2:
                gate.process.send_signal(signal.SIGHUP)
            else:
                gate.cli("reload")
                taken += 1
            if turn % 50 == 0:
                gate.monitor_get("/metrics")
    assert load.failures == [], load.failures[:3]
    assert load.answered > times
    return taken


def test_reloads_under_load_lose_no_request(simple):
    gate = simple(workers=2, upstream=CHECKED)
    reload_under_load(gate, 6)
    before = gate.anonymous_memory()
    taken = reload_under_load(gate, 30)
    assert gate.anonymous_memory() < before + (8 << 20)
    assert len(events(gate, "config_reloaded")) >= taken
    assert not events(gate, "config_refused")


@pytest.mark.long
def test_a_thousand_reloads_lose_no_request_and_no_memory(simple):
    gate = simple(workers=2, upstream=CHECKED)
    reload_under_load(gate, 100)
    before = gate.anonymous_memory()
    reload_under_load(gate, 1000)
    assert gate.anonymous_memory() < before + (8 << 20)
