"""Why somebody was refused is said in one word everywhere: the header, the metrics, the log and the audit log, also where
our own pages and API refuse; and what the monitor says can be read by those who read such pages."""

import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse

import pytest

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, portal, sign_in  # noqa: F401
from support.waiting import eventually
from support.wire import Connection, head, request


def count(gate, name, **labels):
    """The sum of a family's samples that have these labels."""
    total = 0
    for line in gate.monitor_get("/metrics")[1].splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if not match or match[1] != name:
            continue
        found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
        if all(found.get(label) == value for label, value in labels.items()):
            total += float(match[3])
    return total


def access_line(gate, request_id):
    return eventually(lambda: next(
        (line for line in map(json.loads, gate.log_text().splitlines()) if line.get("request_id") == request_id and line["message"] == "request"), None))


def told_everywhere(gate, answer, reason, verdict="deny"):
    assert answer.get("Gatehouse-Reason") == reason, answer
    line = access_line(gate, answer["X-Request-Id"])
    assert (line["reason"], line["verdict"], line["shape"]) == (reason, verdict, "portal"), line
    assert line["path"].startswith("/.auth/") and line["method"] and line["host"].startswith("auth.example.com")
    assert count(gate, "gatehouse_requests_total", shape="portal", verdict=verdict, reason=reason) > 0
    told = eventually(lambda: gate.cli("explain", "--request", answer["X-Request-Id"], "--json", check=False).stdout)
    assert f'"{reason}"' in told
    return line


def test_going_round_in_circles(portal):
    gate = portal(log={"format": "json", "level": "info", "requests": "denied"})
    browser = Browser(gate)
    sign_in(browser)
    url = PORTAL + "/.auth/login?return_to=" + urllib.parse.quote(APP + "/page", "")
    answers = [browser.send("GET", url) for _ in range(3)]
    assert [answer.status for answer in answers] == [303, 303, 403]
    assert answers[0].get("Gatehouse-Reason") is None
    assert b'href="/.auth/logout"' in answers[2].body, "a new session is the way out once the cookie's domain is right"
    line = told_everywhere(gate, answers[2], "login_loop")
    assert line["user"] == "mary"
    event = gate.event(event_type="request_denied", reason="login_loop")
    assert event["user"] == "mary" and event["success"] is False


def test_limits(portal):
    gate = portal(limits={"sign_in": {"rate": "1/m", "burst": 3}},
                  log={"format": "json", "level": "info", "requests": "denied"})
    answers = [login(gate, password="wrong") for _ in range(12)]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == 9 and {answer.status for answer in answers} == {401, 429}
    told_everywhere(gate, refused[0], "rate_limited")
    assert refused[0].json()["code"] == "rate_limited" and refused[0].get("Retry-After")
    assert gate.event(event_type="sign_in", reason="rate_limited")
    browser = Browser(gate)
    browser.open(PORTAL + "/.auth/login")
    browser.submit(identifier="mary", password="wrong")
    told_everywhere(gate, browser.response, "rate_limited")
    assert browser.response.status == 429
    # Each of them counts, by the way that was tried.
    assert count(gate, "gatehouse_sign_ins_total", method="password", outcome="failure", reason="rate_limited") == 10
    assert count(gate, "gatehouse_sign_ins_total", method="other") == 0
    assert count(gate, "gatehouse_requests_total", shape="portal", verdict="deny", reason="rate_limited") == 10


def test_an_address_that_is_not_verified(portal):
    gate = portal(login={"registration": "open"}, mail="log",
                  log={"format": "json", "level": "info", "requests": "denied"})
    assert api(gate, "POST", "/register", {"email": "new@example.com", "password": PASSWORD}).status == 202
    answer = eventually(lambda: (lambda a: a if a.status == 403 else None)(login(gate, "new@example.com")))
    assert answer.json()["code"] == "email_not_verified"
    told_everywhere(gate, answer, "email_not_verified")
    assert gate.event(event_type="sign_in", reason="email_not_verified")


def test_nobody_and_no_such_method(portal):
    gate = portal(log={"format": "json", "level": "info", "requests": "denied"})
    told_everywhere(gate, api(gate, "GET", "/me"), "sign_in_required", "sign_in")
    told_everywhere(gate, api(gate, "GET", "/me", token="gate_" + "a" * 49), "credential_unknown")
    told_everywhere(gate, api(gate, "PUT", "/me"), "method_refused")
    told_everywhere(gate, request(gate.port, "/.auth/api/x", "auth.example.com", "POST", [("Content-Length", "70000")]),
                    "too_large")
    # What has no word in the list has none here either.
    answer = api(gate, "GET", "/nothing")
    assert answer.status == 404 and answer.get("Gatehouse-Reason") is None


