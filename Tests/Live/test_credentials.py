"""Every credential that must not pass, and whose a credential is."""

import base64
import zlib

import pytest

from support.waiting import eventually


ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def made_up_key(body="a" * 43):
    """A key with a right checksum that nobody was given."""
    checksum, digits = zlib.crc32(b"gate_" + body.encode()), ""
    for _ in range(6):
        checksum, digit = divmod(checksum, 62)
        digits = ALPHABET[digit] + digits
    return f"gate_{body}{digits}"


def basic(user, password):
    return ("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def bearer(token):
    return ("Authorization", f"Bearer {token}")


def refused(response, status, code):
    assert response.status == status, response
    assert response.code == code, response
    assert response["Cache-Control"] == "no-store"
    assert response["X-Request-Id"]
    if status == 401:
        assert response["WWW-Authenticate"].startswith("Bearer")
    assert "Remote-User" not in response
    return response


# Keys


def test_key_has_the_documented_shape(gate):
    made = gate.add_key("mary", "shape")
    key = made["key"]
    assert len(key) == 5 + 43 + 6 and key.startswith("gate_")
    assert key == made_up_key(key[5:48])
    assert made["prefix"] == key[:12]


def test_without_a_credential(gate, origin):
    before = len(origin.requests)
    refused(gate.get("/page"), 401, "sign_in_required")
    assert len(origin.requests) == before


@pytest.mark.parametrize("key", [made_up_key(), made_up_key()[:-1] + "!", made_up_key()[:-1], "gate_", "gate_short"])
def test_unknown_key(gate, key):
    refused(gate.get("/page", key=key), 401, "credential_unknown")


def test_unknown_key_is_audited(simple):
    gate = simple()
    response = refused(gate.get("/page", key=made_up_key("b" * 43)), 401, "credential_unknown")
    event = gate.event(request_id=response["X-Request-Id"])
    assert event["success"] is False and event["reason"] == "credential_unknown" and event["route"] == "app"
    assert event["ip_address"].startswith("127.0.0.1")


def test_expired_key(simple):
    gate = simple()
    made = gate.add_key("mary", "short", expires="1s")
    eventually(lambda: gate.get("/page", key=made["key"]).status == 401, 5, "the expiry")
    refused(gate.get("/page", key=made["key"]), 401, "credential_expired")
    assert gate.event(reason="credential_expired", user="mary")["success"] is False


def test_revoking_refuses_the_very_next_request(gate):
    for _ in range(20):
        made = gate.add_key("mary", "to revoke")
        assert gate.get("/page", key=made["key"]).status == 200
        gate.cli("api-key", "revoke", made["id"])
        refused(gate.get("/page", key=made["key"]), 401, "credential_revoked")


def test_revoking_is_seen_on_a_connection_that_is_open(gate):
    from support.wire import Connection, head

    made = gate.add_key("mary", "open")
    with Connection(gate.port) as connection:
        ask = head("GET", "/page", "app.example.com", [("X-API-Key", made["key"])])
        connection.send(ask)
        assert connection.read().status == 200
        gate.cli("api-key", "revoke", made["id"])
        connection.send(ask)
        refused(connection.read(), 401, "credential_revoked")


def test_revocation_and_its_refusal_are_audited(gate):
    # A user of its own: denials of one kind and user within two seconds are one event, which names the first request.
    gate.add_user("rita", ["staff"])
    made = gate.add_key("rita", "audited")
    gate.cli("api-key", "revoke", made["id"])
    response = gate.get("/page", key=made["key"])
    event = gate.event(request_id=response["X-Request-Id"])
    assert event["reason"] == "credential_revoked" and event["user"] == "rita"


def test_disabled_user_is_refused_at_once(gate):
    gate.add_user("dora", ["staff"])
    key = gate.add_key("dora")["key"]
    assert gate.get("/page", key=key).status == 200
    gate.cli("user", "disable", "dora")
    assert gate.get("/page", key=key).status == 401
    gate.cli("user", "enable", "dora")


def test_key_of_a_deleted_user(gate):
    gate.add_user("gone", ["staff"])
    key = gate.add_key("gone")["key"]
    assert gate.get("/page", key=key).status == 200
    gate.cli("user", "delete", "gone")
    assert gate.get("/page", key=key).status == 401


def test_rotation_with_overlap(gate):
    made = gate.add_key("mary", "rotated")
    new = gate.json("api-key", "rotate", made["id"], "--overlap", "1h")
    assert gate.get("/page", key=made["key"]).status == 200
    assert gate.get("/page", key=new["key"]).status == 200
    newest = gate.json("api-key", "rotate", new["id"], "--overlap", "0s")
    assert gate.get("/page", key=new["key"]).status == 401
    assert gate.get("/page", key=newest["key"]).status == 200


# Restrictions


def test_scoped_key_passes_only_rules_that_name_its_scope(gate):
    assert gate.get("/scoped/x", key=gate.reader_key).status == 200
    refused(gate.get("/scoped/x", key=gate.reader_key, method="POST"), 403, "scope_missing")
    assert gate.get("/scoped/x", key=gate.writer_key, method="POST").status == 200
    assert gate.get("/two-ways/x", key=gate.reader_key).status == 200
    refused(gate.get("/page", key=gate.reader_key), 403, "scope_missing")
    refused(gate.get("/signed-in/x", key=gate.reader_key), 403, "scope_missing")
    assert gate.get("/public/x", key=gate.reader_key).status == 200


def test_scope_refusal_is_audited(gate):
    response = gate.get("/page", key=gate.reader_key)
    event = gate.event(reason="scope_missing", user="mary", route="app")
    assert event["success"] is False and response.status == 403


def test_rules_name_kinds_of_credentials(gate, issuer):
    assert gate.get("/keys/x", key=gate.mary_key).status == 200
    assert gate.get("/tokens/x", key=gate.mary_key).status == 403
    assert gate.get("/mary/x", key=gate.mary_key).status == 200
    assert gate.get("/mary/x", key=gate.adam_key).status == 403
    assert gate.get("/not-mary/x", key=gate.mary_key).status == 403
    assert gate.get("/signed-in/x", headers=[bearer(issuer.token("ES256"))]).status == 200


def test_key_never_has_a_second_factor(gate):
    assert gate.get("/factors/x", key=gate.mary_key).status in (401, 403)


def test_key_bound_to_routes(gate):
    key = gate.add_key("mary", "bound", routes="other")["key"]
    assert gate.get("/page", host="other.example.com", key=key).status == 200
    refused(gate.get("/page", key=key), 403, "key_restricted")


def test_key_bound_to_methods(gate):
    key = gate.add_key("mary", "bound", methods="GET")["key"]
    assert gate.get("/page", key=key).status == 200
    assert gate.get("/page", key=key, method="HEAD").status == 200
    refused(gate.get("/page", key=key, method="POST"), 403, "key_restricted")


def test_key_bound_to_networks(gate):
    inside = gate.add_key("mary", "bound", networks="127.0.0.0/8")["key"]
    outside = gate.add_key("mary", "bound", networks="10.0.0.0/8")["key"]
    assert gate.get("/page", key=inside).status == 200
    refused(gate.get("/page", key=outside), 403, "key_restricted")
    refused(gate.get("/page", key=outside, headers=[("X-Forwarded-For", "10.0.0.1")]), 403, "key_restricted")


# Where a credential stands


@pytest.mark.parametrize("place", ["Gatehouse-Key", "X-API-Key", "x-api-key", "bearer", "basic", "BEARER"])
def test_places_of_a_key(gate, origin, place):
    headers = {
        "bearer": [bearer(gate.mary_key)],
        "BEARER": [("authorization", f"bEARER {gate.mary_key}")],
        "basic": [basic("whoever", gate.mary_key)],
    }.get(place, [(place, gate.mary_key)])
    assert gate.get("/page", headers=headers).status == 200
    assert gate.mary_key not in repr(origin.last)
    assert origin.last["Remote-User"] == "mary"


def test_key_in_the_query_is_nobodys(gate):
    assert gate.get(f"/page?api_key={gate.mary_key}").status == 401


@pytest.mark.parametrize("name,value", [
    ("Authorization", "Bearer something-of-the-app"),
    ("Authorization", "Basic dXNlcjpwYXNz"),
    ("Authorization", "Digest username=x"),
    ("Authorization", "AWS4-HMAC-SHA256 Credential=x"),
    ("X-Api-Key", "the-apps-own-key"),
    ("X-Api-Key", "sk_live_4242"),
])
def test_what_is_the_apps_reaches_it_untouched(gate, origin, name, value):
    headers = [("Gatehouse-Key", gate.mary_key), (name, value)]
    assert gate.get("/page", headers=headers).status == 200
    assert origin.last[name] == value
    assert "Gatehouse-Key" not in origin.last
    assert origin.last["Remote-User"] == "mary"


def test_what_is_the_apps_is_no_credential(gate):
    assert gate.get("/page", headers=[("Authorization", "Bearer something-of-the-app")]).status == 401


def test_foreign_cookies_reach_the_app(gate, origin):
    assert gate.get("/page", key=gate.mary_key, headers=[("Cookie", "a=1; session=abc; b=\"2\"")]).status == 200
    assert origin.last["Cookie"] == "a=1; session=abc; b=\"2\""


def test_refused_credential_is_taken_out_as_well(gate, origin):
    bad = made_up_key("c" * 43)
    assert gate.get("/public/x", key=bad).status == 200
    assert origin.last["Remote-User"] == ""
    assert bad not in repr(origin.last)


def test_bad_credential_beside_a_good_one_is_refused(gate):
    headers = [("X-API-Key", made_up_key()), bearer(gate.mary_key)]
    response = gate.get("/page", headers=headers)
    assert response.status in (400, 401), response


def test_two_credentials_of_ours_that_differ(gate):
    headers = [("Gatehouse-Key", gate.mary_key), ("X-API-Key", gate.adam_key)]
    assert gate.get("/page", headers=headers).status == 400
    same = [("Gatehouse-Key", gate.mary_key), ("X-API-Key", gate.mary_key)]
    assert gate.get("/page", headers=same).status == 200
    assert gate.get("/page", headers=[("X-API-Key", gate.mary_key), bearer(gate.adam_key)]).status == 400


def test_repeated_key_header(gate):
    assert gate.get("/page", headers=[("X-API-Key", gate.mary_key), ("X-API-Key", gate.adam_key)]).status in (400, 401)


def test_credentials_from_narrows_where_we_look(simple):
    gate = simple(route={"credentials_from": ["key"]})
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert gate.get("/page", headers=[bearer(gate.mary_key)]).status == 401


# Challenges


def test_challenge_of_basic(simple):
    gate = simple(route={"challenge": "basic"})
    assert gate.get("/page")["WWW-Authenticate"].startswith("Basic")
    script = [("Sec-Fetch-Mode", "cors")]
    assert not (gate.get("/page", headers=script).get("WWW-Authenticate") or "").startswith("Basic")
    old = [("X-Requested-With", "XMLHttpRequest")]
    assert not (gate.get("/page", headers=old).get("WWW-Authenticate") or "").startswith("Basic")


def test_problem_document(gate):
    response = refused(gate.get("/page"), 401, "sign_in_required")
    problem = response.json()
    assert {"type", "title", "status", "code"} <= problem.keys()
    assert "auth.example.com/.auth/login" in response.body.decode()


def test_request_id_of_a_refusal_is_the_clients(gate):
    assert gate.get("/page", headers=[("X-Request-Id", "abc-1.2_3")])["X-Request-Id"] == "abc-1.2_3"
    assert gate.get("/page", headers=[("X-Request-Id", "no spaces")])["X-Request-Id"] != "no spaces"
