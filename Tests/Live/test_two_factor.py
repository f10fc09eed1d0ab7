"""Second factors with authenticators that others wrote: on the pages, on the API, and in rules."""

import base64
import io
import json
import pathlib
import re
import subprocess
import time
import urllib.parse

import pyotp
import pytest
import zxingcpp
from PIL import Image

from support.browser import Browser
from support.portal import APP, PASSWORD, PORTAL, add_person, api, login, sign_in


@pytest.fixture
def portal(make_gate, make_origin):
    def make(**settings):
        origin = make_origin()
        rules = [{"paths": ["/two/**"], "allow": {"groups": ["staff"], "factors": 2}},
                 {"paths": ["/fresh/**"], "allow": {"groups": ["staff"], "factors": 2, "max_age": "15m"}},
                 {"allow": {"groups": ["staff"]}}]
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}}, sessions={"cookie": {"domain": "example.com"}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": rules}], **settings)
        gate.origin = origin
        add_person(gate, "mary", ["staff"], name="Mary Major")
        return gate.start()

    return make


def fresh_code(totp, used=()):
    """A code that was not used yet: of this step, or of the next one, which is accepted as well. None of the step before:
    it would be too old where this machine is slow."""
    for offset in (0, 30):
        code = totp.at(time.time() + offset)
        if code not in used:
            return code
    raise AssertionError("all steps are used")


def enrol(gate, token):
    """By the API; the authenticator is made of what the picture says."""
    answer = api(gate, "POST", "/2fa/setup", {}, token)
    assert answer.status == 200, answer.body
    made = answer.json()
    picture = base64.b64decode(made["qr_code"].removeprefix("data:image/png;base64,"))
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)), formats=zxingcpp.BarcodeFormat.QRCode)
    assert [code.text for code in read] == [made["otpauth_uri"]]
    totp = pyotp.parse_uri(read[0].text)
    assert totp.secret == made["secret"] and totp.issuer == "Gatehouse" and totp.name == "mary"
    # The next step's is left for the test.
    first = totp.now()
    assert api(gate, "POST", "/2fa/verify", {"code": first}, token).status == 204
    return totp, made["backup_codes"], first


def test_a_new_password_wants_the_second_factor_of_who_has_one(portal):
    """A session from before there was one may be somebody's who knows the password and no more."""
    gate = portal()
    browser = Browser(gate)
    sign_in(browser)
    thief, owner = (login(gate).json()["access_token"] for _ in range(2))
    enrol(gate, owner)
    change = {"current_password": PASSWORD, "password": "four quiet herons fly"}
    refused = api(gate, "POST", "/password/change", change, thief)
    assert (refused.status, refused.json()["code"]) == (403, "two_factor_required")
    browser.open(PORTAL + "/.auth/account/security")
    browser.submit("/.auth/account/security", current=PASSWORD, new="four quiet herons fly")
    assert "factor_missing" in browser.url or "two-factor" in browser.url, browser.url
    assert api(gate, "GET", "/me", token=owner).status == 200, "the owner is still signed in"
    assert api(gate, "POST", "/password/change", change, owner).status == 204
    assert api(gate, "GET", "/me", token=thief).status == 401


