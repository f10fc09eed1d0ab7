"""A listed mix of requests, good and bad, over and over: memory and descriptors stay where they were."""

import os
import random
import threading
import time

import pytest
from support.nginx_app import NginxApp
from support.wire import Closed, Connection, head

HOST = "app.example.com"
CLIENTS = 4
BATCH = 50
MIB = 1 << 20


class Kind:
    """One kind of request: its bytes, the statuses that may answer it, and how often it comes among a thousand."""

    def __init__(self, name, share, data, expected, method="GET", stays=True):
        self.name, self.share, self.data, self.method, self.stays = name, share, data, method, stays
        self.expected = expected if isinstance(expected, tuple) else (expected,)


def get(path="/page", *headers, method="GET", host=HOST):
    return head(method, path, host, headers)


def body(path, headers, data, chunked=False):
    if not chunked:
        return head("POST", path, HOST, [*headers, ("Content-Length", str(len(data)))]) + data
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(data[i:i + 700]), data[i:i + 700]) for i in range(0, len(data), 700))
    return head("POST", path, HOST, [*headers, ("Transfer-Encoding", "chunked")]) + pieces + b"0\r\n\r\n"


def kinds(gate, issuer):
    mary = ("X-API-Key", gate.mary_key)
    described = [("X-Original-URL", f"http://{HOST}/page"), ("X-Original-Method", "GET"),
                 ("X-Forwarded-For", "203.0.113.7")]
    fresh = ("Authorization", f"Bearer {issuer.token(sub='lena')}")
    stale = ("Authorization", f"Bearer {issuer.token(sub='lena', exp=int(time.time()) - 3600)}")
    return [
        Kind("allowed by key", 200, get("/page", mary), 200),
        Kind("allowed by token", 120, get("/page", fresh), 200),
        Kind("everyone", 100, get("/public/x"), 200),
        Kind("check, allowed", 120, get("/.auth/check/nginx", *described, mary), 200),
        Kind("check, refused", 60, get("/.auth/check/nginx", *described), 401),
        Kind("anonymous", 50, get("/page"), 401),
        Kind("navigation", 20, get("/page", ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")), 303),
        Kind("wrong key", 40, get("/page", ("X-API-Key", "gate_" + "a" * 49)), (401, 429)),
        Kind("revoked key", 30, get("/page", ("X-API-Key", gate.revoked_key)), (401, 429)),
        Kind("stale token", 20, get("/page", stale), (401, 429)),
        Kind("garbled token", 10, get("/page", (fresh[0], fresh[1][:-8] + "AAAAAAAA")), (401, 429)),
        Kind("two keys that differ", 10, get("/page", mary, ("Gatehouse-Key", gate.revoked_key)), 400),
        Kind("group missing", 40, get("/admin/x", mary), 403),
        Kind("no route", 10, get("/page", host="nowhere.example.org"), 421),
        Kind("HEAD", 20, get("/page", mary, method="HEAD"), 200, method="HEAD"),
        Kind("preflight", 10, get("/page", ("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT"),
                                  method="OPTIONS"), 200),
        Kind("body with length", 30, body("/page", [mary], b"x" * 4000), (200, 405)),
        Kind("body in chunks", 20, body("/page", [mary], b"x" * 4000, chunked=True), (200, 405)),
        Kind("refused body", 10, body("/page", [], b"x" * 4000), 401),
        Kind("a file of 100 kB", 10, get("/files/large", mary), 200),
        Kind("our own document", 20, get("/.auth/jwks.json"), 200),
        Kind("not found by the app", 10, get("/missing", mary), 404),
        Kind("the app hangs up", 5, get("/cut", mary), 502),
        Kind("dead app", 5, get("/page", mary, host="dead.example.com"), (502, 503)),
        Kind("obsolete fold", 5, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400, stays=False),
        Kind("two lengths", 5, get("/page", ("Content-Length", "1"), ("Content-Length", "2")), 400, stays=False),
        Kind("dots in the path", 10, get("/public/../admin/x", mary), 400, stays=False),
        Kind("large head", 5, get("/page", ("X-Large", "y" * 40_000)), 431, stays=False),
        Kind("HTTP/1.0", 5, b"GET /public/x HTTP/1.0\r\nHost: app.example.com\r\n\r\n", 200, stays=False),
    ]


def departures(gate):
    """What leaves in the middle: (name, bytes), then the client closes without a word."""
    mary = ("X-API-Key", gate.mary_key)
    return [
        ("nothing at all", b""),
        ("half a head", get("/page", mary)[:40]),
        ("half a body", head("POST", "/page", HOST, [mary, ("Content-Length", "100000")]) + b"x" * 5000),
        ("half a chunk", head("POST", "/page", HOST, [mary, ("Transfer-Encoding", "chunked")]) + b"ffff\r\nabc"),
        ("before the answer", get("/files/large", mary)),
    ]


class Client:
    """One connection after another; batches of a kind are pipelined, every answer is held against what is expected."""

    def __init__(self, gate, mix, gone, seed):
        self.gate, self.gone, self.random = gate, gone, random.Random(seed)
        self.mix = mix
        self.done = 0
        self.connection = None

    def run(self, count):
        shares = [kind.share for kind in self.mix]
        while self.done < count:
            kind = self.random.choices(self.mix, shares)[0]
            self.ask(kind, BATCH if kind.stays else 1)
            if self.random.random() < 0.05:
                self.depart()
        self.close()

    def ask(self, kind, times):
        if not self.connection:
            self.connection = Connection(self.gate.port, timeout=60)
        asked = 0
        while asked < times:
            # A refusal may end the connection: who is left over asks again on another.
            left = times - asked
            answered = self.exchange(kind, left)
            assert answered, f"{kind.name}: the connection closed without an answer"
            asked += answered
        self.done += times
        if not kind.stays:
            self.close()

    def exchange(self, kind, times):
        self.connection = self.connection or Connection(self.gate.port, timeout=60)
        try:
            self.connection.send(kind.data * times)
        except OSError:
            # Closed while we wrote: what was answered before that is there to be read.
            pass
        for number in range(times):
            try:
                response = self.connection.read(kind.method)
            except (Closed, OSError):
                self.close()
                return number
            assert response.status in kind.expected, f"{kind.name}: {response}"
            if response.get("Connection") == "close":
                self.close()
                return number + 1
        return times

    def depart(self):
        name, data = self.random.choice(self.gone)
        with Connection(self.gate.port, timeout=60) as connection:
            connection.send(data)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


def descriptors(gate):
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


def drive(gate, mix, gone, count, seed):
    clients = [Client(gate, mix, gone, seed * 100 + number) for number in range(CLIENTS)]
    failures = []

    def work(client):
        try:
            client.run(count // CLIENTS)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(client.done for client in clients)


@pytest.mark.parametrize("total", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_memory_and_descriptors_stay_flat(make_gate, tmp_path, issuer, total):
    app = NginxApp(tmp_path / "app")
    try:
        (app.files / "large").write_bytes(b"a" * 100_000)
        rules = [
            {"preflight": True, "allow": "everyone"},
            {"paths": ["/public/**"], "allow": "everyone"},
            {"paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
            {"allow": {"groups": ["staff", "corp:staff"]}},
        ]
        gate = make_gate(
            start=False, workers=2, log={"format": "json", "level": "error", "requests": "none"},
            trusted_proxies=["127.0.0.1"],
            upstreams={"app": {"url": [app.url]}, "dead": {"url": ["http://127.0.0.1:9"]}},
            routes=[{"name": "app", "host": [HOST], "upstream": "app", "rules": rules},
                    {"name": "dead", "host": ["dead.example.com"], "upstream": "dead", "rules": rules}],
            jwt={"issuers": [issuer.settings()]},
        )
        gate.add_user("mary", ["staff"])
        gate.mary_key = gate.add_key("mary")["key"]
        revoked = gate.add_key("mary", "revoked")
        gate.revoked_key = revoked["key"]
        gate.cli("api-key", "revoke", revoked["id"])
        gate.start()
        mix, gone = kinds(gate, issuer), departures(gate)
        assert drive(gate, mix, gone, total // 5, 1) >= total // 5
        memory, open_files = gate.anonymous_memory(), descriptors(gate)
        for part in range(2, 6):
            drive(gate, mix, gone, total // 5, part)
        grown = gate.anonymous_memory() - memory
        print(f"{total:,} requests: RssAnon {memory / MIB:.1f} MiB after a fifth, {grown / MIB:+.1f} MiB at the end; "
              f"descriptors {open_files} and {descriptors(gate)}")
        assert grown < 8 * MIB
        # Idle connections to the app, and clients that have not been found gone yet.
        assert descriptors(gate) <= open_files + 3 * CLIENTS
        assert gate.get("/page", key=gate.mary_key).status == 200
    finally:
        app.stop()
