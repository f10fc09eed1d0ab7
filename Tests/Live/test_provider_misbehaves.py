"""A provider that does what it should not, or an answer that somebody has made: each is refused, and each is in the
audit. Nobody is signed in by any of it, and no account is made."""

import gzip
import json
import time
import urllib.parse

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from support.browser import Browser
from support.issuer import Key
from support.provider import CLIENT, SECRET, Provider, b64
from test_providers import LENA, PORTAL, come_back, go, last, who

BIG = b'{"sub":"' + b"x" * 300_000 + b'"}'
OTHER = Key("one", "ES256")


@pytest.fixture(scope="module")
def provider():
    server = Provider()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def second():
    server = Provider()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def strict(provider, second, tmp_path_factory):
    """One server for all: `corp` takes whoever has a verified address of its own domain, `second` anyone."""
    from support.gatehouse import Gatehouse
    gate = Gatehouse(
        tmp_path_factory.mktemp("misbehaves"), limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [provider.settings(accept={"domains": ["corp.example"]}), second.settings("second")]})
    gate.start()
    yield gate
    gate.stop()


def refused(gate, browser, response, error, provider="corp"):
    assert response.status >= 400, response.status
    assert not [line for line in response.all("set-cookie") if "Max-Age=0" not in line and "browser" not in line]
    assert who(browser) is None
    event = last(gate)
    assert event["success"] is False and event["metadata"]["provider"] == provider, event
    found = event["metadata"].get("error") or event["reason"]
    assert found == error, event
    page = response.body.decode()
    assert "/.auth/login" in page and event["request_id"] in page
    assert SECRET not in gate.log_text()


# What the browser brings


def changed(**changes):
    def change(fields):
        fields = fields | changes
        return {name: value for name, value in fields.items() if value is not None}
    return change


ANSWERS = {
    "no state": (changed(state=None), "unknown_state"),
    "an empty state": (changed(state=""), "unknown_state"),
    "a made up state": (changed(state="A" * 43), "unknown_state"),
    "an enormous state": (changed(state="A" * 4000), "unknown_state"),
    "a state with a NUL": (changed(state="A\0"), "unknown_state"),
    "another issuer": (changed(iss="https://evil.example"), "wrong_issuer"),
    "another issuer's error": (changed(iss="https://evil.example", error="access_denied", code=None), "wrong_issuer"),
    "the issuer with a slash": (lambda fields: fields | {"iss": fields["iss"] + "/"}, "wrong_issuer"),
    "no issuer although it is promised": (changed(iss=None), "wrong_issuer"),
    "the person has said no": (changed(code=None, error="access_denied"), "denied"),
    "an error": (changed(code=None, error="server_error"), "provider_error"),
    "an error that is a text for the log": (changed(code=None, error="x\n{\"level\":\"info\"}"), "provider_error"),
    "an error beside a code": (changed(error="temporarily_unavailable"), "provider_error"),
    "no code": (changed(code=None), "malformed_answer"),
    "an empty code": (changed(code=""), "malformed_answer"),
    "a code with control bytes": (changed(code="a\r\nb"), "malformed_answer"),
    "a code of nobody": (changed(code="made-up"), "code_refused"),
}


def some(names, kept):
    """All of these; but for those that are kept they are asked with `--long` alone, since what they show is shown of the
    same code here."""
    assert set(kept) <= set(names), set(kept) - set(names)
    return [name if name in kept else pytest.param(name, marks=pytest.mark.long) for name in names]


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none(strict, provider, name):
    change, error = ANSWERS[name]
    provider.behave()
    browser = Browser(strict)
    address, fields = go(browser, provider, **LENA)
    refused(strict, browser, come_back(browser, address, change(fields), follow=False), error)


def test_an_answer_with_a_parameter_twice(strict, provider):
    provider.behave()
    browser = Browser(strict)
    address, fields = go(browser, provider, **LENA)
    query = urllib.parse.urlencode(list(fields.items()) + [("code", "other")])
    refused(strict, browser, browser.send("GET", f"{address}?{query}"), "unknown_state")


