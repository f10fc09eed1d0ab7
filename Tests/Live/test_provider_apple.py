"""Sign in with Apple by the documents of its public API: the signed client secret, the form that comes back without
cookies, the name that comes once, private addresses; and what is refused, each with a page and in the audit."""

import hashlib
import json
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.apple import CLIENT, PERSON, RELAY, SIX_MONTHS, TEAM, Apple
from support.browser import Browser
from support.gatehouse import Gatehouse
from support.portal import APP, PORTAL, api
from support.provider import b64
from test_provider_misbehaves import ANSWERS, CLAIMS, SIGNED, TOKENS, refused, some
from test_providers import last, who


@pytest.fixture(scope="module")
def apple():
    server = Apple()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def second():
    server = Apple()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gate(apple, second, tmp_path_factory):
    """One server for all: `apple` takes anyone, `strict` whoever has a verified address of one domain."""
    folder = tmp_path_factory.mktemp("apple")
    (folder / "strict").mkdir()
    server = Gatehouse(
        folder / "gate", sessions={"cookie": {"domain": "example.com"}},
        limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [apple.settings(folder), second.settings(
            folder / "strict", "strict", accept={"domains": ["corp.example"]})]})
    server.start()
    yield server
    server.stop()


def go(browser, apple, start=PORTAL + "/.auth/oauth/apple", **person):
    response = browser.send("GET", start)
    assert response.status == 303, response.body
    return apple.authorize(response["Location"], **person)


def come_back(browser, address, fields, navigate=True):
    """As Apple's page sends it: a form from elsewhere, without our cookies. What that leads to brings them."""
    jar, browser.jar = browser.jar, {}
    response = browser.send("POST", address, [("Content-Type", "application/x-www-form-urlencoded")],
                            urllib.parse.urlencode(fields).encode(), site="cross-site")
    assert response.status == 303 and not browser.jar, response.status
    # What lands in histories and access logs says nothing of the person.
    told = urllib.parse.parse_qs(urllib.parse.urlsplit(response["Location"]).query, keep_blank_values=True)
    assert set(told) <= {"state", "code", "iss", "error"}, response["Location"]
    browser.jar = jar
    return browser.send("GET", urllib.parse.urljoin(address, response["Location"]), site="cross-site",
                        navigate=navigate)


def test_there_and_back_with_a_name_that_comes_once(gate, apple):
    browser = Browser(gate)
    browser.open(APP + "/wiki?a=b&c=%2F")
    assert "Sign in with Apple" in browser.text
    start = f"{PORTAL}/.auth/oauth/apple?flow={browser.form()[1]['flow']}"
    address, fields = go(browser, apple, start)
    assert address == PORTAL + "/.auth/oauth/apple/callback" and "user" in fields
    answer = come_back(browser, address, fields)
    assert answer.status == 303 and answer["Location"] == APP + "/wiki?a=b&c=%2F"
    me = who(browser)
    assert (me["email"], me["name"], me["email_verified"]) == ("jane@corp.example", "Jane Appleseed", True)
    assert last(gate, "social_account_linked")["metadata"]["subject"] == PERSON["sub"]
    # Apple tells the name with the first answer alone; here it stays.
    again = Browser(gate)
    address, fields = go(again, apple)
    assert "user" not in fields
    come_back(again, address, fields)
    assert (who(again)["id"], who(again)["name"]) == (me["id"], "Jane Appleseed")


def test_the_client_secret_is_a_token_of_the_operators_key_with_an_end(gate, apple):
    apple.secrets.clear()
    for index in range(2):
        browser = Browser(gate)
        come_back(browser, *go(browser, apple, **(PERSON | {"sub": f"secret-{index}", "email": f"s{index}@a.example"})))
        assert who(browser)
    one, two = apple.secrets
    assert one != two
    head, claims = jwt.get_unverified_header(one), jwt.decode(one, options={"verify_signature": False})
    assert head["alg"] == "ES256" and claims["iss"] == TEAM and claims["sub"] == CLIENT
    assert claims["iat"] <= time.time() < claims["exp"] <= claims["iat"] + min(SIX_MONTHS, 3600)
    assert one not in gate.log_text() and "PRIVATE" not in gate.log_text()


@pytest.mark.parametrize("user, name", [
    ('{"name":{"firstName":"Ann","lastName":""}}', "Ann"),
    ('{"name":{"firstName":"Ann","lastName":"Lee"},"email":"admin@corp.example"}', "Ann Lee"),
    ('{"name":{"firstName":"<b>Ann","lastName":7}}', "<b>Ann"),
    ('{"name":"Ann"}', ""), ('{"email":"admin@corp.example"}', ""), ("Ann", ""), ("", ""), ("[]", ""),
    ('{"name":{"firstName":"A","firstName":"B"}}', ""), ('{"name":{"firstName":"A\\u0000B"}}', "AB"),
    ('{"name":{"firstName":"' + "x" * 200 + '"}}', ""), ('{"name":{"firstName":"' + "x" * 5000 + '"}}', ""),
    ("\0", ""), ('{"name":' + "[" * 90 + "]" * 90 + "}", ""),
])
def test_nobody_vouches_for_what_comes_beside_the_answer(gate, apple, user, name):
    sub = hashlib.sha256(user.encode()).hexdigest()
    browser = Browser(gate)
    address, fields = go(browser, apple, **(PERSON | {"sub": sub, "email": f"{sub[:20]}@a.example"}))
    assert come_back(browser, address, fields | {"user": user}).status == 303
    assert (who(browser)["email"], who(browser)["name"]) == (f"{sub[:20]}@a.example", name)


