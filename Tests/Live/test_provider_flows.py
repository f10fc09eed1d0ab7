"""Sign-ins at providers under attack: floods, repeated logout tokens, programs that nobody started, and what operators
see and do."""

import concurrent.futures
import hashlib
import json
import secrets
import threading
import urllib.parse

import pytest

from support.browser import Browser
from support.issuer import Key
from support.portal import PORTAL, add_person, api, login
from support.provider import SECRET, Provider, b64
from support.waiting import eventually
from test_provider_kinds import logout
from test_providers import LENA, come_back, enter, go, last, make_portal, make_provider, provider, who  # noqa: F401
from test_two_factor import enrol, fresh_code

VERIFIER = "v" * 43
CHALLENGE = b64(hashlib.sha256(VERIFIER.encode()).digest())
TOKENS = f"{PORTAL}/.auth/oauth/corp?response=token&code_challenge={CHALLENGE}"


@pytest.fixture(scope="module")
def corp():
    server = Provider()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared(corp, tmp_path_factory):
    """One server for tests that only sign people in; clients are told apart by what a trusted proxy says."""
    from support.gatehouse import Gatehouse
    gate = Gatehouse(
        tmp_path_factory.mktemp("flows"), limits={"exempt_networks": ["127.0.0.0/8"]},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [corp.settings(claim_accounts=["corp.example"])]})
    add_person(gate, "mary", ["staff"], email="mary@corp.example")
    gate.start()
    yield gate
    gate.stop()


def person(name):
    return {"sub": name, "email": f"{name}@corp.example", "email_verified": True, "name": name}


def events(gate, type, **metadata):
    return [event for event in gate.audit("--type", type)
            if all(event["metadata"].get(name) == value for name, value in metadata.items())]


# Logout tokens


def test_lesson44_a_logout_token_is_good_once_over_a_restart_too(make_portal, provider):  # noqa: F811
    gate = make_portal(provider.settings()).start()
    browser = Browser(gate)
    enter(browser, provider, **LENA)
    token = secrets.token_urlsafe(8)
    assert logout(gate, provider, jti=token).status == 200
    assert who(browser) is None
    assert last(gate, "provider_logout")["metadata"]["sessions_ended"] == 1
    enter(browser, provider, **LENA)
    for _ in range(2):
        again = logout(gate, provider, jti=token)
        assert again.status == 400 and again["Cache-Control"] == "no-store"
        assert again["Content-Type"] == "application/json" and again.json()["error"] == "invalid_request"
        event = last(gate, "provider_logout")
        assert event["success"] is False and event["metadata"]["error"] == "logout_token_replayed"
        assert who(browser)
        gate.restart()
    # Eight at once: one ends what there is, and the others are repetitions.
    token = secrets.token_urlsafe(8)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: logout(gate, provider, jti=token).status, range(8)))
    assert sorted(statuses) == [200] + [400] * 7
    assert who(browser) is None


def test_a_logout_token_is_not_kept_for_later(shared, corp):
    import time
    now = int(time.time())
    for changes, error in (({"iat": now - 400, "exp": now + 400}, "logout_token_expired"),
                           ({"iat": now - 400, "exp": now - 100}, "logout_token_expired"),
                           ({"iat": now + 400, "exp": now + 500}, "bad_logout_token")):
        assert logout(shared, corp, **changes).status == 400
        assert last(shared, "provider_logout")["metadata"]["error"] == error


def test_what_is_no_logout_request(shared, corp):
    from support.wire import request
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    path = "/.auth/oauth/corp/logout"
    for headers, body in ((form, b""), (form, b"logout_token="), (form, b"logout_token=a&logout_token=b"),
                          (form, b"logout_token=%00"), (form, b"logout_token=" + b"A" * 60_000),
                          ([("Content-Type", "application/json")], b"{}"), ([], b"")):
        answer = request(shared.port, path, "auth.example.com", "POST", headers, body)
        assert answer.status == 400 and answer["Cache-Control"] == "no-store", (body[:40], answer.status)
        assert answer.json()["error"] == "invalid_request"
    assert request(shared.port, path, "auth.example.com").status == 405
    assert request(shared.port, "/.auth/oauth/none/logout", "auth.example.com", "POST", form, b"").status == 404


# Floods


