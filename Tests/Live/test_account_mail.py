"""Another e-mail address, recent activity, notices and published passwords: pages without JavaScript, the JSON API, and
somebody else's mail server."""

import re
import urllib.parse

import pytest

from support.browser import Browser
from support.clock import MovedClock
from support.mail import MailServer
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, sign_in
from support.receiver import Breaches
from support.waiting import eventually

OTHER = "seven grey otters sleep"


@pytest.fixture
def mailbox():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def site(make_gate, make_origin, mailbox):
    def make(**settings):
        origin = make_origin()
        rules = [{"allow": {"groups": ["staff"]}}]
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}}, sessions={"cookie": {"domain": "example.com"}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": rules,
                     "groups_shown": ["st*"]},
                    {"name": "all", "host": ["all.example.com"], "upstream": "app", "rules": rules}],
            limits={"sign_in": {"rate": "1000/s", "burst": 1000}},
            mail={"from": "auth@example.com",
                  "smtp": {"host": "127.0.0.1", "port": mailbox.port, "security": "none"}}, **settings)
        gate.origin = origin
        add_person(gate, "mary", ["staff", "hr"], name="Mary Major")
        add_person(gate, "adam", ["staff"])
        gate.start()
        mailbox.mail(2)
        mailbox.mails.clear()
        return gate

    return make


def link(mail):
    return re.search(r"http://auth\.example\.com(/\.auth/[a-z-]+/[A-Za-z0-9_-]+)", text(mail))[1]


def text(mail):
    return mail.get_body(("plain",)).get_content()


def by_recipient(mailbox, count):
    mailbox.mail(count)
    return {mail.recipients[0]: mail for mail in mailbox.mails}


# Locked out


def test_whoever_mistypes_it_on_their_own_browser_goes_on_by_the_link(site, mailbox):
    gate = site()
    mistyping = Browser(gate)
    sign_in(mistyping)
    mailbox.mail()
    mailbox.mails.clear()

    def known():
        """The same browser once it has been closed: it keeps what it is known by."""
        browser = Browser(gate)
        browser.jar = {key: value for key, value in mistyping.jar.items() if "device" in key[2]}
        assert browser.jar
        return browser

    for _ in range(5):
        assert sign_in(known(), password="none of theirs").status == 403
    assert sign_in(known()).status == 403
    assert sign_in(Browser(gate)).status == 200, "it has locked itself alone"
    [mail] = eventually(
        lambda: [mail for mail in list(mailbox.mails) if "Unlock the account" in text(mail)], 20, "the link")
    reader = Browser(gate)
    reader.open(PORTAL + link(mail))
    assert reader.submit().status == 200
    assert sign_in(known()).status == 200


# Another address


def test_an_address_changes_on_pages(site, mailbox):
    gate = site()
    browser = Browser(gate)
    sign_in(browser, PORTAL + "/.auth/account")
    mailbox.mail()
    mailbox.mails.clear()
    assert browser.submit("/.auth/account", name="Mary M.").status == 200
    browser.open(PORTAL + "/.auth/account")
    form = re.findall(r"<form\b.*?</form>", browser.response.body.decode(), re.S)[1]
    token = re.search(r'name="token" value="([^"]+)"', form)[1]

    def ask(email, **more):
        body = urllib.parse.urlencode({"token": token, "email": email} | more).encode()
        return browser.follow(browser.send(
            "POST", PORTAL + "/.auth/account",
            [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL)], body, site="same-origin"))

    assert ask("no address").status == 400 and 'role="alert"' in browser.response.body.decode()
    assert ask("mary@example.com").status == 400
    assert ask("new@example.org", token="x" * 43).status == 403
    taken = ask("adam@example.com")
    assert taken.status == 200 and "on its way there" in browser.text
    told = by_recipient(mailbox, 2)
    assert "has an account already" in text(told["adam@example.com"])
    wish = text(told["mary@example.com"])
    assert "adam@example.com" in wish and "127.0.0.1" in wish
    mailbox.mails.clear()
    free = ask("new@example.org")
    assert free.body == taken.body
    told = by_recipient(mailbox, 2)
    assert set(told) == {"mary@example.com", "new@example.org"}
    page = link(told["new@example.org"])
    reader = Browser(gate)
    reader.open(PORTAL + page)
    assert "mary" in reader.text and "only if that is your account" in reader.text
    assert set(by_recipient(mailbox, 2)) == {"mary@example.com", "new@example.org"}, "to look uses nothing up"
    mailbox.mails.clear()
    assert reader.submit(page).status == 200
    told = by_recipient(mailbox, 2)
    assert set(told) == {"mary@example.com", "new@example.org"}
    assert all("is new@example.org now" in text(mail) for mail in told.values())
    browser.open(PORTAL + "/.auth/account")
    assert "new@example.org" in browser.text
    assert reader.open(PORTAL + page).status == 400
    assert login(gate, "new@example.org").status == 200
    assert gate.event(event_type="email_changed")["metadata"] == {"from": "mary@example.com", "to": "new@example.org"}


