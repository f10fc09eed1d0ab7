"""`gatehouse snippet`: the examples are made from it, and what it prints for several routes runs in the real proxies."""

import socket
import subprocess
import urllib.parse

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from support.browser import Browser
from support.certificates import Authority
from support.echo import PATIENCE, EchoServer, works
from support.gatehouse import Gatehouse, binary
from support.origins import WSGIOrigin
from support.proxies import KINDS, REPOSITORY, Proxy
from support.token_provider import TokenProvider
from support.waiting import eventually
from support.wire import Connection, request


EXAMPLES = REPOSITORY / "examples"


@pytest.mark.parametrize("name", KINDS)
def test_the_examples_are_what_snippet_prints(name):
    kind = KINDS[name]
    files = {kind.snippet: ["--listen", "127.0.0.1:9080"]} | ({"gatehouse.lua": ["--lua"]} if kind.lua else {})
    for file, options in files.items():
        printed = subprocess.run(
            [binary(), "snippet", name, "--config", str(EXAMPLES / "lib" / "gatehouse.yaml"), *options],
            capture_output=True, text=True, check=True).stdout
        assert (EXAMPLES / name / file).read_text() == printed, f"examples/{name}/{file} is old: write it anew"


ROUTES = [
    {"name": "two ways", "host": ["app.example.com", "www.example.com"], "upstream": "first",
     "identity_headers": {"user": "X-WEBAUTH-USER", "groups": "X-WEBAUTH-GROUPS"},
     "rules": [{"paths": ["/public/**"], "allow": "everyone"}, {"allow": {"groups": ["staff"]}}]},
    {"name": "open", "host": ["open.example.com"], "upstream": "first", "rules": [{"allow": "everyone"}]},
    {"name": "below", "host": ["many.example.com"], "paths": ["/below/**"], "upstream": "second",
     "rules": [{"allow": {"groups": ["admins"]}}]},
    {"name": "rest", "host": ["many.example.com"], "upstream": "first", "rules": [{"allow": "everyone"}]},
    {"name": "lobby", "host": ["halls.example.com"], "paths": ["/open/**"], "upstream": "second", "ignore_path_case": True,
     "rules": [{"allow": "everyone"}]},
    {"name": "vault", "host": ["halls.example.com"], "upstream": "first", "rules": [{"allow": {"groups": ["staff"]}}]},
    {"name": "drawer", "host": ["desk.example.com"], "paths": ["/admin/**"], "upstream": "first", "ignore_path_case": True,
     "rules": [{"allow": {"groups": ["admins"]}}]},
    {"name": "desk", "host": ["desk.example.com"], "upstream": "first", "rules": [{"allow": "everyone"}]},
    {"name": "chat", "host": ["chat.example.com"], "upstream": "chat", "rules": [{"allow": {"groups": ["staff"]}}]},
    {"name": "scoped", "host": ["scoped.example.com"], "upstream": "first", "rules": [{"allow": {"scopes": ["wiki:write"]}}]},
    {"name": "wild", "host": ["*.wild.example.com"], "upstream": "second", "forward_access_token": True,
     "rules": [{"allow": "signed_in"}]},
]


@pytest.fixture(scope="module", params=KINDS)
def site(request, tmp_path_factory):
    """A proxy with several routes, and the Gatehouse and the two apps behind it."""
    folder = tmp_path_factory.mktemp(request.param)
    first, second, chat = WSGIOrigin(), WSGIOrigin(), EchoServer()
    tokens = TokenProvider()
    proxy = Proxy(request.param, folder / "proxy")
    gate = Gatehouse(
        folder / "gate", public_url=f"http://auth.example.com:{proxy.port}",
        listen=[{"serve": ["portal", "check"]}], trusted_proxies=["127.0.0.1"],
        upstreams={"first": {"url": [first.url]}, "second": {"url": [second.url]}, "chat": {"url": [chat.url]}},
        login={"providers": [tokens.settings()]}, sessions={"cookie": {"domain": "example.com"}}, routes=ROUTES)
    gate.add_user("mary", ["staff"])
    gate.add_user("adam", ["staff", "admins"])
    gate.keys = {name: gate.add_key(name)["key"] for name in ("mary", "adam")}
    gate.first, gate.second, gate.chat = first, second, chat
    gate.proxy, gate.tokens = proxy, tokens
    try:
        gate.start()
        proxy.write(gate).start()
        yield gate
    finally:
        proxy.stop()
        gate.stop()
        for app in (first, second, chat):
            app.close()
        tokens.stop()


