"""The pages in Chromium: every page at two widths and in both schemes, with and without JavaScript, held against axe;
and the ways that a person goes, in one tab and in several."""

import re

import pyotp
import pytest
from playwright.sync_api import sync_playwright

from support.chromium import DESKTOP, MOST_BYTES, PHONE, Visitor, html_problems, launch
from support.gatehouse import Gatehouse
from support.mail import MailServer
from support.origins import RawOrigin, answer
from support.portal import api
from support.waiting import eventually

PASSWORD = "three quiet herons fly"
SCOPES = {"wiki:read": "Read the wiki", "wiki:write": "Change the wiki"}


# Pages. Each is one line: its name, whether somebody is signed in, and how to get there from the portal's address (a
# path, or what to do with the visitor). Another page is another line.

def refused_form(visitor, site):
    visitor.sign_in(site + "/.auth/login", "mary", "not her password at all")


def new_key(visitor, site):
    visitor.page.goto(site + "/.auth/account/api-keys")
    visitor.page.fill("#name", "Nightly backup")
    visitor.page.click("form:has(#days) button")


def refused_password(visitor, site):
    visitor.page.goto(site + "/.auth/account/security")
    visitor.page.fill("#current", "not her password at all")
    visitor.page.fill("#new", "another fine pass phrase")
    visitor.page.click("main form button[type=submit]")


def asked_for_link(visitor, site):
    visitor.page.goto(site + "/.auth/forgot-password")
    visitor.page.fill("#email", "nobody@example.com")
    visitor.page.click("main form button[type=submit]")


def registered(visitor, site):
    visitor.page.goto(site + "/.auth/register")
    visitor.page.fill("#email", "newcomer@example.com")
    visitor.page.fill("#name", "New Comer")
    visitor.page.click("main form button[type=submit]")


def asked_for_magic_link(visitor, site):
    visitor.page.goto(site + "/.auth/magic-link")
    visitor.page.fill("#email", "nobody@example.com")
    visitor.page.click("main form button[type=submit]")


def set_up_totp(visitor, site):
    visitor.page.goto(site + "/.auth/account/security")
    visitor.page.click("form[action='/.auth/account/security/two-factor'] button")


def wanted_email(visitor, site):
    visitor.page.goto(site + "/.auth/account")
    visitor.page.fill("#email", "mary@example.com")
    visitor.page.click("form:has(#email) button")


def mailed(purpose):
    return lambda visitor, site: visitor.page.goto(visitor.link(purpose))


def denied_page(visitor, site):
    visitor.page.goto(visitor.app + "/admin/panel")


def asked_for_code(visitor, site):
    visitor.sign_in(site + "/.auth/login", "tom", PASSWORD)
    visitor.page.wait_for_url("**/.auth/two-factor?flow=*")


def wrong_code(visitor, site):
    asked_for_code(visitor, site)
    visitor.page.fill("#code", "nonsense")
    visitor.page.click("form:has(#code) button")


def went_in_circles(visitor, site):
    for _ in range(3):
        visitor.page.goto(f"{site}/.auth/login?return_to={visitor.app}/circles")


PAGES = [
    ("login", False, "/.auth/login"),
    ("login-refused", False, refused_form),
    ("forgot-password", False, "/.auth/forgot-password"),
    ("forgot-password-done", False, asked_for_link),
    ("reset-password", False, mailed("reset-password")),
    ("register", False, "/.auth/register"),
    ("register-sent", False, registered),
    ("magic-link", False, "/.auth/magic-link"),
    ("magic-link-sent", False, asked_for_magic_link),
    ("magic-link-from-elsewhere", False, mailed("magic-link")),
    ("verify-email", False, mailed("verify-email")),
    ("unlock", False, mailed("unlock")),
    ("reset-password-dead", False, "/.auth/reset-password/used-up"),
    ("verify-email-dead", False, "/.auth/verify-email/used-up"),
    ("unlock-dead", False, "/.auth/unlock/used-up"),
    ("two-factor", False, asked_for_code),
    ("two-factor-refused", False, wrong_code),
    ("logout-nobody", False, "/.auth/logout"),
    ("denied-nobody", False, "/.auth/denied?request=0123456789abcdef"),
    ("not-found", False, "/.auth/nothing-here"),
    ("account", True, "/.auth/account"),
    ("account-saved", True, "/.auth/account?done=saved"),
    ("sessions", True, "/.auth/account/sessions"),
    ("security", True, "/.auth/account/security"),
    ("security-refused", True, refused_password),
    ("security-totp", True, set_up_totp),
    ("activity", True, "/.auth/account/activity"),
    ("change-email", True, wanted_email),
    ("api-keys", True, "/.auth/account/api-keys"),
    ("api-key-made", True, new_key),
    ("login-loop", True, went_in_circles),
    ("logout", True, "/.auth/logout"),
    ("denied", True, denied_page),
    ("step-up", True, "/.auth/login?step_up=too_old"),
    ("second-factor-needed", True, "/.auth/login?step_up=factor_missing"),
]


