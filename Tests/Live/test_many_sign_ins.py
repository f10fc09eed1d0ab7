"""A thousand people sign in at the same time, by page and by API: each is who they are, and nobody is anybody else."""

import base64
import collections
import hashlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.browser import Browser
from support.wire import request

APP = "http://app.example.com"
PEOPLE = int(os.environ.get("GATEHOUSE_PEOPLE", "1000"))
AT_ONCE = min(100, PEOPLE)


def password(number):
    return f"heron number {number} flies low"


def stored(number):
    """As Django stores it, and cheap to check: what a sign-in makes of it is Argon2id."""
    salt = f"salt{number}"
    digest = hashlib.pbkdf2_hmac("sha256", password(number).encode(), salt.encode(), 1000)
    return f"pbkdf2_sha256$1000${salt}${base64.b64encode(digest).decode()}"


@pytest.fixture
def crowd(simple, tmp_path):
    gate = simple(rules=[{"allow": {"groups": ["staff"]}}], limits={"exempt_networks": ["127.0.0.0/8"]},
                  sessions={"cookie": {"domain": "example.com"}})
    rows = [{"email": f"p{number}@example.com", "username": f"p{number}", "groups": ["staff"], "password_hash": stored(number)}
            for number in range(PEOPLE)]
    file = tmp_path / "people.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gate.cli("user", "import", str(file), "--format", "jsonl")
    return gate


def patiently(ask, deadline):
    """Comes back when told to: 429 and 503 are what a storm is answered with."""
    while True:
        answer = ask()
        if answer.status not in (429, 503) or time.monotonic() > deadline:
            return answer
        assert int(answer["Retry-After"]) >= 1
        threading.Event().wait(0.05)


def by_api(gate, number, deadline):
    body = json.dumps({"email": f"p{number}", "password": password(number)}).encode()
    answer = patiently(lambda: request(gate.port, "/.auth/api/login", "auth.example.com", "POST",
                                       [("Content-Type", "application/json")], body), deadline)
    assert answer.status == 200, answer
    token = [("Authorization", "Bearer " + json.loads(answer.body)["access_token"])]
    me = patiently(lambda: request(gate.port, "/.auth/api/me", "auth.example.com", headers=token), deadline)
    return json.loads(me.body)["username"], request(gate.port, f"/{number}", "app.example.com", headers=token).status


def by_page(gate, number, deadline):
    browser = Browser(gate)
    patiently(lambda: browser.open(f"{APP}/{number}"), deadline)
    form = browser.form()

    def submit():
        browser.form = lambda action=None: form
        return browser.submit(follow=False, identifier=f"p{number}", password=password(number))

    answer = patiently(submit, deadline)
    assert answer.status == 303 and answer["Location"] == f"{APP}/{number}", answer
    status = browser.open(f"{APP}/{number}").status
    api = patiently(lambda: browser.send("GET", "http://auth.example.com/.auth/api/me", navigate=False), deadline)
    return json.loads(api.body)["username"], status


@pytest.mark.long
def test_a_thousand_sign_in_at_once_and_nobody_is_anybody_else(crowd):
    deadline = time.monotonic() + 900
    begin = threading.Barrier(AT_ONCE)
    seen = collections.Counter()

    def person(number):
        if number < AT_ONCE:
            begin.wait(60)
        way = by_page if number % 2 else by_api
        who, status = way(crowd, number, deadline)
        assert (who, status) == (f"p{number}", 200)
        seen[who] += 1

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for result in [pool.submit(person, number) for number in range(PEOPLE)]:
            result.result()
    assert len(seen) == PEOPLE
    # What each app request was told, by path.
    told = {answer.target: answer.all("remote-user") for answer in crowd.origin.requests}
    assert all(told[f"/{number}"] == [f"p{number}"] for number in range(PEOPLE))