def test_a_flood_pushes_nobody_out_and_is_kept_out(make_gate, provider):  # noqa: F811
    gate = make_gate(
        trusted_proxies=["127.0.0.0/8"], limits={"sign_in": {"rate": "1/h", "burst": 3}},
        routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "signed_in"}]}],
        login={"providers": [provider.settings()]})
    far, near = [("X-Forwarded-For", "203.0.113.7")], [("X-Forwarded-For", "198.51.100.1")]
    browser, flood = Browser(gate), Browser(gate)
    start = browser.send("GET", f"{PORTAL}/.auth/oauth/corp", near)
    address, fields = provider.authorize(start["Location"], **LENA)
    begun = [flood.send("GET", f"{PORTAL}/.auth/oauth/corp", far) for _ in range(12)]
    assert [answer.status for answer in begun] == [303] * 9 + [429] * 3
    assert int(begun[-1]["Retry-After"]) > 0
    # Another network is not held up by it, nor is what it has begun gone.
    back = browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", near, site="cross-site")
    assert back.status == 303 and who(browser)
    # Bad logout tokens: answered, written down, and then neither.
    refused = []
    for _ in range(6):
        from support.wire import request
        refused.append(request(
            gate.port, "/.auth/oauth/corp/logout", "auth.example.com", "POST",
            far + [("Content-Type", "application/x-www-form-urlencoded")], b"logout_token=a.b.c"))
    assert [answer.status for answer in refused] == [400] * 3 + [429] * 3
    assert "Retry-After" in dict(refused[-1].headers)
    assert len(events(gate, "provider_logout")) == 3
    # A good one is carried out even so.
    assert logout(gate, provider).status == 200
    assert who(browser) is None


# Programs


def confirm(gate, corp, name, browser=None):
    """To the question whether a program is to be signed in."""
    browser = browser or Browser(gate)
    come_back(browser, *go(browser, corp, start=TOKENS, **person(name)))
    assert browser.response.status == 200, browser.text
    return browser


def code_of(browser):
    return browser.response.body.decode().split('<code id="code">')[1].split("<")[0]


def test_lesson69_a_person_says_that_it_is_they_who_sign_a_program_in(shared, corp):
    browser = confirm(shared, corp, "ida")
    page = browser.response.body.decode()
    assert "Continue as ida@corp.example" in browser.text and '<code id="code">' not in page
    assert not events(shared, "sign_in_code_issued", subject="ida")
    # A page of somebody else's cannot say it for them, nor can another browser.
    assert browser.submit(follow=False, site="cross-site").status == 403
    assert who(browser) is None
    browser = confirm(shared, corp, "ida", browser)
    action, fields = browser.form()
    assert action == f"{PORTAL}/.auth/oauth/corp/continue"
    other = Browser(shared)
    go(other, corp, **LENA)
    body = urllib.parse.urlencode(fields).encode()
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL)]
    assert other.send("POST", action, headers, body, site="same-origin").status == 403
    event = last(shared)
    assert event["metadata"]["error"] == "unknown_confirmation" and event["metadata"]["provider"] == "corp"
    # It was good once.
    assert browser.send("POST", action, headers, body, site="same-origin").status == 403
    browser = confirm(shared, corp, "ida", browser)
    browser.submit()
    assert len(events(shared, "sign_in_code_issued", subject="ida")) == 1
    tokens = api(shared, "POST", "/token", {"code": code_of(browser), "code_verifier": VERIFIER})
    assert tokens.status == 200
    assert json.loads(api(shared, "GET", "/me", token=tokens.json()["access_token"]).body)["email"] == "ida@corp.example"
    event = events(shared, "sign_in_code_redeemed", subject="ida")[0]
    assert event["success"] is True and who(browser) is None


def test_a_page_s_own_request_gets_no_code(shared, corp):
    """An app on the same site may have a browser fetch this; only a person at a page, or what is no browser, goes on."""
    for mode in ("cors", "no-cors", "same-origin", "websocket"):
        browser = Browser(shared)
        address, fields = go(browser, corp, start=TOKENS, **person("ina"))
        answer = browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}",
                              [("Sec-Fetch-Mode", mode), ("Sec-Fetch-Site", "same-site")], navigate=False)
        assert answer.status == 403 and (b'"code":"cross_site"' in answer.body or b"<html" in answer.body)
        assert b"expires_in" not in answer.body and b'id="code"' not in answer.body
    assert not events(shared, "sign_in_code_issued", subject="ina")


def test_lesson24_an_empty_yes_is_none(shared, corp):
    browser = confirm(shared, corp, "ilse")
    action, fields = browser.form()
    headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL)]
    for body in (b"", b"confirmation=", b"confirmation=%00", b"confirmation=" + b"A" * 43, b"confirmation=a&confirmation=b"):
        answer = browser.send("POST", action, headers, body, site="same-origin")
        assert answer.status in (400, 403) and b'id="code"' not in answer.body
    assert browser.send("GET", action).status == 405
    body = urllib.parse.urlencode(fields).encode()
    assert b'id="code"' in browser.send("POST", action, headers, body, site="same-origin").body