def test_an_old_sign_in_has_to_be_confirmed_first(site, mailbox, tmp_path):
    clock = MovedClock(tmp_path)
    gate = site(environment=clock.environment)
    browser = Browser(gate)
    sign_in(browser, PORTAL + "/.auth/account")
    assert 'name="email"' in browser.response.body.decode()
    clock.move(660)
    browser.open(PORTAL + "/.auth/account")
    page = browser.response.body.decode()
    assert 'name="email"' not in page and "confirm once more" in browser.text
    way = re.search(r'href="(/\.auth/login\?[^"]*)"', page)[1].replace("&amp;", "&")
    cookies = browser.cookies_for("auth.example.com")
    own = [("Cookie", f"gatehouse-portal={cookies['gatehouse-portal']}"), ("Sec-Fetch-Site", "same-origin")]
    refused = api(gate, "POST", "/email/change", {"email": "new@example.org"}, headers=own)
    assert (refused.status, refused.json()["code"]) == (403, "reauthentication_required")
    browser.open(PORTAL + way)
    assert browser.submit("/.auth/login", password=PASSWORD).status == 200
    assert browser.url == PORTAL + "/.auth/account" and 'name="email"' in browser.response.body.decode()
    # A form that was open for too long leads to the proof as well.
    clock.move(1320)
    answer = browser.submit("/.auth/account", follow=False, email="new@example.org")
    assert answer.status == 303 and answer["Location"] == way


def test_an_address_changes_by_the_api(site, mailbox):
    gate = site()
    token = login(gate).json()["access_token"]
    mailbox.mail()
    mailbox.mails.clear()
    assert api(gate, "POST", "/email/change", {"email": "new@example.org"}).status == 401
    key = gate.add_key("adam")["key"]
    assert api(gate, "POST", "/email/change", {"email": "x@example.org"}, headers=[("X-API-Key", key)]).status == 403
    for body in ({"email": "nobody"}, {"email": "a@b\0.example"}, {"email": "a" * 30_000 + "@example.org"}, {}, []):
        assert api(gate, "POST", "/email/change", body, token).status == 400, body
    mailbox.mails.clear()
    free = api(gate, "POST", "/email/change", {"email": "new@example.org"}, token)
    taken = api(gate, "POST", "/email/change", {"email": "adam@example.com"}, token)
    assert free.status == taken.status == 202 and free.body == taken.body == b""
    mailbox.mail(4)
    # The newer wish replaced the older one.
    first = next(mail for mail in mailbox.mails if mail.recipients == ["new@example.org"])
    dead = api(gate, "POST", "/email/verify", {"token": link(first).rsplit("/", 1)[1]})
    assert (dead.status, dead.json()["code"]) == (401, "invalid_token")
    mailbox.mails.clear()
    assert api(gate, "POST", "/email/change", {"email": "new@example.org"}, token).status == 202
    token_of_link = link(by_recipient(mailbox, 2)["new@example.org"]).rsplit("/", 1)[1]
    assert api(gate, "POST", "/email/verify", {"token": token_of_link}).status == 204
    assert api(gate, "GET", "/me", token=token).json()["email"] == "new@example.org"


def test_signing_a_thief_out_ends_what_the_thief_asked_for(site, mailbox):
    gate = site()
    thief = login(gate, device_name="thief").json()
    assert api(gate, "POST", "/email/change", {"email": "thief@example.org"}, thief["access_token"]).status == 202
    owner = login(gate, device_name="owner").json()
    mailbox.mail(3)
    mail = next(mail for mail in mailbox.mails if mail.recipients == ["thief@example.org"])
    assert api(gate, "DELETE", "/sessions", token=owner["access_token"]).status == 204
    assert api(gate, "POST", "/email/verify", {"token": link(mail).rsplit("/", 1)[1]}).status == 401
    assert api(gate, "GET", "/me", token=owner["access_token"]).json()["email"] == "mary@example.com"


