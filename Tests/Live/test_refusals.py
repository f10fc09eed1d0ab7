"""What a refusal leaves behind: `explain --request`, and the page that tells the person what is missing."""

import re
import urllib.parse

import pytest

from support.browser import Browser
from support.waiting import eventually
from support.wire import request
from support.portal import APP, PORTAL, portal, sign_in  # noqa: F401  (a fixture)


def explain(gate, request_id, *more):
    return gate.json("explain", "--request", request_id, *more)


def test_explain_says_what_really_happened(simple):
    gate = simple(rules=[{"paths": ["/public/**"], "allow": "everyone"},
                         {"name": "admins only", "paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
                         {"allow": {"groups": ["staff"]}}])
    refused = gate.get("/admin/x?token=secret", key=gate.mary_key)
    assert refused.status == 403
    told = explain(gate, refused["X-Request-Id"])
    assert {name: told[name] for name in ("verdict", "route", "rule", "reason", "headers")} == {
        "verdict": "deny", "route": "app", "rule": 1, "reason": "group_missing", "headers": {}}
    assert (told["user"], told["method"], told["path"], told["shape"]) == ("mary", "GET", "/admin/x", "inline")
    assert told["address"] == "127.0.0.1" and told["host"] == "app.example.com"
    assert "secret" not in str(told)
    anonymous = explain(gate, gate.get("/page")["X-Request-Id"], "--expect", "sign_in")
    assert (anonymous["verdict"], anonymous["reason"], anonymous.get("user")) == ("sign_in", "sign_in_required", None)
    nowhere = explain(gate, gate.get("/", host="nobody.example.com")["X-Request-Id"])
    assert (nowhere["reason"], nowhere.get("route"), nowhere.get("rule")) == ("no_route", None, None)
    chosen = gate.get("/admin/y", key=gate.mary_key, headers=[("X-Request-Id", "my.own_id-1")])
    assert chosen["X-Request-Id"] == "my.own_id-1" and explain(gate, "my.own_id-1")["path"] == "/admin/y"
    text = gate.cli("explain", "--request", "my.own_id-1").stdout
    assert text.startswith("deny (group_missing)\n") and "GET app.example.com/admin/y" in text


def test_explain_request_has_the_codes_of_the_others(simple):
    gate = simple()
    assert gate.get("/page", key=gate.mary_key, headers=[("X-Request-Id", "fine")]).status == 200
    assert gate.cli("explain", "--request", "fine", check=False).returncode == 3
    assert gate.cli("explain", "--request", "a/b", check=False).returncode == 2
    assert gate.cli("explain", "--request", "x" * 129, check=False).returncode == 2
    assert gate.cli("explain", "--request", "", check=False).returncode == 2
    assert gate.cli("explain", check=False).returncode != 0
    assert gate.cli("explain", "GET", "http://app.example.com/", "--request", "x", check=False).returncode != 0
    refused = gate.get("/page")["X-Request-Id"]
    assert gate.cli("explain", "--request", refused, "--expect", "deny", check=False).returncode == 1
    # Nobody waits for a server that does not run.
    gate.stop()
    assert explain(gate, refused)["reason"] == "sign_in_required", "what was kept outlives the server"
    assert gate.cli("explain", "--request", "unknown", check=False).returncode == 3


def test_a_rule_in_the_shadow_says_what_it_would_have_done(simple):
    gate = simple(rules=[
        {"name": "stricter", "paths": ["/report"], "shadow": True, "deny": "everyone"},
        {"name": "laxer", "paths": ["/page"], "shadow": True, "allow": "everyone"},
        {"name": "same", "shadow": True, "allow": {"groups": ["staff"]}},
        {"allow": {"groups": ["staff"]}},
    ])
    assert gate.get("/report", key=gate.mary_key).status == 200
    line = gate.logged("a shadow rule would have refused")
    assert line
    refused = gate.get("/page")
    assert refused.status == 401
    assert gate.logged("a shadow rule would have allowed")
    told = explain(gate, refused["X-Request-Id"])
    assert told["shadow"] == [{"rule": 1, "rule_name": "laxer", "verdict": "allow"}]
    assert "“laxer” would have said allow" in gate.cli("explain", "--request", refused["X-Request-Id"]).stdout
    other = gate.get("/report")
    assert [item["verdict"] for item in explain(gate, other["X-Request-Id"])["shadow"]] == ["deny"]
    assert explain(gate, gate.get("/else")["X-Request-Id"])["shadow"] == []


def test_a_flood_of_refusals_is_kept_off_the_disk(simple):
    gate = simple()
    key = gate.mary_key
    gate.get("/page", headers=[("X-Request-Id", "before")])
    explain(gate, "before")
    for index in range(300):
        gate.get("/page", headers=[("X-Request-Id", f"flood-{index}")])
    gate.get("/page", headers=[("X-Request-Id", "after")])
    assert explain(gate, "after")["request_id"] == "after"
    assert explain(gate, "flood-299")["request_id"] == "flood-299"
    assert explain(gate, "before")["request_id"] == "before"
    assert gate.get("/page", key=key).status == 200


# Pages


def test_the_page_of_a_refusal_tells_the_person_what_is_missing(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    page = browser.open(APP + "/admin/panel")
    assert page.status == 403 and page["Gatehouse-Reason"] == "group_missing"
    request_id = page["X-Request-Id"]
    assert "mary" in browser.text and "group that you are not in" in browser.text and request_id in browser.text
    assert "admins" not in page.body.decode(), "which group it is, is nobody's business"
    told = explain(gate, request_id)
    assert (told["verdict"], told["reason"], told["user"], told["rule"]) == ("deny", "group_missing", "mary", 1)


def check(gate, path, browser):
    """A proxy asks for a browser; the answer is what nginx would pass on."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies_for("app.example.com").items())
    return request(gate.port, "/.auth/check/nginx", "auth.internal", headers=[
        ("X-Original-URL", APP + path), ("X-Original-Method", "GET"), ("Cookie", cookies), ("Accept", "text/html"),
        ("X-Forwarded-For", "192.0.2.7")])


def test_behind_a_proxy_the_page_tells_the_same_person_alone(portal):
    gate = portal(trusted_proxies=["127.0.0.0/8"])
    mary, stranger, adam = Browser(gate), Browser(gate), Browser(gate)
    sign_in(mary)
    sign_in(adam, user="adam")
    refused = check(gate, "/admin/panel?x=1", mary)
    assert refused.status == 403
    page = refused["Location"]
    assert page == f"{PORTAL}/.auth/denied?request={refused['X-Request-Id']}"
    # At once: what is not written down yet is known as well.
    mary.open(page)
    assert mary.response.status == 403
    assert "group that you are not in" in mary.text and refused["X-Request-Id"] in mary.text
    for other in (stranger, adam):
        other.open(page)
        assert other.response.status == 403 and refused["X-Request-Id"] in other.text
        assert "group" not in other.text and "mary" not in other.text, other.text
    told = explain(gate, refused["X-Request-Id"])
    assert (told["shape"], told["path"], told["address"]) == ("check", "/admin/panel", "192.0.2.7")
    mary.open(page)
    assert "group that you are not in" in mary.text


@pytest.mark.parametrize("value", ["", "a b", "<script>", "x" * 129, "%00", "a%2Fb", "nothing-known"])
def test_the_page_of_a_refusal_believes_no_id(portal, value):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    page = browser.open(PORTAL + "/.auth/denied?request=" + urllib.parse.quote(value, safe="%"))
    assert page.status == 403 and "<script" not in page.body.decode()
    if value != "nothing-known":
        assert not re.search(r"<code>", page.body.decode())


def test_refusals_of_the_pages_are_explained_too(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    page = browser.open(APP + "/two/x")
    assert page.status == 403
    told = eventually(lambda: explain(gate, page["X-Request-Id"]), 10, "the refusal")
    assert (told["verdict"], told["reason"], told["user"], told["shape"]) == ("step_up", "factor_missing", "mary", "portal")