def test_an_authenticator_by_the_api(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    totp, codes, first = enrol(gate, token)
    assert len(codes) == 10
    refused = login(gate)
    assert (refused.status, refused.json()["code"]) == (403, "two_factor_required")
    wrong = login(gate, two_factor_code="000000" if first != "000000" else "000001")
    assert (wrong.status, wrong.json()["code"]) == (401, "invalid_credentials")
    # Another program makes the code.
    made = subprocess.run(
        ["oathtool", "--totp", "--base32", f"--now=@{int(time.time()) + 30}", totp.secret], capture_output=True,
        text=True, check=True)
    signed_in = login(gate, two_factor_code=made.stdout.strip())
    assert signed_in.status == 200
    assert login(gate, two_factor_code=made.stdout.strip()).status == 401, "used already"
    by_code = login(gate, two_factor_code=codes[0])
    assert by_code.status == 200 and login(gate, two_factor_code=codes[0]).status == 401
    token = by_code.json()["access_token"]
    assert api(gate, "GET", "/me", token=token).json()["factors"] == 2
    bad = api(gate, "POST", "/2fa/verify", {"code": "000000"}, token)
    assert bad.status == 403, "nothing is to be verified"
    wrong = api(gate, "POST", "/2fa/disable", {"code": "nonsense"}, token)
    assert (wrong.status, wrong.json()["code"]) == (400, "invalid_code")
    renewed = api(gate, "POST", "/2fa/backup-codes", {"code": codes[1]}, token).json()["backup_codes"]
    assert len(renewed) == 10 and not set(renewed) & set(codes)
    assert api(gate, "POST", "/2fa/disable", {"code": renewed[0]}, token).status == 204
    assert login(gate).status == 200


def test_the_picture_on_the_page_and_a_sign_in_by_it(portal):
    gate = portal(login={"trust_device": "30d"})
    browser = Browser(gate)
    sign_in(browser)
    browser.open(PORTAL + "/.auth/account/security")
    assert "no second factor" in browser.text
    browser.submit("/.auth/account/security/two-factor", step="set_up")
    svg = base64.b64decode(re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', browser.response.body.decode())[1])
    uri = read_svg(svg)
    totp = pyotp.parse_uri(uri)
    browser.submit("/.auth/account/security/two-factor", code="000000")
    assert "wrong" in browser.text and totp.secret in browser.text
    first = totp.now()
    browser.submit("/.auth/account/security/two-factor", code=first)
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code>", browser.response.body.decode())
    assert len(codes) == 10
    assert "10" in browser.open(PORTAL + "/.auth/account/security").body.decode()

    other = Browser(gate)
    answer = sign_in(other, APP + "/page")
    assert other.url.startswith(PORTAL + "/.auth/two-factor?flow="), other.url
    assert answer.status == 200 and not [name for (_, _, name) in other.jar if name.endswith("-portal")]
    other.submit(code="000000")
    assert other.response.status == 403 and "wrong" in other.text
    second = fresh_code(totp, [first])
    other.submit(code=second, trust="yes")
    assert other.url == APP + "/page" and other.response.status == 200
    # The device is trusted: not asked again. It has proved one factor, and the rule asks for the second in place.
    other.open(PORTAL + "/.auth/logout")
    other.submit("/.auth/logout")
    sign_in(other, APP + "/page")
    assert other.url == APP + "/page"
    other.open(APP + "/two/x?y=1")
    assert other.url.startswith(PORTAL + "/.auth/two-factor?flow=")
    other.submit(code=codes[0])
    assert other.url == APP + "/two/x?y=1" and other.response.status == 200


def read_svg(svg):
    """The modules of our picture as pixels; the reader is somebody else's."""
    text = svg.decode()
    side = int(re.search(r'viewBox="0 0 (\d+)', text)[1])
    image = Image.new("L", (side * 4, side * 4), 255)
    for column, row, width in re.findall(r"M(\d+) (\d+)h(\d+)v1", text):
        column, row, width = int(column), int(row), int(width)
        image.paste(0, (column * 4, row * 4, (column + width) * 4, row * 4 + 4))
    (code,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return code.text


def test_a_rule_asks_for_what_is_missing_and_goes_on(portal):
    gate = portal()
    browser = Browser(gate)
    sign_in(browser, APP + "/page")
    browser.open(APP + "/two/x")
    assert browser.response.status == 403 and "/.auth/account/security" in browser.response.body.decode()
    token = login(gate).json()["access_token"]
    totp, codes, first = enrol(gate, token)
    refused = browser.send("GET", APP + "/two/x", navigate=False)
    assert refused.status == 401 and "insufficient_user_authentication" in refused["WWW-Authenticate"]
    browser.open(APP + "/two/x")
    browser.submit(code=fresh_code(totp, [first]))
    assert browser.url == APP + "/two/x" and browser.response.status == 200
    assertion = browser.response.body.decode()
    assert browser.open(APP + "/fresh/x").status == 200, assertion


def test_where_it_is_required_it_is_set_up_on_the_way_in(portal):
    gate = portal(login={"two_factor": "required"})
    assert login(gate).json()["code"] == "two_factor_required"
    browser = Browser(gate)
    sign_in(browser, APP + "/page")
    assert browser.url.startswith(PORTAL + "/.auth/two-factor?flow=")
    assert not [name for (_, _, name) in browser.jar if name.endswith("-portal")]
    browser.submit()
    totp = pyotp.TOTP(re.search(r"<code>([A-Z2-7]{32})</code>", browser.response.body.decode())[1])
    browser.submit(code="000000")
    assert "wrong" in browser.text
    first = totp.now()
    browser.submit(code=first)
    assert len(re.findall(r"<li><code>", browser.response.body.decode())) == 10
    assert browser.open(APP + "/two/x").status == 200
    assert login(gate).json()["code"] == "two_factor_required"
    assert login(gate, two_factor_code=fresh_code(totp, [first])).status == 200


SOURCES = pathlib.Path(__file__).parents[2] / "Sources" / "Portal"


def endpoints():
    """(face, method, path) of everything that the portal's router has, read where it is written."""
    found = set()
    for file in SOURCES.rglob("*.swift"):
        source = file.read_text()
        for face, method, path in re.findall(r'\b(page|api)\(\s*"([A-Z]+)",\s*"([^"]*)"\)', source):
            found.add((face, method, "/.auth" + ("/api" if face == "api" else "") + path))
        for method, path, face in re.findall(
                r'\bEndpoint\(\s*method: "([A-Z]+)", path: "([^"]*)", face: \.(page|api)\)', source):
            found.add((face, method, path))
    return found


def test_the_document_names_every_operation(portal):
    document = Browser(portal()).send("GET", PORTAL + "/.auth/openapi.json").json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    there = {(method, path) for face, method, path in endpoints() if face == "api"}
    # A provider's call, which no client makes.
    assert there - told <= {("POST", "/.auth/oauth/{provider}/logout")} and not told - there


def body_of(operation, document):
    """What an operation takes, made up."""
    values = {"code": "000000", "email": "x@example.com", "password": "x", "name": "x", "token": "x"}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    schema = document["components"]["schemas"].get(name, {})
    return {member: values.get(member, "x") for member in schema.get("required", schema.get("properties", {}))}


def test_lesson69_a_partial_sign_in_reaches_nothing(portal):
    gate = portal(login={"magic_link": {"enabled": True}}, mail="log")
    token = login(gate).json()["access_token"]
    totp, _, first = enrol(gate, token)
    browser = Browser(gate)
    sign_in(browser, APP + "/page")
    flow = urllib.parse.parse_qs(urllib.parse.urlsplit(browser.url).query)["flow"][0]
    jar = dict(browser.jar)
    names = ["__Host-gatehouse-portal", "gatehouse-portal", "gatehouse", "__Secure-gatehouse"]
    document = browser.send("GET", PORTAL + "/.auth/openapi.json").json()
    begun = gate.audit()[0]["sequence"]
    walked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            public = operation.get("security") == []
            for headers in ([], [("Authorization", f"Bearer {flow}")], [("Gatehouse-Key", flow)]):
                sent = [("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-origin"), *headers]
                target = PORTAL + re.sub(r"\{[a-z]+\}", "x", path) + f"?flow={flow}"
                body = json.dumps(body_of(operation, document)).encode()
                browser.jar = dict(jar)
                answer = browser.send(method.upper(), target, sent, None if method == "get" else body, navigate=False)
                if public:
                    assert b"access_token" not in answer.body or "openapi" in path, path
                    assert not answer.all("set-cookie"), path
                else:
                    assert answer.status in (401, 403), (path, method, answer.status, answer.body)
                walked += 1
    assert walked > 60
    pages = sorted((method, path) for face, method, path in endpoints() if face == "page")
    assert len(pages) > 40
    for method, path in pages:
        target = PORTAL + re.sub(r"\{[a-z]+\}", flow, path) + f"?flow={flow}&return_to=/.auth/account"
        form = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL)]
        for step in ("set_up", "confirm", "disable", "codes", "add", "remove", "create"):
            body = urllib.parse.urlencode({
                "flow": flow, "token": flow, "step": step, "name": "x", "code": "abcdef", "email": "x@example.com",
                "credential": "{}", "passkey": "x", "new": "three other herons fly"}).encode()
            browser.jar = dict(jar)
            answer = browser.send(method, target, form if method == "POST" else [], body if method == "POST" else None,
                                  site="same-origin")
            made = [line.split("=")[0] for line in answer.all("set-cookie") if "Max-Age=0" not in line]
            assert not set(made) & set(names), (method, path, made)
            assert totp.secret.encode() not in answer.body, (method, path)
            if path == "/.auth" or path.startswith("/.auth/account"):
                # Without a provider that page is not there, for nobody.
                refused = answer.status == 303 and "/.auth/" in answer["Location"]
                assert refused or (answer.status, path) == (404, "/.auth/account/providers"), (method, path, answer.status)
            if method == "GET":
                break
    # Nothing of all that was done to the account but what so many wrong codes bring about.
    done = {event["event_type"] for event in gate.audit()
            if event["sequence"] > begun and event["success"] and event["user"] == "mary"}
    assert done <= {"account_locked"}, done
    # As a cookie it is nothing either.
    for name in names:
        browser.jar = jar | {("auth.example.com", True, name): flow, ("app.example.com", True, name): flow}
        assert browser.send("GET", APP + "/page").status == 303
        assert browser.send("GET", PORTAL + "/.auth/api/me", navigate=False).status == 401
    # In another browser the form is good for nothing.
    stranger = Browser(gate)
    stranger.open(PORTAL + "/.auth/login")
    body = urllib.parse.urlencode({"flow": flow, "code": fresh_code(totp, [first])}).encode()
    answer = stranger.send("POST", PORTAL + "/.auth/two-factor",
                           [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL)], body,
                           site="same-origin")
    assert answer.status == 303 and answer["Location"] == "/.auth/login"


