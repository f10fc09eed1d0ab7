"""Signing in at a provider that behaves: there and back, to which account, linking, groups, tokens for API clients."""

import concurrent.futures
import json
import time
import urllib.parse

import pytest

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, sign_in
from support.provider import Provider, b64

LENA = {"sub": "lena", "email": "lena@corp.example", "email_verified": True, "name": "Lena Lind"}


@pytest.fixture
def make_provider():
    made = []

    def make(*arguments, **metadata):
        made.append(Provider(*arguments, **metadata))
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def provider(make_provider):
    return make_provider()


@pytest.fixture
def make_portal(make_gate, make_origin):
    """A portal with these providers, and an app for whoever is signed in."""

    def make(*providers, rules=None, login=None, routes=(), **settings):
        origin = make_origin()
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}},
            sessions={"cookie": {"domain": "example.com"}}, login={"providers": list(providers)} | (login or {}),
            limits={"exempt_networks": ["127.0.0.0/8"]},
            routes=[*routes, {"name": "app", "host": ["app.example.com"], "upstream": "app",
                              "rules": rules or [{"allow": "signed_in"}]}], **settings)
        gate.origin = origin
        return gate

    return make


def go(browser, provider, id="corp", start=None, **person):
    """From the start to the provider; the callback's address."""
    response = browser.send("GET", start or f"{PORTAL}/.auth/oauth/{id}")
    assert response.status == 303, response.body
    address, fields = provider.authorize(response["Location"], **(person or LENA))
    return address, fields


def come_back(browser, address, fields, follow=True):
    response = browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", site="cross-site")
    return browser.follow(response) if follow else response


def enter(browser, provider, id="corp", **person):
    """A whole sign-in, without following where it leads."""
    return come_back(browser, *go(browser, provider, id, **person), follow=False)


def who(browser):
    """The account that the browser is signed in to; None for nobody."""
    response = browser.send("GET", PORTAL + "/.auth/api/me", navigate=False)
    return json.loads(response.body) if response.status == 200 else None


def last(gate, type="sign_in"):
    return gate.audit("--type", type, "--limit", "1")[0]


def test_a_person_comes_back_to_the_page_first_asked_for(make_portal, provider):
    gate = make_portal(provider.settings(name="Corp & Co")).start()
    browser = Browser(gate)
    browser.open(APP + "/wiki/Start?a=b&c=%2F")
    assert "Sign in with Corp & Co" in browser.text
    link = f"{PORTAL}/.auth/oauth/corp?flow={browser.form()[1]['flow']}"
    address, fields = go(browser, provider, start=link, **LENA)
    assert address == PORTAL + "/.auth/oauth/corp/callback"
    answer = come_back(browser, address, fields, follow=False)
    assert answer.status == 303 and answer["Location"] == APP + "/wiki/Start?a=b&c=%2F"
    assert browser.follow(answer).status == 200
    me = who(browser)
    assert (me["email"], me["name"], me["email_verified"]) == ("lena@corp.example", "Lena Lind", True)
    assert last(gate)["metadata"]["method"] == "oauth:corp"


def test_the_same_person_is_the_same_account_whatever_the_provider_calls_them(make_portal, provider):
    gate = make_portal(provider.settings()).start()
    first = Browser(gate)
    enter(first, provider, **LENA)
    again = Browser(gate)
    enter(again, provider, **(LENA | {"email": "lena.new@corp.example", "name": "Other"}))
    assert who(first)["id"] == who(again)["id"]
    assert who(again)["email"] == "lena@corp.example"


def test_what_the_id_token_lacks_is_in_the_user_info(make_portal, provider):
    gate = make_portal(provider.settings()).start()
    provider.behave(claims={"email": None, "email_verified": None, "name": None})
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    assert who(browser)["email"] == "lena@corp.example"
    assert "/userinfo" in provider.visits


def test_groups_of_the_provider_are_those_of_the_last_sign_in(make_portal, provider):
    gate = make_portal(
        provider.settings(groups={"add": ["visitors"], "prefix": "corp:"}),
        rules=[{"allow": {"groups": ["corp:staff"]}}]).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA, groups=["staff", "no group", "gatehouse-admins"])
    assert who(browser)["groups"] == ["corp:gatehouse-admins", "corp:staff", "visitors"]
    assert browser.open(APP + "/").status == 200
    other = Browser(gate)
    enter(other, provider, **LENA, groups=[])
    assert who(browser)["groups"] == ["visitors"]
    assert browser.open(APP + "/").status == 403


