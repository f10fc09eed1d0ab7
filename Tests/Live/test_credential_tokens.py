"""Tokens of our own and of configured issuers: which are ours, which hold, which go on."""

import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric import ec
import jwt
import pytest

from test_credentials import bearer, refused


# Tokens


def test_own_access_token(gate, origin):
    issued = gate.json("token", "issue", "--user", "mary")
    assert issued["expires_in"] == 900
    token = issued["access_token"]
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == "http://auth.example.com" and claims["jti"]
    response = gate.get("/page", headers=[bearer(token)])
    assert response.status == 200, response
    assert origin.last["Remote-User"] == "mary"
    assert token not in repr(origin.last)


def test_own_access_token_of_a_disabled_user(gate):
    gate.add_user("tina", ["staff"])
    token = gate.json("token", "issue", "--user", "tina")["access_token"]
    assert gate.get("/page", headers=[bearer(token)]).status == 200
    gate.cli("user", "disable", "tina")
    assert gate.get("/page", headers=[bearer(token)]).status == 401


def test_assertion_is_no_credential(gate, origin):
    gate.get("/page", key=gate.mary_key)
    assertion = origin.last["Gatehouse-Assertion"]
    refused(gate.get("/page", headers=[bearer(assertion)]), 401, "credential_unknown")
    assert gate.get("/page", headers=[("Gatehouse-Assertion", assertion)]).status == 401


def altered(token, header=None, claims=None, signature=None):
    """A token with parts put in other words and the signature that it had."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    old_header, old_claims, old_signature = token.split(".")
    return ".".join([
        part(jwt.get_unverified_header(token) | header) if header is not None else old_header,
        part(jwt.decode(token, options={"verify_signature": False}) | claims) if claims is not None else old_claims,
        old_signature if signature is None else signature,
    ])


def test_altered_own_token(gate):
    token = gate.json("token", "issue", "--user", "mary")["access_token"]
    for forged in [
        altered(token, claims={"sub": gate.adam["id"]}),
        altered(token, header={"typ": "gatehouse-assertion+jwt"}),
        token[:-8] + "AAAAAAAA",
    ]:
        refused(gate.get("/page", headers=[bearer(forged)]), 401, "credential_unknown")
    unsigned = altered(token, header={"alg": "none"}, signature="")
    refused(gate.get("/page", headers=[bearer(unsigned)]), 401, "credential_unknown")


def test_own_issuer_with_a_foreign_signature(gate):
    now = int(time.time())
    key = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode(
        {"iss": "http://auth.example.com", "aud": "http://auth.example.com", "sub": gate.mary["id"], "iat": now,
         "exp": now + 60, "jti": "x"}, key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "x"})
    assert gate.get("/page", headers=[bearer(token)]).status == 401


@pytest.mark.parametrize("changes", [
    {"aud": "another-app"}, {"aud": None}, {"aud": ["another", "one"]},
    {"exp": int(time.time()) - 120}, {"exp": None}, {"nbf": int(time.time()) + 600}, {"iat": int(time.time()) + 600},
    {"sub": None},
], ids=lambda changes: "-".join(f"{name}={'none' if value is None else 'bad'}" for name, value in changes.items()))
def test_foreign_token_that_does_not_hold(gate, issuer, changes):
    response = gate.get("/page", headers=[bearer(issuer.token("ES256", **changes))])
    assert response.status == 401, response
    assert response.code in ("credential_unknown", "credential_expired")


def test_foreign_token_within_the_leeway(gate, issuer):
    assert gate.get("/page", headers=[bearer(issuer.token("ES256", exp=int(time.time()) - 20))]).status == 200


def test_token_of_an_issuer_that_nobody_configured_is_the_apps(gate, origin, issuer):
    token = issuer.token("ES256", iss="https://unknown.example.com")
    assert gate.get("/page", headers=[bearer(token)]).status == 401
    assert gate.get("/public/x", headers=[bearer(token)]).status == 200
    assert origin.last["Authorization"] == f"Bearer {token}"
    assert origin.last["Remote-User"] == ""


def test_algorithm_that_the_issuer_may_not_use(make_gate, make_origin, make_issuer):
    issuer, origin = make_issuer(), make_origin()
    gate = make_gate(
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
        jwt={"issuers": [issuer.settings(algorithms=["ES256"])]},
    )
    assert gate.get("/", headers=[bearer(issuer.token("ES256"))]).status == 200
    assert gate.get("/", headers=[bearer(issuer.token("RS256"))]).status == 401


def test_foreign_jwt_can_be_kept_from_the_app(make_gate, make_origin, make_issuer):
    issuer, origin = make_issuer(), make_origin()
    gate = make_gate(
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "forward_credential": False,
                 "rules": [{"allow": "signed_in"}]}],
        jwt={"issuers": [issuer.settings()]},
    )
    assert gate.get("/", headers=[bearer(issuer.token("ES256"))]).status == 200
    assert "Authorization" not in origin.last


def test_blocked_foreign_subject(gate, issuer):
    token = issuer.token("ES256", sub="blocked")
    assert gate.get("/page", headers=[bearer(token)]).status == 200
    gate.cli("block", "add", "--issuer", issuer.name, "--subject", "blocked")
    assert gate.get("/page", headers=[bearer(token)]).status in (401, 403)
    gate.cli("block", "remove", "--issuer", issuer.name, "--subject", "blocked")
    assert gate.get("/page", headers=[bearer(token)]).status == 200
