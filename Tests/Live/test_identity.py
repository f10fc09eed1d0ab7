"""Who may pass, and what the app is told about them."""

import json
import time

import jwt
import pytest
from joserfc import jwk as jose_jwk
from joserfc import jwt as jose_jwt

IDENTITY = ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Gatehouse-Assertion"]


def key_set(gate):
    response = gate.get("/.auth/jwks.json", host="auth.example.com")
    assert response.status == 200
    return response.json()


def verified(gate, token, audience):
    header = jwt.get_unverified_header(token)
    key = next(key for key in jwt.PyJWKSet.from_dict(key_set(gate)).keys if key.key_id == header["kid"])
    return jwt.decode(
        token, key, algorithms=["ES256"], audience=audience, issuer="http://auth.example.com",
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )


def test_key_reaches_the_app_with_identity_headers(gate, origin):
    assert gate.get("/page", key=gate.mary_key).status == 200
    seen = origin.last
    assert seen["Remote-User"] == "mary"
    assert seen["Remote-Email"] == "mary@example.com"
    assert seen["Remote-Name"] == "Mary Major"
    assert seen["Remote-Groups"] == "staff"


def test_several_groups_are_one_list(gate, origin):
    assert gate.get("/page", key=gate.adam_key).status == 200
    assert sorted(origin.last["Remote-Groups"].replace(" ", "").split(",")) == ["admins", "staff"]


def test_assertion_verifies_with_pyjwt(gate, origin):
    gate.get("/page", key=gate.mary_key)
    token = origin.last["Gatehouse-Assertion"]
    assert jwt.get_unverified_header(token)["typ"] == "gatehouse-assertion+jwt"
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    claims = verified(gate, token, "wiki")
    assert claims["user"] == "mary"
    assert claims["email"] == "mary@example.com"
    assert claims["groups"] == ["staff"]
    assert claims["sub"] == gate.mary["id"]
    assert claims["exp"] - claims["iat"] <= 300
    assert abs(claims["iat"] - time.time()) < 300


def test_assertion_verifies_with_joserfc(gate, origin):
    gate.get("/page", key=gate.mary_key)
    keys = jose_jwk.KeySet.import_key_set(key_set(gate))
    token = jose_jwt.decode(origin.last["Gatehouse-Assertion"], keys, algorithms=["ES256"])
    jose_jwt.JWTClaimsRegistry(iss={"essential": True, "value": "http://auth.example.com"},
                               aud={"essential": True, "value": "wiki"}).validate(token.claims)
    assert token.claims["user"] == "mary"


def test_published_keys_are_public_ones(gate):
    for key in key_set(gate)["keys"]:
        assert key["kty"] == "EC" and key["crv"] == "P-256" and key["kid"]
        assert not {"d", "p", "q", "k"} & key.keys()


def test_assertion_names_the_audience_of_its_route(gate, origin):
    gate.get("/page", key=gate.mary_key)
    first = origin.last["Gatehouse-Assertion"]
    gate.get("/page", host="other.example.com", key=gate.mary_key)
    second = origin.last["Gatehouse-Assertion"]
    assert verified(gate, first, "wiki") and verified(gate, second, "other")
    with pytest.raises(jwt.InvalidAudienceError):
        verified(gate, first, "other")


def test_assertion_is_signed_once_per_identity_and_audience(gate, origin):
    tokens = set()
    for _ in range(5):
        gate.get("/page", key=gate.mary_key)
        tokens.add(origin.last["Gatehouse-Assertion"])
    # One per event loop at most.
    assert len(tokens) <= 2


def test_anonymous_gets_every_header_empty(gate, origin):
    assert gate.get("/public/page").status == 200
    for name in IDENTITY:
        assert origin.last.all(name) == [""], name


def test_identity_is_told_on_public_paths_too(gate, origin):
    assert gate.get("/public/page", key=gate.mary_key).status == 200
    assert origin.last["Remote-User"] == "mary"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "PS256"])
def test_foreign_jwt_is_let_in_with_prefixes(gate, origin, issuer, algorithm):
    token = issuer.token(algorithm)
    response = gate.get("/page", headers=[("Authorization", f"Bearer {token}")])
    assert response.status == 200, response
    seen = origin.last
    assert seen["Remote-User"] == "corp:lena"
    assert seen["Remote-Groups"] == "corp:staff"
    assert seen["Remote-Email"] == "", "not verified, so not told"
    assert seen["Authorization"] == f"Bearer {token}", "a foreign JWT goes on to the app"
    assert verified(gate, seen["Gatehouse-Assertion"], "wiki")["user"] == "corp:lena"


