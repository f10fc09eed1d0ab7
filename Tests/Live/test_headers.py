"""What reaches the app: never an identity that the client wrote, and the headers that every proxy owes."""

import re

import pytest

from support.wire import Connection, head, raw

# Spellings of identity and forwarding headers that some framework, gateway or CGI would read as one of ours.
SPELLINGS = [
    "Remote-User", "remote-user", "REMOTE-USER", "Remote_User", "remote_user", "REMOTE_USER", "Remote-user",
    "rEMOTE_uSER", "Remote.User", "Remote!User", "Remote~User", "remote-email", "remote_email", "Remote-Name",
    "Remote_Groups", "remote-groups", "Remote-Anything", "X-Remote-User", "x_remote_user", "X-Remote-Group",
    "X-Auth-Request-User", "X_Auth_Request_Email", "x-auth-request-preferred-username", "X-Forwarded-User",
    "X_Forwarded_User", "x_forwarded_groups", "X-Forwarded-Email", "X-Forwarded-Access-Token", "X_Forwarded_For",
    "X-Forwarded-Prefix", "X_Forwarded_Prefix", "X-Forwarded-Port", "X-Forwarded-Uri", "X_Forwarded_Host", "Forwarded",
    "FORWARDED", "X-Real-IP", "X_Real_Ip", "X-Original-URL", "X_Original_Url", "X-Original-URI", "X-Original-Method",
    "X-Rewrite-URL", "X_Rewrite_Url", "X-Client-Cert", "X-Client-Cert-Subject", "X_Client_Cert", "X-WEBAUTH-USER",
    "X_WEBAUTH_USER", "X-Gatehouse-User", "X_Gatehouse_User", "Gatehouse-Assertion", "gatehouse_assertion",
    "Gatehouse_User", "Gatehouse-Anything", "Proxy-User", "proxy_authorization", "X-Envoy-Original-Path",
    "x_envoy_internal", "X-HTTP-Method-Override", "X_Http_Method_Override", "X-HTTP-Method", "X-Method-Override",
]
MARK = "f0rged"


@pytest.mark.parametrize("name", SPELLINGS)
def test_forged_header_never_reaches_the_app(gate, origin, name):
    for key in (None, gate.mary_key):
        response = gate.get("/public/x", key=key, headers=[(name, MARK)])
        assert response.status == 200, response
        assert MARK not in origin.last.head.decode("latin-1"), origin.last
        assert origin.last["Remote-User"] == ("mary" if key else "")


def test_forged_corpus_all_at_once(gate, origin):
    headers = [(name, MARK) for name in SPELLINGS]
    assert gate.get("/page", key=gate.mary_key, headers=headers).status == 200
    assert MARK not in origin.last.head.decode("latin-1")
    folded = [name for name, _ in origin.last.folded()]
    assert len(folded) == len(set(folded)), f"two headers that an app reads as one: {folded}"


def test_wsgi_app_sees_only_our_identity(gate):
    headers = [(name, MARK) for name in SPELLINGS]
    seen = gate.get("/x", host="wsgi.example.com", key=gate.mary_key, headers=headers).json()
    assert seen["HTTP_REMOTE_USER"] == "mary"
    assert seen["HTTP_REMOTE_EMAIL"] == "mary@example.com"
    assert seen["HTTP_REMOTE_GROUPS"] == "staff"
    assert MARK not in repr(seen)


def test_wsgi_app_sees_nobody_on_a_public_path(gate):
    headers = [(name, MARK) for name in SPELLINGS]
    seen = gate.get("/open/x", host="wsgi.example.com", headers=headers).json()
    assert seen["HTTP_REMOTE_USER"] == "" and seen["HTTP_GATEHOUSE_ASSERTION"] == ""
    assert MARK not in repr(seen)


@pytest.mark.parametrize("tokens", [
    "Remote-User", "remote-user", "close, Remote-User", "Remote-User, Gatehouse-Assertion", "keep-alive, REMOTE-USER",
    "X-Forwarded-For, X-Request-Id, Via", "remote_user", "Host", "Content-Length", "Gatehouse-Key", "X-API-Key",
])
def test_connection_header_cannot_name_ours(gate, origin, tokens):
    request = head("GET", "/page", "app.example.com", [("X-API-Key", gate.mary_key), ("Connection", tokens)])
    response = raw(gate.port, request)
    if response.status == 200:
        assert origin.last["Remote-User"] == "mary"
        assert origin.last["Gatehouse-Assertion"]
        assert origin.last["X-Forwarded-For"]
        assert origin.last["Host"] == "app.example.com"
    else:
        assert response.status in (400, 401), response


