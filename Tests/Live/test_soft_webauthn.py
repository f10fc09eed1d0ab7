"""PyPI's `soft-webauthn`, an authenticator that knows neither verification nor anything of Gatehouse: registers, is the
second factor, and each of its results that somebody has changed is refused with its own reason in the audit."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from soft_webauthn import SoftWebauthnDevice

from support.authenticator import decode, encode
from support.gatehouse import Gatehouse
from support.portal import PASSWORD, add_person, api, login
from test_passkeys import ORIGIN, RP, ask, creation, use


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    gate = Gatehouse(
        tmp_path_factory.mktemp("soft"), public_url=ORIGIN, upstreams={},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        limits={"sign_in": {"rate": "1000/s", "burst": 1000}})
    for person in ("mary", "adam", "rita", "zoe", "codes"):
        add_person(gate, person, ["staff"])
    gate.start()
    yield gate
    gate.stop()


def text(result):
    """What the browser's `toJSON()` makes of a credential."""
    raw = encode(result["rawId"])
    response = {name: encode(value) for name, value in result["response"].items()}
    return {"id": raw, "rawId": raw, "type": result["type"], "response": response}


def made(device, options, origin=ORIGIN, **wrong):
    wanted = options | {"challenge": wrong.get("challenge", decode(options["challenge"])),
                        "user": options["user"] | {"id": decode(options["user"]["id"])},
                        "rp": {"id": wrong.get("rp_id", options["rp"]["id"])}}
    return device.create({"publicKey": wanted}, origin)


def proved(device, options, origin=ORIGIN, **wrong):
    wanted = options | {"challenge": wrong.get("challenge", decode(options["challenge"])), "rpId": device.rp_id}
    return device.get({"publicKey": wanted}, origin)


def register(gate, person, result):
    return api(gate, "POST", "/passkeys/register", text(result), token(gate, person))


def token(gate, person):
    if person not in TOKENS:
        TOKENS[person] = login(gate, person).json()["access_token"]
    return TOKENS[person]


TOKENS = {}


@pytest.fixture(scope="module")
def devices(gate):
    """One of mary's and one of adam's."""
    found = {}
    for person in ("mary", "adam"):
        found[person] = SoftWebauthnDevice()
        answer = register(gate, person, made(found[person], creation(gate, token(gate, person))))
        assert answer.status == 201, answer.body
    return found


def test_it_registers_and_is_the_second_factor(gate, devices):
    answer = use(gate, text(proved(devices["mary"], ask(gate))))
    assert (answer.status, answer.json()["code"]) == (403, "two_factor_required"), "it verifies nobody: one factor"
    proof = text(proved(devices["mary"], ask(gate)))
    assert api(gate, "POST", "/reauthenticate", proof, token(gate, "mary")).status == 204
    assert api(gate, "GET", "/me", token=token(gate, "mary")).json()["factors"] == 2


def test_it_signs_in_by_the_api_beside_the_password(gate, devices):
    """Whose only second factor verifies nobody has a way in that takes both at once."""
    adam = devices["adam"]

    def sign_in(password=PASSWORD, device=adam, **more):
        return login(gate, "adam", password, passkey=text(proved(device, ask(gate))), **more)

    assert login(gate, "adam").json()["code"] == "two_factor_required"
    answer = sign_in(device_name="a program")
    assert answer.status == 200, answer.body
    found = api(gate, "GET", "/me", token=answer.json()["access_token"]).json()
    assert (found["username"], found["factors"]) == ("adam", 2)
    newest = next(event for event in gate.audit("--type", "sign_in") if event["success"])
    assert (newest["user"], sorted(newest["metadata"]["amr"])) == ("adam", ["hwk", "mfa", "pwd"])
    # Each alone, somebody else's, a spoiled one, and one that was used: all the same answer.
    used = text(proved(adam, ask(gate)))
    assert login(gate, "adam", passkey=used).status == 200
    spoiled = text(proved(adam, ask(gate)))
    spoiled["response"]["signature"] = text(proved(adam, ask(gate)))["response"]["signature"]
    for answer in (sign_in("wrong"), sign_in(device=devices["mary"]), login(gate, "adam", passkey=used),
                   login(gate, "adam", passkey=spoiled), login(gate, "mary", passkey=text(proved(adam, ask(gate)))),
                   login(gate, "nobody", passkey=text(proved(adam, ask(gate))))):
        assert (answer.status, answer.json()["code"]) == (401, "invalid_credentials"), answer.body
    for code in ("123456", ""):
        assert sign_in(two_factor_code=code).status == 400, "which of both is to count?"
    assert login(gate, "adam", passkey=None).json()["code"] == "two_factor_required"
    for none in ({}, "x", [], {"type": "public-key"}, text(proved(adam, ask(gate))) | {"type": "password"}):
        assert login(gate, "adam", passkey=none).status == 400, none
    # Who has no second factor is asked for none, whatever else comes.
    assert login(gate, "zoe", passkey=text(proved(adam, ask(gate)))).status == 200
    assert sign_in().status == 200, "nothing of this has hurt it"


