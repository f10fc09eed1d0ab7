"""Accounts that people ask for themselves, and links in mails that sign in: by pages without JavaScript and by the JSON
API, with the mails of somebody else's server."""

import concurrent.futures
import re
import urllib.parse

import pytest

from support.browser import Browser
from support.gatehouse import Gatehouse
from support.mail import MailServer
from support.waiting import eventually
from support.wire import request
from test_portal import APP, PASSWORD, PORTAL, add_person, api, login, portal_cookie, sign_in

NEW = "another quiet heron swims"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
HOME = ("Sec-Fetch-Site", "same-origin")


@pytest.fixture
def post():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def site(make_gate, make_origin, post):
    """A portal that mails by `post`, with two apps for whoever is signed in; mary has a password, ivy an invitation."""

    def make(registration="open", magic=True, limits=None, login=None, mail=None, **settings):
        origin = make_origin()
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}}, sessions={"cookie": {"domain": "example.com"}},
            login={"registration": registration, "magic_link": {"enabled": magic}} | (login or {}),
            limits=limits if limits is not None else {
                "mail": {"rate": "1000/s", "burst": 1000}, "sign_in": {"rate": "1000/s", "burst": 1000}},
            mail=mail or {"from": "auth@example.com",
                          "smtp": {"host": "127.0.0.1", "port": post.port, "security": "none"}},
            routes=[{"name": name, "host": [f"{name}.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}
                    for name in ("app", "other")], **settings)
        gate.origin = origin
        add_person(gate, "mary", ["staff"], name="Mary Major")
        gate.invitation = gate.json("user", "add", "ivy@example.com", "--username", "ivy", "--invite")["link"]
        # Setting a password has queued a mail to mary, which comes first.
        return gate.start()

    return make


def mail_to(post, recipient, count=1, holding=""):
    """The newest of `count` mails to an address, of those that hold a text."""
    def look():
        found = [mail for mail in post.mails if mail.recipients == [recipient] and holding in plain(mail)]
        return found if len(found) >= count else None

    return eventually(look, 20, f"mail number {count} to {recipient}")[-1]


def plain(mail):
    return " ".join(mail.get_body(("plain",)).get_content().split())


def link(mail):
    return re.search(r"http://auth\.example\.com/\.auth/[a-z-]+/[A-Za-z0-9_-]{43}", plain(mail))[0]


def token(mail):
    return link(mail).rsplit("/", 1)[1]


def register(gate, email, browser=None, page="/.auth/register", **values):
    browser = browser or Browser(gate)
    assert browser.open(PORTAL + page).status == 200
    assert browser.submit("/.auth/register", email=email, **values).status == 200, browser.text
    return browser


def without(body, *texts):
    """A page without what differs from one to the other by right."""
    for text in texts:
        body = body.replace(text.encode(), b"X")
    return re.sub(rb'name="flow" value="[^"]*"', b"", body)


# Registering


def test_a_person_registers_and_lands_on_the_page_first_asked_for(site, post):
    gate = site()
    browser = Browser(gate)
    page = APP + "/wiki/Start?a=b&c=%2F"
    browser.open(page)
    way = re.search(r'href="(/\.auth/register\?[^"]*)"', browser.response.body.decode())[1]
    register(gate, "nell@example.com", browser, way.replace("&amp;", "&"), name="Nell Newcomer")
    assert "mail is on its way" in browser.text
    mail = mail_to(post, "nell@example.com")
    assert "confirm" in mail["Subject"].lower() and "Nell" not in plain(mail), "nothing that a stranger wrote"
    assert gate.cli("user", "show", "nell@example.com", check=False).returncode == 3
    for _ in range(3):
        assert browser.open(link(mail)).status == 200, "a scanner that looks uses nothing up"
    _, fields = browser.form()
    assert fields["email"] == "nell@example.com" and fields["name"] == "Nell Newcomer"
    assert browser.submit(new="short").status == 400
    assert browser.submit(new=NEW, name="Nell N.").status == 200
    assert "Your account is there" in browser.text
    user = gate.json("user", "show", "nell@example.com")
    assert (user["email_verified"], user["groups"], user["name"]) == (True, [], "Nell N.")
    on = re.search(r'href="(/\.auth/login[^"]*)"', browser.response.body.decode())[1]
    browser.open(PORTAL + on)
    browser.submit(identifier="nell@example.com", password=NEW)
    assert browser.url == page and gate.origin.last.all("remote-user") == ["nell@example.com"]
    assert browser.open(link(mail)).status == 400, "used"
    gate.event(event_type="user_registered", success=True, user="nell@example.com")
    gate.event(event_type="email_verified", success=True, user="nell@example.com")
    assert token(mail) not in gate.log_text() and NEW not in gate.log_text()


def test_who_never_signed_in_on_a_page_is_written_to_in_their_language(site, post):
    gate = site()
    wanted = {"email": "nell@example.com", "password": NEW}
    assert api(gate, "POST", "/register", wanted | {"language": "xx"}).status == 400
    assert api(gate, "POST", "/register", wanted | {"language": "de"}, headers=[("Accept-Language", "en")]).status == 202
    mail = mail_to(post, "nell@example.com")
    assert mail["Content-Language"] == "de"
    assert api(gate, "POST", "/email/verify", {"token": token(mail)}).status == 204
    gate.cli("user", "add", "gert@example.com", "--language", "de")
    assert gate.cli("user", "add", "x@example.com", "--language", "xx", check=False).returncode == 2
    file = gate.folder / "people.csv"
    file.write_text("email,language\nimke@example.com,de\n")
    gate.cli("user", "import", str(file), "--format", "csv")
    # Whoever asks does not choose what they read.
    for email, count in (("nell@example.com", 2), ("gert@example.com", 1), ("imke@example.com", 1)):
        asked = api(gate, "POST", "/password/forgot", {"email": email}, headers=[("Accept-Language", "en")])
        assert asked.status == 202
        assert mail_to(post, email, count)["Content-Language"] == "de", email
        assert gate.json("user", "show", email)["language"] == "de"


def test_registering_by_the_api(site, post):
    gate = site()
    wanted = {"email": "nell@example.com", "password": NEW, "name": "Nell"}
    answer = api(gate, "POST", "/register", wanted)
    assert (answer.status, answer.body) == (202, b"")
    early = login(gate, "nell@example.com", NEW)
    assert (early.status, early.json()["code"]) == (403, "email_not_verified")
    mail = mail_to(post, "nell@example.com")
    assert api(gate, "POST", "/email/verify", {"token": token(mail)}).status == 204
    done = login(gate, "nell@example.com", NEW)
    assert done.status == 200
    me = api(gate, "GET", "/me", token=done.json()["access_token"]).json()
    assert (me["email_verified"], me["name"], me["username"]) == (True, "Nell", "nell@example.com")
    again = api(gate, "POST", "/email/verify", {"token": token(mail)})
    assert (again.status, again.json()["code"]) == (401, "invalid_token")


def test_a_strangers_password_is_nobodys(site, post):
    """A page never takes the password that somebody registered an address with: its reader chooses one."""
    gate = site()
    assert api(gate, "POST", "/register", {"email": "nell@example.com", "password": PASSWORD}).status == 202
    nell = Browser(gate)
    nell.open(link(mail_to(post, "nell@example.com")))
    body = urllib.parse.urlencode({"name": "Nell"}).encode()
    assert nell.send("POST", nell.url, [FORM, HOME], body, navigate=False).status == 400, "no button alone"
    nell.open(link(mail_to(post, "nell@example.com")))
    assert nell.submit(new=NEW).status == 200
    assert login(gate, "nell@example.com", PASSWORD).json()["code"] == "email_not_verified", "as before, for a day"
    assert login(gate, "nell@example.com", NEW).status == 200


def test_an_invited_account_never_gets_a_strangers_password(site, post):
    gate = site("invited")
    for email in ("ivy@example.com", "nobody@example.com"):
        assert api(gate, "POST", "/register", {"email": email, "password": PASSWORD}).status == 202
    mail = mail_to(post, "ivy@example.com")
    assert "/.auth/reset-password/" in link(mail)
    assert "no account" in plain(mail_to(post, "nobody@example.com")).lower()
    assert api(gate, "POST", "/email/verify", {"token": token(mail)}).status == 401
    assert gate.cli("user", "show", "nobody@example.com", check=False).returncode == 3
    ivy = Browser(gate)
    assert ivy.open(gate.invitation).status == 200, "the operator's own link is as good"
    ivy.open(link(mail))
    assert ivy.submit(new=NEW).status == 200
    assert login(gate, "ivy", PASSWORD).status == 401 and login(gate, "ivy", NEW).status == 200
    assert ivy.open(gate.invitation).status == 400
    page = Browser(gate)
    page.open(PORTAL + "/.auth/register")
    assert "invited" in page.text


def test_the_first_proof_ends_the_others(site, post):
    gate = site()
    for password in (PASSWORD, NEW):
        api(gate, "POST", "/register", {"email": "nell@example.com", "password": password})
    mail_to(post, "nell@example.com", 2)
    first, second = (token(mail) for mail in post.mails if mail.recipients == ["nell@example.com"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(
            lambda proof: api(gate, "POST", "/email/verify", {"token": proof}).status, [first, second] * 4))
    assert sorted(statuses) == [204] + [401] * 7
    # What was registered last is told to be waiting still, as it was before.
    statuses = [login(gate, "nell@example.com", password).status for password in (PASSWORD, NEW)]
    assert statuses in ([200, 403], [401, 200])


def test_lesson34_registering_tells_nobody_who_has_an_account(site, post):
    gate = site(login={"lockout": {"failures": 3, "period": "30m"}})
    gate.cli("user", "disable", gate.add_user("olaf")["id"])
    pages, answers = set(), set()
    for email in ("mary@example.com", "ivy@example.com", "olaf@example.com", "free@example.com"):
        browser = register(gate, email, name="Somebody")
        pages.add((browser.response.status, without(browser.response.body, email)))
        steps = [api(gate, "POST", "/register", {"email": email, "password": NEW})]
        steps += [login(gate, email, password) for password in (NEW, "not the password", NEW, NEW)]
        answers.add(tuple((step.status, step.body and (step.json()["code"], step.json()["detail"])) for step in steps))
        mail_to(post, email, 2)
    assert len(pages) == 1 and {status for status, _ in pages} == {200}
    assert len(answers) == 1, answers
    assert [status for status, _ in answers.pop()] == [202, 403, 401, 403, 403]


def test_registration_is_closed_unless_somebody_says_otherwise(site):
    gate = site("closed", magic=False)
    assert request(gate.port, "/.auth/register", "auth.example.com").status == 404
    refused = api(gate, "POST", "/register", {"email": "nell@example.com", "password": NEW})
    assert (refused.status, refused.json()["code"]) == (403, "refused")
    browser = Browser(gate)
    browser.open(PORTAL + "/.auth/login")
    assert b"/.auth/register" not in browser.response.body and b"/.auth/magic-link" not in browser.response.body
    assert request(gate.port, "/.auth/magic-link", "auth.example.com").status == 404
    assert request(gate.port, "/.auth/magic-link/" + "A" * 43, "auth.example.com").status == 404
    assert api(gate, "POST", "/magic-link/request", {"email": "mary@example.com"}).status == 403


def test_a_reload_closes_registration_for_links_under_way(site, post):
    gate = site()
    api(gate, "POST", "/register", {"email": "nell@example.com", "password": NEW})
    proof = token(mail_to(post, "nell@example.com"))
    gate.settings["login"] = gate.settings["login"] | {"registration": "closed"}
    gate.write(gate.settings)
    gate.cli("reload")
    assert api(gate, "POST", "/email/verify", {"token": proof}).status == 401
    assert Browser(gate).open(f"{PORTAL}/.auth/verify-email/{proof}").status == 400


def test_the_mail_is_sent_once_more(site, post):
    gate = site()
    browser = register(gate, "nell@example.com", name="Nell")
    first = link(mail_to(post, "nell@example.com"))
    assert browser.submit("/.auth/register").status == 200
    second = link(mail_to(post, "nell@example.com", 2))
    browser.open(first)
    assert browser.submit(new=NEW).status == 200, "the first is as good"
    assert browser.open(second).status == 400


@pytest.mark.parametrize("email", [
    "", "x", "a@b@example.com", "a@example.com\0", "a\r\nBcc: b@example.com", "ä@example.com", "<b>@example.com",
    "a" * 5000 + "@example.com", "a@example.com,b@example.com"], ids=lambda text: repr(text[:20]))
def test_what_is_no_address(site_once, email):
    gate = site_once
    for path, more in [("/register", {"password": NEW}), ("/magic-link/request", {}), ("/password/forgot", {})]:
        answer = api(gate, "POST", path, {"email": email} | more)
        assert (answer.status, answer.json()["code"]) == (400, "invalid_request"), path
    for page in ("register", "magic-link", "forgot-password"):
        browser = Browser(gate)
        browser.open(f"{PORTAL}/.auth/{page}")
        answer = browser.submit(f"/.auth/{page}", email=email)
        assert answer.status == 400 and b"<b>@" not in answer.body, page


@pytest.fixture(scope="module")
def site_once(tmp_path_factory):
    gate = Gatehouse(
        tmp_path_factory.mktemp("site"), sessions={"cookie": {"domain": "example.com"}}, mail="log",
        login={"registration": "open", "magic_link": {"enabled": True}},
        limits={"mail": {"rate": "1000/s", "burst": 1000}, "sign_in": {"rate": "1000/s", "burst": 1000}},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}])
    add_person(gate, "mary", ["staff"])
    gate.start()
    yield gate
    gate.stop()


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"{}", b'{"email":"a@example.com"}', b'{"email":1,"password":2}',
    b'{"email":"a@example.com","password":null}', b'{"email":"a@example.com","password":"x\\u0000yyyyyyyyyyyyyyyy"}',
    b'{"email":"a@example.com","password":"' + b"x" * 60_000 + b'"}',
    b'{"email":"a@example.com","password":"short"}',
    b'{"email":"a@example.com","password":"a long enough phrase","name":"a\\u0000b"}'], ids=lambda body: repr(body[:60]))