def test_foreign_jwt_passes_a_rule_of_its_scope(gate, issuer):
    def status(path, **claims):
        return gate.get(path, headers=[("Authorization", f"Bearer {issuer.token('ES256', **claims)}")]).status

    assert status("/scoped/x") == 200
    assert status("/scoped/x", scope="wiki:write") == 403
    assert status("/scoped/x", scope=None) == 403
    assert status("/two-ways/x") == 200


def test_foreign_group_without_its_prefix_is_nobodys(gate, issuer):
    token = issuer.token("ES256", groups=["admins", "gatehouse-admins"])
    assert gate.get("/admin/x", headers=[("Authorization", f"Bearer {token}")]).status == 403


def test_verified_email_and_mapped_claims(make_gate, make_origin, make_issuer):
    origin, issuer = make_origin(), make_issuer()
    gate = make_gate(
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                 "rules": [{"allow": {"users": ["lena@corp.example"]}}]}],
        jwt={"issuers": [issuer.settings(
            email_trusted=True, user_prefix="", groups_prefix="x:",
            claims={"user": "email", "email": "email", "groups": "roles", "scopes": "scope"})]},
    )
    token = issuer.token("ES256", roles=["cooks"])
    assert gate.get("/", headers=[("Authorization", f"Bearer {token}")]).status == 200
    assert origin.last["Remote-User"] == "lena@corp.example"
    assert origin.last["Remote-Email"] == "lena@corp.example"
    assert origin.last["Remote-Groups"] == "x:cooks"


@pytest.mark.parametrize("preset,names", [
    ("x-auth-request", ["X-Auth-Request-User", "X-Auth-Request-Email"]),
    ("x-forwarded", ["X-Forwarded-User", "X-Forwarded-Email"]),
    ({"user": "X-WEBAUTH-USER", "email": "X-WEBAUTH-EMAIL"}, ["X-WEBAUTH-USER", "X-WEBAUTH-EMAIL"]),
])
def test_presets_of_identity_headers(simple, preset, names):
    settings = {"preset": preset} if isinstance(preset, str) else preset
    gate = simple(identity_headers=settings)
    forged = [(name, "forged") for name in [*names, "Remote-User"]]
    assert gate.get("/page", key=gate.mary_key, headers=forged).status == 200
    assert [gate.origin.last[name] for name in names] == ["mary", "mary@example.com"]
    assert "forged" not in repr(gate.origin.last)


def test_groups_shown_narrows_what_the_app_is_told(simple):
    gate = simple(route={"groups_shown": ["app-*"]})
    gate.cli("user", "set-groups", "mary", "staff,app-users,secret")
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert gate.origin.last["Remote-Groups"] == "app-users"
    assert verified(gate, gate.origin.last["Gatehouse-Assertion"], "app")["groups"] == ["app-users"]


def test_too_many_groups_are_cut_and_said_so(simple):
    gate = simple()
    gate.cli("user", "set-groups", "mary", ",".join(["staff"] + [f"a-rather-long-group-name-{n:03}" for n in range(100)]))
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert len(gate.origin.last["Remote-Groups"]) <= 2048
    assert verified(gate, gate.origin.last["Gatehouse-Assertion"], "app")["groups_truncated"] is True


def test_no_assertion_when_it_is_turned_off(simple):
    gate = simple(identity_headers={"preset": "remote", "assertion": False})
    assert gate.get("/page", key=gate.mary_key, headers=[("Gatehouse-Assertion", "forged")]).status == 200
    assert gate.origin.last.get("Gatehouse-Assertion", "") == ""
    assert gate.origin.last["Remote-User"] == "mary"


def test_service_account_has_only_keys(gate, origin):
    gate.add_user("robot", ["staff"], service=True)
    key = gate.add_key("robot")["key"]
    assert gate.get("/page", key=key).status == 200
    assert origin.last["Remote-User"] == "robot"
    assert json.loads(gate.cli("user", "show", "robot", "--json").stdout)["username"] == "robot"
