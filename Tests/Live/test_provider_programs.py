"""The question before a program is signed in, in Chromium: what a real browser says of where a form comes from."""

import hashlib
import urllib.parse

import pytest
from playwright.sync_api import sync_playwright

from support.chromium import PHONE, Visitor, launch
from support.gatehouse import Gatehouse
from support.provider import Provider, b64
from support.wire import request
from test_providers import LENA

VERIFIER = "v" * 43
CHALLENGE = b64(hashlib.sha256(VERIFIER.encode()).digest())


@pytest.fixture(scope="module")
def provider():
    server = Provider()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory, provider):
    gate = Gatehouse(
        tmp_path_factory.mktemp("programs"), limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.portal.localhost"], "rules": [{"allow": "signed_in"}]}])
    gate.url = f"http://portal.localhost:{gate.port}"
    gate.settings |= {"public_url": gate.url, "login": {"providers": [provider.settings()]}}
    gate.write(gate.settings)
    gate.start()
    yield gate
    gate.stop()


@pytest.mark.parametrize("script", [True, False], ids=["with-js", "without-js"])
def test_a_person_continues_and_a_program_has_its_tokens(site, provider, tmp_path, script):
    with sync_playwright() as playwright:
        browser = launch(playwright)
        visitor = Visitor(browser, tmp_path, viewport=PHONE, java_script_enabled=script)
        page = visitor.page
        page.goto(f"{site.url}/.auth/oauth/corp?response=token&code_challenge={CHALLENGE}")
        # The provider's page is the test itself.
        address, fields = provider.authorize(page.url, **LENA)
        page.goto(f"{address}?{urllib.parse.urlencode(fields)}")
        assert page.locator("#code").count() == 0
        if script:
            visitor.look("question")
        page.click("main button[type=submit]")
        code = page.inner_text("#code")
        if script:
            visitor.look("code")
        browser.close()
    body = f'{{"code":"{code}","code_verifier":"{VERIFIER}"}}'.encode()
    answer = request(site.port, "/.auth/api/token", f"portal.localhost:{site.port}", "POST",
                     [("Content-Type", "application/json")], body)
    assert answer.status == 200 and answer.json()["token_type"] == "bearer"
