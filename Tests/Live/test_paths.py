"""Spellings of a path, readings of it, and which rule decides."""

import json

import pytest

from support.wire import raw

SPELLINGS_OF_ADMIN = [
    "/admin/x", "/admin", "/admin/", "/%61dmin/x", "/%61%64%6d%69%6e/x", "/admi%6E/x", "/admin;x/y", "/admin;a=b;c=d/x",
    "/admin;/x", "/admin/x;y", "/admin/x?public=1", "/admin/../admin/x", "/admin?/public/", "/admin/%78", "/admin%3Bx/y",
    "/admin/x/", "/admin/x/y/z", "/%61dmin", "/%61dmin/",
]
REFUSED = [
    "/public/../admin/x", "/public/..;/admin", "/public/..;x=y/admin", "/public/%2e%2e/admin", "/public/%2E./admin",
    "/public/.%2e/admin", "/./admin/x", "/%2e/admin", "/public/.;/x", "/public/%2fadmin", "/public%2Fx", "/public%5cx",
    "/public/%5C..%5Cadmin", "/public\\x", "//admin/x", "/public//x", "/public/x//", "/public/%00", "/public/x%00.html",
    "/public/%0a", "/public/%0D%0A", "/public/%7f", "/public/%1f", "/public/%", "/public/%2", "/public/%zz",
    "/public/%2x", "/public/%252e%252e/admin", "/public/%252fadmin", "/public/%255cx", "/public/%2500", "/public/x#y",
    "/public/..%3bx/admin", "/public/%2e%2e;x/admin", "/..", "/public/..", "/.", "/public/.", "/%252e",
]
ALLOWED = [
    "/public/x", "/public", "/public/", "/public/%20x", "/public/a%23b", "/public/a%3fb", "/public/a;b=c", "/public/~x",
    "/public/%C3%A9", "/public/a.b", "/public/...", "/public/..x", "/public/x..", "/public/.x", "/public/x?a=/../b",
    "/public/x?a=//&b=%2f%00", "/public/a+b", "/public/a%2Bb", "/public/a:b@c", "/%70ublic/x", "/public/%25", "/public/%2541",
]


@pytest.mark.parametrize("path", SPELLINGS_OF_ADMIN)
def test_spelling_of_admin_gets_the_verdict_of_admin(gate, path):
    mary, adam = gate.get(path, key=gate.mary_key), gate.get(path, key=gate.adam_key)
    if mary.status == 400:
        assert adam.status == 400 and "path_refused" == mary.code
        return
    assert mary.status == 403 and mary.code == "group_missing", mary
    assert adam.status == 200
    assert gate.get(path).status == 401


@pytest.mark.parametrize("path", REFUSED)
def test_ambiguous_path_is_refused(gate, origin, path):
    before = len(origin.requests)
    response = gate.get(path, key=gate.adam_key)
    assert response.status == 400, response
    assert len(origin.requests) == before


@pytest.mark.parametrize("path", ALLOWED)
def test_plain_path_is_forwarded_as_it_came(gate, origin, path):
    assert gate.get(path).status == 200
    assert origin.last.target == path


def test_first_rule_that_matches_decides(gate):
    refusal = gate.get("/first/x", key=gate.mary_key)
    assert refusal.status == 403 and refusal.code == "group_missing"
    assert gate.get("/first/x").status == 401
    assert gate.get("/first/x", key=gate.adam_key).status == 200
    assert gate.get("/first/x", method="POST").status == 200


def test_single_star_stays_in_its_segment(gate):
    assert gate.get("/none/x", key=gate.mary_key).status == 403
    assert gate.get("/none/x/y", key=gate.mary_key).status == 200
    assert gate.get("/none", key=gate.mary_key).status == 200


def test_query_is_never_looked_at(gate):
    for path in ["/page?/public/", "/page?x=/public/x", "/page?", "/page?;/public/"]:
        assert gate.get(path).status == 401, path


def test_methods(gate):
    assert gate.get("/scoped/x", key=gate.reader_key, method="HEAD").status == 200, "GET covers HEAD"
    assert gate.get("/scoped/x", key=gate.reader_key, method="POST").status == 403
    assert gate.get("/public/x", method="PROPFIND").status == 200, "other tokens pass"
    assert gate.get("/scoped/x", key=gate.reader_key, method="get").status == 403, "methods are case-sensitive"