def test_without_mail_no_address_changes(make_gate, make_origin):
    gate = make_gate(start=False, upstreams={"app": {"url": [make_origin().url]}}, routes=[
        {"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}])
    add_person(gate, "mary", [])
    gate.start()
    token = login(gate).json()["access_token"]
    assert api(gate, "POST", "/email/change", {"email": "new@example.org"}, token).json()["code"] == "refused"
    browser = Browser(gate)
    sign_in(browser, PORTAL + "/.auth/account")
    assert 'name="email"' not in browser.response.body.decode()


# Activity


def test_people_see_what_was_done_with_their_account(site, mailbox):
    gate = site()
    browser = Browser(gate)
    login(gate, "mary", "not the password", device_name="<script>")
    login(gate, "adam", device_name="adam's")
    sign_in(browser, PORTAL + "/.auth/account")
    browser.open(PORTAL + "/.auth/account/activity")
    page = browser.response.body.decode()
    assert browser.response.status == 200 and "Recent activity" in browser.text
    assert "Sign-in" in browser.text and "refused" in browser.text and "Firefox on Linux" in browser.text
    assert "127.0.0.1" in browser.text and "adam" not in browser.text and "<script" not in page
    assert "whoever runs this site" in browser.text, "the operator made the account"
    german = Browser(gate, language="de")
    german.jar = browser.jar
    german.open(PORTAL + "/.auth/account/activity")
    assert "Anmeldung" in german.text
    for number in range(30):
        gate.cli("user", "set-groups", "mary", "staff" if number % 2 else "staff,hr")
    browser.open(PORTAL + "/.auth/account/activity")
    assert browser.response.body.decode().count("<h2>") == 25
    older = re.search(r'href="(/\.auth/account/activity\?before=\d+)" rel="next"', browser.response.body.decode())[1]
    browser.open(PORTAL + older)
    assert "Sign-in" in browser.text and "Older" not in browser.text
    for wrong in ("x", "-1", "0", "99999999999999999999999", "%00", "1&before=2"):
        assert browser.open(PORTAL + "/.auth/account/activity?before=" + wrong).status == 200
    assert Browser(gate).send("GET", PORTAL + "/.auth/account/activity").status == 303


def test_the_api_gives_ones_own_events_in_pages(site):
    gate = site()
    mary = login(gate, device_name="script").json()["access_token"]
    adam = login(gate, "adam").json()["access_token"]
    for number in range(6):
        api(gate, "PATCH", "/me", {"name": f"Mary {number}"}, mary)
        api(gate, "PATCH", "/me", {"name": f"Adam {number}"}, adam)
    everything = api(gate, "GET", "/audit-logs", token=mary).json()
    user = api(gate, "GET", "/me", token=mary).json()["id"]
    own = gate.audit("--user", "mary")
    assert [event["sequence"] for event in everything] == [event["sequence"] for event in own]
    assert {event["user_id"] for event in everything} == {user}
    assert set(everything[0]) == {
        "sequence", "created_at", "event_type", "success", "reason", "actor", "user", "user_id", "route", "session",
        "ip_address", "user_agent", "request_id", "metadata"}
    seen, target = [], "/audit-logs?limit=3"
    while target:
        answer = api(gate, "GET", target, token=mary)
        assert answer.status == 200 and len(answer.json()) <= 3
        seen += answer.json()
        next_page = re.fullmatch(r'<http://auth\.example\.com/\.auth/api(/[^>]+)>; rel="next"', answer.get("Link", ""))
        target = next_page and next_page[1]
    assert seen == everything
    assert api(gate, "GET", "/audit-logs").status == 401
    key = gate.add_key("mary")
    assert api(gate, "GET", "/audit-logs", headers=[("X-API-Key", key["key"])]).status == 403
    assert key["key"] not in api(gate, "GET", "/audit-logs", token=mary).body.decode()


def test_lesson42_a_made_up_position_leads_to_nobody_elses_events(site):
    gate = site()
    mary = login(gate, device_name="script").json()["access_token"]
    login(gate, "adam")
    user = api(gate, "GET", "/me", token=mary).json()["id"]
    everything = api(gate, "GET", "/audit-logs", token=mary).json()
    for event in gate.audit("--user", "adam"):
        part = api(gate, "GET", f"/audit-logs?before={event['sequence']}", token=mary).json()
        assert {event["user_id"] for event in part} <= {user}
    for wrong in ("limit=0", "limit=201", "limit=x", "limit=-1", "before=x", "before=0", "before=-3", "limit=1&limit=2",
                  "before=18446744073709551616", "before=%00", "before=" + "9" * 2000):
        assert api(gate, "GET", "/audit-logs?" + wrong, token=mary).status == 400, wrong
    longest = api(gate, "GET", "/audit-logs?before=18446744073709551615&limit=200", token=mary)
    assert longest.json() == everything and longest.get("Link") is None


# Notices


def test_notices_can_be_left_out(site, mailbox):
    gate = site(notifications={"new_device": False, "api_key_created": False})
    login(gate)
    gate.add_key("mary")
    gate.cli("user", "set-password", "mary", input=OTHER + "\n")
    assert mailbox.mail()["Subject"].startswith("Your password")
    gate.settings["notifications"] = {"password_changed": False}
    gate.write(gate.settings)
    gate.cli("reload")
    gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")
    login(gate, device_name="another")
    assert mailbox.mail(2)["Subject"].startswith("New sign-in")


# Published passwords


@pytest.fixture
def breaches():
    server = Breaches(OTHER, "summer2026 and more")
    yield server
    server.close()


def test_published_passwords_are_not_taken(site, breaches):
    gate = site(login={"password": {"breach_check": breaches.url}})
    token = login(gate).json()["access_token"]

    def change(new):
        return api(gate, "POST", "/password/change", {"current_password": PASSWORD, "password": new}, token)

    refused = change(OTHER)
    assert refused.status == 400 and "breach" in refused.json()["detail"]
    path, headers, _ = breaches.got(1)[0]
    assert re.fullmatch(r"/range/[0-9A-F]{5}", path) and headers["Add-Padding"] == "true"
    assert len(breaches.requests) == 1
    browser = Browser(gate)
    sign_in(browser, PORTAL + "/.auth/account/security")
    browser.submit("/.auth/account/security", current=PASSWORD, new=OTHER)
    assert browser.response.status == 400 and "breach" in browser.text
    assert change("five brown foxes hide").status == 204
    assert len(breaches.requests) == 3, "asked once a change"


@pytest.mark.parametrize("how", ["down", "failing", "silent", "strange"])
def test_a_breach_service_that_does_not_answer_keeps_nobody_out(site, breaches, how):
    import threading
    gate = site(login={"password": {"breach_check": breaches.url}})
    token = login(gate).json()["access_token"]
    if how == "down":
        breaches.close()
    elif how == "failing":
        breaches.status = 503
    elif how == "silent":
        breaches.hold = threading.Event()
    else:
        breaches.answer = lambda path: (200, b"<html>welcome to the captive portal</html>")
    change = {"current_password": PASSWORD, "password": OTHER}
    assert api(gate, "POST", "/password/change", change, token).status == 204
    log = gate.logged("the password is taken")
    assert OTHER not in log and PASSWORD not in log


# Smaller things


def test_a_page_of_an_app_is_told_the_groups_that_the_app_is_told(site):
    gate = site()
    browser = Browser(gate)
    sign_in(browser, APP + "/")
    own = browser.cookies_for("app.example.com")["gatehouse"]
    headers = [("Cookie", f"gatehouse={own}")]
    assert api(gate, "GET", "/me", headers=headers, host="app.example.com").json()["groups"] == ["staff"]
    assert api(gate, "GET", "/me", headers=headers, host="all.example.com").json()["groups"] == ["hr", "staff"]
    assert gate.origin.last.all("remote-groups") == ["staff"]


def test_pages_and_api_are_uses_of_a_session(site):
    gate = site()
    first = login(gate, device_name="first").json()
    api(gate, "GET", "/me", token=first["access_token"])

    def activity():
        rows = {row["device_name"]: row for row in gate.lines("session", "list", "--user", "mary")}
        return rows["first"]["last_activity"]

    before = activity()
    from support.waiting import eventually

    def moved():
        api(gate, "GET", "/me", token=first["access_token"])
        return activity() > before

    eventually(moved, 40, "a later last use")
    assert not gate.audit("--type", "access"), "our own pages are no app"
