"""Foreign key sets: fetched before ready, kept while the issuer is down, fetched again for an unknown key, bounded."""

import json
import threading

import pytest

from support.issuer import Issuer, Key
from support.waiting import eventually


@pytest.fixture
def gate_of(make_gate, make_origin):
    def make(issuer, start=True, **settings):
        origin = make_origin()
        return make_gate(
            start=start,
            upstreams={"app": {"url": [origin.url]}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
            jwt={"issuers": [issuer.settings(**settings)]},
        )

    return make


def status(gate, token):
    return gate.get("/", headers=[("Authorization", f"Bearer {token}")]).status


def test_old_keys_are_kept_while_the_issuer_is_down(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer)
    issuer.stop()
    assert status(gate, issuer.token("ES256")) == 200
    unknown = issuer.token("ES256", key=Key("never-seen", "ES256"))
    assert status(gate, unknown) == 401
    assert status(gate, issuer.token("RS256")) == 200, "a failed fetch leaves the old keys"
    issuer.start_again()


def test_issuer_that_answers_nonsense_changes_nothing(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer)
    issuer.document = b"{\"keys\": \"none\"}"
    assert status(gate, issuer.token("ES256", key=Key("unknown", "ES256"))) == 401
    assert status(gate, issuer.token("ES256")) == 200


def test_unknown_key_is_fetched(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer)
    before = issuer.fetches
    assert before >= 1, "fetched before ready"
    new = Key("new-one", "ES256")
    issuer.extra.append(new)
    # The fetch at the start counts: the next for an unknown key id is 30 s later at the earliest.
    eventually(lambda: status(gate, issuer.token("ES256", key=new)) == 200, 40, "the new key")
    assert issuer.fetches == before + 1


def test_unknown_keys_cause_one_fetch_only(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer)
    before = issuer.fetches
    tokens = [issuer.token("ES256", key=Key(f"unknown-{n}", "ES256")) for n in range(10)]
    threads = [threading.Thread(target=status, args=(gate, token)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(status(gate, token) == 401 for token in tokens)
    assert issuer.fetches <= before + 1, "at most one every 30 s"


def test_key_set_from_a_file(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer, start=False)
    (gate.folder / "corp.jwks").write_bytes(issuer.key_set())
    settings = issuer.settings(jwks_file="corp.jwks")
    del settings["jwks_url"]
    gate.settings["jwt"] = {"issuers": [settings]}
    gate.write(gate.settings)
    issuer.stop()
    gate.start()
    assert status(gate, issuer.token("ES256")) == 200
    issuer.start_again()


def test_issuer_that_is_down_at_the_start(gate_of):
    """Alive and not ready, refusing its tokens, until its keys could be fetched."""
    issuer = Issuer()
    issuer.stop()
    gate = gate_of(issuer, start=False)
    gate.start(until="/healthz")
    assert gate.monitor_get("/readyz")[0] == 503
    assert status(gate, issuer.token("ES256")) == 401
    issuer.start_again()
    eventually(lambda: status(gate, issuer.token("ES256")) == 200, 45, "the key set")
    assert gate.monitor_get("/readyz")[0] == 200
    issuer.stop()


def unused(jwk, **changes):
    return {name: value for name, value in (jwk | changes).items() if value is not None}


@pytest.mark.parametrize("strange", [
    {"kty": "unknown", "kid": "x"}, {"kty": "EC", "crv": "P-521-not", "kid": "y", "x": "AA", "y": "AA"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "tiny"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "z"},
    {}, {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
], ids=lambda strange: strange.get("kid", "empty"))
def test_strange_keys_in_a_set_are_skipped(gate_of, make_issuer, strange):
    issuer = make_issuer()
    issuer.document = json.dumps({"keys": [strange, *[key.jwk() for key in issuer.keys.values()], strange]}).encode()
    gate = gate_of(issuer)
    assert status(gate, issuer.token("ES256")) == 200


def test_key_without_kid_and_alg(gate_of, make_issuer):
    issuer = make_issuer(algorithms=("ES256",))
    issuer.document = json.dumps({"keys": [unused(issuer.keys["ES256"].jwk(), kid=None, alg=None, use=None)]}).encode()
    gate = gate_of(issuer)
    import jwt

    token = jwt.encode(issuer.claims(), issuer.keys["ES256"].private, algorithm="ES256")
    assert status(gate, token) == 200


def test_encryption_keys_verify_nothing(gate_of, make_issuer):
    issuer = make_issuer(algorithms=("ES256",))
    other = Key("other", "ES256")
    issuer.document = json.dumps({"keys": [unused(issuer.keys["ES256"].jwk(), use="enc"), other.jwk()]}).encode()
    gate = gate_of(issuer)
    assert status(gate, issuer.token("ES256", key=other)) == 200
    assert status(gate, issuer.token("ES256")) == 401


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS384", "PS512", "ES384", "ES512"])
def test_other_algorithms(gate_of, make_issuer, algorithm):
    issuer = make_issuer(algorithms=(algorithm,))
    gate = gate_of(issuer, algorithms=[algorithm])
    assert status(gate, issuer.token(algorithm)) == 200


def test_key_that_left_its_set_is_no_longer_believed(gate_of, make_issuer):
    issuer = make_issuer()
    gate = gate_of(issuer)
    leaving = issuer.token("ES256")
    assert status(gate, leaving) == 200
    del issuer.keys["ES256"]
    new = Key("newer", "ES256")
    issuer.extra.append(new)
    eventually(lambda: status(gate, issuer.token("ES256", key=new)) == 200, 40, "the new key set")
    assert status(gate, leaving) == 401