def everyone(origin, **settings):
    return {"upstreams": {"app": {"url": [origin.url]}},
            "routes": [{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
            } | settings


def test_an_upstream_that_fails_is_counted(make_gate, make_origin):
    gate = make_gate(**everyone(make_origin(lambda request, connection: b"nonsense\r\n\r\n")))
    answer = request(gate.port, "/", "app.example.com")
    assert answer.status == 502 and answer.code == "upstream_failed"
    inline = {"route": "app", "shape": "inline", "verdict": "allow"}
    assert count(gate, "gatehouse_requests_total", **inline, reason="upstream_failed") == 1
    assert count(gate, "gatehouse_requests_total", **inline, reason="") == 1


# The monitor


def test_metrics_are_what_prometheus_expects(portal):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed")
    gate = portal()
    sign_in(Browser(gate))
    request(gate.port, "/public/x", "app.example.com")
    text = gate.monitor_get("/metrics")[1]
    result = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    named = set(re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"^(gatehouse_\w+)", text, re.MULTILINE)}
    assert families <= named, families - named


def test_sessions_that_are_over_are_not_counted(portal):
    gate = portal()
    first, second = Browser(gate), Browser(gate)
    sign_in(first)
    sign_in(second)
    assert count(gate, "gatehouse_sessions") == 2
    for session in gate.lines("session", "list")[:1]:
        gate.cli("session", "revoke", session["id"])
    eventually(lambda: count(gate, "gatehouse_sessions") == 1)
    gate.cli("user", "disable", "mary")
    eventually(lambda: count(gate, "gatehouse_sessions") == 0)


def test_who_stops_is_not_ready(make_gate, make_origin):
    """While requests come to their end nobody new is let in, and whoever asks is told so."""
    done = threading.Event()
    origin = make_origin(lambda request, connection: done.wait(60) and None)
    gate = make_gate(**everyone(origin, drain="30s"))
    try:
        with Connection(gate.port) as connection:
            connection.send(head("GET", "/slow", "app.example.com"))
            eventually(lambda: origin.requests, 10)
            assert gate.monitor_get("/readyz")[0] == 200
            gate.process.send_signal(signal.SIGTERM)
            eventually(lambda: gate.monitor_get("/readyz") == (503, "not ready\nstopping\n"))
            assert gate.monitor_get("/healthz")[0] == 200
            assert gate.cli("health", check=False).returncode == 1
            done.set()
    finally:
        done.set()
    assert gate.stop() == 0


# The log and the audit log


@pytest.mark.parametrize("path", [
    "/.%61uth/reset-password/TOKEN", "/%2eauth/reset%2Dpassword/TOKEN", "/.auth;x/magic-link/TOKEN", "/.AUTH/verify-email/TOKEN",
    "/.auth%2freset-password%2fTOKEN", "//.auth/unlock/TOKEN", "/.auth/./enrol-factor/TOKEN", "/.%2561uth/unlock/TOKEN",
])
def test_the_token_of_a_link_is_written_down_in_no_spelling(portal, path):
    gate = portal(log={"format": "json", "level": "debug", "requests": "all"})
    token = "s3cret-of-a-link-0123456789"
    for host in ["auth.example.com", "app.example.com"]:
        with Connection(gate.port) as connection:
            connection.send(head("GET", path.replace("TOKEN", token), host))
            answer = connection.read()
        assert answer.status in (303, 400, 401, 404, 405, 421), answer
    denied = request(gate.port, "/last", "app.example.com")["X-Request-Id"]
    eventually(lambda: gate.cli("explain", "--request", denied, check=False).returncode == 0)
    assert gate.stop() == 0
    assert token not in gate.log_text()
    assert token.encode() not in (gate.folder / "data" / "data.mdb").read_bytes()


def test_audit_lists_say_what_they_know(portal):
    gate = portal()
    wrong = gate.cli("audit", "list", "--type", "bogus", check=False)
    assert wrong.returncode == 2 and "bogus" in wrong.stderr and "sign_in" in wrong.stderr and not wrong.stdout
    vocabulary = {"sequence", "created_at", "event_type", "success", "reason", "actor", "user", "user_id", "route", "session",
                  "ip_address", "user_agent", "request_id", "metadata"}
    events = gate.audit("--type", "user_added")
    assert events and all(set(event) == vocabulary for event in events)
    assert all(set(event) == vocabulary for event in gate.lines("audit", "export"))
    assert gate.cli("audit", "verify").returncode == 0


# Long addresses


def test_a_long_address_is_come_back_to(portal):
    gate = portal()
    pages = [APP + "/page?q=" + "a" * 7500, APP + "/two-of-them?" + "&".join(f"k{n}=%2F{n}" for n in range(500)),
             APP + "/short"]
    browser = Browser(gate)
    forms = []
    for page in pages:
        refused = browser.send("GET", page)
        assert refused.status == 303 and len(refused["Location"]) < 8400
        target = urllib.parse.urlsplit(refused["Location"])
        assert urllib.parse.parse_qs(target.query)["return_to"] == [page]
        browser.open(refused["Location"])
        forms.append((browser.url, browser.form()))
    # In tabs side by side, and the first one last.
    for page, (url, (target, fields)) in reversed(list(zip(pages, forms))):
        browser.url = url
        body = urllib.parse.urlencode(fields | {"identifier": "mary", "password": PASSWORD}).encode()
        answer = browser.send(
            "POST", target, [("Content-Type", "application/x-www-form-urlencoded")], body, site="same-origin")
        assert answer.status == 303 and answer["Location"] == page