def test_form_post_ends_like_a_redirect(make_portal, provider):
    gate = make_portal(provider.settings()).start()
    browser = Browser(gate)
    address, fields = go(browser, provider, **LENA)
    jar, browser.jar = browser.jar, {}
    response = browser.send("POST", address, [("Content-Type", "application/x-www-form-urlencoded")],
                            urllib.parse.urlencode(fields).encode(), site="cross-site")
    assert response.status == 303 and response["Referrer-Policy"] == "no-referrer"
    browser.jar = jar
    browser.follow(response)
    assert who(browser)["email"] == "lena@corp.example"


def test_both_ways_of_client_authentication(make_portal, make_provider):
    basic = make_provider(token_endpoint_auth_methods_supported=None)
    post = make_provider(token_endpoint_auth_methods_supported=["client_secret_post"])
    gate = make_portal(basic.settings("basic"), post.settings("post")).start()
    for id, provider in (("basic", basic), ("post", post)):
        browser = Browser(gate)
        enter(browser, provider, id, **(LENA | {"email": f"{id}@corp.example"}))
        assert who(browser)["email"] == f"{id}@corp.example"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384", "ES512", "EdDSA"])
def test_signatures_of_every_kind(make_portal, make_provider, algorithm):
    provider = make_provider(algorithm)
    provider.behave(claims={"at_hash": None})
    gate = make_portal(provider.settings()).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    assert who(browser)


def test_new_keys_of_the_provider_are_fetched_when_they_are_met(make_portal, provider):
    gate = make_portal(provider.settings()).start()
    enter(Browser(gate), provider, **LENA)
    from support.issuer import Key
    provider.key = Key("two", "RS256")
    provider.keys = [provider.key]
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    assert who(browser)


def test_routes_offer_their_providers_alone(make_portal, make_provider):
    corp, other = make_provider(), make_provider()
    gate = make_portal(
        corp.settings(), other.settings("other", name="Other"),
        routes=[{"name": "staff", "host": ["app.example.com"], "paths": ["/staff/**"], "upstream": "app",
                 "providers": ["corp"], "rules": [{"allow": "signed_in"}]}]).start()
    browser = Browser(gate)
    browser.open(APP + "/staff/x")
    page = browser.response.body.decode()
    assert "/.auth/oauth/corp?flow=" in page and "oauth/other" not in page and 'name="password"' not in page
    assert "<script" not in page, "a passkey is another way in"
    browser.open(APP + "/else")
    page = browser.response.body.decode()
    assert "oauth/corp" in page and "oauth/other" in page and 'name="password"' in page


def test_check_config_names_the_redirect_uris(make_portal, provider):
    gate = make_portal(provider.settings("corp"))
    result = gate.cli("check-config")
    assert "corp: http://auth.example.com/.auth/oauth/corp/callback" in result.stdout
    assert gate.json("check-config")["redirect_uris"] == {"corp": PORTAL + "/.auth/oauth/corp/callback"}
    assert "anyone who has an account there gets in" in result.stderr


def test_linking_listing_and_unlinking(make_portal, provider):
    gate = make_portal(provider.settings(create_users=False))
    add_person(gate, "mary", ["staff"])
    gate.start()
    browser = Browser(gate)
    sign_in(browser, page=APP + "/")
    browser.open(PORTAL + "/.auth/account/providers")
    link = [part.split('"')[0] for part in browser.response.body.decode().split('href="')
            if part.startswith("/.auth/oauth/corp?link=")][0]
    come_back(browser, *go(browser, provider, start=PORTAL + link, **LENA))
    assert "It is linked" in browser.text and "lena@corp.example" in browser.text
    assert last(gate, "social_account_linked")["user"] == "mary"
    other = Browser(gate)
    enter(other, provider, **LENA)
    assert who(other)["username"] == "mary"
    browser.submit("/.auth/account/providers")
    assert "not linked any more" in browser.text
    assert who(other) is None
    assert enter(Browser(gate), provider, **LENA).status == 403
    assert last(gate, "social_account_unlinked")["user"] == "mary"


def test_the_last_way_to_sign_in_stays(make_portal, provider):
    gate = make_portal(provider.settings()).start()
    browser = Browser(gate)
    # Who does not say when they proved themselves is asked first.
    enter(browser, provider, **LENA)
    browser.open(PORTAL + "/.auth/account/providers")
    browser.submit("/.auth/account/providers")
    assert "last way" not in browser.text and "step_up" in browser.url
    browser = Browser(gate)
    enter(browser, provider, **(LENA | {"auth_time": int(time.time())}))
    browser.open(PORTAL + "/.auth/account/providers")
    browser.submit("/.auth/account/providers")
    assert browser.response.status == 403 and "last way" in browser.text
    enter(browser, provider, **LENA)
    assert who(browser)


