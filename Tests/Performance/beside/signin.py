"""Signing in: a session's cookie to check with, and a storm of sign-ins beside checks."""

import html
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from .loads import h2load, latencies
from .processes import anonymous_kilobytes

PASSWORD = "three quiet herons fly"
PORTAL = "auth.example.com"
# Whose sign-ins are not limited: what is measured is the queue of hashes, not the limit for a client.
CLIENT = "10.9.8.7"
RATE = 200
CHECK_RATE = 1_000


def set_password(gate):
    gate.run("user", "set-password", "mary", input=PASSWORD + "\n")


def session_cookie(gate, service):
    """Signs mary in as a browser does, and gives the cookie that apps' checks are made with, as a file for wrk."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    common = {"Host": PORTAL, "X-Forwarded-For": CLIENT}
    connection.request("GET", "/.auth/login", headers=common)
    answer = connection.getresponse()
    page, jar = answer.read().decode(), cookies(answer)
    fields = {"identifier": "mary", "password": PASSWORD,
              "flow": html.unescape(re.search(r'name="flow" value="([^"]*)"', page)[1])}
    connection.request("POST", "/.auth/login", urllib.parse.urlencode(fields), common | {
        "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
        "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())})
    answer = connection.getresponse()
    answer.read()
    found = cookies(answer).get("gatehouse")
    if answer.status != 303 or not found:
        sys.exit(f"mary could not sign in: {answer.status}")
    connection.close()
    drawn = gate.folder / "cookies"
    drawn.write_text(f"gatehouse={found}\n")
    return drawn


def cookies(answer):
    lines = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return dict(line.split(";")[0].split("=", 1) for line in lines)


def storm(service, seconds):
    """Sign-ins by the API at a fixed rate, whatever becomes of them; how many got which class of status."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        json.dump({"email": "mary", "password": PASSWORD}, body)
        body.flush()
        connections = 100
        headers = [f"Host: {PORTAL}", "Content-Type: application/json", f"X-Forwarded-For: {CLIENT}"]
        command = h2load(f"http://127.0.0.1:{service.port}/.auth/api/login", headers, "h1") + [
            f"-c{connections}", f"--rps={RATE / connections:g}", f"-n{RATE * seconds}", "-d", body.name]
        result = subprocess.run(command, capture_output=True, text=True)
    for line in result.stdout.splitlines():
        if line.startswith("status codes:"):
            return [int(word.split()[0]) for word in line.split(":", 1)[1].split(",")]
    sys.exit(f"h2load failed: {result.stdout[-1000:]}{result.stderr[-1000:]}")


def storm_beside_checks(service, path, headers, seconds, table):
    """The 99th percentile of a check without and with sign-ins beside it, alternating."""
    before = anonymous_kilobytes(service.pids)
    quiet, beside, statuses, most = [], [], [0] * 4, [before]
    for _ in range(3):
        quiet += latencies(service, path, headers, CHECK_RATE, seconds)
        found = []
        thread = threading.Thread(target=lambda: found.extend(storm(service, seconds + 2)))
        thread.start()
        done = threading.Event()
        watch = threading.Thread(target=lambda: watch_memory(service, most, done))
        watch.start()
        beside += latencies(service, path, headers, CHECK_RATE, seconds)
        thread.join()
        done.set()
        watch.join()
        statuses = [one + other for one, other in zip(statuses, found or [0] * 4)]
    p99 = [sorted(taken)[int(len(taken) * 0.99)] for taken in (beside, quiet)]
    table.add(f"p99 of a check beside {RATE} sign-ins a second, Argon2id", p99[0], "the same without them", p99[1], "≤ 2")
    table.note(f"{RATE} sign-ins a second offered, {sum(statuses):,} in all: {statuses[0]:,} signed in, {statuses[2]:,} told "
               f"to come back (429), {statuses[3]:,} to no page at all (5xx); RssAnon {before / 1000:.0f} MB before, {most[0] / 1000:.0f} MB at "
               "most")


def watch_memory(service, most, done):
    while not done.wait(0.1):
        most[0] = max(most[0], anonymous_kilobytes(service.pids))
