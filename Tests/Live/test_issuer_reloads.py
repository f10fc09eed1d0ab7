"""Reloads that change issuers: whose tokens go on, and whose do not."""

import select
import threading

from support.load import Load
from support.origins import answer
from support.wire import Connection, head


def test_no_token_is_refused_while_issuers_are_replaced(simple, make_issuer):
    issuer = make_issuer()
    gate = simple(rules=[{"allow": "signed_in"}], jwt={"issuers": [issuer.settings()]})
    fetches = issuer.fetches
    with Load(gate.port, [("Authorization", f"Bearer {issuer.token('ES256')}")], clients=4) as load:
        for turn in range(6):
            # Not what a token comes to: by that a request which is under way would be somebody else's.
            gate.settings["jwt"]["issuers"][0]["audiences"].append(f"wiki-{turn}")
            gate.write(gate.settings)
            gate.cli("reload")
    assert load.failures == [] and load.answered > 20
    assert issuer.fetches == fetches, "the keys were carried over"

    # The issuer is gone: what is known of it stays known through a reload.
    issuer.stop()
    gate.settings["jwt"]["issuers"][0]["user_prefix"] = "last:"
    gate.write(gate.settings)
    assert not any("issuer" in warning for warning in gate.json("reload")["warnings"])
    assert gate.get("/", headers=[("Authorization", f"Bearer {issuer.token('ES256')}")]).status == 200
    issuer.start_again()


def test_requests_under_way_outlast_a_reload_of_their_issuer(simple, make_issuer):
    """For as long as their token comes to the same identity."""
    issuer = make_issuer()
    asked, may_answer = threading.Event(), threading.Event()

    def behave(request, _):
        asked.set()
        assert may_answer.wait(60)
        return answer()

    gate = simple(behave, rules=[{"allow": "signed_in"}], jwt={"issuers": [issuer.settings()]})
    corp = gate.settings["jwt"]["issuers"][0]

    def status_over_reload(**changes):
        asked.clear()
        may_answer.clear()
        with Connection(gate.port, timeout=60) as connection:
            connection.send(head("GET", "/", "app.example.com", [("Authorization", f"Bearer {issuer.token('ES256')}")]))
            assert asked.wait(60)
            corp.update(changes)
            gate.write(gate.settings)
            gate.cli("reload")
            if "user_prefix" not in changes:
                # By now it has been judged again, were it to be refused.
                assert not select.select([connection.socket], [], [], 1.5)[0]
                may_answer.set()
            try:
                return connection.read().status
            finally:
                may_answer.set()

    assert status_over_reload(audiences=[*corp["audiences"], "more"]) == 200
    assert status_over_reload(user_prefix="other:") == 401


def test_issuer_that_is_new_has_its_keys_at_once(simple, make_issuer):
    gate = simple(rules=[{"allow": "signed_in"}])
    issuer = make_issuer()
    token = [("Authorization", f"Bearer {issuer.token('ES256')}")]
    gate.settings["jwt"] = {"issuers": [issuer.settings()]}
    gate.write(gate.settings)
    assert gate.json("reload")["changed"] == ["jwt"]
    assert issuer.fetches == 1
    assert gate.get("/", headers=token).status == 200
    assert issuer.fetches == 1
    del gate.settings["jwt"]
    gate.write(gate.settings)
    gate.cli("reload")
    assert gate.get("/", headers=token).status == 401, "its tokens are no credentials of ours any more"


def test_lesson39_what_was_cached_dies_with_the_configuration(simple, make_issuer):
    issuer = make_issuer()
    gate = simple(rules=[{"allow": "signed_in"}], jwt={"issuers": [issuer.settings()]})
    token = [("Authorization", f"Bearer {issuer.token('ES256')}")]
    assert gate.get("/", headers=token).status == 200
    gate.settings["jwt"]["issuers"][0]["audiences"] = ["something-else"]
    gate.write(gate.settings)
    gate.cli("reload")
    assert gate.get("/", headers=token).status == 401
