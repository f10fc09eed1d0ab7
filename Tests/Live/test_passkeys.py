"""Passkeys: an authenticator whose messages others wrote, by the API, and Chromium's own on the pages."""

import copy

import pytest
from fido2.cose import CoseKey

from support.authenticator import BS, UP, UV, Authenticator, encode
from support.portal import add_person, api, login
from support.wire import request

ORIGIN = "https://auth.example.com"
RP = "auth.example.com"


@pytest.fixture
def portal(make_gate, make_origin):
    def make(**login_settings):
        origin = make_origin()
        rules = [{"paths": ["/two/**"], "allow": {"groups": ["staff"], "factors": 2}},
                 {"paths": ["/key/**"], "allow": {"groups": ["staff"], "factors": "passkey"}},
                 {"allow": {"groups": ["staff"]}}]
        gate = make_gate(
            start=False, public_url=ORIGIN, upstreams={"app": {"url": [origin.url]}},
            sessions={"cookie": {"domain": "example.com"}}, login=login_settings,
            limits={"sign_in": {"rate": "1000/s", "burst": 1000}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": rules}])
        for person in ("mary", "adam"):
            add_person(gate, person, ["staff"])
        return gate.start()

    return make


def token_of(gate, user="mary"):
    return login(gate, user).json()["access_token"]


def creation(gate, token):
    answer = api(gate, "POST", "/passkeys/register/options", {}, token)
    assert answer.status == 200, answer.body
    return answer.json()


def enrol(gate, user="mary", form="none", **how):
    token = token_of(gate, user)
    authenticator = Authenticator(ORIGIN, RP, **how)
    answer = api(gate, "POST", "/passkeys/register", authenticator.create(creation(gate, token), form) | {
        "name": "my key"}, token)
    assert answer.status == 201, answer.body
    assert answer.json()["name"] == "my key"
    return authenticator, token


def ask(gate):
    return api(gate, "POST", "/passkeys/login/options", {}).json()


def use(gate, proof):
    return api(gate, "POST", "/passkeys/login", proof)


def get_page(gate, path, token):
    return request(gate.port, path, "app.example.com", "GET", [("Authorization", f"Bearer {token}")])


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_a_passkey_signs_in_alone_and_counts_as_two_factors(portal, algorithm):
    gate = portal()
    options = creation(gate, token_of(gate))
    assert options["rp"] == {"id": RP, "name": "Gatehouse"} and options["attestation"] == "none"
    assert [kind["alg"] for kind in options["pubKeyCredParams"]] == [-7, -8, -257]
    authenticator, token = enrol(gate, algorithm=algorithm)
    (listed,) = api(gate, "GET", "/passkeys", token=token).json()
    assert listed["name"] == "my key" and listed["last_used_at"] is None and listed["backed_up"] is False
    assert login(gate).json()["code"] == "two_factor_required", "it is a second factor from now on"
    answer = use(gate, authenticator.get(ask(gate)))
    assert answer.status == 200, answer.body
    fresh = answer.json()["access_token"]
    assert api(gate, "GET", "/me", token=fresh).json()["factors"] == 2
    assert get_page(gate, "/two/x", fresh).status == 200 and get_page(gate, "/key/x", fresh).status == 200
    assert api(gate, "GET", "/passkeys", token=fresh).json()[0]["last_used_at"]
    assert gate.event(event_type="factor_added", success=True)["metadata"]["attestation"] == "none"
    # A second one with a name; then both go.
    again = creation(gate, fresh)
    assert [known["id"] for known in again["excludeCredentials"]] == [encode(authenticator.id)]
    other = Authenticator(ORIGIN, RP)
    made = api(gate, "POST", "/passkeys/register", other.create(again), fresh).json()
    assert api(gate, "PATCH", f"/passkeys/{made['id']}", {"name": "the other"}, fresh).status == 204
    assert [key["name"] for key in api(gate, "GET", "/passkeys", token=fresh).json()] == ["the other", "my key"]
    for key in api(gate, "GET", "/passkeys", token=fresh).json():
        assert api(gate, "DELETE", f"/passkeys/{key['id']}", token=fresh).status == 204
    assert use(gate, authenticator.get(ask(gate))).status == 401
    assert login(gate).status == 200


@pytest.mark.parametrize("form", ["packed", "packed-x5c", "fido-u2f"])
def test_attestations(portal, form):
    gate = portal()
    authenticator, token = enrol(gate, form=form)
    assert use(gate, authenticator.get(ask(gate))).status == 200
    bad = Authenticator(ORIGIN, RP)
    options = creation(gate, token)

    def spoil(statement):
        return statement | {"sig": statement["sig"][:-1] + bytes([statement["sig"][-1] ^ 1])}

    answer = api(gate, "POST", "/passkeys/register", bad.create(options, form, spoil=spoil), token)
    assert answer.status == 400
    assert gate.event(event_type="factor_added", success=False)["reason"] == "passkey_attestation"


def test_tampered_registrations_each_with_its_reason(portal):
    gate = portal()
    token = token_of(gate)
    other_token = token_of(gate, "adam")
    stranger = creation(gate, other_token)["challenge"]
    sign_in = ask(gate)["challenge"]
    cases = {
        "passkey_origin": {"origin": "https://evil.example.com"},
        "passkey_cross_origin": {"cross_origin": True},
        "passkey_rp_id": {"rp_id": "example.com"},
        "passkey_user_presence": {"flags": UV},
        "passkey_type": {"type": "webauthn.get"},
        "passkey_algorithm": {"public": CoseKey({1: 2, 3: -35, -1: 2, -2: b"x" * 48, -3: b"y" * 48})},
        "passkey_attestation": {"form": "android-key"},
        "passkey_malformed": {"flags": UP | BS},
    }
    for reason, wrong in cases.items():
        answer = api(gate, "POST", "/passkeys/register",
                     Authenticator(ORIGIN, RP).create(creation(gate, token), **wrong), token)
        assert answer.status == 400, (reason, answer.body)
        assert gate.event(event_type="factor_added", reason=reason)["user"] == "mary"
    for challenge in (stranger, sign_in, encode(b"x" * 40), encode(b"")):
        made = Authenticator(ORIGIN, RP).create(creation(gate, token), challenge=challenge)
        assert api(gate, "POST", "/passkeys/register", made, token).status == 400
    options = creation(gate, token)
    first = Authenticator(ORIGIN, RP).create(options)
    assert api(gate, "POST", "/passkeys/register", first, token).status == 201
    again = api(gate, "POST", "/passkeys/register", first, token)
    assert again.status == 400, "a challenge is good once"
    assert gate.event(event_type="factor_added", reason="passkey_challenge")


def test_tampered_proofs_each_with_its_reason(portal):
    gate = portal()
    authenticator, _ = enrol(gate)
    adams, _ = enrol(gate, "adam")
    assert use(gate, authenticator.get(ask(gate))).status == 200
    cases = [
        ("passkey_origin", {"origin": "https://auth.example.com.evil.com"}),
        ("passkey_origin", {"origin": "http://auth.example.com"}),
        ("passkey_cross_origin", {"cross_origin": True}),
        ("passkey_rp_id", {"rp_id": "app.example.com"}),
        ("passkey_user_presence", {"flags": UV}),
        ("passkey_counter", {"counter": 1}),
        ("passkey_counter", {"counter": 0}),
        ("passkey_signature", {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"}),
        ("passkey_type", {"type": "webauthn.create"}),
        ("passkey_other_user", {"user": adams.user}),
        ("passkey_other_user", {"id": adams.id}),
        ("passkey_unknown", {"id": b"z" * 32}),
        ("passkey_challenge", {"challenge": encode(b"z" * 40)}),
    ]
    for reason, wrong in cases:
        answer = use(gate, authenticator.get(ask(gate), **wrong))
        assert (answer.status, answer.json()["code"]) == (401, "invalid_credentials"), (reason, answer.body)
        gate.event(event_type="sign_in", success=False, reason=reason)
    # What another key has signed, the flags changed after signing, and the same answer a second time.
    forged = authenticator.get(ask(gate))
    forged["response"]["signature"] = adams.get(ask(gate))["response"]["signature"]
    assert use(gate, forged).status == 401
    proof = authenticator.get(ask(gate))
    once = copy.deepcopy(proof)
    assert use(gate, proof).status == 200
    assert use(gate, once).status == 401
    for body in ({}, {"type": "public-key"}, {"type": "public-key", "id": "x", "rawId": "%%%", "response": {}},
                 proof | {"response": {}}, proof | {"rawId": "A" * 60_000}):
        assert use(gate, body).status == 400
    assert use(gate, authenticator.get(ask(gate))).status == 200, "nothing of this has hurt it"


def test_without_verification_it_is_one_factor(portal):
    gate = portal()
    authenticator, token = enrol(gate, verifies=False)
    answer = use(gate, authenticator.get(ask(gate)))
    assert (answer.status, answer.json()["code"]) == (403, "two_factor_required")
    proof = authenticator.get(ask(gate))
    assert api(gate, "POST", "/reauthenticate", proof, token).status == 204, "besides the password it is the second"
    assert api(gate, "GET", "/me", token=token).json()["factors"] == 2


def test_where_verification_is_required(portal):
    gate = portal(passkeys={"user_verification": "required"})
    token = token_of(gate)
    lazy = Authenticator(ORIGIN, RP, verifies=False)
    assert api(gate, "POST", "/passkeys/register", lazy.create(creation(gate, token)), token).status == 400
    assert gate.event(event_type="factor_added", reason="passkey_user_verification")
    authenticator, _ = enrol(gate)
    answer = use(gate, authenticator.get(ask(gate), flags=UP))
    assert (answer.status, answer.json()["code"]) == (401, "invalid_credentials")
    assert gate.event(event_type="sign_in", reason="passkey_user_verification")
    assert use(gate, authenticator.get(ask(gate))).status == 200


def test_a_disabled_user_s_passkey(portal):
    gate = portal()
    authenticator, _ = enrol(gate)
    gate.cli("user", "disable", "mary")
    answer = use(gate, authenticator.get(ask(gate)))
    assert (answer.status, answer.json()["code"]) == (403, "user_disabled")


def test_what_programs_look_for(portal):
    gate = portal(passkeys={"rp_id": "example.com", "origins": ["https://example.org"]})

    def look(path, host="auth.example.com"):
        return request(gate.port, path, host, "GET")

    assert look("/.well-known/webauthn").json() == {"origins": [ORIGIN, "https://example.org"]}
    home = ORIGIN + "/.auth/account/security"
    assert look("/.well-known/passkey-endpoints").json() == {"enroll": home, "manage": home}
    assert look("/.well-known/change-password")["Location"] == home
    assert look("/.well-known/other").status != 200
    assert look("/.well-known/webauthn", "app.example.com").status == 401, "there it is the app's"
    token = token_of(gate)
    related = Authenticator("https://example.org", "example.com")
    assert api(gate, "POST", "/passkeys/register", related.create(creation(gate, token)), token).status == 201


def test_the_operator_sees_and_takes_away(portal):
    gate = portal(two_factor="required")
    refused = login(gate)
    assert refused.json()["code"] == "two_factor_required"
    gate.settings["login"] = {"two_factor": "optional"}
    gate.write(gate.settings)
    gate.cli("reload")
    authenticator, token = enrol(gate)
    shown = gate.json("user", "factors", "mary")
    assert [(factor["kind"], factor["name"]) for factor in shown["factors"]] == [("passkey", "my key")]
    assert gate.cli("user", "reset-2fa", "mary", "--only", "nonsense", "--print-link", check=False).returncode == 2
    reset = gate.json("user", "reset-2fa", "mary", "--print-link", "--reason", "lost telephone")
    assert reset["removed"] == ["passkeys", "backup-codes"] and len(reset["sessions"]) >= 1
    assert reset["link"].startswith(ORIGIN + "/.auth/enrol-factor/")
    assert api(gate, "GET", "/me", token=token).status == 401
    assert use(gate, authenticator.get(ask(gate))).status == 401
    event = gate.event(event_type="factors_reset")
    assert event["metadata"]["reason"] == "lost telephone" and event["actor"].startswith("cli:")
    page = request(gate.port, reset["link"].removeprefix(ORIGIN), "auth.example.com", "GET")
    assert page.status == 200 and b"/.auth/login" in page.body
