"""GitHub and Google by the documents of their public API, and the ends of sessions that a provider brings about."""

import secrets
import time

import pytest

from support.browser import Browser
from support.github import EMAILS, ORGS, USER, GitHub
from support.portal import PORTAL
from support.provider import CLIENT, Provider
from test_providers import LENA, come_back, enter, go, last, make_portal, make_provider, provider, who  # noqa: F401

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def github():
    server = GitHub()
    yield server
    server.stop()


# GitHub


def test_github_brings_user_address_organisations_and_teams(make_portal, github):  # noqa: F811
    gate = make_portal(github.settings(accept={"organizations": ["GitHub"], "domains": ["github.com"]})).start()
    browser = Browser(gate)
    enter(browser, github, "github", any=True)
    me = who(browser)
    assert (me["email"], me["name"]) == ("octocat@github.com", "monalisa octocat")
    assert me["groups"] == ["github:github", "github:github/justice-league"]
    # A login can be changed, and taken by somebody else: the number stays.
    github.user = USER | {"login": "renamed", "email": None}
    again = Browser(gate)
    enter(again, github, "github", any=True)
    assert who(again)["id"] == me["id"]
    github.user = USER | {"id": 2}
    other = Browser(gate)
    assert enter(other, github, "github", any=True).status == 409
    assert last(gate)["reason"] == "account_exists"


@pytest.mark.parametrize("emails, found", [
    ([], None),
    ([EMAILS[0] | {"verified": False}], None),
    ([EMAILS[0] | {"primary": False}], None),
    ([EMAILS[0] | {"verified": "true"}], None),
    ([EMAILS[0] | {"email": "a@evil.example@github.com"}], None),
    ([{"email": "other@github.com", "primary": False, "verified": True}, EMAILS[0]], "octocat@github.com"),
])
def test_github_counts_the_verified_primary_address_alone(make_portal, github, emails, found):  # noqa: F811
    gate = make_portal(github.settings()).start()
    github.emails = emails
    browser = Browser(gate)
    response = enter(browser, github, "github", any=True)
    if found:
        assert who(browser)["email"] == found
    else:
        assert response.status == 403 and who(browser) is None
        assert last(gate)["reason"] == "email_not_verified"


def test_lesson10_github_restrictions_are_held(make_portal, github):  # noqa: F811
    gate = make_portal(github.settings(accept={"organizations": ["example"]}, groups={"prefix": ""})).start()
    github.orgs = [ORGS[0] | {"login": f"org-{index}"} for index in range(120)]
    browser = Browser(gate)
    assert enter(browser, github, "github", any=True).status == 403
    assert last(gate)["metadata"]["error"] == "not_accepted"
    github.orgs = github.orgs + [ORGS[0] | {"login": "Example"}, ORGS[0] | {"login": "gatehouse-admins"}]
    enter(browser, github, "github", any=True)
    groups = who(browser)["groups"]
    assert "Example" in groups and "gatehouse-admins" not in groups
    assert "/api/v3/user/orgs?per_page=100&page=2" in github.asked


@pytest.mark.parametrize("change", [
    {"user": {"message": "x"}}, {"user": USER | {"id": "1"}}, {"user": USER | {"id": 0}}, {"user": []},
    {"emails": {"message": "Not Found"}}, {"orgs": {}}, {"teams": "x"},
    {"token_answer": {"error": "incorrect_client_credentials"}}, {"token_answer": b"access_token=a&token_type=bearer"},
])
def test_github_answers_that_are_none(make_portal, github, change):  # noqa: F811
    gate = make_portal(github.settings()).start()
    for name, value in change.items():
        setattr(github, name, value)
    browser = Browser(gate)
    response = enter(browser, github, "github", any=True)
    assert response.status == 403 and who(browser) is None
    assert last(gate)["metadata"]["error"] in ("bad_userinfo", "code_refused", "malformed_tokens")


# Google

# https://accounts.google.com/.well-known/openid-configuration says these of itself.
GOOGLE = {
    "response_types_supported": ["code", "token", "id_token"], "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"], "scopes_supported": ["openid", "email", "profile"],
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "code_challenge_methods_supported": ["plain", "S256"], "authorization_response_iss_parameter_supported": True,
}
# https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
PERSON = {"sub": "10769150350006150715113082367", "azp": CLIENT, "email": "jsmith@example.com",
          "email_verified": True, "hd": "example.com", "name": "John Smith"}


