"""Rows of published lessons that are best shown with the whole thing running; each name carries its row.

Rows that other tests show under a name of their own: 12 and 54 in test_check_nginx.py. Rows that pure tests show are in
the tests of their rooms; those that cannot apply yet are in Tests/README.md.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from support.issuer import Key
from support.wire import head, raw

WSGI = "wsgi.example.com"
ETC_PASSWD = pathlib.Path("/etc/passwd").read_bytes()


def bearer(token):
    return [("Authorization", f"Bearer {token}")]


def test_lesson01_underscore_spelling_does_not_pass(gate):
    forged = [("X_Forwarded_User", "admin"), ("remote_user", "admin"), ("Remote_Groups", "admins")]
    seen = gate.get("/x", host=WSGI, key=gate.mary_key, headers=forged).json()
    assert seen["HTTP_REMOTE_USER"] == "mary" and "admin" not in json.dumps(seen)


@pytest.mark.parametrize("name", ["X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path"])
def test_lesson02_forwarded_uri_decides_nothing_inline(gate, name):
    assert gate.get("/page", headers=[(name, "/public/x")]).status == 401
    assert gate.get("/admin/x", key=gate.mary_key, headers=[(name, "/public/x")]).status == 403


@pytest.mark.parametrize("agent", ["kube-probe/1.29", "GoogleHC/1.0", "Pingdom", "ELB-HealthChecker/2.0"])
def test_lesson03_no_user_agent_opens_a_path(gate, agent):
    assert gate.get("/page", headers=[("User-Agent", agent)]).status == 401
    assert gate.get("/healthz", headers=[("User-Agent", agent)]).status == 401
    assert gate.get("/ping", headers=[("User-Agent", agent)]).status == 401


@pytest.mark.parametrize("name", ["User-Agent", "X-API-Key", "Gatehouse-Key", "Authorization", "Cookie", "Origin",
                                  "Gatehouse-Proxy-Secret", "X-Forwarded-For"])
def test_lesson04_empty_header_is_not_an_unset_one(gate, name):
    response = raw(gate.port, f"GET /page HTTP/1.1\r\nHost: app.example.com\r\n{name}:\r\n\r\n".encode())
    assert response.status in (400, 401), response


def test_lesson05_query_is_no_path(gate):
    assert gate.get("/admin/x?/public/", key=gate.mary_key).status == 403
    assert gate.get("/page?next=/public/x").status == 401


@pytest.mark.parametrize("path", ["/admin/x%23/public/y", "/admin%23/../public/x", "/admin/x#/public/"])
def test_lesson06_hash_widens_nothing(gate, path):
    assert gate.get(path, key=gate.mary_key).status in (400, 403)


def test_lesson07_address_with_two_ats_is_refused(gate):
    for address in ["a@evil.example@example.com", "a@b@example.com", "\"a@b\"@example.com", "a@", "@example.com"]:
        assert gate.cli("user", "add", address, check=False).returncode in (1, 2), address


def test_lesson15_host_is_compared_in_one_spelling(gate):
    for host in ["APP.EXAMPLE.COM", "App.Example.Com.", "app.example.com:80", "app.example.com.:8080"]:
        assert gate.get("/admin/x", host=host, key=gate.mary_key).status == 403, host
        assert gate.get("/public/x", host=host).status == 200, host


def test_lesson17_change_of_groups_counts_at_the_next_request(gate):
    gate.add_user("gina", ["staff"])
    key = gate.add_key("gina")["key"]
    assert gate.get("/admin/x", key=key).status == 403
    gate.cli("user", "set-groups", "gina", "staff,admins")
    assert gate.get("/admin/x", key=key).status == 200
    gate.cli("user", "set-groups", "gina", "staff")
    assert gate.get("/admin/x", key=key).status == 403


def office(simple, **settings):
    return simple(rules=[{"paths": ["/office/**"], "networks": ["10.0.0.0/8"], "allow": "everyone"},
                         {"allow": {"groups": ["staff"]}}], **settings)


@pytest.mark.parametrize("value", ["10.0.0.1", "10.0.0.1, 127.0.0.1", "127.0.0.1, 10.0.0.1"])
def test_lesson18_untrusted_peer_cannot_say_who_it_is(gate, value):
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For", "True-Client-IP", "Client-IP"):
        assert gate.get("/office/x", headers=[(name, value)]).status in (401, 403), name


def test_lesson18_right_most_address_counts(simple):
    gate = office(simple, trusted_proxies=["127.0.0.1", "192.168.0.0/16"])
    assert gate.get("/office/x", headers=[("X-Forwarded-For", "10.0.0.1")]).status == 200
    assert gate.get("/office/x", headers=[("X-Forwarded-For", "10.0.0.1, 192.168.1.1")]).status == 200
    assert gate.get("/office/x", headers=[("X-Forwarded-For", "10.0.0.1, 203.0.113.1")]).status == 401
    assert gate.get("/office/x", headers=[("X-Forwarded-For", "10.0.0.1, 203.0.113.1, 192.168.1.1")]).status == 401
    two = [("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", "203.0.113.1")]
    assert gate.get("/office/x", headers=two).status in (400, 401)


@pytest.mark.parametrize("value", ["a", "", "10.0.0", "10.0.0.1.1", "10.0.0.256", "::ffff:zz", "10.0.0.1 x", "unknown",
                                   "10.0.0.1, a", "_hidden"])
def test_lesson19_address_that_is_none_skips_no_rule(simple, value):
    gate = office(simple, trusted_proxies=["127.0.0.1"])
    assert gate.get("/office/x", headers=[("X-Forwarded-For", value)]).status == 401


def test_lesson19_denial_by_network_holds_for_the_unknown(simple):
    """A deny rule that names networks must not be what an unknown address slips by: the rest is judged as usual."""
    gate = simple(trusted_proxies=["127.0.0.1"], rules=[
        {"networks": ["203.0.113.0/24"], "deny": "everyone"}, {"allow": {"groups": ["staff"]}}])
    assert gate.get("/page", headers=[("X-Forwarded-For", "a")]).status == 401


@pytest.mark.parametrize("cookie", [
    "gatehouse=", "gatehouse=x", "gatehouse=%", "gatehouse==", "=", ";", "gatehouse", "gatehouse=\"", "gatehouse=" + "a" * 5000,
    "gatehouse=a; gatehouse=b; gatehouse=c; gatehouse=d; gatehouse=e", "gatehouse-portal=x", "a=b;;; gatehouse=\xff",
    "__Host-gatehouse=x; __Secure-gatehouse=y",
], ids=lambda cookie: cookie[:30])
def test_lesson21_undecodable_cookie_is_nobody(gate, origin, cookie):
    before = len(origin.requests)
    response = raw(gate.port, head("GET", "/page", "app.example.com", [("Cookie", cookie)]))
    assert response.status in (400, 401), response
    assert len(origin.requests) == before


def test_lesson29_deleted_is_refused_at_the_next_request(gate):
    made = gate.add_key("mary", "deleted")
    assert gate.get("/page", key=made["key"]).status == 200
    gate.cli("api-key", "revoke", made["id"])
    assert gate.get("/page", key=made["key"]).status == 401


def test_lesson30_disabled_account_passes_by_no_credential(gate):
    gate.add_user("robin", ["staff"], service=True)
    gate.add_user("dana", ["staff"])
    credentials = [[("X-API-Key", gate.add_key(name)["key"])] for name in ("robin", "dana")]
    credentials += [bearer(gate.add_key("dana")["key"]), bearer(gate.json("token", "issue", "--user", "dana")["access_token"])]
    assert all(gate.get("/page", headers=credential).status == 200 for credential in credentials)
    for name in ("robin", "dana"):
        gate.cli("user", "disable", name)
    assert all(gate.get("/page", headers=credential).status == 401 for credential in credentials)


def test_lesson31_expiry_is_looked_at_when_used(simple):
    gate = simple()
    token = gate.json("token", "issue", "--user", "mary", "--lifetime", "1s")["access_token"]
    key = gate.add_key("mary", "short", expires="1s")["key"]
    from support.waiting import eventually

    def expired(**credential):
        answer = gate.get("/page", **credential)
        return answer.status == 401 and answer.code == "credential_expired"

    # Nothing of ours has any leeway, and nothing waits for somebody to clear up.
    eventually(lambda: expired(key=key), 5, "the key's expiry")
    eventually(lambda: expired(headers=bearer(token)), 5, "the token's expiry")


def test_lesson32_key_is_shown_once(gate):
    made = gate.add_key("mary", "shown once")
    digest = hashlib.sha256(made["key"].encode())
    text = gate.cli("api-key", "list", "--json").stdout + gate.cli("user", "show", "mary", "--json").stdout
    text += gate.cli("audit", "list", "--json").stdout + gate.log_text()
    for secret in (made["key"], made["key"][5:48], digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
        assert secret not in text


def test_lesson37_dots_are_judged_once_and_forwarded_never(gate, origin):
    before = len(origin.requests)
    for path in ["/public/../admin", "/public/%2e%2e/admin", "/public/..;/admin", "/public/%2e%2e%2fadmin", "/public//admin",
                 "/public/..%5cadmin", "/public/x%00", "/public/./x"]:
        assert gate.get(path).status == 400, path
    assert len(origin.requests) == before


@pytest.mark.parametrize("name,value", [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "open.example.com"),
                                        ("X-Forwarded-Method", "OPTIONS"), ("X-HTTP-Method-Override", "GET")])
def test_lesson38_untrusted_description_changes_nothing(gate, origin, name, value):
    assert gate.get("/page", headers=[(name, value)]).status == 401
    assert gate.get("/scoped/x", key=gate.reader_key, method="POST", headers=[(name, value)]).status == 403
    gate.get("/public/x", headers=[(name, value)])
    assert origin.last.get(name) in (None, "http", "app.example.com")


def test_lesson39_cached_identity_is_judged_by_each_rule(gate, origin):
    """One key, cached after its first use, asked of rules that need other things."""
    for _ in range(3):
        assert gate.get("/scoped/x", key=gate.reader_key).status == 200
        assert gate.get("/scoped/x", key=gate.reader_key, method="POST").status == 403
        assert gate.get("/page", key=gate.reader_key).status == 403
        assert gate.get("/page", key=gate.mary_key).status == 200
        assert gate.get("/page", host="other.example.com", key=gate.mary_key).status == 200
        audience = jwt.decode(origin.last["Gatehouse-Assertion"], options={"verify_signature": False})["aud"]
        assert audience in ("other", ["other"])


@pytest.mark.parametrize("token", ["Remote-User", "remote-user", "REMOTE-USER", "rEmOtE-uSeR", "Remote_User"])
def test_lesson40_connection_header_takes_nothing_of_ours(gate, origin, token):
    data = head("GET", "/page", "app.example.com", [("X-API-Key", gate.mary_key), ("Connection", f"close, {token}")])
    assert raw(gate.port, data).status == 200
    assert origin.last["Remote-User"] == "mary"


@pytest.mark.parametrize("token", ["x-forwarded-for", "X-Forwarded-Host", "x-forwarded-PROTO", "VIA", "gatehouse-assertion"])
def test_lesson41_nor_in_another_case(gate, origin, token):
    data = head("GET", "/page", "app.example.com", [("X-API-Key", gate.mary_key), ("connection", token)])
    assert raw(gate.port, data).status == 200
    assert origin.last[token]


def test_lesson49_token_for_apps_is_none_for_accounts(gate):
    token = gate.json("token", "issue", "--user", "mary")["access_token"]
    for path in ["/.auth/api/me", "/.auth/api/api-keys", "/.auth/api/admin/users"]:
        response = gate.get(path, host="auth.example.com", headers=bearer(token))
        assert response.status in (401, 403, 404), response


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/debug/pprof/", "/.auth/metrics", "/.auth/debug"])
def test_lesson50_monitoring_is_on_its_own_listener(gate, path):
    for host in ("app.example.com", "auth.example.com", "127.0.0.1"):
        response = gate.get(path, host=host)
        if path.startswith("/.auth/") and host != "auth.example.com":
            assert (response.status, response["Location"]) == (303, "http://auth.example.com" + path)
            continue
        assert response.status in (401, 404, 421), response
        assert b"gatehouse_" not in response.body


def test_lesson52_every_identity_header_is_there_when_anonymous(gate, origin):
    forged = [("Remote-Email", "x"), ("Remote-Name", "x"), ("Remote-Groups", "x")]
    assert gate.get("/public/x", headers=forged).status == 200
    for name in ("Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Gatehouse-Assertion"):
        assert origin.last.all(name) == [""]


@pytest.mark.parametrize("name", ["X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Ssl", "X-Forwarded-Server",
                                  "X-Forwarded-Scheme", "X_Forwarded_Prefix"])
def test_lesson55_other_forwarded_headers_do_not_pass(gate, origin, name):
    gate.get("/public/x", headers=[(name, "f0rged")])
    assert "f0rged" not in repr(origin.last)


@pytest.mark.parametrize("path", ["/app/public/../page", "/app/public/..%2fpage", "/app;x/page", "/app//page", "/%61pp/page",
                                  "/app/./page", "/app/%2e%2e/page", "/app%2fpage"])
def test_lesson56_prefix_is_judged_before_it_is_stripped(gate, origin, path):
    before = len(origin.requests)
    assert gate.get(path, host="stripped.example.com").status in (400, 401, 403, 421)
    assert len(origin.requests) == before


def test_lesson59_answers_of_an_issuer_are_bounded(make_gate, make_origin, make_issuer):
    issuer, origin = make_issuer(), make_origin()
    gate = make_gate(
        upstreams={"app": {"url": [origin.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
        jwt={"issuers": [issuer.settings()]})
    issuer.document = b'{"keys": [' + b" " * (64 << 20) + b"]}"
    before = gate.anonymous_memory()
    unknown = issuer.token("ES256", key=Key("unknown", "ES256"))
    assert gate.get("/", headers=bearer(unknown)).status == 401
    assert gate.get("/", headers=bearer(issuer.token("ES256"))).status == 200
    assert gate.anonymous_memory() - before < 32 << 20


@pytest.mark.parametrize("missing", ["master_key", "proxy_secret"])
def test_lesson61_missing_secret_is_no_start(make_gate, missing):
    gate = make_gate(
        start=False, routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}],
        trusted_proxies=["127.0.0.1"], **{missing: {"file": "not-there"}})
    result = gate.cli("serve", check=False)
    assert result.returncode in (1, 2) and "not-there" in result.stderr


def test_lesson61_missing_variable_is_no_start(make_gate):
    gate = make_gate(
        start=False, routes=[{"name": "app", "host": ["app.example.com"], "rules": [{"allow": "everyone"}]}],
        proxy_secret={"env": "NO_SUCH_VARIABLE"}, trusted_proxies=["127.0.0.1"])
    result = gate.cli("serve", check=False)
    assert result.returncode in (1, 2) and "NO_SUCH_VARIABLE" in result.stderr


def test_lesson67_no_address_of_a_client_is_fetched(gate, issuer, make_issuer):
    """jku, x5u and a key in the header of a token are what the client says; its keys are the configured ones."""
    evil = make_issuer()
    token = issuer.token("ES256", key=Key(issuer.keys["ES256"].kid, "ES256"), headers={
        "jku": evil.url, "x5u": evil.url, "jwk": evil.keys["ES256"].jwk()})
    assert gate.get("/page", headers=bearer(token)).status == 401
    assert evil.fetches == 0


def test_lesson79_token_for_another_app_is_refused(gate, issuer):
    assert gate.get("/page", headers=bearer(issuer.token("ES256", aud="another"))).status == 401


def test_lesson81_envoys_own_headers_do_not_pass(gate, origin):
    for name in ("x-envoy-original-path", "x-envoy-external-address", "X_Envoy_Internal", "x-envoy-force-trace"):
        gate.get("/public/x", headers=[(name, "f0rged")])
        assert "f0rged" not in repr(origin.last)


def test_lesson81_log_lines_cannot_be_written_by_a_client(simple):
    gate = simple(log={"format": "json", "level": "debug", "requests": "all"})
    gate.get('/page?"},{"level":"forged', headers=[("User-Agent", 'x"} {"forged": 1}'), ("X-Request-Id", 'x"\t{')])
    for line in gate.log_text().splitlines():
        assert isinstance(json.loads(line), dict)


def unsigned(header, claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_lesson85_unsigned_token(gate, issuer, algorithm):
    token = unsigned({"alg": algorithm, "typ": "JWT", "kid": "ES256-1"}, issuer.claims())
    assert gate.get("/page", headers=bearer(token)).status == 401
    assert gate.get("/page", headers=bearer(token + "AAAA")).status == 401


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_lesson85_public_key_is_no_shared_secret(gate, issuer, algorithm):
    public = issuer.keys["RS256"].private.public_key()
    for encoding, form in [
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ]:
        secret = public.public_bytes(encoding, form)
        signed = unsigned({"alg": algorithm, "typ": "JWT", "kid": "RS256-1"}, issuer.claims())[:-1]
        digest = hmac.new(secret, signed.encode(), algorithm.replace("HS", "sha").lower()).digest()
        token = signed + "." + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert gate.get("/page", headers=bearer(token)).status == 401


@pytest.mark.parametrize("kid", ["../../../etc/passwd", "' or 1=1 --", "x\u0000y", "", "ES256-1\n", 7, None, ["ES256-1"]],
                         ids=repr)
def test_lesson85_key_id_is_only_compared(gate, issuer, kid):
    """By the right key, but not under its name; and by what a name could be resolved to."""
    signed = unsigned({"alg": "ES256", "typ": "JWT", "kid": kid}, issuer.claims(scope=None))[:-1]
    right = jwt.get_algorithm_by_name("ES256").sign(signed.encode(), issuer.keys["ES256"].private)
    signature = base64.urlsafe_b64encode(right).rstrip(b"=").decode()
    response = gate.get("/page", headers=bearer(f"{signed}.{signature}"))
    assert (response.status, response.code) == (401, "credential_unknown")
    for key in (b"", b"1", b"\0", str(kid).encode(), ETC_PASSWD):
        signed = unsigned({"alg": "HS256", "typ": "JWT", "kid": kid}, issuer.claims(scope=None))[:-1]
        mac = hmac.digest(key, signed.encode(), "sha256")
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        assert gate.get("/page", headers=bearer(f"{signed}.{signature}")).code == "credential_unknown"
    # The same under its own name is a good one.
    assert gate.get("/page", headers=bearer(issuer.token("ES256", scope=None))).status == 200


def test_lesson85_critical_extension_that_is_unknown(gate, issuer):
    token = jwt.encode(issuer.claims(), issuer.keys["ES256"].private, algorithm="ES256",
                       headers={"kid": "ES256-1", "crit": ["exp"], "exp": int(time.time()) + 60})
    assert gate.get("/page", headers=bearer(token)).status == 401


def test_lesson85_token_over_8_kilobytes(gate, issuer):
    assert gate.get("/page", headers=bearer(issuer.token("ES256", padding="a" * 9000))).status == 401
    assert gate.get("/page", headers=bearer(issuer.token("ES256", padding="a" * 4000))).status == 200


@pytest.mark.parametrize("payload", [
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"lena","sub":"root","exp":%d}',
    '{"iss":"https://idp.example.com","aud":"another","aud":"wiki","sub":"lena","exp":%d}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"lena","exp":%d} trailing',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"lena","exp":%d,"x":[[[[[[[[[[[[]]]]]]]]]]]]}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":7,"exp":%d}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"","exp":%d}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"a\\u0000b","exp":%d}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"a\\r\\nRemote-User: root","exp":%d}',
    '{"iss":"https://idp.example.com","aud":"wiki","sub":"lena","exp":"%d"}',
    '[%d]',
], ids=range(10))
def test_lesson85_claims_with_two_readings(gate, origin, issuer, payload):
    """Signed by the right key, and still not believed."""
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = part(b'{"alg":"RS256","kid":"RS256-1"}') + b"." + part((payload % (time.time() + 300)).encode())
    signature = issuer.keys["RS256"].private.sign(signed, padding.PKCS1v15(), SHA256())
    response = gate.get("/page", headers=bearer((signed + b"." + part(signature)).decode()))
    assert response.status == 401, response
    assert "root" not in repr(origin.last if origin.requests else "")