def test_a_form_of_another_site_does_nothing(portal):
    gate = portal()
    browser = Browser(gate)
    token = login(gate).json()["access_token"]
    totp, _, first = enrol(gate, token)
    sign_in(browser, APP + "/page")
    browser.submit(code=fresh_code(totp, [first]), site="cross-site", follow=False)
    assert browser.response.status == 403
    assert browser.send("GET", APP + "/page").status == 303


def test_lesson66_the_picture_names_what_the_operator_configured(portal):
    gate = portal()
    token = login(gate).json()["access_token"]
    forged = [("X-Forwarded-Host", "evil.example.org"), ("X-Forwarded-Proto", "https"),
              ("Forwarded", "host=evil.example.org"), ("X-Original-URL", "http://evil.example.org/")]
    made = api(gate, "POST", "/2fa/setup", {}, token, forged).json()
    uri = pyotp.parse_uri(made["otpauth_uri"])
    assert (uri.issuer, uri.name) == ("Gatehouse", "mary") and "evil" not in made["otpauth_uri"]
    assert api(gate, "POST", "/2fa/setup", {}, token, host="evil.example.org").status != 200
    browser = Browser(gate)
    sign_in(browser, PORTAL + "/.auth/account/security")
    _, fields = browser.form("/.auth/account/security/two-factor")
    answer = browser.send(
        "POST", PORTAL + "/.auth/account/security/two-factor",
        [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", PORTAL), *forged],
        urllib.parse.urlencode(fields | {"step": "set_up"}).encode(), site="same-origin")
    assert answer.status == 200 and b"otpauth://totp/Gatehouse:mary?" in answer.body and b"evil" not in answer.body


def test_lesson25_what_is_enrolled_comes_from_the_server(portal):
    """Whatever a request says besides, the secret and whose it is are the server's."""
    gate = portal()
    add_person(gate, "adam", ["staff"])
    token = login(gate).json()["access_token"]
    mine = pyotp.random_base32()
    wish = {"secret": mine, "user": "adam", "user_id": "adam", "email": "adam@example.com", "digits": 4, "issuer": "x",
            "algorithm": "MD5", "otpauth_uri": pyotp.TOTP(mine).provisioning_uri()}
    made = api(gate, "POST", "/2fa/setup", wish, token).json()
    assert made["secret"] != mine and pyotp.parse_uri(made["otpauth_uri"]).name == "mary"
    code = pyotp.TOTP(mine).now()
    assert api(gate, "POST", "/2fa/verify", wish | {"code": code}, token).json()["code"] == "invalid_code"
    code = pyotp.TOTP(made["secret"]).now()
    assert api(gate, "POST", "/2fa/verify", wish | {"code": code}, token).status == 204
    assert login(gate, "adam").status == 200, "nobody else has got a factor by it"
    # A session that has lain open for a while, or the first half of a sign-in, begins nothing: lesson 84 beside it.
    assert api(gate, "POST", "/2fa/setup", {}, token).status in (403, 409)
