"""Signing in at a provider that speaks OAuth 2.0 alone: its endpoints and what its answer means are the operator's word.
What is refused, each with a page and in the audit."""

import json

import pytest

from support.browser import Browser
from support.gatehouse import Gatehouse
from support.oauth2 import CLAIMS, GROUPS, PROFILE, OAuth2
from support.portal import APP, PORTAL, add_person, sign_in
from support.wire import request
from test_provider_misbehaves import ANSWERS, BIG, TOKENS, refused, some
from test_providers import come_back, enter, go, last, who


@pytest.fixture(scope="module")
def forge():
    server = OAuth2()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def second():
    server = OAuth2()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def third():
    server = OAuth2()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gate(forge, second, third, tmp_path_factory):
    """One server for all: `forge` takes anyone, `strict` people of one domain and one team, and of what `trusted` says
    the operator vouches for the addresses."""
    unverified = {name: path for name, path in CLAIMS.items() if name != "email_verified"}
    server = Gatehouse(
        tmp_path_factory.mktemp("oauth2"), sessions={"cookie": {"domain": "example.com"}},
        limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [
            forge.settings(name="Forge"),
            second.settings("strict", accept={"domains": ["corp.example"], "groups": ["core"]},
                            token_endpoint_auth_method="client_secret_post"),
            third.settings("trusted", claims=unverified, email_trusted=True)]})
    add_person(server, "mary", ["staff"])
    server.start()
    yield server
    server.stop()


def profile(id=4_711, email="lena@corp.example", confirmed=True, **more):
    data = PROFILE["data"] | {"id": id, "emails": [{"value": email, "confirmed": confirmed}]}
    return PROFILE | {"data": data} | more


def test_there_and_back(gate, forge):
    browser = Browser(gate)
    browser.open(APP + "/wiki?a=b")
    assert "Sign in with Forge" in browser.text
    start = f"{PORTAL}/.auth/oauth/forge?flow={browser.form()[1]['flow']}"
    answer = come_back(browser, *go(browser, forge, "forge", start, any=True), follow=False)
    assert answer.status == 303 and answer["Location"] == APP + "/wiki?a=b"
    me = who(browser)
    assert (me["email"], me["name"], me["email_verified"]) == ("lena@corp.example", "Lena Lind", True)
    assert me["groups"] == ["forge:core", "forge:docs"]
    event = last(gate, "social_account_linked")
    assert event["metadata"]["subject"] == "4711" and event["metadata"]["issuer"] == forge.issuer
    assert forge.authorized_by == "basic"
    # The address and the groups may change; the number stays.
    again = Browser(gate)
    enter(again, forge, "forge", **profile(email="lena@new.example", **{"https://forge.example/teams": "docs"}))
    assert (who(again)["id"], who(again)["groups"]) == (me["id"], ["forge:docs"])


def test_a_secret_in_the_form_and_restrictions_that_hold(gate, second):
    second.behave()
    browser = Browser(gate)
    enter(browser, second, "strict", **profile("strict", "strict@corp.example"))
    assert who(browser)["email"] == "strict@corp.example" and second.authorized_by == "post"


def test_the_operators_word_for_every_address(gate, third):
    browser = Browser(gate)
    enter(browser, third, "trusted", **profile(1, "trusted@corp.example", confirmed=None))
    assert who(browser)["email_verified"] is True


@pytest.mark.parametrize("confirmed", [False, None, 1, "yes", "True", [True], {"true": True}])
def test_an_address_that_nothing_verifies_links_and_makes_nothing(gate, forge, confirmed):
    for email in ("mary@example.com", "nobody@corp.example"):
        browser = Browser(gate)
        assert enter(browser, forge, "forge", **profile(99, email, confirmed)).status == 403
        assert who(browser) is None and last(gate)["reason"] == "email_not_verified"


def test_linking_takes_no_address(gate, forge):
    browser = Browser(gate)
    sign_in(browser, page=APP + "/")
    browser.open(PORTAL + "/.auth/account/providers")
    link = [part.split('"')[0] for part in browser.response.body.decode().split('href="')
            if part.startswith("/.auth/oauth/forge?link=")][0]
    come_back(browser, *go(browser, forge, start=PORTAL + link, **profile(7, "else@corp.example", False)))
    assert "It is linked" in browser.text
    other = Browser(gate)
    enter(other, forge, "forge", **profile(7, "else@corp.example", False))
    assert who(other)["username"] == "mary" and who(other)["email"] == "mary@example.com"


