"""What holds for every operation of the JSON API: walked along its own document, so that a new one is not forgotten."""

import copy
import json
import re
import urllib.parse

import jsonschema_rs
import pytest

from support.authenticator import Authenticator
from support.browser import Browser
from support.portal import PASSWORD, PORTAL, add_person, api, login, portal_cookie, sign_in
from support.wire import request

HOST = "auth.example.com"
SAME = ("Sec-Fetch-Site", "same-origin")
JSON = ("Content-Type", "application/json")


@pytest.fixture
def portal(make_gate, make_origin):
    def make(**settings):
        origin = make_origin()
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}}, sessions={"cookie": {"domain": "example.com"}},
            limits={name: {"rate": "1000/s", "burst": 1000} for name in ("sign_in", "mail")},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
            **settings)
        for person in ("mary", "adam"):
            add_person(gate, person, ["staff"])
        return gate.start()

    return make


def document(gate):
    return request(gate.port, "/.auth/openapi.json", HOST).json()


def operations(gate):
    """(method, path, description) of each."""
    for path, methods in document(gate)["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def raw(gate, method, path, body=None, headers=(), host=HOST):
    return request(gate.port, path, host, method, list(headers), body)


def test_writes_by_cookie_need_the_type_of_json(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    cookie = portal_cookie(browser)
    walked = 0
    for method, path, operation in operations(gate):
        if method == "GET" or operation.get("security") == []:
            continue
        path = re.sub(r"\{[a-z]+\}", "x", path)
        for body in (None, b"", b"{}", b"a=b"):
            for type in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                         "application/jsonx", "text/json", "application/json, text/plain"):
                sent = [*cookie, SAME] + ([("Content-Type", type)] if type else [])
                answer = raw(gate, method, path, body, sent)
                assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type"), (method, path, type)
                assert not answer.all("set-cookie")
        # From another site whatever the type.
        for site in ("same-site", "cross-site", "none"):
            answer = raw(gate, method, path, b"{}", [*cookie, JSON, ("Sec-Fetch-Site", site)])
            assert (answer.status, answer.json()["code"]) == (403, "cross_site"), (method, path, site)
        walked += 1
    assert walked > 15
    assert api(gate, "GET", "/me", headers=cookie).status == 200, "nobody was signed out"
    for type in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        answer = api(gate, "DELETE", "/sessions", headers=[*cookie, SAME, ("Content-Type", type)])
        assert answer.status == 204, type
    # A token is sent by no browser of its own accord.
    token = login(gate).json()["access_token"]
    assert api(gate, "DELETE", "/sessions", token=token).status == 204
    assert api(gate, "POST", "/logout", token=token).status == 204


def test_a_bound_of_a_key_that_is_not_known_is_named(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    answer = api(gate, "POST", "/api-keys", {"name": "k", "metods": ["GET"]}, token)
    assert answer.json()["code"] == "invalid_request" and '"metods"' in answer.json()["detail"]
    for new in ({"methods": ["GET"], "network": ["10.0.0.0/8"]}, {"route": ["app"]}, {"expires": "1d"}, {"Methods": []},
                {"name\0": "x"}, {"": 1}, {"x" * 60_000: 1}):
        answer = api(gate, "POST", "/api-keys", {"name": "k"} | new, token)
        assert answer.status == 400 and len(answer.body) < 2000, (new, answer)
    assert api(gate, "GET", "/api-keys", token=token).json() == []


def test_a_key_is_bound_to_methods(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    made = api(gate, "POST", "/api-keys", {"name": "reader", "methods": ["get"], "routes": ["app"]}, token)
    assert made.status == 201, made
    key = [("X-API-Key", made.json()["api_key"])]
    assert request(gate.port, "/x", "app.example.com", "GET", key).status == 200
    assert request(gate.port, "/x", "app.example.com", "HEAD", key).status == 200
    refused = request(gate.port, "/x", "app.example.com", "POST", key, b"")
    assert (refused.status, refused["Gatehouse-Reason"]) == (403, "key_restricted")
    for bad in ([], ["G T"], ["GET\0"], [""], ["GET"] * 65, "GET", [1], ["É"]):
        assert api(gate, "POST", "/api-keys", {"name": "k", "methods": bad}, token).status == 400, bad


def test_the_words_are_the_apis(portal):
    gate = portal(api_keys={"max_lifetime": "30d", "default_lifetime": "10d", "require_routes": True})
    token = login(gate).json()["access_token"]
    made = api(gate, "POST", "/api-keys", {"name": "k", "routes": ["app"]}, token).json()
    assert api(gate, "DELETE", f"/api-keys/{made['id']}", token=token).status == 204
    refused = [api(gate, "POST", "/api-keys", body, token) for body in (
        {"name": "", "routes": ["app"]}, {"name": "k"}, {"name": "k", "routes": ["app"], "expires_days": 31},
        {"name": "k", "routes": ["app"], "expires_days": 0}, {"name": "k", "routes": ["none"]})]
    refused += [api(gate, "POST", f"/api-keys/{made['id']}/rotate", token=token),
                api(gate, "DELETE", "/api-keys/none", token=token)]
    for answer in refused:
        assert 400 <= answer.status < 500
        assert "--" not in answer.json()["detail"] and "`" not in answer.json()["detail"], answer.body


def test_what_has_ended_is_not_there(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    other = login(gate).json()["session_id"]
    key = api(gate, "POST", "/api-keys", {"name": "k"}, token).json()["id"]
    for path in (f"/sessions/{other}", f"/api-keys/{key}"):
        assert [api(gate, "DELETE", path, token=token).status for _ in range(3)] == [204, 404, 404], path
        assert api(gate, "DELETE", path, token=token).json()["code"] == "not_found"


def test_every_401_has_a_challenge(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    spoiled = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")
    plain, bad = 'Bearer realm="gatehouse"', 'Bearer realm="gatehouse", error="invalid_token"'
    cases = [
        (api(gate, "GET", "/me"), "sign_in_required", plain),
        (api(gate, "GET", "/me", token=spoiled), "credential_unknown", bad),
        (api(gate, "PATCH", "/me", {"name": "x"}, spoiled), "credential_unknown", bad),
        (api(gate, "GET", "/me", headers=[("X-API-Key", "gate_" + "a" * 49)]), "credential_unknown", bad),
        (api(gate, "GET", "/me", token=spoiled, host="app.example.com"), "credential_unknown", bad),
        (api(gate, "GET", "/me", host="app.example.com"), "sign_in_required", plain),
        (login(gate, password="wrong"), "invalid_credentials", plain),
        (login(gate, "nobody"), "invalid_credentials", plain),
        (api(gate, "POST", "/token/refresh", {"refresh_token": "x" * 43}), "invalid_token", plain),
        (api(gate, "POST", "/reauthenticate", {"password": "wrong"}, token), "invalid_credentials", plain),
        (api(gate, "POST", "/token", {"code": "x", "code_verifier": "x"}), "invalid_token", plain),
    ]
    for answer, code, challenge in cases:
        assert (answer.status, answer.json()["code"]) == (401, code), answer.body
        assert answer.all("www-authenticate") == [challenge], (code, answer)
    assert api(gate, "POST", "/logout", token=token).status == 204
    ended = api(gate, "GET", "/me", token=token)
    assert (ended.status, ended.all("www-authenticate")) == (401, [bad])
    # An operation that asks for nobody does not look at what else comes.
    assert api(gate, "POST", "/login", {"email": "mary", "password": PASSWORD}, spoiled).status == 200


def test_two_sessions_in_one_cookie_header_are_nobody(portal):
    gate = portal()
    cookies = []
    for person in ("mary", "adam"):
        browser = Browser(gate)
        sign_in(browser, user=person)
        cookies.append(portal_cookie(browser)[0][1])
    both = [("Cookie", "; ".join(cookies))]
    for method, path in (("GET", "/me"), ("PATCH", "/me"), ("DELETE", "/sessions"), ("POST", "/logout")):
        body = {"name": "x"} if method == "PATCH" else None
        answer = api(gate, method, path, body, headers=both + [SAME, JSON])
        assert (answer.status, answer.json()["code"]) == (401, "credentials_disagree"), answer
    for cookie in cookies:
        assert api(gate, "GET", "/me", headers=[("Cookie", cookie)]).status == 200
    twice = [("Cookie", f"{cookies[0]}; {cookies[0]}")]
    assert api(gate, "GET", "/me", headers=twice).status == 200


def test_a_body_is_json_and_nothing_else(portal):
    gate = portal()
    good = json.dumps({"email": "mary", "password": PASSWORD})
    quoted = json.dumps(PASSWORD)
    bad = [good.encode("utf-16"), good.encode("utf-16-le"), good.encode("utf-32"), b"\xef\xbb\xbf" + good.encode(),
           good[:-1].encode() + b",}", good.encode() + b" {}", b'{"email":"adam",' + good[1:].encode(),
           f'{{"email":"mary","password":"x","password":{quoted}}}'.encode(),
           f'{{"email":"mary","password":"x","passw\\u006frd":{quoted}}}'.encode(),
           good.replace('"', "'").encode(), b"", b"[]", b"null", b'"x"', good.encode()[:-1] + b"\0}",
           b'{"email":"mary","password":"\xff"}', b'{"email":"mary","password":"\\ud800"}', b"[" * 60_000]
    for body in bad:
        answer = api(gate, "POST", "/login", body)
        assert (answer.status, answer.json()["code"]) == (400, "invalid_request"), body[:80]
    assert api(gate, "POST", "/login", good.encode()).status == 200
    assert api(gate, "POST", "/login", b" \n\t" + good.encode() + b"\r\n").status == 200


def test_a_path_that_is_written_out_is_no_id(portal):
    gate = portal()
    for path in ("login", "register"):
        answer = api(gate, "DELETE", f"/passkeys/{path}")
        assert (answer.status, answer["Allow"]) == (405, "POST"), answer
    assert api(gate, "POST", "/passkeys/pk_x")["Allow"] == "PATCH, DELETE"


def test_a_host_that_no_route_names_tells_nothing(portal):
    gate = portal()
    key = [("X-API-Key", gate.add_key("mary")["key"])]
    assert api(gate, "GET", "/me", headers=key, host="app.example.com").json()["username"] == "mary"
    for host in ("evil.example.org", "app.example.com.evil.example", "127.0.0.1", "xapp.example.com"):
        answer = api(gate, "GET", "/me", headers=key, host=host)
        assert (answer.status, answer.json()["code"]) == (421, "no_route"), answer
        assert b"mary" not in answer.body


def test_a_password_of_some_words_is_taken(portal):
    gate = portal()
    token, current = login(gate).json()["access_token"], PASSWORD
    for new in ("new-password-123", "test-password-1", "my-new-password", "mary-password-1", "admin-password-1",
                "whatever new password"):
        answer = api(gate, "POST", "/password/change", {"current_password": current, "password": new}, token)
        assert answer.status == 204, (new, answer.body)
        current = new
    for new in ("password1234", "Password123!", "passwordpassword", "P@ssw0rd1234", "123456789012", "aaaaaaaaaaaa",
                "qwertyuiop12", "mary@example.com", "mary@example.com1", "short"):
        answer = api(gate, "POST", "/password/change", {"current_password": current, "password": new}, token)
        assert (answer.status, answer.json()["code"]) == (400, "invalid_request"), new


# The document and the binary

def taken_bodies():
    """One body for each operation that takes one, by its id: of the right form, and good for nothing."""
    authenticator = Authenticator(PORTAL, HOST)
    made = authenticator.create({"challenge": "AAAA", "rp": {"id": HOST}, "user": {"id": "AAAA", "name": "x"}, "pubKeyCredParams": [
        {"type": "public-key", "alg": -7}]})
    proof = {"type": "public-key", "id": "AAAA", "rawId": "AAAA", "response": {
        "clientDataJSON": "AAAA", "authenticatorData": "A" * 50, "signature": "AAAA", "userHandle": None},
        "clientExtensionResults": {}}
    second = {"two_factor_code": None, "device_name": "x"}
    return {
        "login": {"email": "nobody@example.com", "password": "x"} | second, "refresh": {"refresh_token": "x"},
        "reauthenticate": {"code": "123456"}, "rename": {"name": "x"}, "changeEmail": {"email": "new@example.com"},
        "changePassword": {"current_password": PASSWORD, "password": PASSWORD},
        "createAPIKey": {"name": "x", "scopes": ["wiki:read"], "routes": ["app"], "networks": ["10.0.0.0/8"],
                         "methods": ["GET"], "expires_days": 7},
        "verifyTwoFactor": {"code": "123456"}, "disableTwoFactor": {"code": "123456"},
        "renewBackupCodes": {"code": "123456"}, "addPasskey": made | {"name": "x"},
        "passkeyLogin": proof | second, "renamePasskey": {"name": "x"}, "forgotPassword": {"email": "x@example.com"},
        "resetPassword": {"token": "x", "password": PASSWORD},
        "register": {"email": "x@example.com", "password": PASSWORD, "name": "x", "language": "en"},
        "verifyEmail": {"token": "x", "password": PASSWORD, "name": "x"}, "requestMagicLink": {"email": "x@example.com"},
        "verifyMagicLink": {"token": "x", "passkey": proof, "device_name": None},
        "token": {"code": "x", "code_verifier": "x", "passkey": None} | second,
    }


def variants(body):
    """A body and what differs from it in one place."""
    yield body
    for name, value in body.items():
        yield {other: body[other] for other in body if other != name}
        for strange in (None, 1, 1.5, True, "x", "", [], {}, [1], [""], [None], {"x": 1}, -1, 0, 99999, 10**30):
            yield body | {name: strange}
        if isinstance(value, dict):
            for inner in value:
                yield body | {name: {other: value[other] for other in value if other != inner}}
                for strange in (None, 1, [], {}):
                    yield body | {name: value | {inner: strange}}
    yield body | {"unknown": 1}
    if "two_factor_code" in body:
        yield body | {"two_factor_code": "123456"}
        yield body | {"two_factor_code": "123456", "passkey": {"type": "public-key", "rawId": "AAAA", "response": {
            "clientDataJSON": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA"}}}
    for whole in (None, 1, "x", [], [body], True):
        yield whole


def other_ways(name):
    """What else is taken where several things are."""
    if name != "reauthenticate":
        return []
    proof = taken_bodies()["passkeyLogin"]
    return [{"password": "x"}, {"password": "x", "code": None}, {"password": "x", "code": "x"},
            {"password": None, "code": None}, {}, {name: proof[name] for name in ("type", "id", "rawId", "response")}]


# Of the right form, but not what such a thing is: no schema says it.
NOT_ITS_KIND = {("changeEmail", "email"), ("forgotPassword", "email"), ("register", "email"), ("requestMagicLink", "email"),
                ("register", "password"), ("verifyEmail", "password"), ("resetPassword", "password"),
                ("changePassword", "password"), ("createAPIKey", "scopes"), ("createAPIKey", "routes"),
                ("createAPIKey", "networks"), ("rename", "name"), ("renamePasskey", "name"), ("addPasskey", "name"),
                ("login", "email"), ("addPasskey", "response")}


def test_the_document_says_what_is_taken(portal):
    # Passkeys are for https.
    gate = portal(
        public_url="https://auth.example.com", mail="log",
        login={"registration": "open", "magic_link": {"enabled": True}, "lockout": {"failures": 1000}},
        api_keys={"scopes": {"wiki:read": "Read"}, "max_lifetime": "90d", "default_lifetime": "9d"})
    described = document(gate)
    bodies, walked = taken_bodies(), set()
    token = login(gate).json()["access_token"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            name = operation["operationId"]
            walked.add(name)
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            validator = jsonschema_rs.Draft202012Validator(schema | {"components": described["components"]})
            base = bodies[name]
            assert validator.is_valid(base), (name, list(validator.iter_errors(base)))
            for body in [*variants(base), *other_ways(name)]:
                if name == "createAPIKey":
                    gate_keys(gate, token)
                answer = api(gate, method.upper(), re.sub(r"\{[a-z]+\}", "x", path).removeprefix("/.auth/api"),
                             json.dumps(body).encode(), token)
                assert answer.status != 500, (name, body)
                is_refused = answer.status == 400 and answer.json()["code"] == "invalid_request"
                if validator.is_valid(body):
                    changed = {key for key in body if key not in base or body[key] != base[key]}
                    assert not is_refused or any((name, key) in NOT_ITS_KIND for key in changed | {"response"} & set(
                        body)), (name, body, answer.body)
                else:
                    assert is_refused, (name, body, answer.status, answer.body,
                                        [error.message for error in validator.iter_errors(body)])
                if name in ("reauthenticate", "changePassword") and answer.status in (401, 204):
                    token = login(gate).json()["access_token"]
    assert walked == set(bodies)


def gate_keys(gate, token):
    """So that there is room for one more."""
    for key in api(gate, "GET", "/api-keys?limit=200", token=token).json():
        assert api(gate, "DELETE", f"/api-keys/{key['id']}", token=token).status == 204


def test_the_cookie_is_named_as_it_is(make_gate, portal):
    assert document(portal())["components"]["securitySchemes"]["session"]["name"] == "gatehouse-portal"
    gate = make_gate(
        public_url="https://auth.example.com", upstreams={}, sessions={"cookie": {"name": "door", "domain": "example.com"}},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    assert document(gate)["components"]["securitySchemes"]["session"]["name"] == "__Host-door-portal"
