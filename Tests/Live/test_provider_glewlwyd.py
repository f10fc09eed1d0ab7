"""Signing in at an OpenID provider that others wrote."""

import urllib.parse

import pytest

from support.browser import Browser
from support.glewlwyd import Glewlwyd, is_installed
from support.portal import APP, PORTAL
from test_providers import come_back, last, make_portal, who  # noqa: F401

pytestmark = pytest.mark.skipif(not is_installed(), reason="glewlwyd is not installed")


@pytest.fixture(scope="module")
def glewlwyd(tmp_path_factory):
    server = Glewlwyd(tmp_path_factory.mktemp("glewlwyd"), PORTAL + "/.auth/oauth/corp/callback")
    server.add_user("lena", "lena@corp.example")
    server.add_user("nils", "nils@corp.example", verified=False)
    yield server
    server.stop()


def go(browser, provider, user, start=PORTAL + "/.auth/oauth/corp"):
    response = browser.send("GET", start)
    assert response.status == 303, response.body
    return provider.authorize(response["Location"], user)


def test_there_and_back(make_portal, glewlwyd):  # noqa: F811
    gate = make_portal(glewlwyd.settings()).start()
    browser = Browser(gate)
    browser.open(APP + "/wiki?a=b")
    start = f"{PORTAL}/.auth/oauth/corp?flow={browser.form()[1]['flow']}"
    answer = come_back(browser, *go(browser, glewlwyd, "lena", start), follow=False)
    assert answer.status == 303 and answer["Location"] == APP + "/wiki?a=b", gate.log_text()[-2000:]
    assert browser.follow(answer).status == 200
    assert (who(browser)["email"], who(browser)["name"]) == ("lena@corp.example", "Lena")
    again = Browser(gate)
    come_back(again, *go(again, glewlwyd, "lena"))
    assert who(again)["id"] == who(browser)["id"]


def test_whose_address_nobody_has_verified_stays_out(make_portal, glewlwyd):  # noqa: F811
    gate = make_portal(glewlwyd.settings()).start()
    browser = Browser(gate)
    assert come_back(browser, *go(browser, glewlwyd, "nils"), follow=False).status == 403
    assert last(gate)["reason"] == "email_not_verified", gate.log_text()[-1500:]


def test_a_code_goes_with_its_verifier_and_once(make_portal, glewlwyd):  # noqa: F811
    gate = make_portal(glewlwyd.settings()).start()
    browser = Browser(gate)
    address, first = go(browser, glewlwyd, "lena")
    _, second = go(browser, glewlwyd, "lena")
    swapped = come_back(browser, address, first | {"code": second["code"]}, follow=False)
    assert swapped.status == 403 and last(gate)["metadata"]["error"] == "code_refused"
    # Its code was used up, wrongly: the provider does not take it again.
    assert come_back(browser, address, second, follow=False).status in (303, 403)
    assert come_back(browser, address, second, follow=False).status == 403
    assert last(gate)["metadata"]["error"] == "unknown_state"


def test_a_secret_that_is_not_ours(make_portal, glewlwyd):  # noqa: F811
    gate = make_portal(glewlwyd.settings(client_secret="another secret")).start()
    browser = Browser(gate)
    assert come_back(browser, *go(browser, glewlwyd, "lena"), follow=False).status == 403
    assert last(gate)["metadata"]["error"] == "code_refused"


def test_as_a_provider_that_speaks_oauth_alone(make_portal, glewlwyd):  # noqa: F811
    """The same server by its endpoints, as any other: no discovery, no ID token, what its user info says."""
    api = glewlwyd.issuer
    gate = make_portal(glewlwyd.settings(
        kind="oauth2", issuer=api, authorization_endpoint=api + "/auth", token_endpoint=api + "/token",
        userinfo_endpoint=api + "/userinfo", scopes=["profile", "email"],
        # It takes the escapes of RFC 6749 in the header for the secret itself.
        token_endpoint_auth_method="client_secret_post",
        claims={"subject": "sub", "email_verified": "email_verified"}, accept={"domains": ["corp.example"]})).start()
    browser = Browser(gate)
    answer = come_back(browser, *go(browser, glewlwyd, "lena"), follow=False)
    assert answer.status == 303, gate.log_text()[-2000:]
    assert (who(browser)["email"], who(browser)["name"]) == ("lena@corp.example", "Lena")
    other = Browser(gate)
    assert come_back(other, *go(other, glewlwyd, "nils"), follow=False).status == 403
    assert last(gate)["metadata"]["error"] == "not_accepted"


def test_the_person_says_no(make_portal, glewlwyd):  # noqa: F811
    gate = make_portal(glewlwyd.settings()).start()
    browser = Browser(gate)
    url = browser.send("GET", PORTAL + "/.auth/oauth/corp")["Location"]
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    answer = come_back(browser, asked["redirect_uri"], {"error": "access_denied", "state": asked["state"]}, follow=False)
    assert answer.status == 403 and b"not agreed" in answer.body
