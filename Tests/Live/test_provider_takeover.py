"""Ways to somebody else's account through a provider: each ends nowhere, and the account stays whose it was."""

import json

import pytest

from support.browser import Browser
from support.gatehouse import Gatehouse
from support.oauth2 import PROFILE, OAuth2
from support.portal import PASSWORD, PORTAL, add_person, api, sign_in
from support.provider import Provider
from test_providers import come_back, enter, go, last, who


@pytest.fixture(scope="module")
def servers():
    made = {"corp": Provider(), "other": Provider(), "owner": Provider(), "forge": OAuth2(), "owning": OAuth2()}
    yield made
    for server in made.values():
        server.stop()


@pytest.fixture(scope="module")
def gate(servers, tmp_path_factory):
    providers = [servers[id].settings(id) for id in ("corp", "other", "forge")]
    providers += [servers[id].settings(id, claim_accounts=["owned.example"]) for id in ("owner", "owning")]
    server = Gatehouse(
        tmp_path_factory.mktemp("takeover"), sessions={"cookie": {"domain": "example.com"}},
        limits={"exempt_networks": ["127.0.0.0/8"], "mail": {"rate": "1000/s", "burst": 1000}}, mail="log",
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": providers, "registration": "open", "lockout": {"failures": 1000}})
    server.start()
    yield server
    server.stop()


def person(id, subject, email, verified=True):
    """Somebody, as this provider calls them."""
    if id in ("forge", "owning"):
        return PROFILE | {"data": {"id": subject, "emails": [{"value": email, "confirmed": verified}]}}
    return {"sub": subject, "email": email, "email_verified": verified, "name": "Somebody"}


def come_by(gate, servers, id, subject, email, verified=True):
    browser = Browser(gate)
    answer = enter(browser, servers[id], id, **person(id, subject, email, verified))
    return browser, answer.status, who(browser)


def links(browser):
    return json.loads(browser.send("GET", PORTAL + "/.auth/api/social-accounts", navigate=False).body)


KINDS = pytest.mark.parametrize("id", ["corp", "forge"])


@KINDS
def test_by_an_address_registered_before_its_owner_came(gate, servers, id):
    email = f"early-{id}@corp.example"
    register = {"email": email, "password": "the attacker's own words"}
    assert api(gate, "POST", "/register", register).status == 202
    _, status, owner = come_by(gate, servers, id, "early", email)
    assert status == 303 and owner["email"] == email
    # Whoever had typed the address hears that it awaits a proof, as before, and their password is good for nothing.
    assert api(gate, "POST", "/login", register).status in (401, 403)
    assert api(gate, "POST", "/login", register | {"password": "another"}).status == 401
    assert come_by(gate, servers, id, "early", email)[2]["id"] == owner["id"]


@KINDS
def test_by_an_address_changed_at_the_provider(gate, servers, id):
    victim = come_by(gate, servers, id, "victim", f"victim-{id}@corp.example")[2]
    attacker = come_by(gate, servers, id, "attacker", f"attacker-{id}@corp.example")[2]
    # The attacker's identity stays the attacker's account, whatever address it comes with.
    changed = come_by(gate, servers, id, "attacker", victim["email"])[2]
    assert changed["id"] == attacker["id"] != victim["id"] and changed["email"] == attacker["email"]
    # Another identity with the victim's address is nobody.
    assert come_by(gate, servers, id, "third", victim["email"])[1:] == (409, None)
    event = last(gate)
    assert event["reason"] == "account_exists" and event["user_id"] == victim["id"]
    # And the victim, who is called something else there today, is who they were.
    assert come_by(gate, servers, id, "victim", "renamed@corp.example")[2]["id"] == victim["id"]


@pytest.mark.parametrize("first, second", [("corp", "other"), ("corp", "forge"), ("forge", "corp")])
def test_by_two_providers_with_the_same_address(gate, servers, first, second):
    email = f"both-{first}-{second}@corp.example"
    browser, _, victim = come_by(gate, servers, first, email, email)
    assert come_by(gate, servers, second, "another", email)[1:] == (409, None)
    assert last(gate)["reason"] == "account_exists"
    assert [link["provider"] for link in links(browser)] == [first]
    # The same subject at another provider is another person.
    elsewhere = come_by(gate, servers, second, email, f"elsewhere-{first}-{second}@corp.example")[2]
    assert elsewhere["id"] != victim["id"]


@KINDS
def test_by_an_address_that_nobody_has_verified(gate, servers, id):
    email = f"password-{id}@corp.example"
    gate.cli("user", "add", email, "--password-stdin", input=PASSWORD + "\n")
    for verified in (False, None, "yes"):
        assert come_by(gate, servers, id, "unverified", email, verified)[1:] == (403, None)
        assert last(gate)["reason"] == "email_not_verified"
    # A verified one does not take an account that has a password either: it is to be proved first.
    assert come_by(gate, servers, id, "unverified", email)[1:] == (409, None)


def test_by_a_mailbox_that_was_theirs_when_an_account_was_made_and_never_used(gate, servers):
    """What plain OAuth 2.0 is spoken by has verified an address at some time, and nobody knows when: whoever had the
    mailbox then is not who the operator made an account for now."""
    for name in ("corp", "owned"):
        gate.add_user(f"boss-{name}", ["admins"], email=f"boss@{name}.example")
    for id in ("forge", "owning"):
        assert come_by(gate, servers, id, "once", "boss@corp.example")[1:] == (409, None)
        assert last(gate)["reason"] == "account_exists"
    # What the operator says that a provider owns it does own; and an OpenID provider speaks for the addresses of today.
    assert come_by(gate, servers, "forge", "once", "boss@owned.example")[1:] == (409, None)
    assert come_by(gate, servers, "owning", "now", "boss@owned.example")[2]["username"] == "boss-owned"
    assert come_by(gate, servers, "corp", "now", "boss@corp.example")[2]["username"] == "boss-corp"


def test_by_a_claim_on_another_domain(gate, servers):
    for email in ("mary@owned.example", "mary@notowned.example", "mary@sub.owned.example"):
        gate.cli("user", "add", email, "--password-stdin", input=PASSWORD + "\n")
    assert come_by(gate, servers, "corp", "claim", "mary@owned.example")[1:] == (409, None)
    assert come_by(gate, servers, "owner", "claim", "mary@owned.example")[2]["email"] == "mary@owned.example"
    for index, email in enumerate(("mary@notowned.example", "mary@sub.owned.example", "mary@owned.example.evil.example")):
        status = come_by(gate, servers, "owner", f"claim-{index}", email)[1]
        # The last has no account here, and so gets its own.
        assert status == (303 if email.endswith("evil.example") else 409), email


def test_by_a_linking_that_somebody_else_has_begun(gate, servers):
    """Their own identity linked to the victim's account would let them in ever after."""
    victim, attacker = Browser(gate), Browser(gate)
    # Both have just proved who they are, so that nothing but whose the link is stands in the way.
    for browser, name in ((victim, "linking"), (attacker, "linker")):
        add_person(gate, name, [])
        sign_in(browser, user=name)
    page = attacker.open(PORTAL + "/.auth/account/providers").body.decode()
    link = [part.split('"')[0] for part in page.split('href="') if part.startswith("/.auth/oauth/other?link=")][0]
    # The attacker's link in the victim's browser, by a page of theirs or a mail: a token of another session.
    for site in ("cross-site", "none"):
        assert victim.send("GET", PORTAL + link, site=site).status == 403
    # What comes back for the attacker in the victim's browser.
    begun = attacker.send("GET", PORTAL + link)
    assert begun.status == 303 and begun["Location"].startswith(servers["other"].issuer + "/"), begun["Location"]
    address, fields = servers["other"].authorize(begun["Location"], **person("other", "evil", "evil@x.example"))
    assert come_back(victim, address, fields, follow=False).status == 403
    assert last(gate)["metadata"]["error"] == "unknown_state"
    assert links(victim) == [] and links(attacker) == []
    # A sign-in of the attacker's that ends in the victim's browser would leave the victim in the attacker's account.
    stranger = Browser(gate)
    address, fields = go(stranger, servers["other"], "other", **person("other", "evil", "evil@x.example"))
    assert come_back(victim, address, fields, follow=False).status == 403
    assert who(victim)["username"] == "linking"