def test_the_first_factor_comes_with_codes(gate):
    """Shown once, so that a lost key is not a lost account."""
    session = login(gate, "codes").json()["access_token"]
    added = [api(gate, "POST", "/passkeys/register", text(made(SoftWebauthnDevice(), creation(gate, session))), session)
             for _ in range(2)]
    assert [answer.status for answer in added] == [201, 201]
    codes = added[0].json()["backup_codes"]
    assert len(codes) == len(set(codes)) == 10 and "backup_codes" not in added[1].json()
    assert login(gate, "codes", two_factor_code=codes[3]).status == 200
    assert login(gate, "codes", two_factor_code=codes[3]).status == 401
    listed = api(gate, "GET", "/passkeys", token=session).json()
    assert len(listed) == 2 and all("backup_codes" not in entry for entry in listed)


# A map of more members than there is memory, in nine bytes: whoever believes it makes room for them.
HUGE = b"\xbb\x00\x00\x00\x00\xff\xff\xff\xff"


def change_head(result, at, value):
    """A byte of what the authenticator says, after it has signed."""
    data = bytearray(result["response"]["authenticatorData"])
    data[at] = value
    result["response"]["authenticatorData"] = bytes(data)


def test_changed_proofs_each_with_its_reason(gate, devices):
    mary, adam = devices["mary"], devices["adam"]
    assert use(gate, text(proved(mary, ask(gate)))).status == 403

    def flags(result):
        change_head(result, 32, 0x00)

    def backed_up(result):
        change_head(result, 32, 0x11)

    def signature(result):
        result["response"]["signature"] = proved(adam, ask(gate))["response"]["signature"]

    def counter_after(result):
        change_head(result, 36, 0xff)

    def of_adam(result):
        result["rawId"] = adam.credential_id

    def unknown(result):
        result["rawId"] = b"z" * 32

    def for_adam(result):
        result["response"]["userHandle"] = adam.user_handle

    def huge(result):
        """Says that it has extensions, and of these that there are four thousand million."""
        change_head(result, 32, 0x81)
        result["response"]["authenticatorData"] += HUGE

    def nonsense(result):
        result["response"]["clientDataJSON"] = b"{"

    cases = [
        ("passkey_origin", {"origin": "https://auth.example.com.evil.org"}, None),
        ("passkey_origin", {"origin": "http://auth.example.com"}, None),
        ("passkey_challenge", {"challenge": b"c" * 40}, None),
        ("passkey_user_presence", {}, flags),
        ("passkey_malformed", {}, backed_up),
        ("passkey_signature", {}, signature),
        ("passkey_signature", {}, counter_after),
        ("passkey_other_user", {}, of_adam),
        ("passkey_other_user", {}, for_adam),
        ("passkey_unknown", {}, unknown),
        ("passkey_malformed", {}, nonsense),
        ("passkey_malformed", {}, huge),
    ]
    for reason, wrong, change in cases:
        before = count(gate, reason)
        result = proved(mary, ask(gate), **wrong)
        if change:
            change(result)
        answer = use(gate, text(result))
        assert (answer.status, answer.json()["code"]) == (401, "invalid_credentials"), (reason, answer.body)
        assert count(gate, reason) == before + 1, reason
    # The RP id stands in what is signed.
    mary.rp_id = "example.com"
    assert use(gate, text(proved(mary, ask(gate)))).status == 401 and count(gate, "passkey_rp_id") == 1
    mary.rp_id = RP
    # A copy of it, whose counter stands still.
    highest, mary.sign_count = mary.sign_count, 0
    assert use(gate, text(proved(mary, ask(gate)))).status == 401 and count(gate, "passkey_counter") == 1
    mary.sign_count = highest
    # In the hand of whoever is signed in as somebody else.
    before = len(reasons(gate, "reauthenticated"))
    assert api(gate, "POST", "/reauthenticate", text(proved(mary, ask(gate))), token(gate, "adam")).status == 401
    assert reasons(gate, "reauthenticated")[before:] == ["passkey_other_user"]
    assert use(gate, text(proved(mary, ask(gate)))).status == 403, "nothing of this has hurt it"


