"""From where a WebSocket by cookie may come: the host itself and `routes[].origins`, inline and through a check."""

import pytest

from support.browser import Browser
from support.wire import request
from support.portal import APP, portal, sign_in  # noqa: F401  (a fixture)

PAGES = "https://pages.example.com"
HANDSHAKE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
# What is left of a handshake when a proxy asks about it: nginx drops Upgrade and sets Connection.
THROUGH_A_PROXY = [
    [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"), ("Connection", "close")],
    [("Sec-Fetch-Mode", "websocket"), ("Connection", "close")],
    [("Upgrade", "websocket"), ("Connection", "close")],
    HANDSHAKE,
]
FOREIGN = ["https://elsewhere.example.org", "http://app.example.com.elsewhere.org", "null", "https://pages.example.com:8443",
           "http://pages.example.com", "https://app.example.com", "http://other.example.com", ""]


@pytest.fixture
def person(portal):
    def make(**settings):
        gate = portal(trusted_proxies=["127.0.0.0/8"])
        routes = [dict(route) for route in gate.settings["routes"]]
        routes[0]["origins"] = [PAGES]
        gate.write(gate.settings | {"routes": routes})
        gate.cli("reload")
        browser = Browser(gate)
        sign_in(browser)
        gate.cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies_for("app.example.com").items())
        return gate

    return make


def ask(gate, headers, cookie=True):
    sent = [("X-Original-URL", APP + "/socket"), ("X-Original-Method", "GET"), ("X-Forwarded-For", "192.0.2.7")]
    if cookie:
        sent.append(("Cookie", gate.cookie))
    return request(gate.port, "/.auth/check/nginx", "auth.internal", headers=sent + headers)


def test_a_check_sees_whose_page_opens_a_websocket(person):
    gate = person()
    assert ask(gate, []).status == 200, "no WebSocket, no rule about it"
    assert ask(gate, [("Origin", FOREIGN[0])]).status == 200, "what CORS is for"
    for handshake in THROUGH_A_PROXY:
        for origin in ["http://app.example.com", "http://APP.example.com", PAGES]:
            answer = ask(gate, [*handshake, ("Origin", origin)])
            assert (answer.status, answer["Remote-User"]) == (200, "mary"), (handshake, origin)
        for origin in FOREIGN:
            answer = ask(gate, [*handshake, ("Origin", origin)])
            assert (answer.status, answer["Gatehouse-Reason"]) == (401, "sign_in_required"), (handshake, origin)
        assert ask(gate, handshake).status == 401, "without an Origin it is no browser's"
        assert ask(gate, [*handshake, ("Origin", PAGES), ("Origin", PAGES)]).status == 401
    # A key is no cookie: no page sends it by itself.
    key = gate.add_key("mary")["key"]
    gate.write(gate.settings | {"routes": [
        {"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": {"groups": ["staff"]}}]}]})
    gate.cli("reload")
    assert ask(gate, [*HANDSHAKE, ("Origin", FOREIGN[0]), ("X-API-Key", key)], cookie=False).status == 200


def test_inline_the_same_origins_count(person):
    gate = person()
    for origin, status in [("http://app.example.com", 200), (PAGES, 200), (FOREIGN[0], 401), (FOREIGN[4], 401)]:
        answer = request(gate.port, "/socket", "app.example.com",
                         headers=[*HANDSHAKE, ("Origin", origin), ("Cookie", gate.cookie)])
        assert (answer.status == 401) == (status == 401), (origin, answer)
