"""`/.auth/check/nginx` by raw requests: what nginx would send, and what nobody should."""

import pytest

from support.wire import Connection, head, raw, request

IDENTITY = ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Gatehouse-Assertion"]
THE_APPS = ["Cookie", "Authorization", "X-API-Key"]


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    from support.gatehouse import Gatehouse

    rules = [
        {"paths": ["/public/**"], "allow": "everyone"},
        {"paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
        {"paths": ["/scoped/**"], "methods": ["GET"], "allow": {"scopes": ["wiki:read"]}},
        {"paths": ["/office/**"], "networks": ["10.0.0.0/8"], "allow": "everyone"},
        {"allow": {"groups": ["staff"]}},
    ]
    gate = Gatehouse(
        tmp_path_factory.mktemp("check"),
        listen=[{"serve": ["portal", "check"]}],
        trusted_proxies=["127.0.0.1"],
        routes=[{"name": "app", "host": ["app.example.com"], "rules": rules}],
    )
    gate.add_user("mary", ["staff"], name="Mary Major")
    gate.mary_key = gate.add_key("mary")["key"]
    gate.reader_key = gate.add_key("mary", "reader", scopes="wiki:read")["key"]
    gate.start()
    yield gate
    gate.stop()


def ask(gate, path, method="GET", headers=(), address="203.0.113.7", url=None):
    description = [
        ("X-Original-URL", url or f"http://app.example.com{path}"), ("X-Original-Method", method),
        ("X-Forwarded-For", address),
    ]
    return request(gate.port, "/.auth/check/nginx", host="gatehouse", headers=description + list(headers))


def key(gate):
    return [("X-API-Key", gate.mary_key)]


def test_allowed_with_every_header(check):
    response = ask(check, "/page", headers=key(check))
    assert response.status == 200
    assert response["Remote-User"] == "mary" and response["Remote-Email"] == "mary@example.com"
    assert response["Remote-Name"] == "Mary Major" and response["Remote-Groups"] == "staff"
    assert response["Gatehouse-Assertion"].count(".") == 2
    for name in THE_APPS:
        assert response[name] == "", name
    assert response.body == b""


def test_anonymous_gets_every_header_empty(check):
    response = ask(check, "/public/x")
    assert response.status == 200
    for name in IDENTITY + THE_APPS:
        assert response[name] == "", name


def test_what_is_the_apps_is_handed_back(check):
    response = ask(check, "/page", headers=[
        ("Gatehouse-Key", check.mary_key), ("Authorization", "Bearer of-the-app"), ("X-API-Key", "of-the-app"),
        ("Cookie", "a=1; b=2")])
    assert response.status == 200
    assert response["Authorization"] == "Bearer of-the-app"
    assert response["X-API-Key"] == "of-the-app"
    assert response["Cookie"] == "a=1; b=2"


def test_refusals_are_401_and_403_only(check):
    for path, headers, status, code in [
        ("/page", [], 401, "sign_in_required"),
        ("/page", [("X-API-Key", "gate_" + "a" * 49)], 401, "credential_unknown"),
        ("/admin/x", key(check), 403, "group_missing"),
        ("/%61dmin/x", key(check), 403, "group_missing"),
        ("/scoped/x", [("X-API-Key", check.reader_key)], 200, None),
        ("/page", [("X-API-Key", check.reader_key)], 403, "scope_missing"),
        ("/public/../admin", key(check), 403, "path_refused"),
        ("/public/..;/admin", key(check), 403, "path_refused"),
        ("//admin", key(check), 403, "path_refused"),
        ("/public/%2fadmin", key(check), 403, "path_refused"),
    ]:
        response = ask(check, path, headers=headers)
        assert response.status == status, (path, response)
        if code:
            assert response["Gatehouse-Reason"] == code, (path, response)
            assert response["X-Request-Id"] and "Remote-User" not in response
            assert len(response.body) < 2048


def test_challenge_on_401(check):
    assert ask(check, "/page")["WWW-Authenticate"].startswith("Bearer")


def test_method_is_the_described_one(check):
    reader = [("X-API-Key", check.reader_key)]
    assert ask(check, "/scoped/x", "GET", reader).status == 200
    assert ask(check, "/scoped/x", "HEAD", reader).status == 200
    assert ask(check, "/scoped/x", "DELETE", reader).status == 403
    for method in ("TRACE", "CONNECT"):
        response = ask(check, "/public/x", method)
        assert (response.status, response["Gatehouse-Reason"]) == (403, "method_refused")


def test_unknown_host_is_refused(check):
    response = ask(check, "/public/x", url="http://unknown.example.com/public/x")
    assert response.status == 403 and response["Gatehouse-Reason"] == "no_route"


def test_scheme_is_the_routes(check):
    assert ask(check, "/public/x", url="https://app.example.com/public/x").status == 200
    assert ask(check, "/public/x", url="http://app.example.com:8080/public/x").status == 200
    assert ask(check, "/public/x", url="http://APP.example.com./public/x").status == 200


def test_networks_see_the_client_behind_nginx(check):
    assert ask(check, "/office/x", address="10.1.2.3").status == 200
    assert ask(check, "/office/x", address="203.0.113.7").status in (401, 403)
    assert ask(check, "/office/x", address="10.1.2.3, 203.0.113.7").status in (401, 403), "the right-most counts"
    assert ask(check, "/office/x", address="a").status in (401, 403), "no address matches no network"
    assert ask(check, "/office/x", address="").status in (401, 403)


BAD_URLS = [
    "", "app.example.com/public/x", "/public/x", "http://", "http:///public/x",
    "http://app.example.com/public/x y", "http://a@app.example.com/public/x", "ftp://app.example.com/public/x",
    "http://app.example.com:99999/public/x", "http://app.example.com:x/public/x", "http://[::1/public/x",
    "http://app.example.com/public/\x7f", "http://app.example.com/public/\xe9", "http://app.example.com\\public/x",
    "http://app.example.com/public/x#y", "javascript:alert(1)", "http://app.example.com/public/x, http://b/",
]


@pytest.mark.parametrize("url", BAD_URLS, ids=repr)
def test_lesson12_malformed_description_is_never_allowed(check, url):
    data = head("GET", "/.auth/check/nginx", "gatehouse", [
        ("X-Original-URL", url), ("X-Original-Method", "GET"), ("X-Forwarded-For", "203.0.113.7")])
    response = raw(check.port, data)
    assert response.status == 403, response
    # No header of anybody's has a DEL: that head is not read, and the list has no word for it.
    assert ("Gatehouse-Reason" in response) == ("\x7f" not in url), response
    assert all(name not in response for name in IDENTITY)


@pytest.mark.parametrize("missing", ["X-Original-URL", "X-Original-Method"])
def test_missing_description(check, missing):
    description = {"X-Original-URL": "http://app.example.com/public/x", "X-Original-Method": "GET",
                   "X-Forwarded-For": "203.0.113.7"}
    del description[missing]
    response = request(check.port, "/.auth/check/nginx", host="gatehouse", headers=description)
    assert response.status == 403 and response["Gatehouse-Reason"] == "description_missing"


@pytest.mark.parametrize("extra", [
    ("X-Original-URL", "http://app.example.com/admin/x"), ("X_Original_URL", "http://app.example.com/admin/x"),
    ("X-Forwarded-Uri", "/admin/x"), ("X_Forwarded_Uri", "/admin/x"), ("X-Forwarded-Method", "DELETE"),
    ("X-Original-Method", "DELETE"), ("X_Original_Method", "DELETE"), ("X-Forwarded-Host", "other.example.com"),
    ("X_Forwarded_Host", "other.example.com"), ("X-Original-URI", "/admin/x"),
    ("Forwarded", "for=192.0.2.1; Host=other.example.com"), ("X-HTTP-Method-Override", "DELETE"),
    ("X_Http_Method_Override", "DELETE"), ("X-HTTP-Method", "PUT"), ("X-Method-Override", "PATCH"),
], ids=lambda extra: extra[0])
def test_lesson54_second_description_that_differs_is_refused(check, extra):
    response = ask(check, "/public/x", headers=[extra])
    assert response.status == 403 and response["Gatehouse-Reason"] == "description_conflict", response


def test_second_description_that_agrees(check):
    response = ask(check, "/public/x", headers=[
        ("X-Forwarded-Uri", "/public/x"), ("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "app.example.com"),
        ("Forwarded", 'for=192.0.2.1;host="app.example.com:443";proto=https'), ("X-HTTP-Method-Override", "get")])
    assert response.status == 200


def test_untrusted_peer_gets_404(make_gate):
    gate = make_gate(routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}])
    assert ask(gate, "/public/x").status == 404
    assert gate.logged("trusted_proxies")


