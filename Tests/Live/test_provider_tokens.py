"""The access tokens of providers: to the apps of routes that say so, refreshed once for all, and nowhere to be seen."""

import concurrent.futures
import hashlib
import json
import re
import urllib.parse

import pytest

from support.browser import Browser
from support.glewlwyd import Glewlwyd, is_installed
from support.portal import APP, PORTAL, api, login
from support.provider import b64
from support.token_provider import TokenProvider
from support.waiting import eventually
from test_provider_glewlwyd import go as go_to_glewlwyd
from test_providers import LENA, come_back, enter, go, make_portal, who  # noqa: F401

NAME = "X-Forwarded-Access-Token"
TOLD = "http://told.example.com"


@pytest.fixture
def make_token_provider():
    made = []

    def make(*arguments, **more):
        made.append(TokenProvider(*arguments, **more))
        return made[-1]

    yield make
    for provider in made:
        provider.open.set()
        provider.stop()


def route(name, host=None, **more):
    return {"name": name, "host": [host or f"{name}.example.com"], "upstream": "app", "forward_access_token": True,
            "rules": [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": "signed_in"}]} | more


def token(browser, url=TOLD + "/", headers=()):
    """What the app of that address got as token; exactly one header of the name came to it."""
    response = browser.send("GET", url, headers, navigate=False)
    assert response.status == 200, (response.status, response.body)
    return browser.gate.origin.requests[-1][NAME]


def everything(gate):
    """All bytes that are kept or written of this server, but for its configuration."""
    files = [path for path in gate.folder.rglob("*") if path.is_file() and path.name != "gatehouse.yaml"]
    assert any(path.name == "data.mdb" for path in files)
    return b"".join(path.read_bytes() for path in files)


def test_lesson48_it_goes_to_the_apps_that_may_have_it_and_is_seen_nowhere_else(make_portal, make_token_provider):  # noqa: F811
    corp, other = make_token_provider(), make_token_provider()
    gate = make_portal(
        corp.settings(), other.settings(id="other"), trusted_proxies=["127.0.0.0/8"],
        log={"format": "json", "level": "debug", "requests": "all"},
        routes=[route("told"), route("corp-only", providers=["corp"])]).start()
    lena, otto = Browser(gate), Browser(gate)
    enter(lena, corp, **LENA)
    enter(otto, other, "other", sub="otto", email="otto@corp.example", email_verified=True)
    seen = {lena: token(lena), otto: token(otto)}
    assert seen[lena] == corp.given[0] and seen[otto] == other.given[0]
    # Of the providers that the route names, and of no route that does not say so.
    assert token(lena, "http://corp-only.example.com/") == seen[lena]
    assert token(otto, "http://corp-only.example.com/") == ""
    for browser in (lena, otto):
        assert browser.send("GET", APP + "/", navigate=False).status == 200
        assert NAME not in gate.origin.requests[-1]
    # Nobody's and somebody else's kind of session have none, and a client's own is never the app's.
    stranger = Browser(gate)
    assert token(stranger, TOLD + "/public/x", [(NAME, "forged"), ("x_forwarded_access_token", "forged")]) == ""
    assert token(lena, headers=[("X_Forwarded.Access-Token", "forged")]) == seen[lena]
    assert b"forged" not in b"".join(request.head for request in gate.origin.requests)
    gate.add_user("mary")
    key = gate.add_key("mary")["key"]
    assert token(stranger, headers=[("X-API-Key", key)]) == ""
    # By a check it is in the answer, for that session.
    asked = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "told.example.com"), ("X-Forwarded-Uri", "/"),
             ("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "192.0.2.1")]
    answer = lena.send("GET", TOLD + "/.auth/check/traefik", asked, navigate=False)
    assert (answer.status, answer[NAME]) == (200, seen[lena])
    # Pages, API answers, command line.
    shown = []
    for page in ("", "/sessions", "/security", "/api-keys", "/activity", "/providers"):
        shown.append(lena.send("GET", f"{PORTAL}/.auth/account{page}").body)
    for path in ("me", "sessions", "audit-logs", "social-accounts", "api-keys"):
        shown.append(lena.send("GET", f"{PORTAL}/.auth/api/{path}", navigate=False).body)
    for command in (("audit", "list"), ("audit", "export"), ("session", "list"), ("user", "list")):
        shown.append(gate.cli(*command, "--json").stdout.encode())
    shown.append(gate.cli("explain", "GET", TOLD + "/", "--user", "lena@corp.example").stdout.encode())
    assert all(shown)
    gate.stop()
    shown.append(everything(gate))
    for secret in corp.given + other.given:
        for text in shown:
            assert secret.encode() not in text


def test_one_refresh_for_all_who_ask_at_once(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(lifetime=1)
    gate = make_portal(corp.settings(), routes=[route("told")], workers=2).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    first = corp.given[0]
    corp.lifetime = 3600
    # The token of one second is refreshed when it is due; whatever came before that was the first.
    eventually(lambda: token(browser) != first, 30, "a refresh")
    second = corp.given[2]
    assert token(browser) == second and len(corp.refreshes) == 1
    # Again, held at the provider while many ask.
    corp.lifetime = 1
    corp.open.clear()
    again = Browser(gate)
    enter(again, corp, **LENA)
    corp.lifetime = 3600
    eventually(lambda: _asked(again, corp, 2), 30, "a refresh")


def _asked(browser, corp, count):
    """Asks until the provider has been asked, then lets nine more wait with it, and answers."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(browser.send, "GET", TOLD + "/", (), None, False)]
        eventually(lambda: len(corp.refreshes) >= count or waiting[0].done(), 30, "the provider to be asked")
        if len(corp.refreshes) < count:
            return False
        waiting += [pool.submit(browser.send, "GET", TOLD + "/", (), None, False) for _ in range(9)]
        # The app of another route is not kept waiting.
        assert browser.send("GET", APP + "/", navigate=False).status == 200
        corp.open.set()
        assert [answer.result().status for answer in waiting] == [200] * 10
    # One that was still good went on as it was, and was refreshed beside that.
    eventually(lambda: token(browser) == corp.given[-2], 30, "the new token")
    assert len(corp.refreshes) == count
    return True


def test_a_provider_that_fails_stops_nobody_and_nothing_stale_goes_on(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(lifetime=1)
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    corp.behave(refresh=(503, {}, b"try later"))
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    eventually(lambda: token(browser) == "", 30, "the end of the token")
    gate.logged("the tokens of a session could not be refreshed")
    # It is back: the next try, a few seconds later, has a token again.
    corp.lifetime = 3600
    corp.behave()
    eventually(lambda: token(browser) == corp.given[-2], 60, "a new token")
    assert who(browser)["email"] == "lena@corp.example"


def test_a_provider_that_says_no_ends_the_token_and_not_the_session(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(lifetime=1)
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    corp.refresh_tokens.clear()
    eventually(lambda: token(browser) == "", 30, "the end of the token")
    event = gate.event(30, event_type="provider_tokens_dropped", reason="invalid_grant")
    assert event["user"] == "lena@corp.example" and event["metadata"] == {"provider": "corp"} and not event["success"]
    asked = len(corp.refreshes)
    assert token(browser) == "" and len(corp.refreshes) == asked
    assert who(browser)["email"] == "lena@corp.example"
    # By the next sign-in there is one again.
    corp.lifetime = 3600
    enter(browser, corp, **LENA)
    assert token(browser) == corp.given[-2]


def test_a_token_that_is_too_long_is_not_kept(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider()
    corp.padding = 9000
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    assert token(browser) == ""
    assert gate.event(30, event_type="provider_tokens_dropped", reason="too_large")["metadata"]["bytes"] > 9000


def test_it_ends_with_its_session_and_is_not_kept_for_nobody(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider()
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser, other = Browser(gate), Browser(gate)
    enter(browser, corp, **LENA)
    enter(other, corp, **LENA)
    assert token(browser) and token(other)
    answer = browser.send("GET", PORTAL + "/.auth/api/sessions", navigate=False)
    gate.cli("session", "revoke", next(entry["id"] for entry in json.loads(answer.body) if entry["is_current"]))
    assert browser.send("GET", TOLD + "/", navigate=False).status == 401
    assert token(other) == corp.given[2]
    # Taken out of the configuration, and back: what was kept is gone, and nobody is given it.
    settings = dict(gate.settings)
    gate.write(settings | {"routes": [route("told", forward_access_token=False)] + settings["routes"][1:]})
    gate.cli("reload")
    assert other.send("GET", TOLD + "/", navigate=False).status == 200
    assert NAME not in gate.origin.requests[-1]
    gate.write(settings)
    gate.cli("reload")
    assert token(other) == ""


def test_kill_9_in_the_middle_of_a_refresh(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(lifetime=1)
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    corp.open.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        def ask():
            try:
                while not corp.refreshes:
                    browser.send("GET", TOLD + "/", navigate=False)
            except Exception:
                # It was killed under this.
                return

        asking = pool.submit(ask)
        eventually(lambda: corp.refreshes, 30, "the provider to be asked")
        gate.kill()
        asking.result(30)
    # The provider has not answered, so the old refresh token is still the one that is known.
    corp.lifetime = 3600
    corp.behave(refresh=(503, {}, b""))
    corp.open.set()
    gate.start()
    corp.behave()
    eventually(lambda: token(browser) not in ("", corp.given[0]), 60, "a new token after the restart")
    # Killed behind it: what was handed on is on the disk.
    kept = token(browser)
    gate.kill()
    gate.start()
    assert token(browser) == kept
    assert gate.cli("audit", "verify").returncode == 0


def test_another_client_of_the_provider_is_not_given_what_the_one_before_had(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider()
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    assert token(browser) == corp.given[0]
    settings = dict(gate.settings)
    gate.write(settings | {"login": {"providers": [corp.settings(client_id="another")]}})
    gate.cli("reload")
    assert token(browser) == ""
    # Nor is it there again for the first one: it was dropped.
    gate.write(settings)
    gate.cli("reload")
    assert token(browser) == "" and not corp.refreshes


def test_a_previous_master_key_opens_it(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(lifetime=3600)
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA)
    gate.stop()
    gate.cli("keygen", "--out", str(gate.folder / "new.key"), config=False)
    gate.settings |= {"master_key": {"file": "new.key"}, "previous_master_keys": [{"file": "master.key"}]}
    gate.write(gate.settings)
    gate.start()
    assert token(browser) == corp.given[0]


def test_an_app_that_is_told_nothing_costs_no_scope_and_no_row(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider(scopes_supported=["openid", "offline_access"])
    gate = make_portal(corp.settings(), routes=[route("told", forward_access_token=False)]).start()
    browser = Browser(gate)
    assert "offline_access" not in browser.send("GET", f"{PORTAL}/.auth/oauth/corp")["Location"]
    enter(browser, corp, **LENA)
    assert browser.send("GET", TOLD + "/", navigate=False).status == 200 and NAME not in gate.origin.requests[-1]
    settings = dict(gate.settings)
    gate.write(settings | {"routes": [route("told")] + settings["routes"][1:]})
    gate.cli("reload")
    assert "offline_access" in browser.send("GET", f"{PORTAL}/.auth/oauth/corp")["Location"]
    assert token(browser) == ""


@pytest.mark.skipif(not is_installed(), reason="glewlwyd is not installed")
def test_at_a_provider_that_others_wrote(make_portal, tmp_path):  # noqa: F811
    glewlwyd = Glewlwyd(tmp_path / "glewlwyd", PORTAL + "/.auth/oauth/corp/callback", access_token_lasts=4)
    try:
        glewlwyd.add_user("lena", "lena@corp.example")
        gate = make_portal(glewlwyd.settings(), routes=[route("told")]).start()
        browser = Browser(gate)
        come_back(browser, *go_to_glewlwyd(browser, glewlwyd, "lena"), follow=False)
        first = token(browser)
        assert re.fullmatch(r"ey[\w-]+\.[\w-]+\.[\w-]+", first), gate.log_text()[-2000:]
        # Its refresh tokens roll: the second refresh is by the one that the first has brought.
        seen = [first]
        for _ in range(2):
            eventually(lambda: token(browser) not in seen + [""], 60, "another token")
            seen.append(token(browser))
        assert glewlwyd.user_info(seen[-1])["email"] == "lena@corp.example"
        gate.stop()
        kept = everything(gate)
        assert not any(secret.encode() in kept for secret in seen)
    finally:
        glewlwyd.stop()


def test_sessions_of_programs(make_portal, make_token_provider):  # noqa: F811
    corp = make_token_provider()
    gate = make_portal(corp.settings(), routes=[route("told")]).start()
    gate.add_user("mary")
    gate.cli("user", "set-password", "mary", input="a correct horse battery\n")
    # By a password there is no provider.
    bearer = login(gate, "mary", "a correct horse battery").json()["access_token"]
    assert token(Browser(gate), headers=[("Authorization", f"Bearer {bearer}")]) == ""
    assert api(gate, "GET", "/me", token=bearer).status == 200
    # By one, its token is the session's, whatever the session is by.
    verifier = "v" * 43
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    browser = Browser(gate)
    address, fields = go(
        browser, corp, start=f"{PORTAL}/.auth/api/oauth/corp?response=token&code_challenge={challenge}", **LENA)
    code = json.loads(browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", navigate=False).body)["code"]
    answer = api(gate, "POST", "/token", {"code": code, "code_verifier": verifier})
    bearer = answer.json()["access_token"]
    assert token(Browser(gate), headers=[("Authorization", f"Bearer {bearer}")]) == corp.given[0]
    assert not any(secret.encode() in answer.body for secret in corp.given)
