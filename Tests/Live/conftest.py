"""What the live tests share: the real binary in front of real apps, on free ports of the loopback."""

import pytest

from support.echo import EchoServer
from support.gatehouse import Gatehouse
from support.issuer import Issuer
from support.origins import RawOrigin, WSGIOrigin

# In the order in which they are looked at; a rule whose `allow` fails denies.
APP_RULES = [
    {"preflight": True, "paths": ["/cors/**"], "allow": "everyone"},
    {"paths": ["/public/**"], "allow": "everyone"},
    {"paths": ["/admin/**"], "allow": {"groups": ["admins"]}},
    {"paths": ["/scoped/**"], "methods": ["GET"], "allow": {"scopes": ["wiki:read"]}},
    {"paths": ["/scoped/**"], "allow": {"scopes": ["wiki:read", "wiki:write"]}},
    {"paths": ["/two-ways/**"], "allow": [{"groups": ["admins"]}, {"scopes": ["wiki:read"]}]},
    {"paths": ["/signed-in/**"], "allow": "signed_in"},
    {"paths": ["/keys/**"], "allow": {"groups": ["staff"], "credentials": ["api_key"]}},
    {"paths": ["/tokens/**"], "allow": {"groups": ["staff"], "credentials": ["jwt"]}},
    {"paths": ["/office/**"], "networks": ["10.0.0.0/8"], "allow": "everyone"},
    {"paths": ["/factors/**"], "allow": {"groups": ["staff"], "factors": 2}},
    {"paths": ["/mary/**"], "allow": {"users": ["mary"]}},
    {"paths": ["/not-mary/**"], "deny": {"users": ["mary"]}},
    {"paths": ["/first/**"], "methods": ["GET"], "allow": {"groups": ["admins"]}},
    {"paths": ["/first/**"], "allow": "everyone"},
    {"paths": ["/none/*"], "allow": {"groups": ["admins"]}},
    {"allow": {"groups": ["staff", "corp:staff"]}},
]

# Modules that measure memory or times of a second, or load the machine.
ALONE = {
    "test_allocations", "test_endurance", "test_http2_floods", "test_http2_load", "test_lasting", "test_leaving",
    "test_limits", "test_many_sign_ins", "test_reload", "test_restart", "test_streaming", "test_tunnels",
    "test_waiting_clients",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.module.__name__ in ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def origin():
    server = RawOrigin()
    yield server
    server.close()


@pytest.fixture(scope="session")
def wsgi():
    server = WSGIOrigin()
    yield server
    server.close()


@pytest.fixture(scope="session")
def issuer():
    server = Issuer()
    yield server
    server.stop()


def routes():
    staff = [{"paths": ["/open/**"], "allow": "everyone"}, {"allow": {"groups": ["staff", "corp:staff"]}}]
    return [
        {"name": "app", "host": ["app.example.com"], "upstream": "raw", "audience": "wiki", "rules": APP_RULES},
        {"name": "wsgi", "host": ["wsgi.example.com"], "upstream": "wsgi", "rules": staff},
        {"name": "open", "host": ["open.example.com"], "upstream": "raw", "rules": [{"allow": "everyone"}]},
        {"name": "wild", "host": ["*.wild.example.com"], "upstream": "raw", "rules": [{"allow": "everyone"}]},
        {"name": "other", "host": ["other.example.com"], "upstream": "raw", "audience": "other", "rules": staff},
        {"name": "nowhere", "host": ["nowhere.example.com"], "rules": [{"allow": "everyone"}]},
        {"name": "small", "host": ["small.example.com"], "upstream": "raw", "max_body": "1KiB",
         "rules": [{"allow": "everyone"}]},
        {"name": "stripped", "host": ["stripped.example.com"], "paths": ["/app/**"], "upstream": "raw",
         "strip_prefix": "/app", "rules": [{"paths": ["/app/public/**"], "allow": "everyone"},
                                           {"allow": {"groups": ["staff"]}}]},
        {"name": "slashes", "host": ["slashes.example.com"], "upstream": "raw",
         "keep_in_path": ["encoded_slash", "encoded_backslash", "empty_segment"],
         "rules": [{"paths": ["/admin/**"], "allow": {"groups": ["admins"]}}, {"allow": "everyone"}]},
    ]


@pytest.fixture(scope="session")
def gate(tmp_path_factory, origin, wsgi, issuer):
    """One server for all tests that only add users and keys of their own."""
    server = Gatehouse(
        tmp_path_factory.mktemp("gate"),
        upstreams={"raw": {"url": [origin.url]}, "wsgi": {"url": [wsgi.url]}},
        routes=routes(),
        jwt={"issuers": [issuer.settings()]},
        # Hundreds of tests send bad keys from one address; test_refused_keys.py is about that.
        limits={"exempt_networks": ["127.0.0.0/8"]},
    )
    server.mary = server.add_user("mary", ["staff"], name="Mary Major")
    server.adam = server.add_user("adam", ["staff", "admins"], name="Adam Admin")
    server.mary_key = server.add_key("mary", "mary's")["key"]
    server.adam_key = server.add_key("adam", "adam's")["key"]
    server.reader_key = server.add_key("mary", "reader", scopes="wiki:read")["key"]
    server.writer_key = server.add_key("mary", "writer", scopes="wiki:read,wiki:write")["key"]
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_gate(tmp_path):
    """Makes servers with settings of their own; they end with the test."""
    made = []

    def make(name="gate", start=True, environment=None, **settings):
        server = Gatehouse(tmp_path / name, environment=environment, **settings)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def make_origin():
    """Makes raw origins with a behaviour of their own; they end with the test."""
    made = []

    def make(behave=None, path=None, tls=None, **where):
        made.append(RawOrigin(behave, path, tls, **where))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def make_issuer():
    """Makes issuers; they end with the test."""
    made = []

    def make(*arguments, **settings):
        made.append(Issuer(*arguments, **settings))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def simple(make_gate, make_origin):
    """A server with one app for everybody in `staff`, its user mary with a key, and the app's origin."""

    def make(behave=None, rules=None, route=None, name="gate", **settings):
        origin = make_origin(behave)
        gate = make_gate(
            name,
            start=False,
            upstreams={"app": {"url": [origin.url]} | settings.pop("upstream", {})},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                     "rules": rules or [{"paths": ["/public/**"], "allow": "everyone"},
                                        {"allow": {"groups": ["staff"]}}]} | (route or {})],
            **settings,
        )
        gate.add_user("mary", ["staff"], name="Mary Major")
        gate.mary_key = gate.add_key("mary")["key"]
        gate.origin = origin
        return gate.start()

    return make


@pytest.fixture
def echo():
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def chat(make_gate, echo):
    """A server in front of the echo server, with mary, her key, and a foreign issuer where one is given."""

    def make(**settings):
        upstream = {"url": [echo.url]} | settings.pop("upstream", {})
        rules = settings.pop("rules", [{"paths": ["/public/**"], "allow": "everyone"},
                                       {"allow": {"groups": ["staff", "corp:staff"]}}])
        gate = make_gate(
            start=False, upstreams={"app": upstream},
            routes=[{"name": "chat", "host": ["app.example.com"], "upstream": "app", "rules": rules}], **settings,
        )
        gate.mary = gate.add_user("mary", ["staff"], name="Mary Major")
        gate.mary_key = gate.add_key("mary")["key"]
        return gate.start()

    return make
