"""Links in mails that sign in: by pages without JavaScript and by the JSON API, with the mails of somebody else's server."""

import concurrent.futures
import re
import urllib.parse

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, portal_cookie, sign_in
from support.wire import request
from test_registration import (  # noqa: F401 - fixtures
    FORM,
    HOME,
    NEW,
    link,
    mail_to,
    plain,
    post,
    register,
    site,
    site_once,
    token,
)


# Links that sign in


def ask(browser, page=APP + "/", email="mary@example.com"):
    """Opens a page, lands on the form, asks for a link."""
    browser.open(page)
    assert browser.url.startswith(PORTAL + "/.auth/login"), browser.url
    assert browser.submit("/.auth/magic-link", email=email).status == 200
    return browser


def test_a_magic_link_leads_to_the_page_first_asked_for(site, post):
    gate = site()
    browser = ask(Browser(gate), APP + "/wiki/Start?a=b&c=%2F", "MARY@example.com")
    assert "mail is on its way" in browser.text
    mail = mail_to(post, "mary@example.com", 2)
    assert "within 15 minutes" in plain(mail)
    for method in ("GET", "HEAD", "GET"):
        # A scanner of mails, from somewhere else.
        assert request(gate.port, urllib.parse.urlsplit(link(mail)).path, "auth.example.com", method).status == 403
    page = browser.open(link(mail))
    assert page.status == 200 and "mary" in browser.text and "app.example.com" in browser.text
    assert "form-action 'self' http: https:;" in page["Content-Security-Policy"]
    assert not {"gatehouse", "gatehouse-portal"} & set(browser.cookies_for("auth.example.com"))
    browser.submit(remember="yes")
    assert (browser.response.status, browser.url) == (200, APP + "/wiki/Start?a=b&c=%2F")
    assert gate.origin.last.all("remote-user") == ["mary"]
    assert browser.open(link(mail)).status == 400, "once"
    event = gate.event(event_type="sign_in", success=True, user="mary")
    assert event["metadata"]["method"] == "magic_link"
    assert token(mail) not in gate.log_text()


def test_a_magic_link_is_good_in_the_browser_that_asked(site, post):
    gate = site()
    asking, other = ask(Browser(gate)), Browser(gate)
    url = link(mail_to(post, "mary@example.com", 2))
    answer = other.open(url)
    assert answer.status == 403 and "browser alone that asked" in other.text and b"mary" not in answer.body
    body = urllib.parse.urlencode({"remember": "yes"}).encode()
    refused = other.send("POST", url, [FORM, HOME], body, navigate=False)
    assert refused.status == 403 and "gatehouse-portal" not in other.cookies_for("auth.example.com")
    assert api(gate, "POST", "/magic-link/verify", {"token": url.rsplit("/", 1)[1]}).status == 403
    # From there one can ask for another link, which leads on to the same page.
    other.open(url)
    assert other.submit("/.auth/magic-link", email="mary@example.com").status == 200
    second = link(mail_to(post, "mary@example.com", 3))
    other.open(second)
    other.submit()
    assert other.url == APP + "/" and other.response.status == 200
    asking.open(url)
    asking.submit()
    assert asking.url == APP + "/" and asking.response.status == 200, "and the first has stayed good where it was asked for"


def test_magic_links_of_parallel_tabs_lead_where_each_was(site, post):
    gate = site()
    one = Browser(gate)
    one.open(APP + "/first")
    two = Browser(gate)
    two.jar = one.jar
    two.open("http://other.example.com/second")
    one.submit("/.auth/magic-link", email="mary@example.com")
    first = link(mail_to(post, "mary@example.com", 2))
    two.submit("/.auth/magic-link", email="mary@example.com")
    second = link(mail_to(post, "mary@example.com", 3))
    two.open(second)
    two.submit()
    assert two.url == "http://other.example.com/second"
    one.open(first)
    one.submit()
    assert one.url == APP + "/first"


def test_of_two_uses_of_a_magic_link_at_once_one_wins(site, post):
    gate = site()
    for count in (1, 2, 3):
        proof = gate.json("user", "link", "mary", "--kind", "magic-link")["link"].rsplit("/", 1)[1]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(
                lambda index: api(gate, "POST", "/magic-link/verify", {"token": proof}).status
                if index % 2 else Browser(gate).send(
                    "POST", f"{PORTAL}/.auth/magic-link/{proof}", [FORM, HOME], b"", navigate=False).status, range(8)))
        assert sum(status in (200, 303) for status in answers) == 1, answers
        assert len(gate.lines("session", "list", "--user", "mary")) == count