def ask(site, host, path, user=None, headers=(), method="GET"):
    headers = list(headers) + ([("X-API-Key", site.keys[user])] if user else [])
    return request(site.proxy.port, path, f"{host}:{site.proxy.port}", method, headers)


@pytest.mark.parametrize("host", ["app.example.com", "www.example.com"])
def test_identity_headers_of_the_route(site, host):
    told = ask(site, host, "/x?y=z", "mary", [("Remote-User", "f0rged"), ("X-WEBAUTH-GROUPS", "f0rged")])
    assert told.status == 200, told
    assert b"f0rged" not in told.body
    seen = told.json()
    assert seen["HTTP_X_WEBAUTH_USER"] == "mary" and seen["HTTP_X_WEBAUTH_GROUPS"] == "staff"
    assert ask(site, host, "/x").status == 401
    nobody = ask(site, host, "/public/x", headers=[("X-WEBAUTH-USER", "f0rged"), ("x_webauth_user", "f0rged")])
    assert nobody.status == 200 and b"f0rged" not in nobody.body


# Names that apps, frameworks and servers believe, and in each family one that nobody has heard of.
BELIEVED = [
    "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-Forwarded-Scheme",
    "X-Forwarded-Ssl", "X-Forwarded-Path", "X-Forwarded-By", "X-Forwarded-Roles", "X-Forwarded-Name", "X-Forwarded-Uri",
    "X-Forwarded-Method", "X-Forwarded-Protocol", "X-Forwarded-Prefix", "X-Forwarded-Preferred-Username", "X-Forwarded-User",
    "Remote-Role", "X-Remote-Role", "X-Auth-Request-Roles", "X-Webauth-Admin", "X-Original-Path", "X-Gatehouse-User",
    "Proxy-User", "Proxy", "Forwarded", "X-Client-Cert-Subject", "X-Client-Certificate", "X-Envoy-External-Address",
]
MADE_UP = [
    "Remote-Foo", "X-Remote-Foo", "X-Auth-Request-Foo", "X-Forwarded-Zoo", "X-Original-Foo", "X-Client-Cert-Foo", "X-Webauth-Foo",
    "X-Gatehouse-Foo", "Gatehouse-Foo", "Proxy-Foo", "X-Envoy-Foo",
]


@pytest.mark.parametrize("user", [None, "mary"])
def test_lesson01_lesson55_lesson81_no_name_of_a_reserved_family_comes_through(site, user):
    """One by one: what makes Gatehouse refuse a request would hide what comes through beside it."""
    # nginx takes out names, no families of them; the snippet says so.
    names = BELIEVED + ([] if site.proxy.kind.name == "nginx" else MADE_UP)
    for name in names:
        told = ask(site, "open.example.com", "/x", user, [(name, "f0rged")])
        assert b"f0rged" not in told.body, (name, told)
        assert told.status in (200, 400, 403), (name, told)
        if name in ("X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Zoo", "Remote-Role", "Gatehouse-Foo"):
            assert told.status == 200, (name, told)
    told = ask(site, "app.example.com", "/x", "mary", [(name, "f0rged") for name in ("Gatehouse-Foo", "X-Forwarded-Scheme")])
    seen = told.json()
    assert seen["HTTP_X_WEBAUTH_USER"] == "mary" and seen["HTTP_GATEHOUSE_ASSERTION"].count(".") == 2
    assert seen["HTTP_X_FORWARDED_FOR"] and seen["HTTP_X_FORWARDED_PROTO"] == "http"


def test_a_challenge_comes_once(site):
    refused = ask(site, "app.example.com", "/x")
    assert refused.status == 401 and refused["WWW-Authenticate"].startswith("Bearer"), refused
    key = site.add_key("mary", "narrow", scopes="wiki:read")["key"]
    port = site.proxy.port
    narrow = request(port, "/x", f"scoped.example.com:{port}", headers=[("X-API-Key", key)])
    assert narrow.status == 403 and narrow["Gatehouse-Reason"] == "scope_missing", narrow
    assert 'error="insufficient_scope"' in narrow["WWW-Authenticate"], narrow
    # No other refusal has one.
    group = ask(site, "many.example.com", "/below/x", "mary")
    assert group.status == 403 and "WWW-Authenticate" not in group, group