def test_bodies_that_register_nobody(site_once, body):
    answer = api(site_once, "POST", "/register", body)
    assert (answer.status, answer["Content-Type"]) == (400, "application/problem+json")
    assert b"xxxx" not in answer.body and b"short\"" not in answer.body


def test_links_that_nobody_sent(site_once):
    gate = site_once
    browser = Browser(gate)
    for page in ("verify-email", "magic-link"):
        for text in ("x", "A" * 43, "%41" * 43, "a.b", "-" * 4000):
            url = f"{PORTAL}/.auth/{page}/{text}"
            for answer in (browser.send("GET", url), browser.send("POST", url, [FORM, HOME], b"", navigate=False)):
                assert answer.status in (400, 404), (page, text, answer)
    for path in ("/email/verify", "/magic-link/verify"):
        for text in ("", "x", "A" * 43, "\0", "A" * 60_000):
            assert api(gate, "POST", path, {"token": text}).status == 401, path
        assert api(gate, "POST", path, {"token": 1}).status == 400
        assert api(gate, "POST", path, b"token=x", headers=[("Content-Type", "text/plain")]).status == 415


def test_forms_of_other_sites_are_refused(site_once):
    gate = site_once
    browser = Browser(gate)
    for path in ("/.auth/register", "/.auth/magic-link", "/.auth/verify-email/x", "/.auth/magic-link/x"):
        body = urllib.parse.urlencode({"email": "mary@example.com", "flow": "x"}).encode()
        for headers in ([("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")], [("Origin", APP)], []):
            answer = browser.send("POST", PORTAL + path, [FORM] + headers, body, navigate=False)
            assert answer.status in (400, 403), (path, headers)


@pytest.mark.parametrize("bad", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_lesson09_the_way_on_from_registering_is_no_open_redirect(site_once, bad):
    gate = site_once
    browser = Browser(gate)
    for page in ("register", "magic-link"):
        answer = browser.send("GET", f"{PORTAL}/.auth/{page}?return_to=" + urllib.parse.quote(bad, ""))
        assert answer.status == 200 and b"evil" not in answer.body and b"javascript" not in answer.body
    browser.open(PORTAL + "/.auth/register")
    answer = browser.submit("/.auth/register", email="a@example.com", return_to=bad)
    assert answer.status == 200 and b"evil" not in answer.body and b"javascript" not in answer.body


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
    assert "form-action 'self' http://app.example.com;" in page["Content-Security-Policy"]
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
