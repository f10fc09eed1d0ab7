"""The JSON API of the portal, links that set and lift, and keys of their owners."""

import re
import urllib.parse

import pytest

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, portal, portal_cookie, sign_in  # noqa: F401 - a fixture
from support.wire import request


@pytest.mark.parametrize("bad", [
    "//evil.example", "/\\evil.example", "/%09/evil.example", "https:evil.example", "https://evil.example/",
    "http://app.example.com.evil.example/", "http://app.example.com@evil.example/", "http://evilapp.example.com/",
    "https://app.example.com/", "http://app.example.com:8443/", "javascript:alert(1)", "/\t/evil.example",
    "http://app\u3002example.com/", "/.auth/logout"])
def test_lesson09_no_open_redirect(portal_once, bad):
    gate = portal_once
    browser = Browser(gate)
    url = PORTAL + "/.auth/login?return_to=" + urllib.parse.quote(bad, "")
    page = browser.send("GET", url)
    assert page.status == 200 and b"evil" not in page.body.lower()
    answer = browser.submit(follow=False, identifier="mary", password=PASSWORD)
    assert (answer.status, answer["Location"]) == (303, "/.auth/account")
    again = browser.send("GET", url)
    assert (again.status, again["Location"]) == (303, "/.auth/account")


@pytest.fixture(scope="module")
def portal_once(tmp_path_factory):
    from support.gatehouse import Gatehouse

    gate = Gatehouse(
        tmp_path_factory.mktemp("portal"), sessions={"cookie": {"domain": "example.com"}},
        limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    add_person(gate, "mary", ["staff"])
    gate.start()
    yield gate
    gate.stop()


def test_the_password_is_changed_on_its_page(portal):
    gate = portal()
    here, there = Browser(gate), Browser(gate)
    sign_in(here)
    sign_in(there)
    here.open(PORTAL + "/.auth/account/security")
    assert here.submit(current="wrong password", new="another quiet heron swims").status == 403
    assert here.submit(current=PASSWORD, new="short").status == 400
    assert here.submit(current=PASSWORD, new="another quiet heron swims").status == 200
    assert there.send("GET", APP + "/").status == 303
    assert here.send("GET", APP + "/").status == 200
    assert login(gate).status == 401
    assert login(gate, password="another quiet heron swims").status == 200


# The API


def test_tokens_are_used_and_refreshed_once(portal):
    gate = portal()
    answer = login(gate, device_name="my script")
    tokens = answer.json()
    assert answer.status == 200 and not answer.all("set-cookie") and answer["Cache-Control"] == "no-store"
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "session_id"}
    assert tokens["token_type"] == "bearer" and tokens["expires_in"] == 900
    assert gate.get("/", headers=[("Authorization", f"Bearer {tokens['access_token']}")]).status == 200
    [session] = api(gate, "GET", "/sessions", token=tokens["access_token"]).json()
    assert session["id"] == tokens["session_id"] and session["is_current"] and session["device_name"] == "my script"
    assert set(session) == {"id", "device_name", "ip_address", "user_agent", "created_at", "last_activity", "is_current"}
    new = api(gate, "POST", "/token/refresh", {"refresh_token": tokens["refresh_token"]}).json()
    assert new["session_id"] == tokens["session_id"] and new["refresh_token"] != tokens["refresh_token"]
    used = api(gate, "POST", "/token/refresh", {"refresh_token": tokens["refresh_token"]})
    assert (used.status, used.json()["code"]) == (401, "invalid_token")
    assert api(gate, "POST", "/token/refresh", {"refresh_token": new["refresh_token"]}).status == 401, "ends the family"
    assert api(gate, "GET", "/me", token=new["access_token"]).status == 401


