"""Many people sign in at the same time, by page and by API: each is who they are, nobody is anybody else, and whoever is
signed in notices nothing."""

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
    """Comes back when told to: 429 is what a storm is answered with."""
    while True:
        answer = ask()
        if answer.status != 429 or time.monotonic() > deadline:
            return answer
        assert int(answer["Retry-After"]) >= 1
        threading.Event().wait(0.05)


def attempt(gate, number, client=None, timeout=120):
    """One sign-in by the API, whatever comes of it."""
    body = json.dumps({"email": f"p{number}", "password": password(number)}).encode()
    headers = [("Content-Type", "application/json")] + ([("X-Forwarded-For", client)] if client else [])
    return request(gate.port, "/.auth/api/login", "auth.example.com", "POST", headers, body, timeout)


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


@pytest.fixture
def people(simple, tmp_path):
    """A server with a few people, and no limit but how fast passwords are checked."""
    def make(count, **settings):
        gate = simple(limits={"sign_in": {"rate": "100000/m", "burst": 100000}}, **settings)
        file = tmp_path / "people.jsonl"
        file.write_text("".join(json.dumps({"email": f"p{number}@example.com", "username": f"p{number}",
                                            "password_hash": stored(number)}) + "\n" for number in range(count)))
        gate.cli("user", "import", str(file), "--format", "jsonl")
        return gate
    return make


class Onlooker(threading.Thread):
    """Somebody who is signed in, and somebody who opens the page of sign-ins, again and again."""

    def __init__(self, gate, token):
        super().__init__()
        self.gate, self.token, self.seen, self.done = gate, token, collections.Counter(), threading.Event()

    def run(self):
        while not self.done.is_set():
            for path in ("/.auth/api/me", "/.auth/api/sessions", "/.auth/login"):
                headers = [("Authorization", f"Bearer {self.token}")] if "api" in path else []
                self.seen[request(self.gate.port, path, "auth.example.com", headers=headers, timeout=60).status] += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def first_sign_in(gate, client=None):
    """A token, and how many can be signed in within half of the time that people wait: a busy machine has few."""
    answers, begin = [], time.monotonic()
    for _ in range(8):
        answers.append(patiently(lambda: attempt(gate, 0, client), begin + 120))
    assert {answer.status for answer in answers} == {200}
    return json.loads(answers[0].body)["access_token"], int(2.5 / ((time.monotonic() - begin) / len(answers)))


def test_a_crowd_from_one_address_is_served(people):
    gate = people(1)
    token, room = first_sign_in(gate)
    size = max(2, min(80, room))
    with Onlooker(gate, token) as onlooker, ThreadPoolExecutor(size) as pool:
        statuses = collections.Counter(answer.status for answer in pool.map(lambda _: attempt(gate, 0), range(size)))
    assert statuses == {200: size}
    assert set(onlooker.seen) == {200}


def test_a_storm_is_told_to_come_back_and_takes_nothing_from_others(people):
    gate = people(2, trusted_proxies=["127.0.0.0/8"])
    token, _ = first_sign_in(gate, "192.0.2.1")
    others = []
    with Onlooker(gate, token) as onlooker, ThreadPoolExecutor(400) as pool:
        storm = [pool.submit(attempt, gate, 0, f"198.51.100.{number % 256}") for number in range(400)]
        # The first are in line, or refused already: people of another network wait for few of them.
        while not any(answer.done() for answer in storm):
            threading.Event().wait(0.02)
        for _ in range(3):
            others.append((attempt(gate, 1, "203.0.113.9").status, sum(not answer.done() for answer in storm)))
        answers = [answer.result() for answer in storm]
    assert [status for status, _ in others] == [200] * 3
    assert others[0][1] > 0, "not only when the storm was over"
    statuses = collections.Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 429}, statuses
    for answer in answers:
        if answer.status == 429:
            assert int(answer["Retry-After"]) >= 1 and json.loads(answer.body)["code"] == "rate_limited"
    assert set(onlooker.seen) == {200}


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
