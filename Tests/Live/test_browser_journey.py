"""From nobody to somebody in Chromium: what a person does with mails, devices, keys and passwords, from the first click to
the last, with JavaScript and without."""

import re
import subprocess

import pytest

from support.waiting import eventually
# The fixtures are made for this file once more.
from test_browser import PASSWORD, chromium, mails, shots, site, visit  # noqa: F401

NEW = "forty gulls over the pier"


def link_to(mails, recipient, page, count=1):
    """The link in the newest of `count` mails that have one to this page."""
    def links():
        texts = [mail.get_body(("plain",)).get_content() for mail in mails.mails if recipient in mail.recipients]
        found = [link for text in texts for link in re.findall(rf"http://\S+/\.auth/{page}/\S+", text)]
        return found[-1] if len(found) >= count else None

    return eventually(links, 20, f"a mail with a link to {page}")


def press(visitor, form="main form"):
    visitor.page.click(f"{form} button[type=submit]")
    visitor.page.wait_for_load_state()


@pytest.mark.parametrize("script", [True, False], ids=["with-js", "without-js"])
def test_from_nobody_to_somebody(visit, site, mails, script):  # noqa: F811
    email = f"rowan-{'js' if script else 'plain'}@example.com"
    one = visit(java_script_enabled=script)
    page = one.page
    target = site.app + "/wiki/Start?from=a%20friend&x=%2F"

    # A page is asked for; whoever has no account registers, and the mail leads on.
    page.goto(target)
    page.click("a[href^='/.auth/register']")
    page.fill("#email", email)
    page.fill("#name", "Rowan Reed")
    press(one)
    assert page.locator("[role=status]").count() == 1
    page.goto(link_to(mails, email, "verify-email"))
    page.fill("#new", PASSWORD)
    press(one)
    page.click("main a[href^='/.auth/login']")
    page.fill("#identifier", email)
    page.fill("#password", PASSWORD)
    press(one, "form[action='/.auth/login']")
    page.wait_for_url(target)

    # A second browser signs in and is signed out by the first: its next click is refused.
    other = visit(java_script_enabled=script)
    other.sign_in(target, email, PASSWORD)
    other.page.wait_for_url(target)
    page.goto(site.url + "/.auth/account/sessions")
    assert page.locator(".cards li").count() == 2 and page.locator(".badge").count() == 1
    page.click(".cards form button")
    page.wait_for_load_state()
    assert page.locator(".cards li").count() == 1
    other.page.goto(target)
    assert "/.auth/login?return_to=" in other.page.url

    # A key that curl uses.
    page.goto(site.url + "/.auth/account/api-keys")
    page.fill("#name", "For curl")
    page.check("input[name='scope wiki:read']")
    page.click("form:has(#days) button")
    key = page.locator(".notice code").inner_text()
    answer = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"X-API-Key: {key}", "--resolve",
         f"app.portal.localhost:{site.port}:127.0.0.1", site.app + "/api/pages"], capture_output=True, text=True, timeout=30)
    assert answer.stdout == "200", answer

    # A forgotten password ends every session, and the new one signs in.
    other.page.goto(site.url + "/.auth/forgot-password")
    other.page.fill("#email", email)
    press(other)
    other.page.goto(link_to(mails, email, "reset-password"))
    other.page.fill("#new", NEW)
    press(other)
    page.goto(target)
    assert "/.auth/login?return_to=" in page.url
    other.sign_in(target, email, NEW)
    other.page.wait_for_url(target)

    # A link in a mail signs in, in the browser that asked for it, at the page first asked for.
    page.goto(target)
    page.fill("form[action='/.auth/magic-link'] #email", email)
    press(one, "form[action='/.auth/magic-link']")
    link = link_to(mails, email, "magic-link")
    other.page.goto(link)
    assert other.page.locator("form[action='/.auth/magic-link']").count() == 1, "another browser is not signed in by it"
    page.goto(link)
    press(one)
    page.wait_for_url(target)
    page.goto(link)
    assert page.locator("form[action^='/.auth/magic-link/']").count() == 0, "it was good once"

    # All of it can be read afterwards.
    page.goto(site.url + "/.auth/account/activity")
    assert page.locator("main li").count() >= 5
    one.check()
    other.check()