def test_the_name_is_that_of_the_first_form_and_of_no_address(gate, apple, second):
    """It waits for the browser where the flow does: who does not know the flow's state, or comes to another provider's
    address, says nothing, and neither does an address."""
    def form(address, fields, name):
        body = urllib.parse.urlencode(fields | {"user": json.dumps({"name": {"firstName": name}})}).encode()
        answer = Browser(gate).send(
            "POST", address, [("Content-Type", "application/x-www-form-urlencoded")], body, site="cross-site")
        assert answer.status == 303 and name not in answer["Location"], answer["Location"]
        return answer["Location"]

    browser = Browser(gate)
    address, fields = go(browser, apple, **(PERSON | {"sub": "named", "email": "named@a.example"}))
    form(address.replace("/apple/", "/strict/"), fields, "Elsewhere")
    for state in ("A" * 43, "", "A\0", "A" * 4000):
        form(address, fields | {"state": state}, "Nobody")
    location = form(address, fields, "Zelda")
    form(address, fields, "Another")
    more = urllib.parse.urlencode({"user": '{"name":{"firstName":"Address"}}', "name": "Address"})
    assert browser.send("GET", urllib.parse.urljoin(address, location) + "&" + more).status == 303
    assert who(browser)["name"] == "Zelda" and "Zelda" not in gate.log_text()
    # The flow is over, and what comes for it now is nobody's.
    form(address, fields, "Late")
    assert who(browser)["name"] == "Zelda"


@pytest.mark.parametrize("mark", [True, "true"])
def test_private_addresses_and_both_spellings_of_verified(gate, apple, mark):
    browser = Browser(gate)
    email = f"{str(mark).lower()}{type(mark).__name__}@privaterelay.appleid.com"
    come_back(browser, *go(browser, apple, **(RELAY | {"sub": email, "email": email, "email_verified": mark})))
    assert (who(browser)["email"], who(browser)["email_verified"]) == (email, True)


def test_a_verified_address_takes_no_account_that_is_there(gate, apple):
    """Apple owns none of these addresses: not even an account that nobody has used is linked in silence."""
    gate.add_user("victim", email="victim@corp.example")
    browser = Browser(gate)
    answer = come_back(browser, *go(browser, apple, **(PERSON | {"sub": "v", "email": "victim@corp.example"})))
    assert answer.status == 409 and who(browser) is None
    assert last(gate)["reason"] == "account_exists"


def test_tokens_for_an_api_client_by_way_of_a_form(gate, apple):
    verifier = "v" * 43
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    browser = Browser(gate)
    address, fields = go(browser, apple, f"{PORTAL}/.auth/api/oauth/apple?response=token&code_challenge={challenge}",
                         **(PERSON | {"sub": "api", "email": "api@a.example"}))
    answer = come_back(browser, address, fields, navigate=False)
    assert answer.status == 200, answer.body
    exchange = {"code": json.loads(answer.body)["code"], "code_verifier": verifier}
    assert json.loads(api(gate, "POST", "/token", exchange).body)["token_type"] == "bearer"


# What is refused


def into_strict(gate, second):
    browser = Browser(gate)
    return browser, *go(browser, second, PORTAL + "/.auth/oauth/strict")


# What a form makes of them is another path; what is made of the answer then is not.
@pytest.mark.parametrize("name", some(
    [name for name in ANSWERS if name not in ("the issuer with a slash", "no issuer although it is promised")],
    ["no state", "an enormous state", "a state with a NUL", "another issuer", "the person has said no",
     "an error that is a text for the log", "a code with control bytes"]))
def test_answers_that_are_none(gate, second, name):
    change, error = ANSWERS[name]
    second.behave()
    browser, address, fields = into_strict(gate, second)
    refused(gate, browser, come_back(browser, address, change(fields)), error, "strict")


def test_whoever_turns_back(gate, second):
    browser, address, fields = into_strict(gate, second)
    answer = come_back(browser, address, {"state": fields["state"], "error": "user_cancelled_authorize"})
    refused(gate, browser, answer, "denied", "strict")
    assert b"not agreed" in answer.body


def test_a_form_that_comes_a_second_time_or_to_another_browser(gate, second):
    second.behave()
    browser, address, fields = into_strict(gate, second)
    refused(gate, Browser(gate), come_back(Browser(gate), address, fields), "unknown_state", "strict")
    refused(gate, browser, come_back(browser, address, fields), "unknown_state", "strict")