def test_a_magic_link_by_the_api(site, post):
    gate = site()
    answer = api(gate, "POST", "/magic-link/request", {"email": "mary@example.com"})
    assert (answer.status, answer.body) == (202, b"")
    url = link(mail_to(post, "mary@example.com", 2))
    proof = url.rsplit("/", 1)[1]
    victim = Browser(gate)
    for _ in range(2):
        answer = victim.open(url)
        assert answer.status == 403 and "browser alone that asked" in victim.text and b"mary" not in answer.body
        refused = victim.send("POST", url, [FORM, HOME], b"remember=yes", navigate=False)
        assert refused.status == 403 and "gatehouse-portal" not in victim.cookies_for("auth.example.com")
    done = api(gate, "POST", "/magic-link/verify", {"token": proof, "device_name": "script"})
    assert done.status == 200 and not done.all("set-cookie")
    assert set(done.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "session_id"}
    assert gate.get("/", headers=[("Authorization", f"Bearer {done.json()['access_token']}")]).status == 200
    again = api(gate, "POST", "/magic-link/verify", {"token": proof})
    assert (again.status, again.json()["code"]) == (401, "invalid_token")


def test_lesson30_a_link_is_dead_once_its_user_is_disabled(site, post):
    gate = site()
    browser = ask(Browser(gate))
    url = link(mail_to(post, "mary@example.com", 2))
    browser.open(url)
    assert gate.json("user", "disable", "mary")["links"] == 1
    answer = browser.submit(follow=False)
    assert answer.status == 400 and "gatehouse-portal" not in browser.cookies_for("auth.example.com")
    gate.cli("user", "enable", "mary")
    assert browser.open(url).status == 400
    gate.cli("user", "disable", "mary")
    api(gate, "POST", "/magic-link/request", {"email": "mary@example.com"})
    assert "no account" in plain(mail_to(post, "mary@example.com", 3)).lower()


def test_lesson08_a_magic_link_ends_the_session_that_the_browser_had(site, post):
    gate = site()
    add_person(gate, "adam", ["staff"])
    browser = ask(Browser(gate))
    url = link(mail_to(post, "mary@example.com", 2))
    sign_in(browser, user="adam")
    old = browser.cookies_for("app.example.com")["gatehouse"]
    browser.open(url)
    assert "You sign in as mary" in browser.text and "no longer signed in as adam" in browser.text
    browser.submit()
    assert "no longer" not in browser.text
    assert gate.get("/", headers=[("Cookie", f"gatehouse={old}")]).status == 401
    me = api(gate, "GET", "/me", headers=portal_cookie(browser)).json()
    assert me["username"] == "mary"


def test_lesson34_magic_links_tell_nobody_who_has_an_account(site, post):
    gate = site()
    gate.add_user("robot", service=True)
    pages, answers = set(), set()
    for email in ("mary@example.com", "nobody@example.com", "robot@example.com", "ivy@example.com"):
        browser = ask(Browser(gate), email=email)
        pages.add((browser.response.status, browser.response.body))
        answer = api(gate, "POST", "/magic-link/request", {"email": email})
        answers.add((answer.status, answer.body))
        mail_to(post, email, 2)
    assert len(pages) == 1 and answers == {(202, b"")}


def test_a_form_of_another_browser_asks_for_nothing(site_once):
    gate = site_once
    attacker, victim = Browser(gate), Browser(gate)
    attacker.open(APP + "/")
    victim.open(APP + "/")
    _, fields = attacker.form("/.auth/magic-link")
    answer = victim.submit("/.auth/magic-link", flow=fields["flow"], email="mary@example.com")
    assert answer.status == 403 and "too old" in victim.text
    assert victim.submit("/.auth/magic-link", email="mary@example.com").status == 200, "the new form is good"


def test_pages_speak_german_too(site, post):
    gate = site()
    browser = Browser(gate, language="de")
    browser.open(APP + "/")
    assert "Registrieren" in browser.text and "Link zusenden" in browser.text
    browser = register(gate, "nell@example.com", browser)
    mail = mail_to(post, "nell@example.com")
    assert "Bestätigen" in mail["Subject"]
    browser.open(link(mail))
    for password, words in (("kurz", "zu kurz"), ("nell@example.com", "Ihrem Namen"), ("x\0" * 20, "Steuerzeichen")):
        assert browser.submit(new=password).status == 400 and words in browser.text
        assert not re.search(rb'id="new"[^>]*value=', browser.response.body), "no password comes back"