def reasons(gate, event):
    return [found["reason"] for found in reversed(gate.audit("--type", event)) if not found["success"]]


def count(gate, reason):
    return reasons(gate, "sign_in").count(reason)


def test_changed_registrations_each_with_its_reason(gate):
    def attested(result, **members):
        found = cbor.decode(result["response"]["attestationObject"])
        result["response"]["attestationObject"] = cbor.encode(found | members)

    def head(result, at, value):
        data = bytearray(cbor.decode(result["response"]["attestationObject"])["authData"])
        data[at] = value
        attested(result, authData=bytes(data))

    def algorithm(result):
        found = cbor.decode(result["response"]["attestationObject"])["authData"]
        # {1: 2, 3: -7, …}: the algorithm is the fourth pair's byte behind the credential's id.
        start = 37 + 16 + 2 + 32
        key = cbor.decode(found[start:]) | {3: -35}
        attested(result, authData=found[:start] + cbor.encode(key))

    def huge_key(result):
        found = cbor.decode(result["response"]["attestationObject"])["authData"]
        attested(result, authData=found[:37 + 16 + 2 + 32] + HUGE)

    before = gate.anonymous_memory()
    cases = [
        ("passkey_malformed", {}, huge_key),
        ("passkey_malformed", {}, lambda result: result["response"].update(attestationObject=HUGE)),
        ("passkey_origin", {"origin": "https://evil.example.org"}, None),
        ("passkey_challenge", {"challenge": b"c" * 40}, None),
        ("passkey_rp_id", {"rp_id": "example.com"}, None),
        ("passkey_user_presence", {}, lambda result: head(result, 32, 0x40)),
        ("passkey_malformed", {}, lambda result: head(result, 32, 0x01)),
        ("passkey_algorithm", {}, algorithm),
        ("passkey_attestation", {}, lambda result: attested(result, fmt="packed")),
        ("passkey_attestation", {}, lambda result: attested(result, attStmt={"sig": b"x"})),
        ("passkey_malformed", {}, lambda result: result["response"].update(attestationObject=b"\xa0")),
    ]
    for reason, wrong, change in cases:
        known = reasons(gate, "factor_added").count(reason)
        result = made(SoftWebauthnDevice(), creation(gate, token(gate, "rita")), **wrong)
        if change:
            change(result)
        answer = register(gate, "rita", result)
        assert answer.status == 400, (reason, answer.body)
        assert reasons(gate, "factor_added").count(reason) == known + 1, (reason, reasons(gate, "factor_added")[-1])
    assert gate.anonymous_memory() < before + (256 << 20)
    thief = SoftWebauthnDevice()
    result = made(thief, creation(gate, token(gate, "rita")))
    assert register(gate, "rita", result).status == 201
    assert isinstance(thief.private_key, ec.EllipticCurvePrivateKey)


def test_a_credential_of_somebody_else_is_not_registered_twice(gate, devices):
    device = devices["adam"]
    known = device.credential_id

    class Copy(SoftWebauthnDevice):
        def cred_init(self, rp_id, user_handle):
            super().cred_init(rp_id, user_handle)
            self.credential_id = known

    answer = register(gate, "rita", made(Copy(), creation(gate, token(gate, "rita"))))
    assert answer.status == 409, answer.body