def test_the_token_of_a_provider_comes_to_the_app_that_may_have_it(site):
    name, port = "HTTP_X_FORWARDED_ACCESS_TOKEN", site.proxy.port
    browser = Browser(site)
    response = browser.send("GET", site.settings["public_url"] + "/.auth/oauth/corp")
    address, fields = site.tokens.authorize(
        response["Location"], sub="lena", email="lena@corp.example", email_verified=True)
    browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", site="cross-site")
    cookies = browser.cookies_for("a.wild.example.com")
    headers = [("Cookie", "; ".join(f"{cookie}={value}" for cookie, value in cookies.items())),
               ("X-Forwarded-Access-Token", "f0rged"), ("x_forwarded_access_token", "f0rged")]
    told = request(port, "/x", f"a.wild.example.com:{port}", headers=headers)
    assert told.status == 200 and told.json()[name] == site.tokens.given[0], told
    # Another route's app is not told, nor that of somebody who did not come by a provider; and nobody invents one.
    other = request(port, "/x", f"open.example.com:{port}", headers=headers)
    nobody = ask(site, "a.wild.example.com", "/x", "mary", headers[1:])
    for answer in (told, other, nobody):
        assert answer.status == 200 and b"f0rged" not in answer.body, answer
    assert other.json().get(name, "") == nobody.json().get(name, "") == ""


def test_a_provider_that_hangs_keeps_no_proxy_waiting_for_longer_than_it_does(site):
    name, port, tokens = "HTTP_X_FORWARDED_ACCESS_TOKEN", site.proxy.port, site.tokens
    browser = Browser(site)
    given, refreshes = len(tokens.given), len(tokens.refreshes)
    tokens.lifetime, statuses = 1, set()
    tokens.open.clear()
    try:
        response = browser.send("GET", site.settings["public_url"] + "/.auth/oauth/corp")
        address, fields = tokens.authorize(
            response["Location"], sub="hanna", email="hanna@corp.example", email_verified=True)
        browser.send("GET", f"{address}?{urllib.parse.urlencode(fields)}", site="cross-site")
        old = tokens.given[given]
        cookies = browser.cookies_for("a.wild.example.com")
        headers = [("Cookie", "; ".join(f"{cookie}={value}" for cookie, value in cookies.items()))]

        def told():
            response = request(port, "/x", f"a.wild.example.com:{port}", headers=headers)
            statuses.add(response.status)
            return response.json().get(name, "") if response.status == 200 else None

        # Whatever the provider does, each request goes on: with the token while it is good, then without.
        eventually(lambda: told() in ("", old) and len(tokens.refreshes) > refreshes, 30, "a refresh")
        eventually(lambda: told() == "", 30, "the end of the token")
        assert statuses == {200}
    finally:
        tokens.lifetime = 600
        tokens.open.set()


def test_each_route_has_its_app_and_its_rules(site):
    assert ask(site, "many.example.com", "/").status == 200
    assert ask(site, "many.example.com", "/belowish").status == 200
    for path in ["/below", "/below/x", "/below/", "/below?x"]:
        assert ask(site, "many.example.com", path, "mary").status == 403, path
        assert ask(site, "many.example.com", path).status == 401, path
    allowed = ask(site, "many.example.com", "/below/x", "adam")
    assert allowed.status == 200 and allowed.json()["HTTP_REMOTE_USER"] == "adam"


@pytest.mark.parametrize("path", [
    "/%62elow/x", "/below;a/x", "/x/../below/x", "/x/%2e%2e/below/x", "//below/x", "/./below/x", "/below%2fx", "/Below/../below/x",
    "/BELOW/x", "/Below", "/below%00/x", "/below\\x", "/x/..;/below/x",
])
def test_no_spelling_leads_to_an_app_past_its_rules(site, path):
    before = len(site.second.seen)
    response = ask(site, "many.example.com", path, "mary")
    assert len(site.second.seen) == before, f"{path}: {response}"