def test_a_site_without_passwords(site, post):
    gate = site(login={"password": {"enabled": False}})
    browser = register(gate, "nell@example.com")
    browser.open(link(mail_to(post, "nell@example.com")))
    assert b'type="password"' not in browser.response.body
    assert browser.submit(name="Nell").status == 200
    ask(browser, APP + "/here", "nell@example.com")
    assert b'type="password"' not in browser.response.body
    browser.open(link(mail_to(post, "nell@example.com", 2)))
    browser.submit()
    assert browser.url == APP + "/here"
    assert gate.origin.last.all("remote-user") == ["nell@example.com"]
    assert api(gate, "POST", "/register", {"email": "ned@example.com", "password": NEW}).status == 202
    assert api(gate, "POST", "/email/verify", {"token": token(mail_to(post, "ned@example.com"))}).status == 204
    assert login(gate, "ned@example.com", NEW).status == 403
    # A page that wants a fresh sign-in gets one by another link.
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=" + urllib.parse.quote(APP + "/fresh", ""))
    before = browser.cookies_for("app.example.com")["gatehouse"]
    assert browser.submit("/.auth/magic-link", email="nell@example.com").status == 200
    browser.open(link(mail_to(post, "nell@example.com", 2, "/.auth/magic-link/")))
    browser.submit()
    assert browser.url == APP + "/fresh" and browser.cookies_for("app.example.com")["gatehouse"] != before


# Limits


def test_nobodys_inbox_is_flooded_by_any_form(site, post):
    """By address and form, whoever asks; the same for addresses that nobody has."""
    gate = site(limits={"mail": {"rate": "1/h", "burst": 2}, "exempt_networks": ["127.0.0.0/8"]})
    seen = []
    for email in ("mary@example.com", "free@example.com", "ivy@example.com"):
        statuses = []
        for path in ("/register", "/magic-link/request", "/password/forgot") * 3:
            body = {"email": email} | ({"password": NEW} if path == "/register" else {})
            answer = api(gate, "POST", path, body)
            statuses.append((answer.status, answer.get("Retry-After") is not None, answer.body and answer.json()["detail"]))
        for page in ("register", "magic-link", "forgot-password"):
            browser = Browser(gate)
            browser.open(f"{PORTAL}/.auth/{page}")
            answer = browser.submit(f"/.auth/{page}", email=email)
            statuses.append((answer.status, answer.get("Retry-After") is not None, "too many" in browser.text))
        seen.append(statuses)
    assert seen[0] == seen[1] == seen[2]
    assert [status for status, *_ in seen[0]] == [202] * 6 + [429] * 6
    for email, count in (("mary@example.com", 7), ("free@example.com", 6), ("ivy@example.com", 6)):
        mail_to(post, email, count)
    gate.add_key("mary")
    mail_to(post, "mary@example.com", 8)
    assert len(post.mails) == 20


def test_one_client_mails_few_addresses(site, post):
    gate = site(limits={"mail": {"rate": "1/h", "burst": 3}})
    statuses = [api(gate, "POST", "/magic-link/request", {"email": f"user{number}@example.com"}).status
                for number in range(6)]
    assert statuses == [202] * 3 + [429] * 3
    assert api(gate, "POST", "/register", {"email": "nell@example.com", "password": NEW}).status == 429
    event = gate.event(30, event_type="magic_link_requested", success=False, reason="rate_limited")
    assert event["ip_address"] == "127.0.0.1" and event["metadata"]["limit"] == "mail" and event["user"] is None
    # What is refused before a mail is thought of costs nothing of it.
    assert api(gate, "POST", "/magic-link/request", {"email": "x"}).status == 400


# People without a password


def test_nobody_is_asked_for_a_password_that_they_have_not(site, post):
    gate = site()
    gate.add_user("nora", ["staff"])
    browser = ask(Browser(gate), APP + "/", "nora@example.com")
    browser.open(link(mail_to(post, "nora@example.com", 1, "magic-link")))
    browser.submit()
    browser.open(PORTAL + "/.auth/account/security")
    page = browser.response.body.decode()
    assert 'id="current"' not in page and 'href="/.auth/forgot-password"' in page, "the way to a first one"
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account/security")
    page = browser.response.body.decode()
    assert 'type="password"' not in page and 'action="/.auth/magic-link"' in page, "but there is another way"
    browser.submit("/.auth/magic-link", email="nora@example.com")
    browser.open(link(mail_to(post, "nora@example.com", 2, "magic-link")))
    browser.submit()
    assert browser.url == PORTAL + "/.auth/account/security"
    gate.cli("user", "set-password", "nora", input=PASSWORD + "\n")
    signed_in = sign_in(Browser(gate), user="nora")
    assert signed_in.status == 200
