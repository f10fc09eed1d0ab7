"""Allocations of the real binary, counted by a library that is preloaded into it: what a request may cost when nothing
about it is new. Counted, not timed, so it holds on any machine."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from support.gatehouse import binary
from support.origins import answer
from support.wire import Connection, head

SOURCE = Path(__file__).parent / "support" / "count_allocations.c"
CONNECTIONS = 4
WARM_UP = 500
COUNTED = 2000
# What the process does besides, a few times a second, spread over the requests.
BESIDES = 0.4
# libcrypto makes a context for each digest, whatever is done with the one that we keep.
DIGEST = 1

pytestmark = pytest.mark.skipif(
    "debug" in Path(binary()).resolve().parts, reason="a build that is not optimised allocates what another does not")


class Counter:
    """The library, and the file in which a process that has preloaded it counts."""

    def __init__(self, folder):
        library, self.file = folder / "count_allocations.so", folder / "allocations"
        compiler = shutil.which("cc") or shutil.which("gcc")
        assert compiler, "there is no C compiler: config/debian-packages names it"
        subprocess.run([compiler, "-O2", "-fPIC", "-shared", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
        self.file.write_bytes(bytes(mmap.PAGESIZE))
        self.environment = {"LD_PRELOAD": str(library), "COUNT_ALLOCATIONS_IN": str(self.file)}

    @property
    def count(self):
        return struct.unpack("<Q", self.file.read_bytes()[:8])[0]


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return Counter(tmp_path_factory.mktemp("counter"))


@pytest.fixture
def counted(counter, make_gate, make_origin, issuer):
    """A server that counts, with one loop, an app and mary's key."""
    app = make_origin(lambda request, _: answer(b"a" * 100))
    gate = make_gate(
        start=False, environment=counter.environment, workers="1", trusted_proxies=["127.0.0.1"],
        log={"format": "json", "level": "warning", "requests": "none"}, upstreams={"app": {"url": [app.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                 "rules": [{"paths": ["/public/**"], "allow": "everyone"},
                           {"allow": {"groups": ["staff", "corp:staff"]}}]}],
        jwt={"issuers": [issuer.settings()]},
    )
    gate.add_user("mary", ["staff"], name="Mary Major")
    gate.key = ("X-API-Key", gate.add_key("mary")["key"])
    gate.token = ("Authorization", f"Bearer {issuer.token()}")
    gate.start()
    assert counter.count > 0, "the library was not preloaded"
    return gate


def ask(connections, request, number):
    """`number` requests, one at a time on each connection."""
    for _ in range(number // len(connections)):
        for connection in connections:
            connection.send(request)
        for connection in connections:
            response = connection.read()
            assert response.status == 200, response


def allocations(counter, gate, path, headers):
    """Allocations a request, once everything about it is known."""
    request = head("GET", path, "app.example.com", headers)
    connections = [Connection(gate.port) for _ in range(CONNECTIONS)]
    try:
        ask(connections, request, WARM_UP)
        before = counter.count
        ask(connections, request, COUNTED)
        each = (counter.count - before) / COUNTED
    finally:
        for connection in connections:
            connection.close()
    print(f"{path}: {each:.2f} allocations a request")
    return each


CHECK = [("X-Original-URL", "http://app.example.com/page"), ("X-Original-Method", "GET"),
         ("X-Forwarded-For", "127.0.0.1")]


def test_a_check_with_an_api_key(counter, counted):
    assert allocations(counter, counted, "/.auth/check/nginx", [*CHECK, counted.key]) <= DIGEST + BESIDES


def test_a_check_with_a_foreign_token(counter, counted):
    """Two readers look at it, and it is digested once."""
    assert allocations(counter, counted, "/.auth/check/nginx", [*CHECK, counted.token]) <= DIGEST + BESIDES


def test_a_proxied_request_of_nobody(counter, counted):
    assert allocations(counter, counted, "/public/page", []) <= 0 + BESIDES


def test_a_proxied_request_with_an_api_key(counter, counted):
    assert allocations(counter, counted, "/page", [counted.key]) <= DIGEST + BESIDES


def test_a_proxied_request_with_a_foreign_token(counter, counted):
    assert allocations(counter, counted, "/page", [counted.token]) <= DIGEST + BESIDES