def test_preflight(gate):
    asks = [("Origin", "https://x.example.com"), ("Access-Control-Request-Method", "PUT")]
    assert gate.get("/cors/x", method="OPTIONS", headers=asks).status == 200
    assert gate.get("/cors/x", method="OPTIONS", headers=asks[:1]).status == 401
    assert gate.get("/cors/x", method="GET", headers=asks).status == 401


def test_no_rule_is_no(simple):
    gate = simple(rules=[{"paths": ["/public/**"], "allow": "everyone"}])
    response = gate.get("/page", key=gate.mary_key)
    assert response.status == 403 and response.code == "no_rule"


def test_route_by_host(gate):
    assert gate.get("/x", host="APP.Example.COM").status == 401
    assert gate.get("/public/x", host="app.example.com.").status == 200
    assert gate.get("/public/x", host="app.example.com:1234").status == 200
    assert gate.get("/x", host="a.wild.example.com").status == 200
    assert gate.get("/x", host="wild.example.com").status == 421
    unknown = gate.get("/x", host="unknown.example.com")
    assert unknown.status == 421 and unknown.code == "no_route"
    assert gate.get("/x", host="evilapp.example.com").status == 421
    assert gate.get("/x", host="app.example.com.evil.example").status == 421


def test_route_without_upstream(gate):
    response = gate.get("/x", host="nowhere.example.com")
    assert response.status == 404 and response.code == "no_upstream"


def test_strip_prefix(gate, origin):
    assert gate.get("/app/public/x?y", host="stripped.example.com").status == 200
    assert origin.last.target == "/public/x?y"
    assert gate.get("/app/page", host="stripped.example.com").status == 401
    assert gate.get("/app", host="stripped.example.com", key=gate.mary_key).status == 200
    assert origin.last.target == "/"
    assert gate.get("/application", host="stripped.example.com", key=gate.mary_key).status == 421


@pytest.mark.parametrize("path", [
    "/admin%2Fx", "/admin%2fx", "/%2fadmin/x", "//admin/x", "/admin%5cx", "/x/%2e%2e%2fadmin", "/public/..%2fadmin",
])
def test_kept_slashes_are_judged_in_every_reading(gate, path):
    response = gate.get(path, host="slashes.example.com", key=gate.mary_key)
    assert response.status in (400, 403), response


@pytest.mark.parametrize("path", ["/files/a%2Fb", "/files//b", "/files/a%5Cb"])
def test_kept_slashes_are_forwarded(gate, origin, path):
    assert gate.get(path, host="slashes.example.com").status == 200
    assert origin.last.target == path


