"""A portal with two apps and the people that tests sign in there, by pages and by the JSON API."""

import json

import pytest

from support.wire import request


PORTAL = "http://auth.example.com"
APP = "http://app.example.com"
PASSWORD = "three quiet herons fly"


@pytest.fixture
def portal(make_gate, make_origin):
    """A portal and two apps below one cookie domain; mary and adam have passwords."""

    def make(**settings):
        origin = make_origin()
        staff = [{"paths": ["/public/**"], "allow": "everyone"},
                 {"paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
                 {"paths": ["/fresh/**"], "allow": {"groups": ["staff"], "max_age": "15m"}},
                 {"paths": ["/two/**"], "allow": {"groups": ["staff"], "factors": 2}},
                 {"allow": {"groups": ["staff"], "credentials": ["session"]}}]
        gate = make_gate(
            start=False, upstreams={"app": {"url": [origin.url]}},
            sessions={"cookie": {"domain": "example.com"}} | settings.pop("sessions", {}),
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": staff},
                    {"name": "other", "host": ["other.example.com"], "upstream": "app", "rules": staff}], **settings)
        gate.origin = origin
        add_person(gate, "mary", ["staff"], name="Mary Major")
        add_person(gate, "adam", ["staff", "admins"])
        return gate.start()

    return make


def add_person(gate, user, groups, **more):
    gate.add_user(user, groups, **more)
    gate.cli("user", "set-password", user, input=PASSWORD + "\n")


def sign_in(browser, page=APP + "/", user="mary", password=PASSWORD, **values):
    """Opens a page, lands on the form, fills it in; the answer is where that leads."""
    browser.open(page)
    assert browser.url.startswith(PORTAL + "/.auth/login"), browser.url
    return browser.submit(identifier=user, password=password, **values)


def api(gate, method, path, body=None, token=None, headers=(), host="auth.example.com"):
    sent = list(headers)
    if token:
        sent.append(("Authorization", f"Bearer {token}"))
    data = None
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not any(name.lower() == "content-type" for name, _ in sent):
            sent.append(("Content-Type", "application/json"))
    return request(gate.port, "/.auth/api" + path, host, method, sent, data)


def login(gate, user="mary", password=PASSWORD, **more):
    return api(gate, "POST", "/login", {"email": user, "password": password} | more)


def portal_cookie(browser):
    return [("Cookie", f"gatehouse-portal={browser.cookies_for('auth.example.com')['gatehouse-portal']}")]