def test_lesson33_tokens_for_an_api_client(make_portal, provider):
    import hashlib
    gate = make_portal(provider.settings()).start()
    verifier = "v" * 43
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    start = f"{PORTAL}/.auth/api/oauth/corp?response=token&code_challenge={challenge}"

    def code():
        browser = Browser(gate)
        address, fields = go(browser, provider, start=start, **LENA)
        response = browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", navigate=False)
        assert response.status == 200 and not [line for line in response.all("set-cookie") if "portal" in line]
        return json.loads(response.body)["code"]

    exchange = {"code": code(), "code_verifier": verifier}
    tokens = json.loads(api(gate, "POST", "/token", exchange).body)
    assert tokens["token_type"] == "bearer"
    token = tokens["access_token"]
    links = json.loads(api(gate, "GET", "/social-accounts", token=token).body)
    assert [(link["provider"], link["subject"]) for link in links] == [("corp", "lena")]
    assert api(gate, "DELETE", f"/social-accounts/{links[0]['id']}", token=token).status == 403
    # Used, somebody else's, made up.
    assert api(gate, "POST", "/token", exchange).status == 401
    wrong = code()
    assert api(gate, "POST", "/token", {"code": wrong, "code_verifier": "w" * 43}).status == 401
    assert api(gate, "POST", "/token", {"code": wrong, "code_verifier": verifier}).status == 401
    assert api(gate, "POST", "/token", {"code": "x\0", "code_verifier": verifier}).status == 401
    # Without a challenge there is nothing to hold a client to (lesson 33).
    for query in ("", "?response=token", "?response=token&code_challenge=short",
                  f"?response=token&code_challenge={challenge}&code_challenge_method=plain"):
        assert api(gate, "GET", "/oauth/corp" + query).status == 400
    page = Browser(gate)
    come_back(page, *go(page, provider, start=start, **LENA))
    assert "Continue as lena@corp.example" in page.text
    page.submit()
    assert "Give this code to the program" in page.text


@pytest.mark.parametrize("flows", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_lesson71_a_thousand_flows_of_two_browsers_never_exchange_users(make_portal, provider, flows):
    gate = make_portal(provider.settings()).start()
    people = {name: LENA | {"sub": name, "email": f"{name}@corp.example"} for name in ("ann", "ben")}
    first = {}
    for name in people:
        browser = Browser(gate)
        go(browser, provider)
        first[name] = dict(browser.jar)

    def begin(name):
        browser = Browser(gate)
        browser.jar = dict(first[name])
        return name, *go(browser, provider, **people[name])

    def end(flow):
        name, address, fields = flow
        browser = Browser(gate)
        browser.jar = dict(first[name])
        response = come_back(browser, address, fields, follow=False)
        return name, response.status, (who(browser) or {}).get("email")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        began = list(pool.map(begin, list(people) * (flows // 2)))
        ended = list(pool.map(end, reversed(began)))
    assert len(ended) == flows and all(status == 303 and email == f"{name}@corp.example" for name, status, email in ended)
    # And one browser's answer is nothing to the other.
    browser = Browser(gate)
    browser.jar = dict(first["ann"])
    address, fields = go(browser, provider, **people["ann"])
    browser.jar = dict(first["ben"])
    assert come_back(browser, address, fields, follow=False).status == 403


def test_a_reload_keeps_flows_and_takes_new_providers(make_portal, make_provider):
    corp, other = make_provider(), make_provider()
    gate = make_portal(corp.settings()).start()
    browser = Browser(gate)
    address, fields = go(browser, corp, **LENA)
    gate.settings["login"]["providers"].append(other.settings("other"))
    gate.write(gate.settings)
    gate.cli("reload")
    come_back(browser, address, fields)
    assert who(browser)
    assert enter(Browser(gate), other, "other", **(LENA | {"email": "o@corp.example"})).status == 303


def test_a_step_up_at_the_provider(make_portal, provider):
    gate = make_portal(provider.settings(), rules=[{"allow": "signed_in"}]).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    before = dict(browser.jar)
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account")
    link = [part.split('"')[0] for part in browser.response.body.decode().split('href="')
            if part.startswith("/.auth/oauth/corp?flow=")][0]
    answer = come_back(browser, *go(browser, provider, start=PORTAL + link, **LENA), follow=False)
    assert answer["Location"] == PORTAL + "/.auth/account" and browser.jar != before
    assert last(gate, "reauthenticated")["success"] is True
    # Not asked anew, and somebody else.
    for person, status in ((LENA | {"auth_time": 1}, 403), (LENA | {"sub": "other"}, 403)):
        browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account")
        link = [part.split('"')[0] for part in browser.response.body.decode().split('href="')
                if part.startswith("/.auth/oauth/corp?flow=")][0]
        assert come_back(browser, *go(browser, provider, start=PORTAL + link, **person), follow=False).status == status
