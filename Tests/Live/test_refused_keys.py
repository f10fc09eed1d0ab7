"""Clients that go on with API keys that are wrong or revoked: told to wait, by address, and nobody else with them."""

import pytest

from support.wire import request
from test_credentials import basic, bearer, made_up_key

LIMITS = {"limits": {"sign_in": {"rate": "1/m", "burst": 3}}}
WRONG = made_up_key()


def limited(response):
    return response.status == 429 and response.code == response["Gatehouse-Reason"] == "rate_limited" \
        and int(response["Retry-After"]) in range(1, 61) and "WWW-Authenticate" not in response


@pytest.mark.parametrize("headers", [[("X-API-Key", WRONG)], [bearer(WRONG)], [basic("x", WRONG)],
                                     [("Gatehouse-Key", "gate_short")]], ids=["header", "bearer", "basic", "no key"])
def test_wrong_keys(simple, headers):
    gate = simple(**LIMITS)
    answers = [gate.get("/page", headers=headers) for _ in range(8)]
    assert [answer.status for answer in answers[:3]] == [401] * 3
    assert all(limited(answer) for answer in answers[3:])
    # A good key, somebody without one, and where everyone is let in.
    assert gate.get("/page", key=gate.mary_key).status == 200
    assert gate.get("/page").code == "sign_in_required"
    assert gate.get("/public/x", headers=headers).status == 200
    assert gate.event(reason="rate_limited", route="app", event_type="request_denied")
    assert 'reason="rate_limited"' in gate.monitor_get("/metrics")[1]


def test_revoked_keys_at_the_portal_as_well(simple):
    gate = simple(**LIMITS)
    made = gate.add_key("mary", "old")
    gate.cli("api-key", "revoke", made["id"])

    def me(key):
        return request(gate.port, "/.auth/api/me", "auth.example.com", headers=[bearer(key)])

    assert [me(made["key"]).status for _ in range(3)] == [401] * 3
    assert limited(me(made["key"])) and limited(gate.get("/page", key=made["key"]))
    assert me(gate.mary_key).status == 403, "a good key is told that it changes no account"
    # It is no wrong password: nobody is locked out of anything.
    gate.cli("user", "set-password", "mary", input="three quiet herons fly\n")
    from support.portal import login
    assert login(gate, password="three quiet herons fly").status == 200


def test_by_address_and_in_the_words_of_each_proxy(simple):
    gate = simple(trusted_proxies=["127.0.0.1"], limits=LIMITS["limits"] | {"exempt_networks": ["198.51.100.0/24"]})

    def ask(address, dialect="nginx", key=WRONG):
        described = [("X-Original-URL", "http://app.example.com/page"), ("X-Original-Method", "GET")]
        if dialect != "nginx":
            described = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "app.example.com"),
                         ("X-Forwarded-Uri", "/page"), ("X-Forwarded-Proto", "http")]
        return gate.get(f"/.auth/check/{dialect}", host="gatehouse", key=key,
                        headers=described + [("X-Forwarded-For", address)])

    assert [ask("203.0.113.7").status for _ in range(4)] == [401, 401, 401, 403]
    assert ask("203.0.113.7")["Gatehouse-Reason"] == "rate_limited"
    for dialect in ("traefik", "caddy"):
        assert limited(ask("203.0.113.7", dialect)), dialect
    assert ask("203.0.113.7", "nginx", gate.mary_key).status == 200
    assert ask("203.0.113.8").status == 401
    # What is no address is one client.
    assert [ask(address).status for address in ("a", "", "b", "unknown")] == [401, 401, 401, 403]
    assert {ask("198.51.100.1").status for _ in range(20)} == {401}