def test_hop_by_hop_headers_end_here(gate, origin):
    headers = [
        ("Connection", "keep-alive, X-Hop, Keep-Alive"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("TE", "gzip"),
        ("Proxy-Connection", "keep-alive"), ("X-End", "2"),
    ]
    assert raw(gate.port, head("GET", "/public/x", "app.example.com", headers)).status == 200
    seen = origin.last
    for name in ("X-Hop", "Keep-Alive", "Proxy-Connection"):
        assert name not in seen, name
    assert seen["X-End"] == "2"


def test_trailers_carry_no_identity(gate, origin):
    trailers = "".join(f"{name}: {MARK}\r\n" for name in [
        "Remote-User", "remote_user", "Content-Length", "Transfer-Encoding", "Host", "Cookie", "Authorization",
        "Gatehouse-Key", "X_Forwarded_User"])
    response = raw(gate.port, head("POST", "/page", "app.example.com", [
        ("X-API-Key", gate.mary_key), ("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum"),
    ]) + b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n" + trailers.encode() + b"\r\n")
    if response.status == 200:
        assert origin.last.body == b"hello"
        assert MARK not in repr(origin.last.trailers)
        assert MARK not in origin.last.head.decode("latin-1")
        assert [value for name, value in origin.last.trailers if name.lower() == "x-sum"] in ([], ["42"])
    else:
        assert response.status == 400, response


def test_forwarded_headers_are_ours(gate, origin):
    gate.get("/public/x?a=1", headers=[
        ("X-Forwarded-For", "10.9.8.7"), ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil.example.com")])
    seen = origin.last
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert seen["X-Forwarded-Host"] == "app.example.com"
    assert seen["Via"] == "1.1 gatehouse"
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", seen["X-Request-Id"])
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", seen["traceparent"])


def test_forwarded_for_of_a_trusted_peer_is_appended_to(simple):
    gate = simple(trusted_proxies=["127.0.0.1"])
    gate.get("/public/x", headers=[("X-Forwarded-For", "203.0.113.9")])
    assert gate.origin.last["X-Forwarded-For"].replace(" ", "") == "203.0.113.9,127.0.0.1"


@pytest.mark.parametrize("given,kept", [
    ("abc", True), ("A.b_c-9", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("a;b", False), ("", False),
    ("é", False),
])
def test_request_id(gate, origin, given, kept):
    response = gate.get("/public/x", headers=[("X-Request-Id", given)])
    assert response.status == 200
    seen = origin.last["X-Request-Id"]
    assert (seen == given) == kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", seen)


def test_traceparent_is_kept(gate, origin):
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    gate.get("/public/x", headers=[("traceparent", given)])
    assert origin.last["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")


def test_loop_is_ended(gate, origin):
    once = gate.get("/public/x", headers=[("Via", "1.1 gatehouse")])
    assert once.status == 200
    assert ", ".join(origin.last.all("Via")).count("gatehouse") == 2
    assert gate.get("/public/x", headers=[("Via", "1.1 gatehouse, 1.1 gatehouse")]).status == 508
    assert gate.get("/public/x", headers=[("Via", "1.1 gatehouse"), ("Via", "1.1 gatehouse")]).status == 508
    assert gate.get("/public/x", headers=[("Via", "1.1 gatehouse2, 1.1 other")]).status == 200


def test_host_of_the_upstream(simple):
    assert simple().get("/public/x").status == 200
    gate = simple(name="upstream", upstream={"host": "upstream"})
    assert gate.get("/public/x").status == 200
    assert gate.origin.last["Host"] == f"127.0.0.1:{gate.origin.port}"
    assert gate.origin.last["X-Forwarded-Host"] == "app.example.com"


def test_host_is_preserved_with_its_port(gate, origin):
    gate.get("/public/x", host="app.example.com:8443")
    assert origin.last["Host"] == "app.example.com:8443"


def test_order_and_bytes_of_other_headers(gate, origin):
    headers = [("X-First", "1"), ("Accept", "a/b;q=0.1, */*"), ("X-Twice", "a"), ("X-Twice", "b"), ("X-Empty", ""),
               ("X-Latin", "caf\xe9"), ("x-lower", "Case")]
    gate.get("/public/x", headers=headers)
    seen = [(name, value) for name, value in origin.last.headers if (name, value) in headers]
    assert seen == headers


def test_upstream_cookie_with_our_name_is_dropped(simple):
    from support.origins import answer

    cookies = ["gatehouse=stolen; Path=/", "gatehouse-portal=stolen", "__Host-gatehouse=x", "__Secure-gatehouse=y",
               "GATEHOUSE_own=fine", "mine=1; HttpOnly"]
    gate = simple(lambda request, _: answer(headers=[("Set-Cookie", cookie) for cookie in cookies]))
    seen = gate.get("/public/x").all("Set-Cookie")
    assert "mine=1; HttpOnly" in seen and "GATEHOUSE_own=fine" in seen
    assert not [cookie for cookie in seen if "stolen" in cookie or cookie.startswith("__")]


def test_request_id_is_answered(gate):
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", "app.example.com", [("X-Request-Id", "mine")]))
        assert connection.read().get("X-Request-Id", "mine") == "mine"
