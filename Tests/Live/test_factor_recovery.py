"""Ways to a second factor and back: after a reset, without a password, from another system; slow wrong codes; return_to."""

import base64
import hashlib
import html
import json
import re
import urllib.parse

import pyotp
import pytest

from support.authenticator import Authenticator
from support.browser import Browser
from support.gatehouse import Gatehouse
from support.mail import MailServer
from support.origins import RawOrigin
from support.portal import PASSWORD, add_person, api, login
from support.waiting import eventually
from support.wire import request
from test_passkeys import ask, creation, use

PORTAL = "https://auth.example.com"
APP = "https://app.example.com"
SECURITY = PORTAL + "/.auth/account/security"


@pytest.fixture(scope="module")
def post():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gate(tmp_path_factory, post):
    """One server for all; each test has a person of its own."""
    origin = RawOrigin()
    rules = [{"paths": ["/two/**"], "allow": {"groups": ["staff"], "factors": 2}},
             {"paths": ["/key/**"], "allow": {"groups": ["staff"], "factors": "passkey"}},
             {"allow": {"groups": ["staff"]}}]
    gate = Gatehouse(
        tmp_path_factory.mktemp("recovery"), public_url=PORTAL, listen=[{"serve": ["apps", "portal", "check"]}],
        upstreams={"app": {"url": [origin.url]}}, sessions={"cookie": {"domain": "example.com"}},
        trusted_proxies=["127.0.0.1"],
        login={"magic_link": {"enabled": True}},
        limits={"sign_in": {"rate": "1000/s", "burst": 1000}, "mail": {"rate": "1000/s", "burst": 1000}},
        mail={"from": "auth@example.com", "smtp": {"host": "127.0.0.1", "port": post.port, "security": "none"}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": rules}])
    gate.start()
    yield gate
    gate.stop()
    origin.close()


def sign_in(browser, page, user, password=PASSWORD):
    """Opens a page, lands on the form, fills it in."""
    browser.open(page)
    assert browser.url.startswith(PORTAL + "/.auth/login"), browser.url
    return browser.submit(identifier=user, password=password)


def mails_to(post, person, words):
    """All mails to somebody that hold these words."""
    return [mail for mail in list(post.mails) if mail.recipients == [f"{person}@example.com"]
            and words in " ".join(mail.get_body(("plain",)).get_content().split())]


def wait_mail(post, person, words):
    return eventually(lambda: mails_to(post, person, words), 30, f"a mail to {person} with “{words}”")[-1]


def link_in(mail):
    return re.search(r"https://auth\.example\.com/\.auth/[a-z-]+/[A-Za-z0-9_-]+", mail.get_body(("plain",)).get_content())[0]


def enrol(gate, person):
    """By the API."""
    token = login(gate, person).json()["access_token"]
    made = api(gate, "POST", "/2fa/setup", {}, token).json()
    totp = pyotp.TOTP(made["secret"])
    assert api(gate, "POST", "/2fa/verify", {"code": totp.now()}, token).status == 204
    return totp, made["backup_codes"]


def set_up_on_page(browser):
    """Begins on the page of whoever is signed in; None where that is refused."""
    browser.open(SECURITY)
    browser.submit("/.auth/account/security/two-factor", step="set_up")
    shown = re.search(r"<code>([A-Z2-7]{32})</code>", browser.response.body.decode())
    return pyotp.TOTP(shown[1]) if shown else None


# After a reset

def test_a_session_sets_up_a_new_factor_by_the_printed_link_alone(gate, post):
    add_person(gate, "rita", ["staff"])
    _, codes = enrol(gate, "rita")
    old = login(gate, "rita", two_factor_code=codes[0]).json()["access_token"]
    reset = gate.json("user", "reset-2fa", "rita", "--print-link", "--reason", "lost it")
    assert sorted(reset["removed"]) == ["backup-codes", "totp"] and reset["mailed"] is False
    assert api(gate, "GET", "/me", token=old).status == 401, "every session has ended"
    told = wait_mail(post, "rita", "administrator took second factors")
    assert reset["link"] not in told.get_body(("plain",)).get_content(), "the link is the operator's to hand over"
    browser = Browser(gate)
    sign_in(browser, SECURITY, "rita")
    assert set_up_on_page(browser) is None, "a password is not enough"
    token = login(gate, "rita").json()["access_token"]
    assert api(gate, "POST", "/2fa/setup", {}, token).status == 403
    assert api(gate, "POST", "/passkeys/register/options", {}, token).status == 403
    # The link in another browser does nothing for this one, nor somebody else's link.
    assert Browser(gate).open(reset["link"]).status == 200
    assert set_up_on_page(browser) is None
    add_person(gate, "rolf", ["staff"])
    browser.open(gate.json("user", "reset-2fa", "rolf", "--print-link")["link"])
    browser.submit(identifier="rita", password=PASSWORD)
    assert set_up_on_page(browser) is None
    browser.open(reset["link"])
    browser.submit(identifier="rita", password=PASSWORD)
    totp = set_up_on_page(browser)
    assert totp, browser.text
    browser.submit("/.auth/account/security/two-factor", code=totp.now())
    assert len(re.findall(r"<li><code>", browser.response.body.decode())) == 10
    assert browser.open(APP + "/two/x").status == 200
    again = Browser(gate)
    assert again.open(reset["link"]).status == 400, "used up by the new factor"
    assert login(gate, "rita").json()["code"] == "two_factor_required"


# Without a password

def passwordless(gate, post, person):
    """Somebody who has an address and nothing else, signed in by a mailed link."""
    gate.add_user(person, ["staff"])
    browser = Browser(gate)
    by_mail(gate, post, person, browser)
    return browser


def by_mail(gate, post, person, browser):
    before = len(mails_to(post, person, "you sign in to"))
    browser.open(PORTAL + "/.auth/magic-link")
    assert browser.submit("/.auth/magic-link", email=f"{person}@example.com").status == 200
    eventually(lambda: len(mails_to(post, person, "you sign in to")) > before, 30, "the link")
    browser.open(link_in(mails_to(post, person, "you sign in to")[-1]))
    browser.submit()


def token_by_mail(gate, post, person):
    before = len(mails_to(post, person, "you sign in to"))
    assert api(gate, "POST", "/magic-link/request", {"email": f"{person}@example.com"}).status == 202
    eventually(lambda: len(mails_to(post, person, "you sign in to")) > before, 30, "the link")
    link = link_in(mails_to(post, person, "you sign in to")[-1])
    answer = api(gate, "POST", "/magic-link/verify", {"token": link.rsplit("/", 1)[1]})
    return answer.json()["access_token"]


def test_a_person_without_a_password_enrols_an_app(gate, post):
    browser = passwordless(gate, post, "nora")
    totp = set_up_on_page(browser)
    assert totp, browser.text
    browser.submit("/.auth/account/security/two-factor", code=totp.now())
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code>", browser.response.body.decode())
    assert len(codes) == 10
    # From now on the mail is the first half.
    other = Browser(gate)
    by_mail(gate, post, "nora", other)
    assert other.url.startswith(PORTAL + "/.auth/two-factor?flow="), other.url
    other.submit(code=codes[0])
    assert other.open(APP + "/two/x").status == 200
    wait_mail(post, "nora", "backup code")
    # What protects the account asks for the factor, never for a password that is not there.
    other.open(SECURITY)
    assert "no second factor" not in other.text


def test_a_person_without_a_password_proves_it_is_them_by_mail(gate, post):
    browser = passwordless(gate, post, "nele")
    browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=/.auth/account/security")
    before = len(mails_to(post, "nele", "you sign in to"))
    assert browser.submit("/.auth/magic-link", email="nele@example.com").status == 200
    eventually(lambda: len(mails_to(post, "nele", "you sign in to")) > before, 30, "the link")
    browser.open(link_in(mails_to(post, "nele", "you sign in to")[-1]))
    browser.submit()
    assert browser.url == SECURITY and set_up_on_page(browser)


def test_a_person_with_a_passkey_alone_and_the_way_back_when_it_is_lost(gate, post):
    passwordless(gate, post, "pia")
    token = token_by_mail(gate, post, "pia")
    authenticator = Authenticator(PORTAL, "auth.example.com")
    added = api(gate, "POST", "/passkeys/register", authenticator.create(creation(gate, token)), token)
    assert added.status == 201, added.body
    signed_in = use(gate, authenticator.get(ask(gate)))
    assert signed_in.status == 200 and api(
        gate, "GET", "/me", token=signed_in.json()["access_token"]).json()["factors"] == 2
    # The mailbox alone is not enough any more.
    browser = Browser(gate)
    by_mail(gate, post, "pia", browser)
    assert "/.auth/two-factor" in browser.url and browser.send("GET", APP + "/page").status == 303
    # Lost: by the operator's printed link, beside the mail; never by mail and mail.
    mailed = gate.json("user", "reset-2fa", "pia")
    assert mailed["mailed"] is True
    browser = Browser(gate)
    browser.open(link_in(wait_mail(post, "pia", "administrator took second factors")))
    by_mail(gate, post, "pia", browser)
    assert set_up_on_page(browser) is None, "two mails are one proof"
    printed = gate.json("user", "reset-2fa", "pia", "--print-link")["link"]
    browser = Browser(gate)
    assert browser.open(printed).status == 200
    by_mail(gate, post, "pia", browser)
    totp = set_up_on_page(browser)
    assert totp, browser.text
    browser.submit("/.auth/account/security/two-factor", code=totp.now())
    assert browser.open(APP + "/two/x").status == 200
    assert use(gate, authenticator.get(ask(gate))).status == 401, "the lost one is good for nothing"


# Where a proof leads back to

def check(gate, path, cookie):
    """As nginx asks for a page that a browser opens."""
    return request(gate.port, "/.auth/check/nginx", host="gatehouse", headers=[
        ("X-Original-URL", APP + path), ("X-Original-Method", "GET"), ("X-Forwarded-For", "203.0.113.7"),
        ("Accept", "text/html"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"),
        ("Sec-Fetch-Site", "none"), ("Cookie", cookie)])


def cookie_of(browser):
    return "; ".join(f"{name}={value}" for name, value in browser.cookies_for("app.example.com").items())


@pytest.mark.parametrize("how", ["inline", "check"])
def test_a_step_up_goes_back_to_the_very_page(gate, post, how):
    person = f"stella-{how}"
    add_person(gate, person, ["staff"])
    browser = Browser(gate)
    sign_in(browser, APP + "/page", person)
    totp, codes = enrol(gate, person)
    page = "/two/x?q=a%2Fb&r=%C3%A9&s=1+1"
    if how == "inline":
        asked = browser.send("GET", APP + page)
        assert asked.status == 303
    else:
        asked = check(gate, page, cookie_of(browser))
        assert asked.status == 401
    assert asked["Gatehouse-Reason"] == "factor_missing"
    where = urllib.parse.urlsplit(asked["Location"])
    assert (where.scheme, where.netloc, where.path) == ("https", "auth.example.com", "/.auth/login")
    values = urllib.parse.parse_qs(where.query)
    assert values == {"return_to": [APP + page], "step_up": ["factor_missing"]}
    browser.open(asked["Location"])
    assert browser.url.startswith(PORTAL + "/.auth/two-factor?flow=")
    assert browser.submit(code="000000").status == 403
    old = cookie_of(browser)
    browser.submit(code=codes[0], follow=False)
    assert browser.response.status == 303 and browser.response["Location"] == APP + page
    cookie = cookie_of(browser)
    # lesson08: what was proved is the new cookie's; the old one stays good for what it was good for.
    assert check(gate, page, old)["Gatehouse-Reason"] == "factor_missing"
    assert check(gate, "/page", old).status == 200
    if how == "inline":
        assert browser.open(APP + page).status == 200
    else:
        assert check(gate, page, cookie).status == 200
    # A rule for passkeys is not met by a code, and says so on a page instead of going round.
    asked = browser.send("GET", APP + "/key/x") if how == "inline" else check(gate, "/key/x", cookie)
    assert asked["Gatehouse-Reason"] == "factor_missing"
    assert browser.open(asked["Location"]).status == 403


def test_a_step_up_is_no_way_to_another_site(gate, post):
    add_person(gate, "olga", ["staff"])
    browser = Browser(gate)
    sign_in(browser, APP + "/page", "olga")
    _, codes = enrol(gate, "olga")
    for number, target in enumerate(("https://evil.example.org/", "//evil.example.org/", "/\\evil.example.org")):
        browser.open(PORTAL + "/.auth/login?step_up=factor_missing&return_to=" + urllib.parse.quote(target, ""))
        if "/.auth/two-factor" in browser.url:
            browser.submit(code=codes[number], follow=False)
        assert browser.response.status in (200, 303, 403)
        location = urllib.parse.urljoin(browser.url, (browser.response.all("location") or ["/"])[0])
        assert urllib.parse.urlsplit(location).netloc == "auth.example.com", location


# Authenticators of other systems

def export(*entries):
    """As `authelia storage user totp export` writes it."""
    lines = ["totp_configurations:"]
    for username, secret, algorithm, digits, period in entries:
        text = base64.b64encode(secret.encode()).decode()
        lines += ["  - created_at: 2024-03-01T10:20:30.123456789Z", "    last_used_at: null",
                  f"    username: {username}", "    issuer: Authelia", f"    algorithm: {algorithm}",
                  f"    digits: {digits}", f"    period: {period}", f"    secret: {text}"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("algorithm,digest,digits,period", [
    ("SHA1", "sha1", 6, 30), ("SHA256", "sha256", 8, 60), ("SHA512", "sha512", 8, 30)])
def test_authenticators_of_authelia_go_on_working(gate, post, tmp_path, algorithm, digest, digits, period):
    person = "auth-" + digest
    add_person(gate, person, ["staff"])
    secret = pyotp.random_base32()
    file = tmp_path / "totp.yml"
    file.write_text(export((person, secret, algorithm, digits, period), ("nobody-here", secret, "SHA1", 6, 30)))
    command = ["user", "import", file, "--format", "authelia-totp"]
    dry = gate.cli(*command, "--dry-run").stdout
    assert "Nothing was written." in dry and "1 changed" in dry and "1 skipped" in dry
    assert login(gate, person).status == 200
    done = gate.cli(*command).stdout
    assert re.search(rf"{person} +changed +authenticator", done) and "there is no such account" in done, done
    assert secret not in done + gate.log_text()
    assert "1 unchanged" in gate.cli(*command).stdout
    assert login(gate, person).json()["code"] == "two_factor_required"
    totp = pyotp.TOTP(secret, digits=digits, interval=period, digest=getattr(hashlib, digest))
    code = totp.now()
    assert len(code) == digits
    answer = login(gate, person, two_factor_code=code)
    assert answer.status == 200, answer.body
    assert login(gate, person, two_factor_code=code).status == 401, "each code once"
    shown = gate.json("user", "factors", person)["factors"]
    assert [factor["name"] for factor in shown] == [f"{algorithm}, {digits} digits, {period} s"]
    wait_mail(post, person, "authenticator app was set up")
    assert secret.encode() not in (gate.folder / "data" / "data.mdb").read_bytes()


def test_accounts_come_with_their_authenticators(gate, tmp_path):
    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret, digits=8, name="ines", issuer="Old place").provisioning_uri()
    table = tmp_path / "people.csv"
    table.write_text(f'email,username,groups,totp\nines@example.com,ines,staff,"{uri}"\n'
                     'ivan@example.com,ivan,staff,otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP\n')
    report = gate.lines("user", "import", table, "--format", "csv")
    assert [(line["outcome"], line.get("user")) for line in report] == [("new", "ines"), ("skipped", None)]
    assert "totp" in report[1]["reason"]
    gate.cli("user", "set-password", "ines", input=PASSWORD + "\n")
    assert login(gate, "ines").json()["code"] == "two_factor_required"
    assert login(gate, "ines", two_factor_code=pyotp.parse_uri(uri).now()).status == 200
    assert [line["outcome"] for line in gate.lines("user", "import", table, "--format", "csv")] == [
        "unchanged", "skipped"]
    lines = tmp_path / "people.jsonl"
    lines.write_text('{"email":"ines@example.com","totp":"%s"}\n' % uri)
    assert [line["outcome"] for line in gate.lines("user", "import", lines, "--format", "jsonl")] == ["unchanged"]
    for bad in (["--update"], ["--disable-missing"]):
        refused = gate.cli("user", "import", table, "--format", "authelia-totp", *bad, check=False)
        assert refused.returncode == 2
    assert gate.cli("user", "import", table, "--format", "authelia-totp", check=False).returncode == 1


# Slow guessing

def test_wrong_codes_behind_a_right_password_are_told(gate, post):
    add_person(gate, "wilma", ["staff"])
    _, codes = enrol(gate, "wilma")
    for _ in range(3):
        assert login(gate, "wilma", two_factor_code="abcdef").json()["code"] == "invalid_credentials"
    mail = wait_mail(post, "wilma", "several wrong codes")
    assert "change your password" in mail.get_body(("plain",)).get_content()
    assert login(gate, "wilma", two_factor_code=codes[0]).status == 200
    wait_mail(post, "wilma", "backup code")
    assert len(mails_to(post, "wilma", "several wrong codes")) == 1


# Names of passkeys

def test_passkeys_are_renamed_on_the_page_and_by_the_api(gate, post):
    add_person(gate, "nina", ["staff"])
    add_person(gate, "nils", ["staff"])
    token = login(gate, "nina").json()["access_token"]
    other = login(gate, "nils").json()["access_token"]
    authenticator = Authenticator(PORTAL, "auth.example.com")
    made = api(gate, "POST", "/passkeys/register", authenticator.create(creation(gate, token)), token).json()
    path = f"/passkeys/{made['id']}"
    assert api(gate, "PATCH", path, {"name": "work laptop"}, token).status == 204
    event = gate.event(event_type="passkey_renamed", user="nina")
    assert (event["metadata"]["to"], event["metadata"]["passkey"]) == ("work laptop", made["id"])
    for bad in ("", "   ", "x" * 65, "a\nb", "a\u0000b"):
        refused = api(gate, "PATCH", path, {"name": bad}, token)
        assert (refused.status, refused.json()["code"]) == (400, "invalid_request"), (bad, refused.body)
    assert api(gate, "PATCH", path, {"name": "mine"}, other).status == 404, "somebody else's"
    assert api(gate, "PATCH", path, {"name": "mine"}).status == 401
    browser = Browser(gate)
    sign_in(browser, APP + "/page", "nina")
    # The second half by a passkey: the script of the page would fill the form in.
    options = re.search(r'data-options="([^"]*)"', browser.response.body.decode())
    answer = authenticator.get(json.loads(html.unescape(options[1])))
    browser.submit("/.auth/passkey", credential=json.dumps(answer))
    browser.open(SECURITY)
    assert "work laptop" in browser.text
    assert browser.submit("/.auth/account/security/passkeys", name="<b>sofa</b>").status == 200
    assert b"<b>sofa" not in browser.response.body and b"&lt;b&gt;sofa" in browser.response.body
    assert [key["name"] for key in api(gate, "GET", "/passkeys", token=token).json()] == ["<b>sofa</b>"]
    browser.open(SECURITY)
    assert browser.submit("/.auth/account/security/passkeys", name="  ").status in (400, 403)
    browser.open(SECURITY)
    assert browser.submit("/.auth/account/security/passkeys", name="x", site="cross-site").status == 403
    browser.open(SECURITY)
    assert browser.submit("/.auth/account/security/passkeys", name="x", token="x").status == 403
    assert [key["name"] for key in api(gate, "GET", "/passkeys", token=token).json()] == ["<b>sofa</b>"]