def test_google_brings_people_of_the_hosted_domain(make_portal):  # noqa: F811
    google = Provider("RS256", **GOOGLE)
    gate = make_portal(google.settings(
        "google", kind="google", accept={"hosted_domains": ["example.com"]}, claim_accounts=["example.com"]))
    gate.add_user("john", ["staff"], email="jsmith@example.com")
    gate.cli("user", "set-password", "john", input="three quiet herons fly\n")
    gate.start()
    browser = Browser(gate)
    enter(browser, google, "google", **PERSON)
    assert who(browser)["username"] == "john"
    # A private account with an address of the domain, one elsewhere, and one that only says so in the address.
    for change in ({"hd": None}, {"hd": "evil.example"}, {"hd": ["example.com"]}, {"hd": "example.com.evil.example"}):
        browser = Browser(gate)
        person = {name: value for name, value in (PERSON | change).items() if value is not None}
        assert enter(browser, google, "google", **person).status == 403
        assert last(gate)["metadata"]["error"] == "not_accepted"
    google.stop()


# The ends of sessions


def logout(gate, provider, id="corp", **changes):  # noqa: F811
    from support.wire import request
    now = int(time.time())
    claims = {"iss": provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8), "sub": "lena",
              "events": {LOGOUT: {}}} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    token = provider.sign(claims, typ="logout+jwt")
    return request(gate.port, f"/.auth/oauth/{id}/logout", "auth.example.com", "POST",
                   [("Content-Type", "application/x-www-form-urlencoded")], f"logout_token={token}".encode())


def test_back_channel_logout_ends_sessions_at_once(make_portal, provider):  # noqa: F811
    gate = make_portal(provider.settings()).start()
    one, two, other = Browser(gate), Browser(gate), Browser(gate)
    enter(one, provider, **LENA, sid="s1")
    enter(two, provider, **LENA, sid="s2")
    enter(other, provider, **(LENA | {"sub": "other", "email": "other@corp.example"}), sid="s3")
    answer = logout(gate, provider, sid="s1")
    assert answer.status == 200 and answer["Cache-Control"] == "no-store"
    assert who(one) is None and who(two) and who(other)
    assert last(gate, "sessions_revoked")["actor"] == "provider:corp"
    assert logout(gate, provider, sub=None, sid="s3").status == 200
    assert who(other) is None and who(two)
    # One session's name beside another's subject ends neither.
    assert logout(gate, provider, sub="other", sid="s2").status == 200 and who(two)
    assert logout(gate, provider).status == 200
    assert who(two) is None


@pytest.mark.parametrize("changes", [
    {"events": None}, {"events": {}}, {"events": {LOGOUT: 1}}, {"events": {"other": {}}}, {"nonce": "n"},
    {"iss": "https://evil.example"}, {"aud": "other"}, {"exp": 1}, {"exp": None}, {"iat": None}, {"jti": None},
    {"sub": None}, {"sub": ""}, {"sub": 1}, {"sub": "x" * 300}, {"sid": 1},
])
def test_logout_tokens_that_are_none(make_portal, provider, changes):  # noqa: F811
    gate = make_portal(provider.settings()).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    assert logout(gate, provider, **changes).status == 400
    assert who(browser)
    event = last(gate, "provider_logout")
    assert event["success"] is False and event["metadata"]["provider"] == "corp"
    assert event["metadata"]["error"] == ("logout_token_expired" if changes == {"exp": 1} else "bad_logout_token")


def test_logout_tokens_of_others(make_portal, make_provider):  # noqa: F811
    corp, evil = make_provider(), make_provider()
    gate = make_portal(corp.settings(), evil.settings("evil")).start()
    browser = Browser(gate)
    enter(browser, corp, **LENA, sid="s")
    assert logout(gate, evil, iss=corp.issuer).status == 400
    assert logout(gate, evil, "evil", iss=corp.issuer).status == 400
    assert logout(gate, evil, "evil", sid="s").status == 200
    assert logout(gate, evil, "evil", sub=None, sid="s").status == 200
    assert logout(gate, corp, "evil").status == 400
    assert who(browser)


def test_signing_out_offers_to_sign_out_there(make_portal, make_provider):  # noqa: F811
    provider = make_provider()
    provider.metadata["end_session_endpoint"] = provider.issuer + "/end?a=b"
    gate = make_portal(provider.settings(name="Corp")).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    browser.open(PORTAL + "/.auth/logout")
    browser.submit("/.auth/logout")
    page = browser.response.body.decode()
    assert "Also sign out of Corp" in page and who(browser) is None
    assert (f'{provider.issuer}/end?a=b&amp;client_id={CLIENT}&amp;post_logout_redirect_uri='
            "http%3A%2F%2Fauth.example.com%2F.auth%2Flogin") in page
