"""How the pages look is the operator's: name, logo, colour, templates, languages; and what is refused."""

import re

import pytest

from support.browser import Browser
from support.wire import request

PORTAL = "http://auth.example.com"
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><path fill="#639" d="M0 0h4v1z"/></svg>'
LOGIN = """{{> head}}{{> error}}
<p class="house">Ask at the desk.</p>
<form method="post" action="/.auth/login">
<input type="hidden" name="flow" value="{{flow}}">
<label for="identifier">Name</label> <input id="identifier" name="identifier" value="{{identifier}}">
<label for="password">Password</label> <input id="password" name="password" type="password">
<label for="remember">Stay</label> <input id="remember" name="remember" type="checkbox" value="yes">
<button type="submit">{{action}}</button>
</form>
{{> foot}}
"""


@pytest.fixture
def branded(simple, tmp_path):
    def make(branding, **templates):
        folder = tmp_path / "gate" / "templates"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in templates.items():
            (folder / f"{name}.mustache").write_text(text)
        (tmp_path / "gate" / "logo.svg").write_text(LOGO)
        gate = simple(branding=branding)
        gate.templates = folder
        gate.cli("user", "set-password", "mary", input="three quiet herons fly\n")
        return gate

    return make


def page(gate, path="/.auth/login", language="en"):
    browser = Browser(gate, language=language)
    browser.open(PORTAL + path)
    return browser


def test_name_logo_and_colour_are_the_operators(branded):
    gate = branded({"name": "Herons & Co", "logo": "logo.svg", "colour": "#639"})
    browser = page(gate)
    text = browser.response.body.decode()
    assert "<title>Sign in – Herons &amp; Co</title>" in text
    logo = re.search(r'<img class="logo" src="([^"]+)"', text)[1]
    picture = request(gate.port, logo, "auth.example.com")
    assert (picture.status, picture["Content-Type"], picture.body.decode()) == (200, "image/svg+xml", LOGO)
    assert "sandbox" in picture["Content-Security-Policy"] and "immutable" in picture["Cache-Control"]
    style = re.search(r'href="(/\.auth/style-\d+\.css)"', text)[1]
    assert "--accent: #663399" in request(gate.port, style, "auth.example.com").body.decode()
    assert "img-src 'self' data:" in browser.response["Content-Security-Policy"]
    # A page on an app's host gets them from the portal.
    refused = request(gate.port, "/.auth/logo-1.svg", "auth.example.com")
    assert refused.status == 200 and refused["Cache-Control"] == "no-store", "pages of before a reload"


def test_a_template_in_place_of_ours(branded):
    gate = branded({"templates": "templates"}, login=LOGIN)
    browser = page(gate)
    assert "Ask at the desk." in browser.text
    assert browser.submit(follow=False, identifier="mary", password="three quiet herons fly").status == 303
    # And another one, by a reload; the pages in hand go on.
    old = page(gate)
    (gate.templates / "login.mustache").write_text(LOGIN.replace("at the desk", "upstairs"))
    gate.cli("reload")
    assert "Ask upstairs." in page(gate).text
    assert old.submit(follow=False, identifier="mary", password="three quiet herons fly").status == 303


@pytest.mark.parametrize("change, message", [
    ((' value="{{flow}}"', ""), "has lost flow={{flow}}"),
    (("{{flow}}", "{{flw}}"), "login.mustache:4: flw is not known here"),
    (("{{> head}}", ""), "{{stylesheet}} is missing"),
    (("{{identifier}}", "{{{identifier}}}"), "unescaped values are not allowed"),
    (("<p ", "<p onclick='x' "), "onclick= is not allowed"),
    (("{{> foot}}", "{{> fot}}"), "there is no template fot"),
    (("{{> error}}", ""), "{{error}} is missing"),
    (('method="post"', 'method="get"'), "is missing"),
])
def test_a_bad_template_is_refused_at_the_start_and_at_a_reload(branded, change, message):
    gate = branded({"templates": "templates"}, login=LOGIN)
    (gate.templates / "login.mustache").write_text(LOGIN.replace(*change))
    checked = gate.cli("check-config", check=False)
    assert checked.returncode == 2 and message in checked.stderr, checked.stderr
    assert re.search(r"gatehouse\.yaml:\d+:\d+: branding\.templates: .*templates/login\.mustache:\d+: ", checked.stderr)
    reload = gate.cli("reload", check=False)
    assert reload.returncode == 1 and message in reload.stdout + reload.stderr
    # What was in force stays.
    assert "Ask at the desk." in page(gate).text


def test_languages_are_those_that_are_spoken(branded):
    gate = branded({"languages": ["de", "en"]})
    assert "Anmelden" in page(gate, language="fr").text and "Sign in" in page(gate, language="en").text
    gate.write(gate.settings | {"branding": {"languages": ["en"]}})
    gate.cli("reload")
    assert "Sign in" in page(gate, language="de").text


def test_mails_are_in_the_owners_language(branded):
    """Whoever locks an account does not choose what its owner reads."""
    gate = branded({"name": "Herons & Co"})
    gate.write(gate.settings | {"branding": {"name": "Herons & Co"}, "mail": "log"})
    gate.cli("reload")
    owner = page(gate, language="de")
    assert owner.submit(follow=False, identifier="mary", password="three quiet herons fly").status == 303
    gate.logged("Neue Anmeldung bei Herons & Co")
    stranger = page(gate, language="en")
    for _ in range(5):
        stranger.submit(identifier="mary", password="a guess that is wrong")
    gate.logged("ist gesperrt")