def test_me_and_what_may_change_it(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    me = api(gate, "GET", "/me", token=token).json()
    assert set(me) == {"id", "email", "email_verified", "username", "name", "groups", "factors"}
    assert (me["username"], me["groups"], me["email_verified"], me["factors"]) == ("mary", ["staff"], True, 1)
    assert api(gate, "PATCH", "/me", {"name": "M. Major"}, token).json()["name"] == "M. Major"
    assert api(gate, "GET", "/me").status == 401
    key = gate.add_key("mary")["key"]
    assert api(gate, "GET", "/me", headers=[("X-API-Key", key)]).status == 403
    issued = gate.json("token", "issue", "--user", "mary")["access_token"]
    assert api(gate, "PATCH", "/me", {"name": "x"}, issued).status == 403
    assert api(gate, "POST", "/logout", token=token).status == 204
    assert api(gate, "GET", "/me", token=token).status == 401


def test_writes_by_cookie_need_their_proof(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    cookie = portal_cookie(browser)
    good = ("Sec-Fetch-Site", "same-origin")
    for headers in ([], [("Sec-Fetch-Site", "same-site")], [("Origin", "null")], [("Origin", APP)]):
        assert api(gate, "PATCH", "/me", {"name": "x"}, headers=cookie + headers).status == 403, headers
        assert api(gate, "DELETE", "/sessions", headers=cookie + headers).status == 403, headers
        assert api(gate, "POST", "/logout", headers=cookie + headers).status == 403, headers
    assert api(gate, "PATCH", "/me", b"{}", headers=cookie + [good, ("Content-Type", "text/plain")]).status == 415
    assert api(gate, "PATCH", "/me", b"{", headers=cookie + [good]).status == 400
    assert api(gate, "PATCH", "/me", {"name": "x"}, headers=cookie + [good]).status == 200
    assert api(gate, "PATCH", "/me", {"name": "y"}, headers=cookie + [("Origin", PORTAL)]).status == 200
    assert login(gate).status == 200 and api(gate, "POST", "/login", b"email=a",
                                             headers=[("Content-Type", "text/plain")]).status == 415
    assert api(gate, "POST", "/logout", headers=cookie + [good]).status == 415
    assert api(gate, "POST", "/logout", {}, headers=cookie + [good]).status == 204
    assert browser.send("GET", APP + "/").status == 303


def test_the_document_describes_what_there_is(portal):
    gate = portal()
    document = request(gate.port, "/.auth/openapi.json", "auth.example.com").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method in operations:
            real = path.replace("{id}", "nothing")
            answer = request(gate.port, real, "auth.example.com", method.upper())
            assert answer.status not in (404, 405), (method, path, answer)


def test_a_check_sends_people_to_sign_in(portal):
    gate = portal(trusted_proxies=["127.0.0.1"])
    navigation = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]

    def check(path, headers, method="GET"):
        return request(gate.port, "/.auth/check/nginx", "auth.example.com", "GET", [
            ("X-Original-URL", APP + path), ("X-Original-Method", method), *headers])

    refused = check("/wiki?a=b", navigation)
    assert refused.status == 401
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(refused["Location"]).query)["return_to"] == [APP + "/wiki?a=b"]
    assert "Location" not in check("/wiki", []) and "Location" not in check("/wiki", navigation, "POST")
    browser = Browser(gate)
    sign_in(browser)
    session = browser.cookies_for("app.example.com")["gatehouse"]
    allowed = check("/wiki", [("Cookie", f"a=1; gatehouse={session}; b=2")])
    assert (allowed.status, allowed["Remote-User"], allowed["Cookie"]) == (200, "mary", "a=1; b=2")
    assert check("/wiki", [("Cookie", f"gatehouse={session}")])["Cookie"] == ""
    denied = check("/admin/", navigation + [("Cookie", f"gatehouse={session}")])
    assert denied.status == 403
    assert denied["Location"] == f"{PORTAL}/.auth/denied?request={denied['X-Request-Id']}"


# Links and keys


def test_a_link_sets_a_password_once(portal):
    gate = portal()
    signed_in = Browser(gate)
    sign_in(signed_in)
    url = gate.json("user", "link", "mary", "--kind", "reset-password")["link"]
    assert url.startswith(PORTAL + "/.auth/reset-password/")
    browser = Browser(gate)
    for _ in range(3):
        assert browser.open(url).status == 200, "to look uses nothing up"
    assert browser.submit(new="short").status == 400
    body = urllib.parse.urlencode({"new": "another quiet heron swims"}).encode()
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    assert browser.send("POST", url, [kind, ("Sec-Fetch-Site", "cross-site")], body, navigate=False).status == 403
    browser.open(url)
    assert browser.submit(new="another quiet heron swims").status == 200
    assert "is set" in browser.text
    assert browser.open(url).status == 400 and "not good any more" in browser.text
    assert browser.send("POST", url, [kind, ("Sec-Fetch-Site", "same-origin")], body, navigate=False).status == 400
    assert signed_in.send("GET", APP + "/").status == 303, "other sessions end"
    assert login(gate).status == 401
    assert login(gate, password="another quiet heron swims").status == 200


def test_an_invitation_is_accepted_on_its_page(portal):
    gate = portal()
    url = gate.json("user", "add", "new@example.com", "--username", "newcomer", "--groups", "staff", "--invite")["link"]
    browser = Browser(gate)
    browser.open(url)
    assert "Set up your account" in browser.text
    assert browser.submit(new="another quiet heron swims").status == 200
    assert sign_in(browser, user="newcomer", password="another quiet heron swims").status == 200
    assert gate.origin.last.all("remote-user") == ["newcomer"]


