"""How long the forms take for an address that has an account, and for one that has none: a stranger with a clock learns
nothing."""

import http.client
import json
import random
import statistics
import sys
import time

from .signin import CLIENT, PASSWORD, PORTAL

PEOPLE = 60
SETTINGS = {
    "mail": "log",
    "limits": {"exempt_networks": ["10.0.0.0/8"], "mail": {"rate": "1000/s", "burst": 1000}},
    "login": {"lockout": {"failures": 1000}, "registration": "open", "magic_link": {"enabled": True}},
}
# What is asked, the path, the body for an address, and the answer, which is the same for everybody.
FORMS = [
    ("sign-in", "login", lambda email: {"email": email, "password": "not the password at all"}, 401),
    ("registration", "register", lambda email: {"email": email, "password": PASSWORD}, 202),
    ("reset", "password/forgot", lambda email: {"email": email}, 202),
    ("magic link", "magic-link/request", lambda email: {"email": email}, 202),
]


def known(number):
    return f"person{number}@example.com"


def unknown(number):
    return f"nobody{number}@example.com"


def add_people(gate):
    """Each with a password as people have one here: the hash of another system costs something else."""
    for number in range(PEOPLE):
        gate.run("user", "add", known(number), "--password-stdin", input=PASSWORD + "\n")


def measure(service, table):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    order = random.Random(20261123)

    def ask(path, body, expected):
        begin = time.perf_counter()
        connection.request("POST", "/.auth/api/" + path, json.dumps(body), {
            "Host": PORTAL, "Content-Type": "application/json", "X-Forwarded-For": CLIENT})
        answer = connection.getresponse()
        answer.read()
        if answer.status != expected:
            sys.exit(f"{path} was answered with {answer.status}")
        return (time.perf_counter() - begin) * 1e6

    for name, path, body, expected in FORMS:
        for number in range(5):
            ask(path, body(f"warm{number}@example.org"), expected)
        taken = {known: [], unknown: []}
        for number in range(PEOPLE):
            # In turns, and neither always first: whatever else the machine does falls on both.
            for who in order.sample([known, unknown], 2):
                taken[who].append(ask(path, body(who(number)), expected))
        ours, theirs = (statistics.median(taken[who]) for who in (known, unknown))
        table.add(f"{name} of an address that has an account", ours, "of one that has none", theirs, "0.9 to 1.1")
        # Each beside the other of the same moment.
        each = statistics.median(one / other for one, other in zip(taken[known], taken[unknown]))
        table.note(f"{name}, middle half: {spread(taken[known])} µs with an account, {spread(taken[unknown])} µs "
                   f"without; the middle of the ratios of {PEOPLE} pairs is {each:.2f}")


def spread(times):
    low, _, high = statistics.quantiles(times, n=4)
    return f"{low:,.0f} to {high:,.0f}"
