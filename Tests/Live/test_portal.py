"""Signing in and out with a browser in front of an app that has no login, and the same operations on the JSON API."""

import re
import urllib.parse

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, portal, portal_cookie, sign_in  # noqa: F401 - a fixture
from support.wire import request


# Pages


def test_a_person_lands_on_the_page_first_asked_for(portal):
    gate = portal()
    browser = Browser(gate)
    refused = browser.send("GET", APP + "/wiki/Start?a=b&c=%2F")
    assert refused.status == 303
    assert refused["Gatehouse-Reason"] == "sign_in_required"
    assert refused["Cache-Control"] == "no-store"
    target = urllib.parse.urlsplit(refused["Location"])
    assert target.path == "/.auth/login" and target.netloc == "auth.example.com"
    assert urllib.parse.parse_qs(target.query)["return_to"] == [APP + "/wiki/Start?a=b&c=%2F"]
    answer = sign_in(browser, APP + "/wiki/Start?a=b&c=%2F")
    assert (answer.status, browser.url) == (200, APP + "/wiki/Start?a=b&c=%2F")
    seen = gate.origin.last
    assert seen.all("remote-user") == ["mary"]
    assert seen.all("remote-name") == ["Mary Major"]
    assert not seen.all("cookie"), "our cookies are not for apps"
    assert gate.event(event_type="sign_in", success=True, user="mary")["user_agent"].startswith("Mozilla")


def test_tabs_do_not_mix(portal):
    gate = portal()
    one, two = Browser(gate), Browser(gate)
    two.jar = one.jar
    one.open(APP + "/first")
    two.open("http://other.example.com/second")
    two.submit(identifier="mary", password=PASSWORD)
    assert two.url == "http://other.example.com/second"
    one.submit(identifier="mary", password=PASSWORD)
    assert one.url == APP + "/first"


def test_cookies_are_what_they_should_be(portal):
    gate = portal()
    browser = Browser(gate)
    browser.open(APP + "/")
    answer = browser.submit(follow=False, identifier="mary", password=PASSWORD)
    assert answer.status == 303
    lines = {line.split("=")[0]: line for line in answer.all("set-cookie")}
    assert set(lines) == {"gatehouse", "gatehouse-portal", "gatehouse-device"}
    for name, line in lines.items():
        assert "; HttpOnly" in line and "; SameSite=Lax" in line and "; Path=/" in line, line
        assert ("; Domain=example.com" in line) == (name == "gatehouse"), line
        assert re.match(r"[a-z-]+=[A-Za-z0-9_-]{43};", line), line
        assert ("Max-Age" in line) == (name == "gatehouse-device"), line
    remembering = Browser(gate)
    remembering.open(APP + "/")
    answer = remembering.submit(follow=False, identifier="mary", password=PASSWORD, remember="yes")
    assert sum("Max-Age=2592000" in line for line in answer.all("set-cookie")) == 2


def test_cookies_of_https_have_prefixes(portal):
    gate = portal(public_url="https://auth.example.com")
    browser = Browser(gate)
    browser.send("GET", "https://auth.example.com/.auth/login")
    # The listener is plain: whoever ends TLS before it is not our matter here.
    answer = browser.submit(follow=False, identifier="mary", password=PASSWORD)
    lines = {line.split("=")[0]: line for line in answer.all("set-cookie")}
    assert set(lines) == {"__Secure-gatehouse", "__Host-gatehouse-portal", "__Host-gatehouse-device"}
    assert all("; Secure" in line for line in lines.values())