def test_a_lock_is_lifted_by_its_link(portal):
    gate = portal(login={"lockout": {"failures": 2, "period": "30m"}})
    for _ in range(2):
        login(gate, password="wrong password")
    assert login(gate).json()["code"] == "account_locked"
    browser = Browser(gate)
    browser.open(gate.json("user", "link", "mary", "--kind", "unlock")["link"])
    assert login(gate).status == 403, "a GET lifts nothing"
    assert browser.submit().status == 200
    assert login(gate).status == 200


def test_links_that_nobody_made(portal):
    gate = portal()
    browser = Browser(gate)
    for page in ("reset-password", "verify-email", "unlock"):
        for token in ("x", "A" * 43, "%41" * 43, "a.b", "-" * 4000):
            answer = browser.send("GET", f"{PORTAL}/.auth/{page}/{token}")
            assert answer.status in (400, 404), (page, token, answer)
            assert b"A" * 43 not in answer.body
    assert api(gate, "POST", "/password/reset", {"token": "A" * 43, "password": PASSWORD + "!"}).status == 401
    assert api(gate, "POST", "/email/verify", {"token": "A" * 43}).status == 401


def test_lesson34_a_forgotten_password_tells_nobody_who_has_an_account(portal):
    gate = portal(mail="log", limits={"exempt_networks": ["127.0.0.0/8"]})
    answers = set()
    for email in ("mary@example.com", "nobody@example.com", "MARY@example.com"):
        browser = Browser(gate)
        browser.open(PORTAL + "/.auth/login")
        browser.open(PORTAL + "/.auth/forgot-password")
        answers.add((browser.submit(email=email).status, browser.response.body))
        answer = api(gate, "POST", "/password/forgot", {"email": email})
        answers.add((answer.status, answer.body))
    assert {status for status, _ in answers} == {200, 202} and len(answers) == 2


def test_without_mail_there_is_no_page_that_asks_for_some(portal):
    gate = portal()
    assert request(gate.port, "/.auth/forgot-password", "auth.example.com").status == 404
    assert api(gate, "POST", "/password/forgot", {"email": "mary@example.com"}).status == 403


def test_keys_are_made_and_revoked_by_their_owner(portal):
    gate = portal(api_keys={"scopes": {"wiki:read": "Read the wiki"}})
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/api-keys")
    assert "Read the wiki" in browser.text
    assert browser.submit(name="").status == 400
    made = browser.submit(name="<b>laptop</b>", days="30")
    assert made.status == 200
    key = re.search(r"gate_[0-9A-Za-z]{49}", browser.text)[0]
    assert b"<b>laptop" not in made.body
    assert gate.get("/public/x", key=key).status == 200
    assert gate.origin.last.all("remote-user") == ["mary"]
    browser.open(PORTAL + "/.auth/account/api-keys")
    assert key not in browser.response.body.decode() and key[:12] in browser.text
    browser.submit()
    assert "The key is revoked." in browser.text
    assert api(gate, "GET", "/me", headers=[("X-API-Key", key)]).status == 401


def test_keys_by_the_api(portal):
    gate = portal(api_keys={"scopes": {"wiki:read": "Read the wiki"}})
    token = login(gate).json()["access_token"]
    answer = api(gate, "POST", "/api-keys", {"name": "script", "scopes": ["wiki:read"], "expires_days": 7}, token)
    assert answer.status == 201 and set(answer.json()) == {"id", "api_key", "key_prefix"}
    [shown] = api(gate, "GET", "/api-keys", token=token).json()
    assert set(shown) == {"id", "name", "key_prefix", "scopes", "routes", "last_used_at", "expires_at", "created_at"}
    assert shown["key_prefix"] == answer.json()["api_key"][:12] and shown["scopes"] == ["wiki:read"]
    assert api(gate, "POST", "/api-keys", {"name": "x", "scopes": ["wiki:write"]}, token).status == 400
    assert api(gate, "POST", "/api-keys", {"name": "x", "networks": ["10.0.0.1/8"]}, token).status == 400
    assert api(gate, "POST", "/api-keys", {"name": "x", "expires_days": 0}, token).status == 400
    adams = login(gate, "adam").json()["access_token"]
    assert api(gate, "DELETE", f"/api-keys/{shown['id']}", token=adams).status == 404
    assert api(gate, "POST", f"/api-keys/{shown['id']}/rotate", token=token).status == 201
    assert api(gate, "DELETE", f"/api-keys/{shown['id']}", token=token).status == 204