def test_it_proves_nobody_anew_and_ends_no_sessions(gate, forge):
    browser = Browser(gate)
    sign_in(browser, page=APP + "/")
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account")
    assert "/.auth/oauth/forge" not in browser.response.body.decode()
    answer = browser.send("GET", f"{PORTAL}/.auth/oauth/forge?flow={browser.form()[1]['flow']}")
    assert answer.status == 403 and last(gate)["metadata"]["error"] == "too_old"
    answer = request(gate.port, "/.auth/oauth/forge/logout", "auth.example.com", "POST",
                     [("Content-Type", "application/x-www-form-urlencoded")], b"logout_token=a.b.c")
    assert answer.status == 400 and who(browser)


# What is refused


# Answers and tokens are judged where any provider's are: test_provider_misbehaves.py.
@pytest.mark.parametrize("name", some(
    [name for name in ANSWERS if name not in ("the issuer with a slash", "no issuer although it is promised")],
    ["no state", "another issuer", "the person has said no", "a code of nobody"]))
def test_answers_that_are_none(gate, second, name):
    change, error = ANSWERS[name]
    second.behave()
    browser = Browser(gate)
    address, fields = go(browser, second, "strict", any=True)
    refused(gate, browser, come_back(browser, address, change(fields), follow=False), error, "strict")


def test_the_issuer_that_is_configured_may_be_named(gate, second):
    second.behave()
    browser = Browser(gate)
    address, fields = go(browser, second, "strict", **profile("strict", "strict@corp.example"))
    assert come_back(browser, address, fields | {"iss": second.issuer}, follow=False).status == 303


def data(**changes):
    return {"profile": PROFILE | {"data": PROFILE["data"] | changes}}


def info(status, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"info": (status, headers, body)}


def addresses(*values):
    return data(emails=[{"value": value, "confirmed": True} for value in values])


INFO = {
    "no subject": (data(id=None), "bad_userinfo"),
    "an empty subject": (data(id=""), "bad_userinfo"),
    "an enormous subject": (data(id="x" * 300), "bad_userinfo"),
    "a subject with a NUL": (data(id="lena\0"), "bad_userinfo"),
    "a subject that is a list": (data(id=[1]), "bad_userinfo"),
    "a subject that is an object": (data(id={"id": 1}), "bad_userinfo"),
    "a subject that is true": (data(id=True), "bad_userinfo"),
    "a subject with a fraction": (data(id=1.5), "bad_userinfo"),
    "a subject that no number holds": (data(id=2 ** 70), "bad_userinfo"),
    "a path into nothing": ({"profile": {"data": "lena"}}, "bad_userinfo"),
    "a list on the way": ({"profile": {"data": [PROFILE["data"]]}}, "bad_userinfo"),
    "a list": (info(200, [PROFILE]), "bad_userinfo"),
    "a text": (info(200, "lena"), "bad_userinfo"),
    "no JSON": (info(200, b"<html>"), "bad_userinfo"),
    "nothing": (info(200, b""), "bad_userinfo"),
    "members twice": (info(200, b'{"data":{"id":1,"id":2}}'), "bad_userinfo"),
    "a failure": (info(500, b"{}"), "bad_userinfo"),
    "refused": (info(401, b"{}"), "bad_userinfo"),
    "a redirect": (info(302, b"{}", Location="/stolen"), "bad_userinfo"),
    "too long": (info(200, BIG), "provider_unavailable"),
    "no address": (data(emails=[]), "not_accepted"),
    "an address that is none": (addresses("lena"), "not_accepted"),
    "an address elsewhere": (addresses("lena@evil.example"), "not_accepted"),
    "another address of the person's": (addresses("lena@evil.example", "lena@corp.example"), "not_accepted"),
    "lesson07: two @": (addresses("lena@evil.example@corp.example"), "not_accepted"),
    "an address with a NUL": (addresses("lena@corp.example\0"), "not_accepted"),
    "a list of addresses": (data(emails=[{"value": ["lena@corp.example"], "confirmed": True}]), "not_accepted"),
    "an address that nobody has verified": (
        data(emails=[{"value": "lena@corp.example", "confirmed": False}]), "not_accepted"),
    "a mark of another address": (
        data(emails=[{"value": "lena@corp.example"}, {"value": "b@corp.example", "confirmed": True}]), "not_accepted"),
    "an index that is none": (data(emails={"0": "lena@corp.example"}), "not_accepted"),
    "no teams": ({"profile": PROFILE | {"https://forge.example/teams": []}}, "not_accepted"),
    "other teams": ({"profile": PROFILE | {"https://forge.example/teams": ["Core", "core ", "forge:core"]}},
                    "not_accepted"),
    "teams that are no texts": ({"profile": PROFILE | {"https://forge.example/teams": ["core", 1]}}, "not_accepted"),
    "teams that are a map": ({"profile": PROFILE | {"https://forge.example/teams": {"core": True}}}, "not_accepted"),
}


