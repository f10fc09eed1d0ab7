"""Tokens that Gatehouse cannot read and a careless app could: whose they say they are decides, and nobody is let in by
them or beside them."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.browser import Browser
from support.gatehouse import Gatehouse
from support.portal import PASSWORD, add_person, login, sign_in


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def cookie(browser):
    pairs = browser.cookies_for("app.example.com")
    return [("Cookie", "; ".join(f"{name}={value}" for name, value in pairs.items()))]


RULES = [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff", "corp:staff"]}}]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory, origin, issuer):
    gate = Gatehouse(
        tmp_path_factory.mktemp("tokens"), upstreams={"app": {"url": [origin.url]}},
        limits={"exempt_networks": ["127.0.0.0/8"]}, sessions={"cookie": {"domain": "example.com"}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": RULES},
                {"name": "kept", "host": ["kept.example.com"], "upstream": "app", "rules": RULES,
                 "forward_credential": False}],
        trusted_proxies=["127.0.0.1"],
        jwt={"issuers": [issuer.settings(match_users="user")]})
    add_person(gate, "mary", ["staff"])
    add_person(gate, "kate", ["staff", "admins"])
    gate.start()
    gate.browser = Browser(gate)
    sign_in(gate.browser)
    gate.own = gate.json("token", "issue", "--user", "mary")["access_token"]
    yield gate
    gate.stop()


# What becomes of the three parts of a good token.
WAYS = {
    "alg none": lambda h, p, s: f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{p}.",
    "no signature": lambda h, p, s: f"{h}.{p}.",
    "two parts": lambda h, p, s: f"{h}.{p}",
    "no base64": lambda h, p, s: f"{h}.{p}.!!!",
    "padded": lambda h, p, s: f"{h}.{p}.{s}=",
    "dot": lambda h, p, s: f"{h}.{p}.{s}.",
    "comma": lambda h, p, s: f"{h}.{p}.{s},",
    "words": lambda h, p, s: f"{h}.{p}.{s} x",
    "twice": lambda h, p, s: f"{h}.{p}.{s} {h}.{p}.{s}",
    "long": lambda h, p, s: f"{h}.{p}.{s * 120}",
    "two subjects": lambda h, p, s: f"{h}.{part(twice(p))}.{s}",
}


def twice(payload):
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return json.dumps(claims).encode()[:-1] + b', "sub": "root"}'


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("whose", ["own", "corp"])
def test_lesson85_it_is_refused_wherever_it_stands(tokens, origin, issuer, way, whose):
    token = WAYS[way](*(tokens.own if whose == "own" else issuer.token("ES256")).split("."))
    before = len(origin.requests)
    for host in ("app.example.com", "kept.example.com"):
        for beside in ([], cookie(tokens.browser)):
            response = tokens.get("/page", host=host, headers=bearer(token) + beside)
            assert (response.status, response.code) == (401, "credential_unknown"), (host, beside)
    check = tokens.get("/.auth/check/nginx", host="gatehouse", headers=bearer(token) + cookie(tokens.browser) + [
        ("X-Original-URL", "http://app.example.com/page"), ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "203.0.113.7")])
    assert check.status == 401 and check["Gatehouse-Reason"] == "credential_unknown"
    assert "Authorization" not in check
    assert len(origin.requests) == before
    # Where everyone is let in it is nobody's; what is ours, or is not to go on, does not reach the app.
    for host in ("app.example.com", "kept.example.com"):
        assert tokens.get("/public/x", host=host, headers=bearer(token)).status == 200
        assert origin.last["Remote-User"] == ""
        goes_on = whose == "corp" and host == "app.example.com"
        assert origin.last.get("Authorization") == (f"Bearer {token}" if goes_on else None)


def test_a_token_of_others_stays_the_apps(tokens, origin):
    claims = {"iss": "https://unknown.example.com", "sub": "root"}
    for token in (f"{part({'alg': 'none'})}.{part(claims)}.", "opaque", "a.b.c", part(claims)):
        assert tokens.get("/page", headers=bearer(token) + cookie(tokens.browser)).status == 200
        assert origin.last["Authorization"] == f"Bearer {token}" and origin.last["Remote-User"] == "mary"
        assert tokens.get("/page", headers=bearer(token)).code == "sign_in_required"
    # Two of them are no contradiction of ours.
    key = ec.generate_private_key(ec.SECP256R1())
    others = [jwt.encode(claims | {"n": n}, key, algorithm="ES256") for n in range(2)]
    both = [line for token in others for line in bearer(token)]
    assert tokens.get("/page", headers=both + cookie(tokens.browser)).status == 200
    assert origin.last.all("Authorization") == [f"Bearer {token}" for token in others]
    assert tokens.get("/public/x", headers=both).status == 200


@pytest.mark.parametrize("header", [b'{\n "alg": "ES256", "kid": "ES256-1"}', b'{\r\n"alg":"ES256","kid":"ES256-1"}'])
def test_a_header_with_line_ends_is_a_header(tokens, origin, issuer, header):
    signed = f"{part(header)}.{part(issuer.claims())}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signed.encode(), issuer.keys["ES256"].private)
    assert tokens.get("/page", headers=bearer(f"{signed}.{part(signature)}")).status == 200
    assert origin.last["Remote-User"] == "corp:lena"


def test_a_matched_user_is_the_local_account(tokens, origin, issuer):
    """With the prefix that every issuer has unless the operator takes it away."""
    token = issuer.token("ES256", sub="mary", groups=["other"], scope=None)
    assert tokens.get("/page", headers=bearer(token)).status == 200
    assert origin.last["Remote-User"] == "mary" and origin.last["Remote-Groups"] == "staff"
    tokens.add_user("adam", ["staff"])
    adam = issuer.token("ES256", sub="adam", scope=None)
    assert tokens.get("/page", headers=bearer(adam)).status == 200
    tokens.cli("user", "disable", "adam")
    assert tokens.get("/page", headers=bearer(adam)).code == "user_disabled"


@pytest.mark.parametrize("claim,user", [
    ("kate", "kate"), ("KATE", "kate"), ("\u212aate", "corp:\u212aate"), ("\uff4bate", "corp:\uff4bate")])
def test_a_name_that_only_looks_like_somebodys_is_nobodys(tokens, origin, issuer, claim, user):
    """The lower case of the Kelvin sign is `k`, and Unicode calls it equal to `K`."""
    response = tokens.get("/page", headers=bearer(issuer.token(sub=claim)))
    told = origin.requests[-1]
    assert (response.status, told["Remote-User"].encode("latin-1").decode()) == (200, user)
    assert told["Remote-Groups"] == ("admins,staff" if user == "kate" else "corp:staff")
    assert login(tokens, claim, PASSWORD).status == (200 if user == "kate" else 401)


@pytest.mark.parametrize("claims", [{"email_verified": True}, {}, {"email_verified": False},
                                    {"email": "Zed@EXAMPLE.com."}, {"email": ["zed@example.com"]}], ids=str)
def test_lesson10_a_blocked_address_is_blocked_however_it_is_said(tokens, issuer, claims):
    token = issuer.token("ES256", **{"sub": "zed", "email": "zed@example.com", "scope": None} | claims)
    assert tokens.get("/page", headers=bearer(token)).status == 200
    tokens.cli("block", "add", "--email", "zed@example.com")
    try:
        assert tokens.get("/page", headers=bearer(token)).code == "user_disabled"
        other = issuer.token("ES256", sub="yve", email="yve@example.com", scope=None)
        assert tokens.get("/page", headers=bearer(other)).status == 200
    finally:
        tokens.cli("block", "remove", "--email", "zed@example.com")


@pytest.mark.parametrize("subject", ["x ", " x", " "])
def test_lesson19_a_name_that_no_header_keeps_is_a_bad_token(tokens, issuer, subject):
    token = issuer.token("ES256", sub=subject, scope=None)
    assert tokens.get("/page", headers=bearer(token)).code == "credential_unknown"
    assert tokens.get("/public/x", headers=bearer(token)).status == 200