def test_lesson33_only_the_client_that_began_gets_the_tokens(shared, corp):
    verifiers = ("", "w" * 43, CHALLENGE, "v" * 42, VERIFIER + "\0")
    for verifier in verifiers:
        browser = confirm(shared, corp, "ivo")
        browser.submit()
        code = code_of(browser)
        answer = api(shared, "POST", "/token", {"code": code, "code_verifier": verifier})
        assert (answer.status, answer.json()["code"]) == (401, "invalid_token"), verifier
        # That has used it up.
        assert api(shared, "POST", "/token", {"code": code, "code_verifier": VERIFIER}).status == 401, verifier
    refused = events(shared, "sign_in_code_redeemed", subject="ivo")
    assert [event["reason"] for event in refused] == ["wrong_verifier"] * len(verifiers)
    assert not any(event["success"] for event in refused)


def test_lesson70_of_many_at_once_one_gets_the_tokens(shared, corp):
    browser = confirm(shared, corp, "iris")
    browser.submit()
    exchange = {"code": code_of(browser), "code_verifier": VERIFIER}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api(shared, "POST", "/token", exchange), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 7
    token = next(answer for answer in answers if answer.status == 200).json()["access_token"]
    assert api(shared, "GET", "/me", token=token).status == 200


def test_lesson43_a_program_needs_the_second_factor_too(shared, corp):
    totp, _, used = enrol(shared, login(shared).json()["access_token"])
    # In a browser the provider alone is not enough either.
    page = Browser(shared)
    answer = enter(page, corp, **person("mary"))
    assert "/.auth/two-factor" in answer["Location"] and who(page) is None
    browser = confirm(shared, corp, "mary")
    browser.submit()
    exchange = {"code": code_of(browser), "code_verifier": VERIFIER}
    answer = api(shared, "POST", "/token", exchange)
    assert (answer.status, answer.json()["code"]) == (403, "two_factor_required")
    # As with a password the client comes again with both, and nobody without the verifier does.
    tokens = api(shared, "POST", "/token", exchange | {"two_factor_code": fresh_code(totp, [used])})
    assert tokens.status == 200, tokens.body
    assert api(shared, "GET", "/me", token=tokens.json()["access_token"]).json()["factors"] == 2
    assert api(shared, "POST", "/token", exchange).status == 401


# Whom nobody lets in


def test_lesson30_disabled_blocked_and_locked(shared, corp):
    for name, cut in (("dora", ["user", "disable", "dora@corp.example"]),
                      ("dick", ["block", "add", "--issuer", corp.issuer, "--subject", "dick"]),
                      ("dana", ["block", "add", "--email", "dana@corp.example"])):
        browser = Browser(shared)
        enter(browser, corp, **person(name))
        assert who(browser)
        code = confirm(shared, corp, name)
        code.submit()
        shared.cli(*cut)
        assert who(browser) is None, name
        assert enter(Browser(shared), corp, **person(name)).status == 403
        assert last(shared)["reason"] == "user_disabled"
        answer = api(shared, "POST", "/token", {"code": code_of(code), "code_verifier": VERIFIER})
        assert (answer.status, answer.json()["code"]) == (403, "user_disabled")
    # A lock is for who guesses passwords: it keeps nobody out who has guessed nothing.
    add_person(shared, "lola", [], email="lola@corp.example")
    for _ in range(6):
        login(shared, "lola", "wrong password")
    assert login(shared, "lola").status == 403
    browser = Browser(shared)
    enter(browser, corp, **person("lola"))
    assert who(browser)["username"] == "lola"


def test_whom_a_provider_no_longer_lets_in_is_out_at_once(make_portal, provider):  # noqa: F811
    gate = make_portal(provider.settings(accept={"groups": ["staff"]})).start()
    browser, other = Browser(gate), Browser(gate)
    enter(browser, provider, **LENA, groups=["staff"])
    enter(other, provider, **(LENA | {"sub": "other", "email": "other@corp.example"}), groups=["staff"])
    assert who(browser)["groups"] == ["corp:staff"]
    refused = Browser(gate)
    assert enter(refused, provider, **LENA, groups=["guests"]).status == 403
    assert last(gate)["metadata"]["error"] == "not_accepted"
    assert who(browser) is None and who(refused) is None and who(other)
    assert gate.json("user", "show", "lena@corp.example")["groups"] == []
    assert last(gate, "sessions_revoked")["actor"] == "provider:corp"


