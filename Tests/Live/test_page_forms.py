"""What forms of the pages say when something is wrong with them: to whom, about which field, in which language; and that
nobody ends where there is no way on."""

import re
import time

import pyotp

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, api, login, portal, sign_in  # noqa: F401 - a fixture
from support.wire import request

LIST_PAGE = 25


def marked(browser):
    """The ids of the fields that are marked as wrong, and whether the title says that something is."""
    page = browser.response.body.decode()
    title = re.search("<title>(.*?)</title>", page)[1]
    inputs = re.findall(r"<input\b[^>]*>", page)
    wrong = [re.search(' id="([^"]+)"', field)[1] for field in inputs if 'aria-invalid="true"' in field]
    for field in inputs:
        for name in (re.search('aria-describedby="([^"]*)"', field) or ["", ""])[1].split():
            assert f'id="{name}"' in page, f"{field} is described by nothing"
    return wrong, title.startswith(("Error: ", "Fehler: "))


# Ways that must not end


def test_a_session_that_ends_while_it_is_to_be_proved_again(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=" + APP + "/wiki")
    gate.cli("user", "sign-out", "mary")
    browser.submit("/.auth/login", password=PASSWORD)
    assert browser.response.status == 403 and "not signed in any more" in browser.text
    assert marked(browser) == ([], True)
    browser.submit("/.auth/login", identifier="mary", password=PASSWORD)
    assert (browser.response.status, browser.url) == (200, APP + "/wiki")
    assert not gate.audit("--type", "sign_in", "--outcome", "failure")


def test_who_begins_again_comes_to_the_same_page(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    totp = pyotp.TOTP(api(gate, "POST", "/2fa/setup", token=token).json()["secret"])
    assert api(gate, "POST", "/2fa/verify", {"code": totp.now()}, token).status == 204
    browser = Browser(gate)
    sign_in(browser, APP + "/wiki?a=b")
    asked = browser.url
    assert asked.startswith(PORTAL + "/.auth/two-factor?flow=")
    again = re.search(r'href="(/\.auth/login[^"]*)"', browser.response.body.decode())[1]
    assert again == "/.auth/login?return_to=http%3A%2F%2Fapp.example.com%2Fwiki%3Fa%3Db"
    # A form of a step-up whose session is over asks nobody for a code any more.
    browser.submit("/.auth/two-factor", code=totp.at(int(time.time()) + 30))
    assert browser.url == APP + "/wiki?a=b"
    browser.open(PORTAL + "/.auth/login?step_up=factor_missing&return_to=" + APP + "/wiki")
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=" + APP + "/wiki")
    step_up = browser.url
    assert step_up.startswith(PORTAL + "/.auth/two-factor?flow=")
    gate.cli("user", "sign-out", "mary")
    browser.open(step_up)
    assert browser.url == PORTAL + "/.auth/login?return_to=http%3A%2F%2Fapp.example.com%2Fwiki"


def test_a_form_that_is_older_than_the_server(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account")
    gate.restart()
    for site in ("same-origin", "cross-site"):
        answer = browser.send(
            "POST", PORTAL + "/.auth/account", [("Content-Type", "application/x-www-form-urlencoded")],
            b"token=old&name=New+Name", site=site)
        assert answer.status == 403
        assert ("too old" in browser.text and b'href="/.auth/account">Load the page again' in answer.body) == (
            site == "same-origin"), browser.text
    browser.open(PORTAL + "/.auth/account")
    browser.submit("/.auth/account", name="New Name")
    assert browser.form("/.auth/account")[1]["name"] == "New Name"


def test_a_slash_at_the_end(portal):
    gate = portal()
    pages = [
        ("/.auth/", "/.auth"), ("/.auth/login/?return_to=%2Fa", "/.auth/login?return_to=%2Fa"),
        ("/.auth/account/sessions/", "/.auth/account/sessions"),
        ("/.auth/reset-password/abc/", "/.auth/reset-password/abc")]
    for path, page in pages:
        for method in ("GET", "HEAD"):
            answer = request(gate.port, path, "auth.example.com", method)
            assert (answer.status, answer["Location"]) == (303, page)
    for method, path in [
            ("GET", "/.auth/nothing/"), ("GET", "/.auth/reset-password/"), ("GET", "/.auth/api/me/"),
            ("POST", "/.auth/login/"), ("GET", "/.auth/passkey/")]:
        assert request(gate.port, path, "auth.example.com", method).status == 404, path


def test_where_the_answer_to_a_form_may_lead(portal):
    """An app may send people on wherever it wants, but over https nowhere that is not."""
    gate = portal(public_url="https://auth.example.com")
    for address, allowed in [
            ("", "'self';"), ("?return_to=/.auth/account/sessions", "'self';"), ("?return_to=https://evil.com/", "'self';"),
            ("?return_to=https://app.example.com/wiki", "'self' https:;"), ("?return_to=/wiki", "'self' https:;")]:
        page = request(gate.port, "/.auth/login" + address, "auth.example.com")
        assert f"; form-action {allowed}" in page["Content-Security-Policy"], address


# What is wrong


def test_only_the_field_that_is_wrong_is_marked(portal):
    gate = portal(login={"registration": "open"}, mail="log", api_keys={"scopes": {"wiki:read": "Read the wiki"}})
    browser = Browser(gate)
    browser.open(PORTAL + "/.auth/login")
    browser.submit("/.auth/login", identifier="mary", password="not her password")
    assert marked(browser) == (["identifier", "password"], True)
    browser.submit("/.auth/login", identifier=" ", password=PASSWORD)
    assert marked(browser) == (["identifier"], True)
    browser.open(PORTAL + "/.auth/register")
    browser.submit("/.auth/register", email="non@@sense", name="Nina")
    assert marked(browser) == (["email"], True) and "no e-mail address" in browser.text
    browser.submit("/.auth/register", email="nina@example.com", name="Nina\u202e")
    assert marked(browser) == (["name"], True)
    browser.open(PORTAL + "/.auth/forgot-password")
    assert marked(browser) == ([], False)
    browser.submit("/.auth/forgot-password", email="nonsense")
    assert marked(browser) == (["email"], True)
    sign_in(browser)
    security = PORTAL + "/.auth/account/security"
    browser.open(security)
    assert "At least 12 characters." in browser.text
    assert re.search(b'<input type="text" autocomplete="username" value="mary" hidden>', browser.response.body)
    browser.submit("/.auth/account/security", current="not her password", new="four quiet herons fly")
    assert marked(browser) == (["current"], True)
    browser.submit("/.auth/account/security", current=PASSWORD, new="short")
    assert marked(browser) == (["new"], True)
    browser.open(PORTAL + "/.auth/account")
    browser.submit("/.auth/account", name="x" * 129)
    assert marked(browser) == (["name"], True)
    assert browser.form("/.auth/account")[1]["name"] == "x" * 129, "what was entered is not lost"
    browser.open(PORTAL + "/.auth/account/api-keys")
    browser.submit("/.auth/account/api-keys", **{"name": " ", "scope wiki:read": "yes"})
    assert marked(browser) == (["name"], True)
    assert browser.form("/.auth/account/api-keys")[1]["scope wiki:read"] == "yes", "what was chosen is not lost"
    browser.open(security)
    browser.submit("/.auth/account/security/two-factor", step="set_up")
    secret = re.search(r"<code>([A-Z2-7]+)</code>", browser.response.body.decode())[1]
    browser.submit("/.auth/account/security/two-factor", code="nonsense")
    assert marked(browser) == (["code"], True)
    browser.submit("/.auth/account/security/two-factor", code=pyotp.TOTP(secret).now())
    assert browser.response.status == 200 and marked(browser) == ([], False)
    browser.open(security)
    browser.submit("/.auth/account/security/two-factor", code="nonsense", step="codes")
    assert marked(browser) == (["code"], True), "the code, and neither of the passwords on the same page"


def test_what_is_wrong_is_said_in_german(portal):
    gate = portal(login={"registration": "open", "two_factor": "required"}, mail="log")
    browser = Browser(gate, language="de")
    browser.open(PORTAL + "/.auth/register")
    browser.submit("/.auth/register", email="non@@sense")
    assert "Das ist keine E-Mail-Adresse." in browser.text
    browser.open(PORTAL + "/.auth/login")
    browser.submit("/.auth/login", identifier=" ", password=PASSWORD)
    assert "Bitte geben Sie Ihren Benutzernamen" in browser.text
    sign_in(browser)
    browser.submit("/.auth/two-factor")
    secret = re.search(r"<code>([A-Z2-7]+)</code>", browser.response.body.decode())[1]
    totp = pyotp.TOTP(secret)
    now = int(time.time())
    browser.submit("/.auth/two-factor", code=totp.at(now))
    browser.open(PORTAL + "/.auth/account/security")
    assert "Mindestens 12 Zeichen." in browser.text
    browser.submit("/.auth/account/security/two-factor", code=totp.at(now + 30), step="disable")
    assert "Richten Sie zuerst einen anderen ein." in browser.text, browser.text
    browser.open(PORTAL + "/.auth/account/api-keys")
    browser.submit("/.auth/account/api-keys", name=" ")
    assert "Es fehlt ein Name." in browser.text


# Keys that must be bound


def test_a_key_for_the_apps_that_it_must_be_bound_to(portal):
    gate = portal(api_keys={"require_routes": True, "scopes": {"wiki:read": "Read the wiki"}})
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/api-keys")
    browser.submit("/.auth/account/api-keys", name="laptop")
    assert browser.response.status == 400 and marked(browser) == (["routes"], True)
    assert "require_routes" not in browser.text and "name the apps" in browser.text
    browser.submit("/.auth/account/api-keys", routes="app, nothing", name="laptop")
    assert marked(browser) == (["routes"], True) and "no app of this name" in browser.text
    assert browser.form("/.auth/account/api-keys")[1] | {"token": ""} == {
        "token": "", "name": "laptop", "routes": "app, nothing"}
    browser.submit("/.auth/account/api-keys", routes="app other", name="laptop")
    key = re.search(r"gate_[0-9A-Za-z]{49}", browser.text)[0]
    [made] = gate.lines("api-key", "list", "--user", "mary")
    assert sorted(made["routes"]) == ["app", "other"]
    assert gate.get("/public/x", key=key).status == 200


def test_a_key_that_may_be_for_all_apps(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/api-keys")
    assert "routes" not in browser.form("/.auth/account/api-keys")[1]


# Long lists


def cards(browser):
    return browser.response.body.count(b"<li>\n<h2>")


def test_long_lists_are_shown_in_parts(portal):
    gate = portal(limits={"exempt_networks": ["127.0.0.0/8"]})
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/api-keys")
    assert not re.search('rel="next"', browser.response.body.decode())
    for number in range(LIST_PAGE + 3):
        gate.add_key("mary", f"key {number}")
        assert login(gate, device_name=f"device {number}").status == 200
    for tab, expected in (("api-keys", LIST_PAGE + 3), ("sessions", LIST_PAGE + 4)):
        address = f"{PORTAL}/.auth/account/{tab}"
        assert len(browser.open(address).body) < 50_000
        assert cards(browser) == LIST_PAGE
        first = set(re.findall("<h2>(.*?)</h2>", browser.response.body.decode()))
        older = re.search(r'<a href="([^"]+)" rel="next">', browser.response.body.decode())[1]
        browser.open(PORTAL + older)
        assert cards(browser) == expected - LIST_PAGE
        assert not first & set(re.findall("<h2>(.*?)</h2>", browser.response.body.decode())) - {"New key"}
        assert f'href="/.auth/account/{tab}"' in browser.response.body.decode()
        if tab == "sessions":
            assert b'name="others" value="yes"' in browser.response.body, "the others can be ended from here too"
        # A place that there is not is the beginning, for whoever made it up.
        for nowhere in ("nothing", "%00", "a" * 2000, "../x"):
            browser.open(f"{address}?before={nowhere}")
            assert browser.response.status == 200 and cards(browser) == LIST_PAGE, nowhere
