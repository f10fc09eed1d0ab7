"""Signing in at providers that others wrote, in Chromium, with JavaScript and without: there and back to the page first
asked for, linking on the account's page, signing out, turning back; and what Apple's form is to the browser's cookies."""

import pytest
from playwright.sync_api import sync_playwright

from support.apple import Apple
from support.chromium import DESKTOP, PHONE, Visitor, launch
from support.gatehouse import Gatehouse
from support.glewlwyd import PASSWORD as GLEWLWYD_PASSWORD
from support.glewlwyd import Glewlwyd, is_installed
from support.oidc_provider_mock import OIDCProviderMock
from support.origins import RawOrigin

PASSWORD = "three quiet herons fly"
BOTH = pytest.mark.parametrize("script", [True, False], ids=["with-js", "without-js"])


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    server = OIDCProviderMock(tmp_path_factory.mktemp("mock"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def apple():
    server = Apple()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory, mock, apple):
    origin = RawOrigin()
    folder = tmp_path_factory.mktemp("provider-browser")
    gate = Gatehouse(
        folder / "gate", upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.portal.localhost"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
        sessions={"cookie": {"domain": "portal.localhost"}}, limits={"exempt_networks": ["127.0.0.0/8"]})
    gate.url, gate.app = f"http://portal.localhost:{gate.port}", f"http://app.portal.localhost:{gate.port}"
    providers = [mock.settings(name="Mock & Co"), apple.settings(folder)]
    if is_installed():
        gate.glewlwyd = Glewlwyd(folder / "glewlwyd", f"{gate.url}/.auth/oauth/glewlwyd/callback")
        gate.glewlwyd.add_user("lena", "lena@glewlwyd.example")
        providers.append(gate.glewlwyd.settings(id="glewlwyd", name="Glewlwyd"))
    gate.settings |= {"public_url": gate.url, "login": {"providers": providers}}
    gate.write(gate.settings)
    gate.add_user("mary", ["staff"], name="Mary Major")
    gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")
    gate.start()
    yield gate
    gate.stop()
    if is_installed():
        gate.glewlwyd.stop()
    origin.close()


@pytest.fixture
def visit(site, chromium):
    made = []

    def make(**options):
        visitor = Visitor(chromium, **options)
        # Others' pages may want things from elsewhere, which there is no way to here.
        visitor.context.route(
            lambda url: not any(host in url for host in ("://127.0.0.1:", "localhost:")), lambda route: route.abort())
        # Two programs' pages, and a machine that has other things to do.
        visitor.page.set_default_timeout(60_000)
        made.append(visitor)
        return visitor

    yield make
    for visitor in made:
        visitor.close()


def agree(page, subject):
    """On the provider's own page."""
    page.wait_for_url("http://127.0.0.1:*/**")
    page.fill("input[name=sub]", subject)
    page.click("button:has-text('Authorize')")


def me(page, site):
    tab = page.context.new_page()
    answer = tab.goto(site.url + "/.auth/api/me").json()
    tab.close()
    return answer


@BOTH
def test_there_and_back_to_the_page_first_asked_for(visit, site, mock, script):
    email = f"robin-{script}@mock.example"
    mock.add_user(email, email=email, email_verified=True, name="Robin Reed")
    visitor = visit(java_script_enabled=script)
    page = visitor.page
    target = site.app + "/wiki/Start?from=a%20friend&x=%2F"
    page.goto(target)
    for size in (PHONE, DESKTOP) if script else ():
        page.set_viewport_size(size)
        visitor.look(f"login-with-providers-{size['width']}")
    page.click("text=Sign in with Mock & Co")
    agree(page, email)
    page.wait_for_url(target)
    page.goto(site.url + "/.auth/account/security")
    assert page.locator("input[type=password]").count() == 0, "there is no password that could be given"
    page.goto(site.url + "/.auth/login?step_up=too_old&return_to=/.auth/account/security")
    assert page.locator("input[type=password]").count() == 0
    assert page.locator("text=Sign in with Mock & Co").count() == 1, "but there is another way"
    assert (me(page, site)["email"], me(page, site)["name"]) == (email, "Robin Reed")


@BOTH
def test_linking_signing_in_by_it_and_unlinking(visit, site, mock, script):
    subject = f"mary-{script}"
    mock.add_user(subject, email="somebody@mock.example", email_verified=True)
    one = visit(java_script_enabled=script)
    page = one.page
    one.sign_in(site.url + "/.auth/login", "mary", PASSWORD)
    page.wait_for_url("**/.auth/account")
    page.click("a[href='/.auth/account/providers']")
    page.click("text=Link Mock & Co")
    agree(page, subject)
    page.wait_for_url("**/.auth/account/providers?done=provider_linked")
    assert page.locator("[role=status]").count() == 1
    assert "somebody@mock.example" in page.inner_text("main")
    for size in (PHONE, DESKTOP) if script else ():
        page.set_viewport_size(size)
        one.look(f"linked-{size['width']}")

    other = visit(java_script_enabled=script).page
    other.goto(site.url + "/.auth/login")
    other.click("text=Sign in with Mock & Co")
    agree(other, subject)
    other.wait_for_url("**/.auth/account")
    assert me(other, site)["username"] == "mary"

    page.click("button:has-text('Remove')")
    page.wait_for_url("**/.auth/account/providers?done=provider_unlinked")
    other.goto(site.app + "/")
    assert "/.auth/login?return_to=" in other.url, "who came by it is signed out"
    one.check()


@BOTH
def test_turning_back_leads_back(visit, site, mock, script):
    visitor = visit(java_script_enabled=script)
    page = visitor.page
    page.goto(site.app + "/wiki")
    page.click("text=Sign in with Mock & Co")
    page.wait_for_url("http://127.0.0.1:*/**")
    page.click("button:has-text('Deny')")
    page.wait_for_url("**/.auth/oauth/mock/callback?**")
    assert page.locator("[role=alert]").count() == 1
    for size in (PHONE, DESKTOP) if script else ():
        page.set_viewport_size(size)
        visitor.look(f"turned-back-{size['width']}")
    page.click("main a[href^='/.auth/login']")
    assert page.locator("#password").count() == 1


@BOTH
def test_apples_form_from_elsewhere_finds_the_browser_that_began(visit, site, apple, script):
    """SameSite=Lax keeps our cookies from a form of another site; what it is answered with leads the browser back to us
    as a click would."""
    apple.known.clear()
    apple.person = apple.person | {"sub": f"browser-{script}", "email": f"{script}@apple.example".lower()}
    page = visit(java_script_enabled=script).page
    target = site.app + "/wiki/Apple?a=b"
    page.goto(target)
    page.click("text=Sign in with Apple")
    if not script:
        page.click("button:has-text('Continue')")
    page.wait_for_url(target)
    assert me(page, site)["email"] == apple.person["email"] and me(page, site)["name"] == "Jane Appleseed"


@pytest.mark.skipif(not is_installed(), reason="glewlwyd is not installed")
def test_glewlwyds_own_pages(visit, site):
    """They need JavaScript; ours does not."""
    page = visit().page
    target = site.app + "/wiki/Glewlwyd?a=b"
    page.goto(target)
    page.click("text=Sign in with Glewlwyd")
    page.fill("#username", "lena")
    page.fill("#password", GLEWLWYD_PASSWORD)
    page.click("#loginbut")
    for scope in ("profile", "email"):
        page.check(f"#grant-{scope}")
    page.click("button:has-text('Grant access')")
    page.locator("#grant-email").wait_for(state="detached")
    page.click("button[title^='Continue']")
    page.wait_for_url(target)
    assert me(page, site)["email"] == "lena@glewlwyd.example"