@pytest.mark.parametrize("path", ["/%6fpen/x", "/OPEN/x", "/open;a/x", "/open%2fx", "/open;/x", "/%4Fpen/x", "/open%3b/x"])
def test_no_spelling_leads_to_an_app_by_the_weaker_rules_of_another(site, path):
    before = len(site.first.seen)
    response = ask(site, "halls.example.com", path)
    assert len(site.first.seen) == before, f"{path}: {response}"


@pytest.mark.parametrize("path", ["/%61dmin/x", "/admin;x/y", "/ADMIN/x", "/%41dmin/x", "/admin;/x"])
def test_no_spelling_names_the_weaker_route_of_one_app(site, path):
    """The app behind both reads `/admin` in what the proxy gives to the other route."""
    before = len(site.first.seen)
    response = ask(site, "desk.example.com", path)
    assert len(site.first.seen) == before, f"{path}: {response}"
    assert ask(site, "desk.example.com", "/x").status == 200


@pytest.mark.parametrize("said", [
    "app.example.com,open.example.com", "open.example.com,app.example.com", "app.example.com:1,open.example.com:1",
    "app.example.com, open.example.com", "open.example.com\r\nHost: app.example.com", "app.example.com#,open.example.com",
])
def test_a_host_that_is_two(site, said):
    before = [len(app.seen) for app in (site.first, site.second)]
    with Connection(site.proxy.port) as connection:
        connection.send(f"GET /x HTTP/1.1\r\nHost: {said}\r\nConnection: close\r\n\r\n".encode())
        response = connection.read()
    assert [len(app.seen) for app in (site.first, site.second)] == before, response


@pytest.mark.parametrize("upgrade", ["h2c", "H2C", "h2", "HTTP/2.0", "TLS/1.2", "websocket, h2c", "h2c\r\nUpgrade: websocket"])
def test_no_other_upgrade_than_to_websockets_comes_to_an_app(site, upgrade):
    key = site.keys["mary"]
    with Connection(site.proxy.port) as connection:
        connection.send(
            f"GET /x HTTP/1.1\r\nHost: app.example.com:{site.proxy.port}\r\nX-API-Key: {key}\r\nConnection: Upgrade, "
            f"HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n".encode())
        response = connection.read()
    assert response.status != 101, response
    if response.status == 200:
        assert response.json().get("HTTP_UPGRADE", "").lower() in ("", "websocket"), response


def test_wildcard_hosts(site):
    assert ask(site, "a.wild.example.com", "/", "mary").status == 200
    assert ask(site, "a.wild.example.com", "/").status == 401
    nobodys = ask(site, "wild.example.com", "/", "mary")
    assert nobodys.status >= 400 or not nobodys.body, nobodys


def test_websockets_come_through_and_the_app_knows_who(site):
    def dial(user=None):
        headers = {"X-API-Key": site.keys[user]} if user else {}
        connection = socket.create_connection(("127.0.0.1", site.proxy.port))
        return connect(f"ws://chat.example.com:{site.proxy.port}/room?x=1", sock=connection, proxy=None,
                       additional_headers=headers | {"Remote-Groups": "f0rged"}, **PATIENCE)

    with dial("mary") as connection:
        assert works(connection) and works(connection, bytes(100_000))
        told = site.chat.headers[-1]
        assert told["Remote-User"] == "mary" and told["Remote-Groups"] == "staff" and "X-API-Key" not in told
    with pytest.raises(InvalidStatus) as refused:
        dial().close()
    assert refused.value.response.status_code == 401