@pytest.fixture(scope="module")
def mails():
    server = MailServer()
    yield server
    server.close()


def behave(request, _):
    """An app that has moved some of its pages to another host."""
    host, _, port = request["Host"].partition(":")
    if request.target.startswith("/moved/") and host == "app.portal.localhost":
        return answer(b"", "302 Found", [("Location", f"http://elsewhere.localhost:{port}{request.target}")])
    return answer()


@pytest.fixture(scope="module")
def site(tmp_path_factory, mails):
    """The portal on localhost, one app beside it and one on a host of its own."""
    origin = RawOrigin(behave)
    rules = [{"paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
             {"paths": ["/api/**"], "allow": {"scopes": ["wiki:read"]}}, {"allow": "signed_in"}]
    gate = Gatehouse(tmp_path_factory.mktemp("browser"), upstreams={"app": {"url": [origin.url]}}, routes=[
        {"name": "app", "host": ["app.portal.localhost"], "upstream": "app", "rules": rules},
        {"name": "elsewhere", "host": ["elsewhere.localhost"], "upstream": "app", "rules": [{"allow": "everyone"}]}],
        sessions={"cookie": {"domain": "portal.localhost"}}, api_keys={"scopes": SCOPES},
        mail={"from": "Gatehouse <auth@example.com>",
              "smtp": {"host": "127.0.0.1", "port": mails.port, "security": "none"}},
        limits={"exempt_networks": ["127.0.0.0/8"], "mail": {"rate": "1000/s", "burst": 1000}},
        login={"lockout": {"failures": 1000}, "registration": "open", "magic_link": {"enabled": True}})
    gate.settings |= {"public_url": f"http://portal.localhost:{gate.port}"}
    gate.write(gate.settings)
    gate.add_user("mary", ["staff"], name="Mary Major")
    gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")
    gate.add_key("mary", "Backup of the wiki", scopes="wiki:read")
    gate.add_user("tom", ["staff"])
    gate.cli("user", "set-password", "tom", input=PASSWORD + "\n")
    gate.start()
    token = api(gate, "POST", "/login", {"email": "tom", "password": PASSWORD}, host="portal.localhost").json()["access_token"]
    secret = api(gate, "POST", "/2fa/setup", token=token, host="portal.localhost").json()["secret"]
    assert api(gate, "POST", "/2fa/verify", {"code": pyotp.TOTP(secret).now()}, token, host="portal.localhost").status == 204
    gate.url = f"http://portal.localhost:{gate.port}"
    gate.app = f"http://app.portal.localhost:{gate.port}"
    yield gate
    gate.stop()
    origin.close()


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def visit(site, chromium, shots, mails):
    made = []

    def make(signed_in=False, **options):
        visitor = Visitor(chromium, shots, **options)
        made.append(visitor)
        visitor.app = site.app
        visitor.link = lambda purpose: site.json("user", "link", "mary", "--kind", purpose)["link"]
        if signed_in:
            visitor.sign_in(site.url + "/.auth/login", "mary", PASSWORD)
            visitor.page.wait_for_url("**/.auth/account")
        return visitor

    yield make
    for visitor in made:
        visitor.close()


def show(visitor, site, way):
    """Goes there; the page as it came, or, where a form led to it, as Chromium read it."""
    visitor.loaded = 0
    if callable(way):
        way(visitor, site.url)
        visitor.page.wait_for_load_state()
        return visitor.page.content().encode()
    return visitor.page.goto(site.url + way).body()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "mary"])
def test_every_page_is_readable_for_everybody(visit, site, width, scheme, signed_in):
    size = "phone" if width is PHONE else "desktop"
    visitor = visit(signed_in, viewport=width, color_scheme=scheme)
    for name, wanted, way in PAGES:
        if wanted == signed_in:
            show(visitor, site, way)
            visitor.look(f"{name}-{size}-{scheme}")
            assert visitor.loaded < MOST_BYTES, f"{name}: {visitor.loaded} bytes"


def test_every_page_speaks_german(visit, site):
    for signed_in in (False, True):
        visitor = visit(signed_in, viewport=PHONE, locale="de-DE")
        for name, wanted, way in PAGES:
            if wanted == signed_in:
                show(visitor, site, way)
                assert visitor.page.evaluate("document.documentElement.lang") == "de", name
                visitor.look(f"{name}-german")


def test_text_may_be_twice_as_large(visit, site):
    """WCAG 2.2, 1.4.4 and 1.4.10: nothing is cut off, nothing scrolls sideways at 320 pixels."""
    visitor = visit(True, viewport={"width": 320, "height": 640})
    for name, wanted, way in PAGES:
        if wanted:
            show(visitor, site, way)
            visitor.look(f"{name}-narrow")