def test_absolute_form_is_forwarded_in_origin_form(gate, origin):
    response = raw(gate.port, b"GET http://app.example.com/public/x?y HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
    assert response.status == 200
    assert origin.last.target == "/public/x?y"


def test_ignore_path_case(simple):
    rules = [{"paths": ["/Admin/**"], "allow": {"groups": ["admins"]}}, {"allow": "everyone"}]
    gate = simple(rules=rules, route={"ignore_path_case": True})
    for path in ["/admin/x", "/ADMIN/x", "/Admin", "/%41DMIN"]:
        assert gate.get(path, key=gate.mary_key).status == 403, path
    assert gate.get("/page").status == 200


def test_rule_sets_and_shadow(simple):
    gate = simple(
        rules="staff",
        rule_sets={"staff": [
            {"name": "watched", "paths": ["/**"], "shadow": True, "deny": "everyone"},
            {"allow": {"groups": ["staff"]}},
        ]},
    )
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert gate.get("/page").status == 401


def test_a_rule_of_a_set_is_told_by_its_place_in_the_set(make_gate):
    gate = make_gate(
        start=False, rule_sets={"shared": [{"paths": ["/x/**"], "allow": "everyone"}, {"allow": "signed_in"}]},
        routes=[{"name": "a", "host": ["a.example.com"], "paths": ["/a/**"], "rules": "shared"},
                {"name": "b", "host": ["b.example.com"], "rules": "shared"}])
    for host in ["a", "b"]:
        assert gate.json("explain", "GET", f"http://{host}.example.com/a")["rule"] == 1, host


def test_a_refusal_is_told_of_the_route_whose_rule_refused(make_gate, make_origin):
    gate = make_gate(
        upstreams={"app": {"url": [make_origin().url]}}, log={"format": "json", "requests": "all"},
        trusted_proxies=["127.0.0.1"], routes=[
            {"name": "open", "upstream": "app", "paths": ["/open/**"], "rules": [{"allow": "everyone"}]},
            {"name": "rest", "upstream": "app", "rules": [{"allow": "everyone", "methods": ["POST"]}, {
                "name": "closed", "deny": "everyone"}]}])
    described = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/open;x")]
    inline = gate.get("/open;x", headers=[("X-Request-Id", "inline")])
    check = gate.get("/.auth/check/traefik", headers=described + [("X-Request-Id", "check")])
    assert (inline.status, inline.code, check.status, check.code) == (403, "rule_denied") * 2
    lines = [json.loads(line) for line in gate.logged('"inline"', '"check"').splitlines()]
    told = {line["request_id"]: (line["route"], line["rule"]) for line in lines if line["message"] == "request"}
    assert told == {"inline": ("rest", "closed"), "check": ("rest", "closed")}
    assert gate.event(reason="rule_denied")["route"] == "rest"
    assert 'route="rest",shape="inline",verdict="deny",reason="rule_denied"} 1' in gate.monitor_get("/metrics")[1]


# `explain` gives the verdict of the running server


@pytest.mark.parametrize("method,path,user,verdict,reason", [
    ("GET", "/public/x", None, "allow", None),
    ("GET", "/admin/x", "adam", "allow", None),
    ("GET", "/admin/x", "mary", "deny", "group_missing"),
    ("GET", "/admin/x", None, "sign_in", "sign_in_required"),
    ("GET", "/%61dmin/x", "mary", "deny", "group_missing"),
    ("GET", "/public/..;/admin", "adam", "deny", "path_refused"),
    ("GET", "/factors/x", "mary", "step_up", "factor_missing"),
    ("POST", "/scoped/x", "mary", "deny", None),
    ("GET", "/page", "mary", "allow", None),
])
def test_explain(gate, method, path, user, verdict, reason):
    arguments = ["explain", method, f"http://app.example.com{path}"] + (["--user", user] if user else [])
    result = gate.cli(*arguments, "--json", check=False)
    said = json.loads(result.stdout)
    assert said["verdict"] == verdict, said
    if reason:
        assert said["reason"] == reason, said
    if verdict == "allow":
        headers = {name.lower(): value for name, value in dict(said["headers"]).items()}
        assert headers["remote-user"] == (user or "")
    assert said.get("route") == "app" or reason == "path_refused"


def test_explain_says_null_where_there_is_nothing(gate):
    shape = ("verdict", "route", "rule", "reason", "headers")
    allowed = gate.json("explain", "GET", "http://app.example.com/public/x")
    assert [allowed[name] for name in shape[:4]] == ["allow", "app", 1, None]
    nowhere = gate.json("explain", "GET", "http://nobody.example.org/x")
    assert {name: nowhere[name] for name in shape} == {
        "verdict": "deny", "route": None, "rule": None, "reason": "no_route", "headers": {}}


@pytest.mark.parametrize("method,path,verdict,reason,status", [
    ("TRACE", "/page", "deny", "method_refused", 405), ("connect", "/page", "deny", "method_refused", 405),
    ("GET", "/" + "a" * 9000, "deny", "too_large", 414), ("GET", "/page?" + "a" * 9000, "deny", "too_large", 414),
    ("GET", "/a/%25%32%65/x", "deny", "path_refused", 400), ("GET", "/a%00", "deny", "path_refused", 400),
    ("GET", "/a%2fb", "deny", "path_refused", 400), ("GET", "/public/;a/b", "deny", "path_refused", 400),
])
def test_explain_refuses_what_the_server_refuses_before_any_rule(gate, method, path, verdict, reason, status):
    said = gate.json("explain", method, f"http://app.example.com{path}", "--user", "adam")
    assert (said["verdict"], said["reason"], said["rule"]) == (verdict, reason, None), said
    served = gate.get(path, method=method, key=gate.adam_key)
    assert (served.status, served["Gatehouse-Reason"]) == (status, reason)


def test_explain_of_the_portals_own_pages(gate):
    portal = "http://auth.example.com"
    for path in ("/.auth/login", "/.auth/api/me", "/.well-known/change-password", "/"):
        said = gate.json("explain", "GET", portal + path)
        assert (said["verdict"], said["route"], said["rule"], said["reason"]) == ("allow", None, None, None), path
    assert gate.json("explain", "GET", portal + "/page")["reason"] == "no_route"
    assert gate.json("explain", "GET", "http://app.example.com/.auth/check/nginx")["reason"] == "peer_untrusted"
    assert gate.json("explain", "GET", "http://app.example.com/.authx")["route"] == "app"


@pytest.mark.parametrize("method,url", [
    ("G T", "http://app.example.com/"), ("", "http://app.example.com/"), ("G" * 65, "http://app.example.com/"),
    ("GET", "http://us er@app.example.com/"), ("GET", "http://mary@app.example.com/"), ("GET", "http:///x"),
    ("GET", "app.example.com/x"), ("GET", "http://app.example.com:99999/"),
])
def test_explain_of_what_is_no_request_is_wrong_usage(gate, method, url):
    assert gate.cli("explain", method, url, check=False).returncode == 2


def test_explain_looks_where_the_route_looks(simple):
    gate = simple(route={"credentials_from": ["key"]})
    url = "http://app.example.com/page"
    assert gate.json("explain", "GET", url, "--user", "mary")["verdict"] == "sign_in"
    made = gate.add_key("mary", "asked")
    assert gate.json("explain", "GET", url, "--api-key", made["id"])["verdict"] == "allow"


def test_lesson37_letters_that_some_take_for_one_are_one(simple):
    """`ſ` is an `S` in upper case, `ı` an `I`, the Kelvin sign a `k` in lower case."""
    rules = [{"paths": ["/secret/**", "/admin/**", "/kiosk/**"], "allow": {"groups": ["admins"]}}, {"allow": "everyone"}]
    gate = simple(rules=rules, route={"ignore_path_case": True})
    for path in ["/secret/x", "/%C5%BFecret/x", "/adm%C4%B1n/x", "/ADM%C4%B0N", "/%E2%84%AAiosk", "/SECRE%54"]:
        assert gate.get(path, key=gate.mary_key).status == 403, path
    assert gate.get("/page/%C5%BF").status == 200


def test_explain_with_a_key_and_an_expectation(gate):
    made = gate.add_key("mary", "explained", scopes="wiki:read")
    url = "http://app.example.com/scoped/x"
    assert gate.json("explain", "GET", url, "--api-key", made["id"])["verdict"] == "allow"
    assert gate.json("explain", "POST", url, "--api-key", made["id"])["reason"] == "scope_missing"
    assert gate.cli("explain", "GET", url, "--api-key", made["id"], "--expect", "allow", check=False).returncode == 0
    assert gate.cli("explain", "GET", url, "--api-key", made["id"], "--expect", "deny", check=False).returncode == 1


def test_explain_with_a_token(make_gate, make_origin, make_issuer, tmp_path):
    """A foreign token and one of ours, for an operator who may not read the master key."""
    issuer, origin = make_issuer(), make_origin()
    gate = make_gate(
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                 "rules": [{"allow": {"groups": ["staff", "corp:staff"]}}]}],
        jwt={"issuers": [issuer.settings()]},
    )
    gate.add_user("mary", ["staff"])
    own = gate.json("token", "issue", "--user", "mary")["access_token"]
    (gate.folder / "master.key").unlink()
    url, token = "http://app.example.com/page", tmp_path / "token"
    for text, user in ((issuer.token("ES256", groups=["staff"]), "corp:"), (own, "mary")):
        token.write_text(text + "\n")
        said = gate.json("explain", "GET", url, "--jwt", token)
        assert said["verdict"] == "allow" and said["headers"]["Remote-User"].startswith(user)
    token.write_text(own[:-4] + "AAAA")
    assert json.loads(gate.cli("explain", "GET", url, "--jwt", token, "--json", check=False).stdout)["verdict"] == "deny"


def test_explain_an_unknown_host(gate):
    said = json.loads(gate.cli("explain", "GET", "http://unknown.example.com/", "--json", check=False).stdout)
    assert said["verdict"] == "deny" and said["reason"] == "no_route"
