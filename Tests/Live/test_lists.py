"""Lists of the JSON API come in parts, newest first, and a place in one leads to nobody else's."""

import re

import pytest

from support.browser import Browser
from support.portal import PORTAL, add_person, api, login, portal, sign_in  # noqa: F401 - a fixture
from test_providers import APP, LENA, come_back, go, make_portal, make_provider  # noqa: F401 - fixtures


def ids(answer):
    """What else a row says may be another one a moment later."""
    return [row["id"] for row in answer.json()]


def walk(gate, target, token, limit):
    """All of a list by its `Link`s, and how many parts there were."""
    seen, parts, target = [], 0, f"{target}?limit={limit}"
    while target:
        answer = api(gate, "GET", target, token=token)
        assert answer.status == 200 and len(answer.json()) <= limit, answer
        seen += ids(answer)
        parts += 1
        link = answer.get("Link")
        assert link is None or len(answer.json()) == limit
        target = link and re.fullmatch(r'<http://auth\.example\.com/\.auth/api(/[^>]+)>; rel="next"', link)[1]
    return seen, parts


def test_sessions_and_keys_come_in_parts(portal):  # noqa: F811
    gate = portal()
    tokens = [login(gate, device_name=f"device {number}").json() for number in range(7)]
    mary = tokens[-1]["access_token"]
    for number in range(5):
        assert api(gate, "POST", "/api-keys", {"name": f"key {number}"}, mary).status == 201
    for path, count in (("/sessions", 7), ("/api-keys", 5)):
        whole = api(gate, "GET", path, token=mary)
        assert len(whole.json()) == count and whole.get("Link") is None
        created = [row["created_at"] for row in whole.json()]
        assert created == sorted(created, reverse=True)
        for limit in (1, 2, 3, count, 200):
            assert walk(gate, path, mary, limit) == (ids(whole), -(-count // limit))
        # Whoever ends one between two parts goes on where they were.
        first = api(gate, "GET", path + "?limit=2", token=mary).json()
        assert api(gate, "DELETE", f"{path}/{first[1]['id']}", token=mary).status == 204
        rest = api(gate, "GET", f"{path}?before={first[1]['id']}", token=mary)
        assert ids(rest) == ids(whole)[2:]
    for path in ("/passkeys", "/social-accounts"):
        assert api(gate, "GET", path + "?limit=1", token=mary).json() == []


@pytest.mark.parametrize("path", ["/sessions", "/api-keys", "/passkeys", "/social-accounts"])
def test_lesson42_a_made_up_place_leads_nowhere(portal, path):  # noqa: F811
    gate = portal()
    mary, adam = login(gate).json(), login(gate, "adam").json()
    key = api(gate, "POST", "/api-keys", {"name": "adam's"}, adam["access_token"]).json()["id"]
    api(gate, "POST", "/api-keys", {"name": "mary's"}, mary["access_token"])
    for wrong in (adam["session_id"], key, "", "x", "%00", "ses_" + "9" * 2000, "1 OR 1=1", "%0d%0aX:1"):
        answer = api(gate, "GET", f"{path}?before={wrong.replace(' ', '+')}", token=mary["access_token"])
        assert (answer.status, answer.json()["code"]) == (400, "invalid_request"), wrong
    for wrong in ("limit=0", "limit=201", "limit=x", "limit=-1", "limit=1&limit=2", "limit="):
        assert api(gate, "GET", f"{path}?{wrong}", token=mary["access_token"]).status == 400, wrong


def test_whoever_removes_a_link_goes_on_where_they_were(make_portal, make_provider):  # noqa: F811
    """The row that a part ended with is gone for good, unlike a session that is over."""
    providers = {id: make_provider() for id in ("one", "two", "three")}
    gate = make_portal(*(provider.settings(id) for id, provider in providers.items()))
    add_person(gate, "mary", ["staff"])
    gate.start()
    browser = Browser(gate)
    sign_in(browser, page=APP + "/")
    for id, provider in providers.items():
        browser.open(PORTAL + "/.auth/account/providers")
        link = [part.split('"')[0] for part in browser.response.body.decode().split('href="')
                if part.startswith(f"/.auth/oauth/{id}?link=")][0]
        come_back(browser, *go(browser, provider, id, start=PORTAL + link, **LENA))
    token = login(gate).json()["access_token"]
    whole = ids(api(gate, "GET", "/social-accounts", token=token))
    assert len(whole) == 3 and walk(gate, "/social-accounts", token, 1) == (whole, 3)
    first = api(gate, "GET", "/social-accounts?limit=2", token=token)
    target = re.fullmatch(r'<http://auth\.example\.com/\.auth/api(/[^>]+)>; rel="next"', first["Link"])[1]
    assert ids(api(gate, "GET", target, token=token)) == whole[2:]
    assert api(gate, "DELETE", f"/social-accounts/{whole[1]}", token=token).status == 204
    rest = api(gate, "GET", target, token=token)
    assert rest.status == 200 and ids(rest) == whole[2:] and rest.get("Link") is None