def test_a_provider_that_hangs_keeps_nobody_signed_in(make_portal, make_provider):  # noqa: F811
    hanging = make_provider()
    hanging.metadata["end_session_endpoint"] = hanging.issuer + "/end"
    gate = make_portal(hanging.settings()).start()
    browser, witness = Browser(gate), Browser(gate)
    enter(browser, hanging, **LENA)
    witness.jar = dict(browser.jar)
    gate.restart()
    browser.open(PORTAL + "/.auth/logout")
    release, before = threading.Event(), len(hanging.visits)
    hanging.behave(metadata=lambda: release.wait(60) and (200, {}, hanging.discovery()))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        signed_out = pool.submit(browser.submit, "/.auth/logout")
        eventually(lambda: len(hanging.visits) > before and who(witness) is None, 30,
                   "the session is over while the provider is asked")
        release.set()
        assert signed_out.result(30).status == 200


def test_a_provider_that_hangs_keeps_nobody_else_waiting(make_portal, make_provider, make_issuer):  # noqa: F811
    """Neither those who come by another provider, nor programs whose issuer has a new key."""
    hanging, other, issuer = make_provider(), make_provider(), make_issuer(algorithms=("ES256",))
    gate = make_portal(hanging.settings(), other.settings("other"), jwt={"issuers": [issuer.settings()]}).start()
    before = issuer.fetches
    release = threading.Event()
    hanging.behave(token=lambda: release.wait(60) and (503, {}, {}))
    flows = []
    for _ in range(24):
        browser = Browser(gate)
        flows.append((browser, *go(browser, hanging)))
    with concurrent.futures.ThreadPoolExecutor(len(flows)) as pool:
        waiting = [pool.submit(come_back, *flow, follow=False) for flow in flows]
        try:
            eventually(lambda: hanging.visits.count("/token") >= 4, 10, "the provider is asked")
            browser = Browser(gate)
            enter(browser, other, "other", **LENA)
            assert who(browser)["email"] == LENA["email"]
            token = issuer.token(key=Key("unknown", "ES256"))
            gate.get(headers=[("Authorization", f"Bearer {token}")])
            eventually(lambda: issuer.fetches > before, 10, "the issuer is asked for its keys")
            assert hanging.visits.count("/token") < len(flows), "and some still wait for the one that hangs"
        finally:
            release.set()
        assert {flow.result(30).status for flow in waiting} <= {403, 503}


# Operators


def test_metrics_count_sign_ins_by_provider(shared, corp):
    def count(**labels):
        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
        _, page = shared.monitor_get("/metrics")
        found = [line for line in page.splitlines() if line.startswith(f"gatehouse_sign_ins_total{{{text}}} ")]
        return int(found[0].rpartition(" ")[2]) if found else 0

    good = {"method": "oauth:corp", "outcome": "success", "reason": ""}
    bad = {"method": "oauth:corp", "outcome": "failure", "reason": "denied"}
    before = count(**good), count(**bad)
    enter(Browser(shared), corp, **person("mia"))
    browser = Browser(shared)
    address, fields = go(browser, corp, **person("mia"))
    come_back(browser, address, {"state": fields["state"], "iss": fields["iss"], "error": "access_denied"})
    assert (count(**good), count(**bad)) == (before[0] + 1, before[1] + 1)


def test_operators_list_and_remove_links(shared, corp):
    browser = Browser(shared)
    enter(browser, corp, **person("olga"))
    link = shared.lines("user", "links", "olga@corp.example")[0]
    assert (link["provider"], link["issuer"], link["subject"]) == ("corp", corp.issuer, "olga")
    assert "olga" in shared.cli("user", "links", "olga@corp.example").stdout
    assert shared.cli("user", "unlink", "mary", link["id"], check=False).returncode == 3
    assert shared.cli("user", "links", "nobody", check=False).returncode == 3
    said = shared.cli("user", "unlink", "olga@corp.example", link["id"], "--reason", "moved").stdout
    assert "Ended: 1 sessions" in said and "block add" in said
    assert who(browser) is None and shared.lines("user", "links", "olga@corp.example") == []
    event = last(shared, "social_account_unlinked")
    assert event["actor"].startswith("cli:") and event["metadata"]["reason"] == "moved"


def test_providers_are_checked_from_the_command_line(shared, corp):
    before = len(corp.asked)
    found = shared.json("provider", "check", "corp")
    assert found["good"] is True and found["keys"] == 1 and found["checked"] == ["metadata", "keys"]
    assert found["redirect_uri"] == PORTAL + "/.auth/oauth/corp/callback"
    assert f"codes to {corp.issuer}/token" in shared.cli("provider", "check").stdout
    assert shared.cli("provider", "check", "other", check=False).returncode == 3
    # No secret is needed, and none was sent: only documents were asked for, by nobody.
    asked = corp.asked[before:]
    assert {target for _, target, _, _ in asked} == {"/.well-known/openid-configuration", "/jwks"}
    for method, _, headers, body in asked:
        assert method == "GET" and body == b"" and not {"authorization", "cookie"} & set(headers), headers
        assert SECRET not in str(headers) and urllib.parse.quote(SECRET) not in str(headers)
