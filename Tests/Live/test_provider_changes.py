"""Providers and configurations that change while somebody is away at one: whom a flow, a code or a key belonged to is
whom it goes on belonging to, and nobody else."""

import pytest

from support.browser import Browser
from support.portal import api
from test_provider_flows import VERIFIER, code_of, confirm, events
from test_providers import LENA, come_back, enter, go, last, make_portal, make_provider, who  # noqa: F401


def test_a_reload_in_the_middle(make_portal, make_provider):  # noqa: F811
    same, changed, removed = make_provider(), make_provider(), make_provider()
    gate = make_portal(same.settings("same"), changed.settings("corp"), removed.settings("removed")).start()
    browsers = {id: Browser(gate) for id in ("same", "corp", "removed")}
    servers = {"same": same, "corp": changed, "removed": removed}
    away = {id: go(browsers[id], servers[id], id, **(LENA | {"email": f"{id}@corp.example"})) for id in browsers}
    asked = confirm(gate, changed, "asked")
    given = confirm(gate, changed, "given")
    given.submit()
    gate.settings["login"]["providers"] = [
        same.settings("same"), changed.settings("corp", accept={"domains": ["corp.example"]})]
    gate.write(gate.settings)
    gate.cli("reload")
    assert come_back(browsers["same"], *away["same"], follow=False).status == 303 and who(browsers["same"])
    visits = [len(server.visits) for server in (changed, removed)]
    for id, error in (("corp", "unknown_state"), ("removed", "provider_removed")):
        answer = come_back(browsers[id], *away[id], follow=False)
        assert answer.status == 403 and who(browsers[id]) is None
        event = last(gate)
        assert event["metadata"]["error"] == error and event["metadata"]["provider"] == id
    assert come_back(browsers["removed"], *away["removed"], follow=False).status == 404
    asked.submit()
    assert asked.response.status == 403 and last(gate)["metadata"]["error"] == "unknown_confirmation"
    assert api(gate, "POST", "/token", {"code": code_of(given), "code_verifier": VERIFIER}).status == 401
    assert events(gate, "sign_in_code_redeemed")[0]["reason"] == "provider_changed"
    # Nobody was asked anything for those who came back to something else.
    assert visits == [len(server.visits) for server in (changed, removed)]


def test_keys_and_endpoints_that_move(make_portal, make_provider):  # noqa: F811
    from support.issuer import Key
    moving = make_provider()
    gate = make_portal(moving.settings()).start()
    browser = Browser(gate)
    enter(browser, moving, **LENA)
    away = go(Browser(gate), moving, **LENA)
    moving.key = Key("two", "EdDSA")
    moving.keys = [moving.key]
    moving.behave(claims={"at_hash": None})
    assert enter(Browser(gate), moving, **LENA).status == 303
    # The old key is gone with the set that held it.
    old = Key("one", "ES256")
    moving.behave(sign=lambda claims: moving.sign(claims, old))
    assert enter(Browser(gate), moving, **LENA).status == 403
    assert last(gate)["metadata"]["error"] == "bad_id_token"
    moving.behave(claims={"at_hash": None})
    assert away and enter(Browser(gate), moving, **LENA).status == 303


@pytest.mark.parametrize("where", ["redirect", "elsewhere in the clear", "a file"])
def test_keys_are_fetched_from_where_they_may_be(make_portal, make_provider, where):  # noqa: F811
    liar, victim = make_provider(), make_provider()
    if where == "redirect":
        liar.behave(keys=(302, {"Location": victim.issuer + "/jwks"}, b"{}"))
    else:
        liar.metadata["jwks_uri"] = {"a file": "file:///etc/passwd"}.get(where, "http://192.0.2.1/jwks")
    gate = make_portal(liar.settings()).start()
    browser = Browser(gate)
    assert enter(browser, liar, **LENA).status == 503
    assert who(browser) is None and last(gate)["metadata"]["error"] == "provider_unavailable"
    assert victim.visits == []
    failed = gate.cli("provider", "check", "corp", check=False)
    assert failed.returncode == 1 and "keys could not be fetched" in failed.stdout