def test_lesson44_lesson70_an_answer_is_good_once_and_in_its_own_browser(strict, provider):
    provider.behave()
    browser, other = Browser(strict), Browser(strict)
    go(other, provider, **LENA)
    address, fields = go(browser, provider, **LENA)
    refused(strict, other, come_back(other, address, fields, follow=False), "unknown_state")
    # It is gone from then on: whoever knew it is not to try again.
    refused(strict, browser, come_back(browser, address, fields, follow=False), "unknown_state")
    address, fields = go(browser, provider, **LENA)
    assert come_back(browser, address, fields, follow=False).status == 303
    again = Browser(strict)
    again.jar = {key: value for key, value in browser.jar.items() if "browser" in key[2]}
    refused(strict, again, come_back(again, address, fields, follow=False), "unknown_state")


def test_lesson11_the_nonce_is_held_against_the_flow_without_being_asked_to(strict, provider):
    for nonce in (None, "", "A" * 43):
        provider.behave(claims={"nonce": nonce})
        browser = Browser(strict)
        refused(strict, browser, come_back(browser, *go(browser, provider, **LENA), follow=False), "wrong_nonce")
    provider.behave()


def test_codes_of_two_tabs_swapped(strict, provider):
    provider.behave()
    browser = Browser(strict)
    address, first = go(browser, provider, **LENA)
    _, second = go(browser, provider, **(LENA | {"sub": "other"}))
    refused(strict, browser, come_back(browser, address, first | {"code": second["code"]}, follow=False), "code_refused")


def test_providers_mixed_up(strict, provider, second):
    """An answer of the one is brought to the other, which is thought to be honest (RFC 9207)."""
    provider.behave()
    browser = Browser(strict)
    address, fields = go(browser, provider, **LENA)
    wrong = address.replace("/corp/", "/second/")
    refused(strict, browser, come_back(browser, wrong, fields, follow=False), "unknown_state", "second")
    visits = list(second.visits)
    address, fields = go(browser, second, "second", **LENA)
    assert "/token" not in visits
    fields["iss"] = provider.issuer
    refused(strict, browser, come_back(browser, address, fields, follow=False), "wrong_issuer", "second")
    assert "/token" not in second.visits[len(visits):]


# What the token endpoint says


def answer(status, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"token": (status, headers, body)}