def test_neither_cookie_is_good_in_the_others_place(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    cookies = browser.cookies_for("auth.example.com")
    app, own = cookies["gatehouse"], cookies["gatehouse-portal"]
    assert gate.get("/", headers=[("Cookie", f"gatehouse={app}")]).status == 200
    assert gate.get("/", headers=[("Cookie", f"gatehouse={own}")]).status == 401
    assert gate.get("/", headers=[("Cookie", f"gatehouse-portal={own}")]).status == 401
    me = [("Sec-Fetch-Site", "same-origin")]
    assert api(gate, "GET", "/me", headers=me + [("Cookie", f"gatehouse-portal={own}")]).status == 200
    assert api(gate, "GET", "/me", headers=me + [("Cookie", f"gatehouse-portal={app}")]).status == 401
    assert api(gate, "GET", "/me", headers=me + [("Cookie", f"gatehouse={app}")]).status == 401


def test_the_apps_own_cookies_go_on_and_ours_do_not(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    session = browser.cookies_for("app.example.com")["gatehouse"]
    for sent, left in [
        (f"a=1; gatehouse={session}; b=2", ["a=1; b=2"]), (f"gatehouse={session};a=1", ["a=1"]),
        (f"gatehouse={session}", []), (f"a=1; gatehouse={session}; gatehouse-device=x; __Host-gatehouse-portal=y", ["a=1"]),
        (f"gatehouse={session}; mygatehouse=1; gatehouse2=2", ["mygatehouse=1; gatehouse2=2"]),
    ]:
        assert gate.get("/", headers=[("Cookie", sent), ("X-Other", "kept")]).status == 200
        assert gate.origin.last.all("cookie") == left, sent
        assert gate.origin.last.all("x-other") == ["kept"]


def test_two_sessions_at_once_are_nobody(portal):
    gate = portal()
    one, two = Browser(gate), Browser(gate)
    sign_in(one)
    sign_in(two, user="adam")
    first, second = (b.cookies_for("app.example.com")["gatehouse"] for b in (one, two))
    both = gate.get("/", headers=[("Cookie", f"gatehouse={first}; gatehouse={second}")])
    assert (both.status, both.code) == (401, "credentials_disagree")
    # Whoever opens a page is sent to sign in, which mends it.
    page = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Cookie", f"gatehouse={first}; gatehouse={second}")]
    sent = gate.get("/report?a=b", headers=page)
    assert sent.status == 303 and sent["Gatehouse-Reason"] == "credentials_disagree"
    assert sent["Location"].startswith(PORTAL + "/.auth/login?return_to=")
    assert gate.get("/", headers=[("Cookie", f"gatehouse={first}; gatehouse={first}")]).status == 200
    # A cookie that a sibling host has set does not sign anybody out.
    assert gate.get("/", headers=[("Cookie", f"gatehouse=nonsense; gatehouse={first}")]).status == 200


def test_programs_get_401_and_never_a_page(portal):
    gate = portal()
    for headers in [[], [("Accept", "application/json")], [("Sec-Fetch-Mode", "cors"), ("Accept", "text/html")]]:
        answer = gate.get("/", headers=headers)
        assert answer.status == 401 and answer.code == "sign_in_required"
        assert answer.json()["login_url"] == PORTAL + "/.auth/login"
        assert answer["WWW-Authenticate"].startswith("Bearer")
    posted = gate.get("/", method="POST", headers=[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")])
    assert posted.status == 401


def test_no_access_is_a_page_that_says_what_is_missing(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    answer = browser.send("GET", APP + "/admin/")
    assert answer.status == 403 and answer["Gatehouse-Reason"] == "group_missing"
    assert answer["Content-Type"].startswith("text/html")
    assert "mary" in browser.text and answer["X-Request-Id"] in browser.text and "group" in browser.text
    assert browser.send("GET", APP + "/admin/", navigate=False).code == "group_missing"


def test_signing_out(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    old = dict(browser.cookies_for("auth.example.com"))
    browser.open(PORTAL + "/.auth/logout")
    assert browser.send("GET", APP + "/").status == 200, "a GET changes nothing"
    browser.open(PORTAL + "/.auth/logout")
    assert browser.submit("/.auth/logout").status == 200
    assert set(browser.cookies_for("auth.example.com")) == {"gatehouse-browser", "gatehouse-device"}
    assert gate.get("/", headers=[("Cookie", f"gatehouse={old['gatehouse']}")]).status == 401, "lesson 65"
    gate.event(event_type="sign_out", user="mary")


def test_signing_out_from_a_page_of_an_app(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    crossing = browser.send("POST", APP + "/.auth/logout", site="cross-site")
    assert crossing.status == 403
    assert browser.send("GET", APP + "/").status == 200
    answer = browser.send("POST", APP + "/.auth/logout", site="same-origin")
    assert answer.status == 303
    assert browser.send("GET", APP + "/").status == 303


def test_lesson29_a_revoked_session_is_refused_at_the_next_request(portal):
    gate = portal()
    here, there = Browser(gate), Browser(gate, user_agent="Mozilla/5.0 (iPhone) Safari/600")
    sign_in(here)
    sign_in(there)
    assert there.send("GET", APP + "/").status == 200
    here.open(PORTAL + "/.auth/account/sessions")
    assert "this device" in here.text and "Safari on iPhone" in here.text
    here.submit("/.auth/account/sessions")
    assert "Signed out there." in here.text and "iPhone" not in here.text
    assert there.send("GET", APP + "/").status == 303
    assert here.send("GET", APP + "/").status == 200
    sign_in(there)
    token = login(gate, device_name="script").json()["access_token"]
    here.open(PORTAL + "/.auth/account/sessions")
    target, fields = here.form()
    here.submit(session="", others="yes")
    assert there.send("GET", APP + "/").status == 303
    assert api(gate, "GET", "/me", token=token).status == 401
    assert here.send("GET", APP + "/").status == 200


def test_wrong_password_and_unknown_user_get_the_same_answer(portal):
    gate = portal()
    answers = []
    for user in ("mary", "nobody", "nobody@example.com", "mary@example.com"):
        browser = Browser(gate)
        browser.open(APP + "/")
        answer = browser.submit(identifier=user, password="not the password")
        assert answer.status == 403 and "password is wrong" in browser.text
        assert PASSWORD not in answer.body.decode() and "not the password" not in answer.body.decode()
        page = answer.body.decode().replace(f'value="{user}"', "")
        answers.append(re.sub(r'name="flow" value="[^"]*"', "", page))
    assert len(set(answers)) == 1
    statuses = {(a.status, a.json()["code"], a.json()["detail"])
                for a in (login(gate, user, "not the password") for user in ("mary", "nobody", "x@example.com"))}
    assert len(statuses) == 1 and statuses.pop()[:2] == (401, "invalid_credentials")


def test_a_wrong_password_keeps_the_way_back(portal):
    gate = portal()
    browser = Browser(gate)
    browser.open(APP + "/deep?x=1")
    browser.submit(identifier="mary", password="not the password")
    browser.submit(identifier="mary", password=PASSWORD)
    assert browser.url == APP + "/deep?x=1"


def test_failures_lock_the_account_but_not_a_known_device(portal):
    gate = portal(login={"lockout": {"failures": 3, "period": "30m"}})
    known = Browser(gate)
    sign_in(known)
    for user in ("mary", "MARY@example.com", "Mary"):
        assert login(gate, user, "wrong password").status == 401
    locked = login(gate)
    assert (locked.status, locked.json()["code"]) == (403, "account_locked")
    assert 0 < int(locked["Retry-After"]) <= 1800
    stranger = Browser(gate)
    stranger.open(APP + "/")
    assert stranger.submit(identifier="mary", password=PASSWORD).status == 403
    assert "too many failed sign-ins" in stranger.text
    known.open(PORTAL + "/.auth/logout")
    known.submit("/.auth/logout")
    assert sign_in(known, APP + "/back").status == 200
    for _ in range(3):
        assert login(gate, "nobody@example.com", "wrong password").status == 401
    assert login(gate, "nobody@example.com").json()["code"] == "account_locked"


def test_a_page_that_wants_a_fresh_sign_in(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    answer = browser.open(PORTAL + "/.auth/login?step_up=too_old&return_to=" + urllib.parse.quote(APP + "/fresh/", ""))
    assert answer.status == 200 and "Confirm" in browser.text
    before = browser.cookies_for("app.example.com")["gatehouse"]
    browser.submit(password=PASSWORD)
    assert browser.url == APP + "/fresh/" and browser.response.status == 200
    assert browser.cookies_for("app.example.com")["gatehouse"] != before, "a rise of privilege changes the secrets"
    refused = browser.send("GET", APP + "/two/")
    assert refused.status == 303 and "step_up=factor_missing" in refused["Location"]
    assert browser.follow(refused).status == 403


def test_who_is_signed_in_already_goes_on_but_not_in_circles(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    url = PORTAL + "/.auth/login?return_to=" + urllib.parse.quote(APP + "/page", "")
    assert [browser.send("GET", url).status for _ in range(3)] == [303, 303, 403]
    assert "goes round in circles" in browser.text


# Forms and their proof


def test_csrf_attempts_are_refused(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/sessions")
    browser.open(PORTAL + "/.auth/account")
    target, fields = browser.form()
    form = urllib.parse.urlencode(fields | {"name": "Evil"}).encode()
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    attempts = [
        ([kind, ("Sec-Fetch-Site", "cross-site")], form), ([kind, ("Sec-Fetch-Site", "same-site")], form),
        ([kind, ("Sec-Fetch-Site", "none")], form), ([kind], form), ([kind, ("Origin", "null")], form),
        ([kind, ("Origin", "http://evil.example")], form), ([kind, ("Origin", "http://app.example.com")], form),
        ([kind, ("Origin", "http://auth.example.com.evil.example")], form),
        ([kind, ("Sec-Fetch-Site", "cross-site"), ("Origin", PORTAL)], form),
        ([kind, ("Origin", PORTAL), ("Origin", PORTAL)], form),
        ([kind, ("Sec-Fetch-Site", "same-origin")], urllib.parse.urlencode({"name": "Evil"}).encode()),
        ([kind, ("Sec-Fetch-Site", "same-origin")], form.replace(b"token=", b"token=A")),
        ([("Content-Type", "text/plain"), ("Sec-Fetch-Site", "same-origin")], form),
        ([kind, ("Sec-Fetch-Site", "same-origin")], form + b"&name=Twice"),
    ]
    for headers, body in attempts:
        answer = browser.send("POST", target, headers, body, navigate=False)
        assert answer.status in (400, 403), (headers, answer)
    other = Browser(gate)
    sign_in(other, user="adam")
    assert other.send("POST", target, [kind, ("Sec-Fetch-Site", "same-origin")], form, navigate=False).status == 403
    assert api(gate, "GET", "/me", headers=portal_cookie(browser)).json()["name"] == "Mary Major"
    good = browser.send("POST", target, [kind, ("Origin", PORTAL)], form, navigate=False)
    assert good.status == 303
    assert api(gate, "GET", "/me", headers=portal_cookie(browser)).json()["name"] == "Evil"


def test_a_login_form_is_good_in_its_own_browser_only(portal):
    gate = portal()
    attacker, victim = Browser(gate), Browser(gate)
    attacker.open(APP + "/")
    victim.open(APP + "/")
    _, fields = attacker.form()
    answer = victim.submit(flow=fields["flow"], identifier="adam", password=PASSWORD)
    assert answer.status == 403 and "gatehouse-portal" not in victim.cookies_for("auth.example.com")
    victim.jar.clear()
    assert victim.submit(identifier="mary", password=PASSWORD).status == 403


def test_lesson08_a_sign_in_ends_the_session_that_the_browser_had(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    old = browser.cookies_for("app.example.com")["gatehouse"]
    marys = dict(browser.jar)
    browser.jar = {key: value for key, value in marys.items() if "browser" in key[2]}
    browser.open(APP + "/")
    browser.jar = marys
    browser.submit(identifier="adam", password=PASSWORD)
    assert gate.get("/", headers=[("Cookie", f"gatehouse={old}")]).status == 401
    assert gate.origin.last.all("remote-user") == ["adam"]


def test_pages_have_their_headers(portal):
    gate = portal()
    browser = Browser(gate)
    answer = browser.open(APP + "/")
    policy = answer["Content-Security-Policy"]
    assert policy == ("default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' "
                      "http: https:; frame-ancestors 'none'; base-uri 'none'")
    assert "form-action 'self';" in browser.open(PORTAL + "/.auth/login")["Content-Security-Policy"]
    sign_in(browser)
    for path in ("/.auth/login", "/.auth/logout", "/.auth/denied", "/.auth/account", "/.auth/account/sessions",
                 "/.auth/account/security", "/.auth/account/api-keys", "/.auth/unlock/x", "/.auth/nothing"):
        page = browser.send("GET", PORTAL + path)
        if page.status == 303:
            continue
        assert page["Cache-Control"] == "no-store" and page["Referrer-Policy"] == "same-origin"
        assert page["X-Content-Type-Options"] == "nosniff"
        assert len(page.body) < 50_000 and b'<html lang="en">' in page.body and b"<script" not in page.body
        style = re.search(rb'href="([^"]+\.css)"', page.body)[1].decode()
        assert re.fullmatch(r"/\.auth/style-\d+\.css", style)
        sheet = browser.send("GET", PORTAL + style)
        assert sheet["Content-Type"].startswith("text/css") and "immutable" in sheet["Cache-Control"]
    german = Browser(gate, language="de-CH,de;q=0.9,en;q=0.5")
    assert b'<html lang="de">' in german.open(PORTAL + "/.auth/login").body
    assert "Anmelden" in german.text


def test_every_method_and_path_has_an_answer(portal):
    gate = portal()
    for path in ("/.auth", "/.auth/login", "/.auth/logout", "/.auth/account", "/.auth/account/sessions", "/.auth/api/me",
                 "/.auth/api/login", "/.auth/register", "/.auth/magic-link", "/.auth/api/register", "/.auth/api/sessions", "/.auth/api/sessions/x", "/.auth/openapi.json",
                 "/.auth/nothing", "/.auth/api/nothing", "/.auth/api/sessions/x/y", "/.auth/account/"):
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
            answer = request(gate.port, path, "auth.example.com", method)
            assert answer.status in (200, 303, 400, 401, 403, 404, 405, 415), (method, path, answer)
            if answer.status == 405:
                assert method not in answer["Allow"]
    assert gate.event is not None and "failed" not in gate.log_text()


def test_the_portals_front_door_and_other_hosts(portal):
    gate = portal()
    door = request(gate.port, "/", "auth.example.com")
    assert (door.status, door["Location"]) == (303, "/.auth/account")
    away = request(gate.port, "/.auth/account?a=b", "app.example.com")
    assert (away.status, away["Location"]) == (303, PORTAL + "/.auth/account?a=b")
    assert request(gate.port, "/.auth/login", "app.example.com", "POST").status == 421
    assert request(gate.port, "/.auth/jwks.json", "app.example.com").status == 200
    browser = Browser(gate)
    assert browser.send("GET", APP + "/.auth/api/me", navigate=False).status == 401
    sign_in(browser)
    assert browser.send("GET", APP + "/.auth/api/me", navigate=False).json()["username"] == "mary"
