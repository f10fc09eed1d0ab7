"""Passkeys on the pages, in Chromium with the virtual authenticator of its debugging protocol."""

import io
import re

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
    page.wait_for_url("**/.auth/account/sessions", timeout=20_000)
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
    page.wait_for_url("**/.auth/account/security")
    page.click("button:has-text('Remove')")
    page.wait_for_selector("text=The second factor is removed")
    assert page.locator("h3").count() == 0
    assert not [words for words in complaints if "Content Security" in words], complaints


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
    page.wait_for_url("**/.auth/account/security")
    assert re.search(r"Backup codes left\s*9", page.inner_text("main"))


def test_without_javascript_the_pages_do_without_passkeys(gate, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_in(page, gate)
    assert page.locator("form[data-ceremony]").count() == 1 and not page.is_visible("form[data-ceremony]")
    page.click("button:has-text('Set up an authenticator app')")
    assert page.is_visible("#code")