TOKENS = {
    "the code is refused": (answer(400, {"error": "invalid_grant"}), "code_refused"),
    "we are refused": (answer(401, {"error": "invalid_client"}), "code_refused"),
    "it fails": (answer(500, b"oops"), "code_refused"),
    "an error with 200": (answer(200, {"error": "bad_verification_code"}), "code_refused"),
    "it redirects": (answer(302, b"{}", Location="/stolen"), "code_refused"),
    "no JSON": (answer(200, b"access_token=a&token_type=bearer"), "malformed_tokens"),
    "a list": (answer(200, []), "malformed_tokens"),
    "members twice": (answer(200, b'{"access_token":"a","access_token":"b","token_type":"Bearer"}'), "malformed_tokens"),
    "too long": (answer(200, BIG), "provider_unavailable"),
    "too deep": (answer(200, b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), "malformed_tokens"),
    "nothing at all": ({"token": (None, {}, b"")}, "provider_unavailable"),
    "no HTTP": ({"token": (None, {}, b"SSH-2.0-OpenSSH\r\n")}, "provider_unavailable"),
    "less than it says": (
        {"token": (None, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}")}, "provider_unavailable"),
    "a head without end": (
        {"token": (None, {}, b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 400_000)}, "provider_unavailable"),
    "packed, and much larger": (
        answer(200, gzip.compress(b" " * 50_000_000), **{"Content-Encoding": "gzip"}), "malformed_tokens"),
    "no access token": ({"tokens": {"access_token": None}}, "malformed_tokens"),
    "an access token that would be a header": ({"tokens": {"access_token": "a\r\nHost: b"}}, "malformed_tokens"),
    "an access token of another kind": ({"tokens": {"token_type": "mac"}}, "malformed_tokens"),
    "no type": ({"tokens": {"token_type": None}}, "malformed_tokens"),
    "no ID token": ({"tokens": {"id_token": None}}, "bad_id_token"),
    "an ID token that is no text": ({"tokens": {"id_token": 1}}, "bad_id_token"),
}


# ID tokens


def unsigned(claims, header):
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."


def raw(payload, provider):
    """Signs bytes that no library would make."""
    key = provider.key
    return jwt.PyJWS().encode(payload, key.private, algorithm=key.algorithm, headers={"kid": "one", "typ": "JWT"})


def hmac(claims, secret):
    head = b64(json.dumps({"alg": "HS256", "kid": "one", "typ": "JWT"}).encode())
    body = b64(json.dumps(claims).encode())
    import hashlib
    import hmac as algorithm
    return f"{head}.{body}.{b64(algorithm.new(secret, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"


def pem(provider):
    return provider.key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def tampered(provider):
    def sign(claims):
        head, _, signature = provider.sign(claims).split(".")
        return f"{head}.{b64(json.dumps(claims | {'sub': 'admin'}).encode())}.{signature}"
    return sign


SIGNED = {
    "alg none": lambda p: lambda claims: unsigned(claims, {"alg": "none"}),
    "alg None": lambda p: lambda claims: unsigned(claims, {"alg": "None"}) + "AA",
    "the client secret as a key": lambda p: lambda claims: hmac(claims, SECRET.encode()),
    "the public key as a secret": lambda p: lambda claims: hmac(claims, pem(p)),
    "another key of the same name": lambda p: lambda claims: p.sign(claims, OTHER),
    "a key of no name that is known": lambda p: lambda claims: p.sign(claims, Key("two", "ES256")),
    "a key of its own": lambda p: lambda claims: p.sign(claims, OTHER, jwk=OTHER.jwk()),
    "a key to be fetched": lambda p: lambda claims: p.sign(claims, jku=p.issuer + "/evil"),
    "an unknown extension": lambda p: lambda claims: p.sign(claims, crit=["x"], x=1),
    "an access token": lambda p: lambda claims: p.sign(claims, typ="at+jwt"),
    "a logout token": lambda p: lambda claims: p.sign(claims, typ="logout+jwt"),
    "changed": tampered,
    "members twice": lambda p: lambda claims: raw(
        json.dumps(claims).encode()[:-1] + b',"sub":"admin"}', p),
    "an encrypted one": lambda p: lambda claims: "a.b.c.d.e",
    "two parts": lambda p: lambda claims: p.sign(claims).rpartition(".")[0],
    "too long": lambda p: lambda claims: p.sign(claims | {"x": "x" * 80_000}),
    "no object": lambda p: lambda claims: raw(b'"lena"', p),
    "no JSON": lambda p: lambda claims: raw(b"lena", p),
    "a NUL": lambda p: lambda claims: "\0" + p.sign(claims),
}

CLAIMS = {
    "another issuer": ({"iss": "https://evil.example"}, "wrong_issuer"),
    "no issuer": ({"iss": None}, "bad_id_token"),
    "for another client": ({"aud": "other"}, "wrong_audience"),
    "for nobody": ({"aud": None}, "bad_id_token"),
    "for an empty list": ({"aud": []}, "wrong_audience"),
    "for several, made for nobody": ({"aud": [CLIENT, "other"]}, "wrong_audience"),
    "for several, made for another": ({"aud": [CLIENT, "other"], "azp": "other"}, "wrong_audience"),
    "made for another": ({"azp": "other"}, "wrong_audience"),
    "made for a number": ({"azp": 1}, "wrong_audience"),
    "expired": ({"exp": int(time.time()) - 120}, "id_token_expired"),
    "without an end": ({"exp": None}, "bad_id_token"),
    "an end that is a text": ({"exp": "4000000000"}, "bad_id_token"),
    "not valid yet": ({"nbf": 4_000_000_000}, "bad_id_token"),
    "from the future": ({"iat": 4_000_000_000}, "bad_id_token"),
    "from no time": ({"iat": None}, "bad_id_token"),
    "another nonce": ({"nonce": "A" * 43}, "wrong_nonce"),
    "no nonce": ({"nonce": None}, "wrong_nonce"),
    "a nonce that is a list": ({"nonce": ["A"]}, "wrong_nonce"),
    "of another access token": ({"at_hash": "A" * 22}, "wrong_at_hash"),
    "a hash that is none": ({"at_hash": 1}, "wrong_at_hash"),
    "about nobody": ({"sub": None}, "bad_id_token"),
    "about an empty name": ({"sub": ""}, "bad_id_token"),
    "about an enormous name": ({"sub": "x" * 300}, "bad_id_token"),
    "about a name with a NUL": ({"sub": "lena\0"}, "bad_id_token"),
    "about a number": ({"sub": 1}, "bad_id_token"),
    # Who may come: verified addresses of one domain.
    "an address that nobody has verified": ({"email_verified": False}, "not_accepted"),
    "an address of which nothing is said": ({"email_verified": None}, "not_accepted"),
    "an address that a text calls verified": ({"email_verified": "true"}, "not_accepted"),
    "an address elsewhere": ({"email": "lena@evil.example"}, "not_accepted"),
    "an address below": ({"email": "lena@sub.corp.example"}, "not_accepted"),
    "an address that ends alike": ({"email": "lena@evilcorp.example"}, "not_accepted"),
    "lesson07: two @": ({"email": "lena@evil.example@corp.example"}, "not_accepted"),
    "an address with a blank": ({"email": "lena@evil.example lena@corp.example"}, "not_accepted"),
    "an address with a NUL": ({"email": "lena@corp.example\0"}, "not_accepted"),
    "a list of addresses": ({"email": ["lena@corp.example"]}, "not_accepted"),
}

NO_EMAIL = {"email": None, "email_verified": None}


def info(status, document, **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"claims": NO_EMAIL, "info": (status, headers, body)}


INFO = {
    "somebody else's": ({"claims": NO_EMAIL, "userinfo": {"sub": "other"}}, "other_subject"),
    "nobody's": ({"claims": NO_EMAIL, "userinfo": {"sub": None}}, "bad_userinfo"),
    "a failure": (info(500, b"{}"), "bad_userinfo"),
    "refused": (info(401, b"{}"), "bad_userinfo"),
    "a redirect": (info(302, b"{}", Location="/stolen"), "bad_userinfo"),
    "no JSON": (info(200, b"<html>"), "bad_userinfo"),
    "a list": (info(200, []), "bad_userinfo"),
    "members twice": (info(200, b'{"sub":"lena","email":"a@corp.example","email":"b@corp.example"}'), "bad_userinfo"),
    "too long": (info(200, BIG), "provider_unavailable"),
    # The one document's mark is none of the other's address.
    "a verification of another address": (
        {"claims": {"email": "lena@corp.example", "email_verified": None, "name": None},
         "userinfo": {"email": "other@corp.example", "email_verified": True}}, "not_accepted"),
}


def table():
    for name, (how, error) in TOKENS.items():
        yield pytest.param(how, error, id=f"tokens: {name}")
    for name, sign in SIGNED.items():
        yield pytest.param({"sign": sign}, "bad_id_token", id=f"ID token: {name}")
    for name, (claims, error) in CLAIMS.items():
        yield pytest.param({"claims": claims}, error, id=f"claims: {name}")
    for name, (how, error) in INFO.items():
        yield pytest.param(how, error, id=f"user info: {name}")


@pytest.mark.parametrize("how, error", list(table()))
def test_what_a_provider_may_not_say(strict, provider, how, error):
    how = dict(how)
    if "sign" in how:
        how["sign"] = how["sign"](provider)
    provider.behave(**how)
    before = len(provider.visits)
    browser = Browser(strict)
    address, fields = go(browser, provider, **LENA)
    refused(strict, browser, come_back(browser, address, fields, follow=False), error)
    assert not {"/stolen", "/evil"} & set(provider.visits[before:])
    provider.behave()


def test_a_provider_that_is_slow(strict, provider):
    provider.behave(token=lambda: time.sleep(12) or (200, {}, b"{}"))
    browser = Browser(strict)
    address, fields = go(browser, provider, **LENA)
    response = come_back(browser, address, fields, follow=False)
    refused(strict, browser, response, "provider_unavailable")
    assert response.status == 503 and b"cannot be reached" in response.body
    provider.behave()


def test_lesson26_names_are_compared_byte_for_byte(strict, provider):
    """Subjects that look alike are other people, who do not get the account of the first."""
    provider.behave()
    seen = set()
    for subject in ("Zoë", "Zoe\u0308", "zoë", "Zoë ", "Zо\u00eb"):
        browser = Browser(strict)
        person = {"sub": subject, "email": f"zoe{len(seen)}@corp.example", "email_verified": True}
        if come_back(browser, *go(browser, provider, **person), follow=False).status == 303:
            seen.add(who(browser)["id"])
        else:
            assert last(strict)["metadata"]["error"] == "bad_id_token"
            seen.add(subject)
    assert len(seen) == 5


def test_no_such_provider(strict):
    for path in ("/oauth/other", "/oauth/other/callback?state=a", "/oauth/..%2fcorp", "/oauth/" + "x" * 2000,
                 "/oauth/corp%00"):
        assert Browser(strict).send("GET", PORTAL + "/.auth" + path).status in (400, 404)