def table():
    # Apple's tokens go the way of any OpenID provider's, which test_provider_misbehaves.py goes with all of these: here
    # enough of them are asked to see that they do.
    kept = {"the code is refused", "no ID token", "alg none", "the client secret as a key", "the public key as a secret",
            "changed", "another key of the same name", "another issuer", "for another client", "expired", "no nonce",
            "another nonce", "about nobody", "an address elsewhere", "a list of addresses"}
    assert kept <= TOKENS.keys() | SIGNED.keys() | CLAIMS.keys()

    def case(kind, name, how, error):
        marks = () if name in kept else pytest.mark.long
        return pytest.param(how, error, id=f"{kind}: {name}", marks=marks)

    for name, (how, error) in TOKENS.items():
        yield case("tokens", name, how, error)
    for name, sign in SIGNED.items():
        yield case("ID token", name, {"sign": sign}, "bad_id_token")
    for name, (claims, error) in CLAIMS.items():
        # That text is how Apple says it.
        if name != "an address that a text calls verified":
            yield case("claims", name, {"claims": claims}, error)
    for mark in ("false", "True", "yes", 1, ["true"], {"true": True}):
        yield pytest.param({"claims": {"email_verified": mark}}, "not_accepted", id=f"verified: {mark}")
    yield pytest.param({"claims": {"email": RELAY["email"]}}, "not_accepted", id="a private address")
    yield pytest.param({"claims": {"email": None}}, "not_accepted", id="no address")


@pytest.mark.parametrize("how, error", list(table()))
def test_what_apple_may_not_say(gate, second, how, error):
    how = dict(how)
    if "sign" in how:
        how["sign"] = how["sign"](second)
    second.behave(**how)
    before = len(second.visits)
    browser, address, fields = into_strict(gate, second)
    refused(gate, browser, come_back(browser, address, fields), error, "strict")
    assert not {"/stolen", "/evil"} & set(second.visits[before:])
    second.behave()


def test_a_key_that_apple_does_not_know_any_more_and_the_next_one(make_gate, tmp_path):
    apple = Apple()
    gate = make_gate(
        limits={"exempt_networks": ["127.0.0.0/8"]}, login={"providers": [apple.settings(tmp_path)]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    apple.private = ec.generate_private_key(ec.SECP256R1())
    browser = Browser(gate)
    refused(gate, browser, come_back(browser, *go(browser, apple)), "code_refused", "apple")
    next(tmp_path.glob("*.p8")).write_text(apple.p8())
    gate.cli("reload")
    come_back(browser, *go(browser, apple))
    assert who(browser)
    apple.stop()


@pytest.mark.parametrize("text", [
    "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "secret", None,
])
def test_a_key_that_is_none_stops_the_start(apple, make_gate, tmp_path, text):
    gate = make_gate(start=False, login={"providers": [apple.settings(tmp_path)]}, routes=[
        {"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}])
    path = next(tmp_path.glob("*.p8"))
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    result = gate.cli("check-config", check=False)
    assert result.returncode == 2 and "login.providers[0].private_key" in result.stderr, result


def link_in(browser, beginning):
    return PORTAL + [part.split('"')[0] for part in browser.response.body.decode().split('href="')
                     if part.startswith(beginning)][0]


def test_a_step_up_and_a_linking_by_way_of_a_form(gate, apple, second):
    second.behave()
    person = PERSON | {"sub": "step", "email": "step@corp.example"}
    browser = Browser(gate)
    come_back(browser, *go(browser, second, PORTAL + "/.auth/oauth/strict", **person))
    for claims, status in (({}, 303), ({"auth_time": 1}, 403), ({"auth_time": None}, 403)):
        second.behave(claims=claims)
        browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account")
        answer = come_back(browser, *go(browser, second, link_in(browser, "/.auth/oauth/strict?flow="), **person))
        assert answer.status == status, (claims, answer.status)
        assert last(gate, "reauthenticated")["success"] is True
    assert last(gate)["metadata"]["error"] == "too_old"
    second.behave()
    browser.open(PORTAL + "/.auth/account/providers")
    linked = PERSON | {"sub": "linked", "email": "elsewhere@a.example"}
    answer = come_back(browser, *go(browser, apple, link_in(browser, "/.auth/oauth/apple?link="), **linked))
    assert answer.status == 303 and "provider_linked" in answer["Location"]
    other = Browser(gate)
    come_back(other, *go(other, apple, **linked))
    assert who(other)["email"] == "step@corp.example"


def test_a_check_makes_the_client_secret(gate, apple, second, tmp_path):
    for server in (apple, second):
        server.secrets.clear()
    found = gate.json("provider", "check", "apple")
    assert found["good"] is True and found["checked"] == ["client_secret", "metadata", "keys"]
    assert "the client secret can be made" in gate.cli("provider", "check", "apple").stdout
    # It was made here, and is nobody's business.
    assert apple.secrets == []
    # Without its file, or with what is no key, nothing is good.
    other = Gatehouse(
        tmp_path / "gate", login={"providers": [apple.settings(tmp_path)]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    key = next(tmp_path.glob("AuthKey_*"))
    for text in ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None):
        if text is None:
            key.unlink()
        else:
            key.write_text(text)
        failed = other.cli("provider", "check", "apple", check=False)
        assert failed.returncode != 0 and "private_key" in failed.stdout + failed.stderr, failed