def test_unknown_hosts_are_nobodys(site):
    for host in ["other.example.com", "app.example.com.evil.example", ""]:
        with Connection(site.proxy.port) as connection:
            connection.send(f"GET /public/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            response = connection.read()
        assert response.status >= 400 or b"HTTP_HOST" not in response.body, f"{host}: {response}"


@pytest.mark.parametrize("asked, said", [("app", "open"), ("open", "app"), ("many", "open"), ("auth", "open")])
def test_an_address_that_names_one_host_beside_another(site, asked, said):
    """What is asked about is what is forwarded: the open route never answers for another."""
    port = site.proxy.port
    with Connection(port) as connection:
        connection.send(
            f"GET http://{asked}.example.com:{port}/below/x HTTP/1.1\r\nHost: {said}.example.com:{port}\r\n"
            "Connection: close\r\n\r\n".encode())
        response = connection.read()
    if response.status == 200:
        assert asked == "open" and response.json()["HTTP_HOST"].startswith("open."), response


@pytest.mark.parametrize("name", KINDS)
def test_routes_of_other_hosts_that_cover_a_host(name, make_gate, make_origin, tmp_path):
    """Each host has all routes that take it, in their order; and a host that nobody named never gets those of another."""
    first, second = make_origin(), make_origin()
    proxy = Proxy(name, tmp_path / "proxy")
    staff, everyone = [{"allow": {"groups": ["staff"]}}], [{"allow": "everyone"}]
    gate = make_gate(
        public_url=f"http://auth.example.com:{proxy.port}", listen=[{"serve": ["portal", "check"]}],
        trusted_proxies=["127.0.0.1"], upstreams={"first": {"url": [first.url]}, "second": {"url": [second.url]}},
        routes=[
            {"name": "shared", "host": ["*.example.com"], "paths": ["/shared/**"], "upstream": "second", "rules": staff},
            {"name": "docs", "host": ["app.example.com", "docs.example.com"], "paths": ["/docs/**"], "upstream": "second",
             "rules": everyone},
            {"name": "app", "host": ["app.example.com", "www.example.com"], "upstream": "first", "rules": everyone},
            {"name": "any", "upstream": "second", "rules": staff}])
    gate.add_user("mary", ["staff"])
    key = gate.add_key("mary")["key"]

    def came_to(host, path, key=None):
        before = len(first.requests), len(second.requests)
        response = request(proxy.port, path, host, headers=[("X-API-Key", key)] if key else [])
        after = len(first.requests), len(second.requests)
        return {(0, 0): response.status, (1, 0): "first", (0, 1): "second"}[after[0] - before[0], after[1] - before[1]]

    try:
        proxy.write(gate).start()
        for host in ["app.example.com", "www.example.com", "docs.example.com", "b.example.com"]:
            assert came_to(host, "/shared/x") == 401, host
            assert came_to(host, "/shared/x", key) == "second", host
        for host in ["app.example.com", "www.example.com"]:
            assert came_to(host, "/x") == "first", host
        assert came_to("app.example.com", "/docs/x") == came_to("docs.example.com", "/docs/x") == "second"
        for host in ["docs.example.com", "b.example.com", "elsewhere.test"]:
            assert came_to(host, "/x") == 401, host
            assert came_to(host, "/x", key) == "second", host
        for host in ["app.example.com.", "APP.example.com", "app.example.com.:80", "b.example.com."]:
            assert came_to(host, "/shared/x") not in ("first", "second"), host
            assert came_to(host, "/%73hared/x") not in ("first", "second"), host
    finally:
        proxy.stop()


# Apps of other kinds


@pytest.mark.parametrize("name", KINDS)
def test_apps_by_tls_are_verified_and_other_kinds_are_taken(name, make_gate, make_origin, tmp_path):
    """The configuration is good, and an app whose certificate nobody vouches for gets nothing."""
    (tmp_path / "ca").mkdir()
    pretender = make_origin(tls=Authority(tmp_path / "ca").issue("app", "localhost").server_context())
    plain = make_origin()
    proxy = Proxy(name, tmp_path / "proxy")
    upstreams = {"tls": {"url": [f"https://localhost:{pretender.port}"]}, "plain": {"url": [plain.url]},
                 "http2": {"url": ["h2c://127.0.0.1:9"]}}
    everyone = [{"allow": "everyone"}]
    routes = [{"name": kind, "host": [f"{kind}.example.com"], "upstream": kind, "rules": everyone} for kind in upstreams]
    if name != "traefik":
        upstreams["unix"] = {"url": [make_origin(path=str(tmp_path / "app.sock")).url]}
        routes.append({"name": "unix", "host": ["unix.example.com"], "upstream": "unix", "rules": everyone})
    gate = make_gate(listen=[{"serve": ["portal", "check"]}], trusted_proxies=["127.0.0.1"], upstreams=upstreams, routes=routes)
    try:
        proxy.write(gate).start()
        assert request(proxy.port, "/x", "plain.example.com").status == 200
        assert request(proxy.port, "/x", "tls.example.com").status in (500, 502, 503), "the app was not verified"
        assert not pretender.requests
    finally:
        proxy.stop()