def test_pages_are_valid_html(visit, site, tmp_path):
    for signed_in in (False, True):
        visitor = visit(signed_in)
        for name, wanted, way in PAGES:
            if wanted == signed_in:
                (tmp_path / f"{name}.html").write_bytes(show(visitor, site, way))
    problems = html_problems(tmp_path)
    if problems is None:
        pytest.skip("no Java, or no Nu checker")
    assert problems == []


# Ways


@pytest.mark.parametrize("script", [True, False], ids=["with-js", "without-js"])
def test_a_person_signs_in_uses_the_account_and_signs_out(visit, site, script):
    visitor = visit(java_script_enabled=script)
    page = visitor.page
    target = site.app + "/wiki/Start?a=b&c=%2F"
    visitor.sign_in(target, "mary", PASSWORD)
    page.wait_for_url(target)
    page.goto(site.url + "/.auth/account")
    page.fill("#name", "Mary M. Major")
    page.click("main form button[type=submit]")
    assert page.input_value("#name") == "Mary M. Major" and page.locator("[role=status]").count() == 1
    page.click("nav a[href='/.auth/account/sessions']")
    assert page.locator(".badge").count() == 1
    page.click("nav a[href='/.auth/account/api-keys']")
    page.fill("#name", "From the browser")
    page.check("input[name='scope wiki:read']")
    page.click("form:has(#days) button")
    key = page.locator(".notice code").inner_text()
    assert re.fullmatch(r"gate_[A-Za-z0-9]{49}", key)
    assert site.get("/api/pages", host="app.portal.localhost", key=key).status == 200
    assert site.get("/", host="app.portal.localhost", key=key).status == 403, "it is for the wiki's API alone"
    page.reload()
    page.click("nav a[href='/.auth/logout']")
    page.click("main form button[type=submit]")
    page.goto(target)
    assert page.url.startswith(site.url + "/.auth/login?return_to=")
    visitor.check()


@pytest.mark.parametrize("script", [True, False], ids=["with-js", "without-js"])
def test_an_app_may_send_people_on_to_another_host(visit, site, script):
    """Chromium holds what is behind a form against the policy of the form's page, however often it is sent on."""
    visitor = visit(java_script_enabled=script)
    visitor.sign_in(site.app + "/moved/page?a=b", "mary", PASSWORD)
    visitor.page.wait_for_url(f"http://elsewhere.localhost:{site.port}/moved/page?a=b")
    visitor.check()


def test_parallel_tabs_come_back_to_exactly_their_page(visit, site):
    visitor = visit()
    targets = [f"{site.app}/page/{number}?n={number}&x=%2F" for number in range(4)]
    tabs = []
    for target in targets:
        tab = visitor.tab()
        tab.goto(target)
        tabs.append(tab)
    for tab, target in reversed(list(zip(tabs, targets))):
        tab.fill("#identifier", "mary")
        tab.fill("#password", PASSWORD)
        tab.click("main button[type=submit]")
        tab.wait_for_url(target)
    visitor.check()


def test_one_browser_signs_the_other_out(visit, site):
    one, other = visit(True), visit(True)
    other.page.goto(site.app + "/wiki")
    assert other.page.url == site.app + "/wiki"
    one.page.goto(site.url + "/.auth/account/sessions")
    one.page.click("form:has(input[name=others]) button")
    assert one.page.locator("[role=status]").count() == 1
    other.page.goto(site.app + "/wiki")
    assert "/.auth/login" in other.page.url
    one.page.goto(site.app + "/wiki")
    assert one.page.url == site.app + "/wiki"


def test_a_forgotten_password_is_set_anew(visit, site, mails):
    site.add_user("fern", ["staff"])
    site.cli("user", "set-password", "fern", input=PASSWORD + "\n")
    visitor = visit()
    page = visitor.page
    page.goto(site.url + "/.auth/login")
    page.click("a[href='/.auth/forgot-password']")
    page.fill("#email", "fern@example.com")
    page.click("main form button[type=submit]")

    def links():
        texts = [mail.get_body(("plain",)).get_content() for mail in mails.mails if "fern@example.com" in mail.recipients]
        return [link for text in texts for link in re.findall(r"http://\S+/\.auth/reset-password/\S+", text)]

    page.goto(eventually(links, 20, "a mail with a link")[0])
    page.fill("#new", "a fresh bunch of ferns")
    page.click("main form button[type=submit]")
    visitor.check()
    visitor.sign_in(site.url + "/.auth/login", "fern", "a fresh bunch of ferns")
    page.wait_for_url("**/.auth/account")


def test_the_keyboard_is_enough(visit, site):
    visitor = visit()
    page = visitor.page
    page.goto(site.url + "/.auth/login")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "identifier"
    page.keyboard.type("mary")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/.auth/account")
