"""Passkeys on the pages, in Chromium with the virtual authenticator of its debugging protocol."""

import io
import re
import time

import pyotp
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import sync_playwright

from support.portal import PASSWORD, add_person


@pytest.fixture
def gate(make_gate):
    gate = make_gate(start=False, upstreams={}, routes=[
        {"name": "app", "host": ["localhost"], "rules": [{"allow": "signed_in"}]}])
    gate.settings |= {"public_url": f"http://localhost:{gate.port}", "login": {"trust_device": "30d"}}
    gate.write(gate.settings)
    add_person(gate, "mary", [])
    return gate.start()


@pytest.fixture
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


def virtual(page, resident=True):
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    return session, session.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": resident, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True}})["authenticatorId"]


def sign_in(page, gate):
    page.goto(f"http://localhost:{gate.port}/.auth/login?return_to=/.auth/account/security")
    page.fill("#identifier", "mary")
    page.fill("#password", PASSWORD)
    page.click("button:has-text('Sign in')")


def arrive(page, gate, path):
    """Waits for exactly this page: a pattern would also fit the address that leads back to it."""
    page.wait_for_url(f"http://localhost:{gate.port}{path}")


def test_a_passkey_from_its_making_to_a_sign_in_without_a_name(gate, browser):
    context = browser.new_context()
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    session, authenticator = virtual(page)
    sign_in(page, gate)
    page.fill("#passkey-name", "laptop")
    page.click("button:has-text('Add a passkey')")
    page.wait_for_selector("h1:has-text('Backup codes')")
    assert page.locator("li code").count() == 10
    page.click("a:has-text('I have kept them')")
    assert page.locator("h3:has-text('laptop')").count() == 1
    made = session.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert len(made) == 1 and made[0]["rpId"] == "localhost"

    # By the autofill of the form that is shown, without a click: Chromium's offers what it has at once.
    context.clear_cookies()
    page.goto(f"http://localhost:{gate.port}/.auth/login?return_to=/.auth/account/sessions")
    arrive(page, gate, "/.auth/account/sessions")
    gate.event(event_type="sign_in", success=True)
    (shown,) = [event for event in gate.audit() if event["event_type"] == "sign_in"
                and event["metadata"].get("method") == "passkey"]
    assert {"user", "mfa"} <= set(shown["metadata"]["amr"])

    # As second factor behind the password.
    session.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": authenticator, "enabled": False})
    context.clear_cookies()
    sign_in(page, gate)
    page.wait_for_url("**/.auth/two-factor?flow=*")
    session.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": authenticator, "enabled": True})
    page.click("button:has-text('Use a passkey')")
    arrive(page, gate, "/.auth/account/security")
    page.click("button:has-text('Remove')")
    page.wait_for_selector("text=The second factor is removed")
    assert page.locator("h3").count() == 0
    assert not [words for words in complaints if "Content Security" in words], complaints


def kept_for(context):
    """For how many days the browser keeps the portal's cookie; 0: until it is closed."""
    (cookie,) = [cookie for cookie in context.cookies() if cookie["name"] == "gatehouse-portal"]
    return 0 if cookie["expires"] < 0 else round((cookie["expires"] - time.time()) / 86_400)


def test_what_is_ticked_holds_for_a_passkey_too(gate, browser):
    context = browser.new_context()
    page = context.new_page()
    session, authenticator = virtual(page)

    def presence(enabled):
        session.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": authenticator, "enabled": enabled})

    sign_in(page, gate)
    assert kept_for(context) == 0
    page.click("button:has-text('Set up an authenticator app')")
    secret = page.locator("main code").first.inner_text()
    page.fill("#code", pyotp.TOTP(secret).now())
    page.click("button:has-text('Confirm')")
    page.click("a:has-text('I have kept them')")
    page.click("button:has-text('Add a passkey')")
    page.wait_for_selector("h3:has-text('Passkey')")
    for ticked, days in ((False, 0), (True, 30)):
        presence(False)
        context.clear_cookies()
        page.goto(f"http://localhost:{gate.port}/.auth/login?return_to=/.auth/account/sessions")
        page.set_checked("#remember", ticked)
        presence(True)
        page.click("button:has-text('Use a passkey')")
        arrive(page, gate, "/.auth/account/sessions")
        assert kept_for(context) == days
    # A device that is trusted with a passkey is not asked again; the cookie of the device is what tells it.
    for ticked in (True, False):
        presence(False)
        for name in ("gatehouse-portal", "gatehouse"):
            context.clear_cookies(name=name)
        sign_in(page, gate)
        if ticked:
            page.wait_for_url("**/.auth/two-factor?flow=*")
            page.check("#trust")
            presence(True)
            page.click("button:has-text('Use a passkey')")
        arrive(page, gate, "/.auth/account/security")


def test_an_authenticator_app_reads_the_page(gate, browser):
    page = browser.new_page()
    sign_in(page, gate)
    page.click("button:has-text('Set up an authenticator app')")
    picture = Image.open(io.BytesIO(page.locator("img.qr").screenshot()))
    (code,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    totp = pyotp.parse_uri(code.text)
    page.fill("#code", totp.now())
    page.click("button:has-text('Confirm')")
    page.wait_for_selector("h1:has-text('Backup codes')")
    codes = page.locator("li code").all_inner_texts()
    page.context.clear_cookies()
    sign_in(page, gate)
    page.fill("#code", codes[0])
    page.check("#trust")
    page.click("button:has-text('Confirm')")
    arrive(page, gate, "/.auth/account/security")
    assert re.search(r"Backup codes left\s*9", page.inner_text("main"))


def test_without_javascript_the_pages_do_without_passkeys(gate, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page, gate)
    assert page.locator("form[data-ceremony]").count() == 1 and not page.is_visible("form[data-ceremony]")
    page.click("button:has-text('Set up an authenticator app')")
    assert page.is_visible("#code")