def table():
    kept = {"the code is refused", "an error with 200", "it redirects", "no access token"}
    for name, (how, error) in TOKENS.items():
        if "ID token" not in name:
            marks = () if name in kept else pytest.mark.long
            yield pytest.param(how, error, id=f"tokens: {name}", marks=marks)
    for name, (how, error) in INFO.items():
        yield pytest.param(how, error, id=f"user info: {name}")


@pytest.mark.parametrize("how, error", list(table()))
def test_what_a_provider_may_not_say(gate, second, how, error):
    how = dict(how)
    person = how.pop("profile", PROFILE)
    second.behave(**how)
    before = len(second.visits)
    browser = Browser(gate)
    address, fields = go(browser, second, "strict", **person)
    refused(gate, browser, come_back(browser, address, fields, follow=False), error, "strict")
    assert "/stolen" not in second.visits[before:]
    second.behave()


def test_a_secret_that_is_not_ours_and_a_provider_that_is_gone(make_gate):
    forge, gone = OAuth2(), OAuth2()
    gone.stop()
    gate = make_gate(
        limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [forge.settings(client_secret="another"), gone.settings("gone")]})
    browser = Browser(gate)
    refused(gate, browser, enter(browser, forge, "forge", any=True), "code_refused", "forge")
    address, fields = go(browser, gone, "gone", any=True)
    answer = come_back(browser, address, fields, follow=False)
    refused(gate, browser, answer, "provider_unavailable", "gone")
    assert answer.status == 503
    forge.stop()


# The configuration


def test_redirect_uris_and_restrictions_that_cannot_be_proved(make_gate, forge, tmp_path):
    from support.apple import Apple
    apple = Apple()
    settings = {"start": False, "routes": [
        {"name": "app", "host": ["app.example.com"], "rules": [{"allow": {"groups": ["forge:core"]}}]}]}
    gate = make_gate(login={"providers": [forge.settings(), apple.settings(tmp_path)]}, **settings)
    assert gate.json("check-config")["redirect_uris"] == {
        "forge": PORTAL + "/.auth/oauth/forge/callback", "apple": PORTAL + "/.auth/oauth/apple/callback"}
    bare = {"claims": {"subject": "id"}, "create_users": False, "groups": {}}
    for id, change, what in [
        ("domains", bare | {"accept": {"domains": ["corp.example"]}}, "accept.domains: cannot be proved"),
        ("emails", bare | {"accept": {"emails": ["a@corp.example"]}}, "accept.emails: cannot be proved"),
        ("groups", bare | {"accept": {"groups": ["core"]}}, "accept.groups: cannot be proved"),
        ("orgs", {"accept": {"organizations": ["core"]}}, "accept.organizations: cannot be proved"),
        ("creates", bare | {"create_users": True}, "create_users: can make no account"),
        ("claims", bare | {"claim_accounts": ["corp.example"]}, "claim_accounts: can sign in to no account"),
        ("plain", {"token_endpoint": "http://idp.example.com/token"}, "token_endpoint"),
        ("path", {"claims": CLAIMS | {"subject": "a..b"}}, "claims.subject"),
    ]:
        gate = make_gate(id, login={"providers": [forge.settings(**change)]}, **settings)
        result = gate.cli("check-config", check=False)
        assert result.returncode == 2 and what in result.stderr, (id, result)
    for id, change, what in [
        ("hosted", {"accept": {"hosted_domains": ["corp.example"]}}, "accept.hosted_domains: cannot be proved"),
        ("owns", {"claim_accounts": ["icloud.com"]}, "owns no e-mail domain"),
        ("secret", {"client_secret": "x"}, "leave it out"), ("scope", {"scopes": ["profile"]}, "no scope"),
        ("unasked", {"scopes": ["openid"]}, "create_users: can make no account: Apple tells the address only where"),
        ("teams", {"groups": {"claim": "groups"}}, "groups.claim: has no effect"),
    ]:
        gate = make_gate(id, login={"providers": [apple.settings(tmp_path, **change)]}, **settings)
        result = gate.cli("check-config", check=False)
        assert result.returncode == 2 and what in result.stderr, (id, result)
    apple.stop()


def test_a_check_says_that_there_was_nothing_to_look_at(gate, forge):
    before = list(forge.visits)
    found = gate.json("provider", "check", "forge")
    assert "good" not in found and found["checked"] == [] and found["token_endpoint"]
    assert "not checked" in gate.cli("provider", "check", "forge").stdout
    assert forge.visits == before