def test_proxy_secret(make_gate):
    gate = make_gate(
        start=False, trusted_proxies=["127.0.0.1"], proxy_secret={"file": "proxy.secret"},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}])
    secret = gate.folder / "proxy.secret"
    secret.write_text("a-long-secret-of-the-proxy\n")
    secret.chmod(0o600)
    gate.start()
    assert ask(gate, "/public/x").status == 404
    assert ask(gate, "/public/x", headers=[("Gatehouse-Proxy-Secret", "wrong")]).status == 404
    assert ask(gate, "/public/x", headers=[("Gatehouse-Proxy-Secret", "a-long-secret-of-the-proxy")]).status == 200


def test_check_with_a_body_of_the_client(check):
    """`proxy_pass_request_body off` was forgotten: the answer is the same."""
    data = head("GET", "/.auth/check/nginx", "gatehouse", [
        ("X-Original-URL", "http://app.example.com/public/x"), ("X-Original-Method", "POST"),
        ("X-Forwarded-For", "203.0.113.7"), ("Content-Length", "5")]) + b"hello"
    with Connection(check.port) as connection:
        connection.send(data)
        assert connection.read().status == 200


def test_keep_alive(check):
    data = head("GET", "/.auth/check/nginx", "gatehouse", [
        ("X-Original-URL", "http://app.example.com/page"), ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7"), ("X-API-Key", check.mary_key)])
    with Connection(check.port) as connection:
        for _ in range(50):
            connection.send(data)
            assert connection.read().status == 200


def test_revoked_key_is_refused_at_once(check):
    made = check.add_key("mary", "to revoke")
    assert ask(check, "/page", headers=[("X-API-Key", made["key"])]).status == 200
    check.cli("api-key", "revoke", made["id"])
    response = ask(check, "/page", headers=[("X-API-Key", made["key"])])
    assert response.status == 401 and response["Gatehouse-Reason"] == "credential_revoked"
    assert check.event(request_id=response["X-Request-Id"])["ip_address"] == "203.0.113.7"


@pytest.mark.parametrize("name", IDENTITY + ["remote_user", "X_Forwarded_User", "Remote_User"])
def test_forged_identity_means_nothing(check, name):
    assert ask(check, "/page", headers=[(name, "mary")]).status == 401
    response = ask(check, "/public/x", headers=[(name, "f0rged")])
    assert response.status in (200, 403) and "f0rged" not in repr(response)


def test_other_paths_below_check_are_404(check):
    for path in ["/.auth/check/", "/.auth/check", "/.auth/check/unknown", "/.auth/check/nginx/x"]:
        assert request(check.port, path, host="gatehouse", headers=key(check)).status in (404, 421), path


def test_apps_are_not_served_here(check):
    assert request(check.port, "/public/x", host="app.example.com").status == 404
