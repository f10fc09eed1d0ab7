"""Accounts that people ask for themselves, and links in mails that sign in: by pages without JavaScript and by the JSON
API, with the mails of somebody else's server."""

import concurrent.futures
import re
import urllib.parse

import pytest

from support.browser import Browser
from support.gatehouse import Gatehouse
from support.mail import MailServer
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login
from support.waiting import eventually
from support.wire import request


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
