"""Client certificates as credentials: which are believed, whom they prove, and what they never do."""

import json
import re
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from support.certificates import Authority, replace
from support.http2 import Client
from support.origins import answer
from support.waiting import eventually
from support.wire import Closed, Connection, head

RULES = [
    {"paths": ["/public/**"], "allow": "everyone"},
    {"paths": ["/machines/**"], "allow": {"credentials": ["certificate"]}},
    {"paths": ["/robot/**"], "allow": {"users": ["cert:robot"]}},
    {"paths": ["/admin/**"], "allow": {"users": ["admin"]}},
    {"paths": ["/staff/**"], "allow": {"groups": ["staff"]}},
    {"allow": "signed_in"},
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("server"), "server")


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("clients"), "clients")


@pytest.fixture
def make_mutual(make_gate, make_origin, authority, clients):
    def make(behave=None, client_ca=None, start=True, **settings):
        pair = authority.issue("app", "app.example.com", "other.example.com", "auth.example.com")
        origin = make_origin(behave)
        gate = make_gate(
            start=False,
            public_url="https://auth.example.com",
            listen=[{"tls": {"certificates": [pair.settings], "client_ca": str(client_ca or clients.certificate)}}],
            upstreams={"app": {"url": [origin.url]}},
            routes=[{"name": "app", "host": ["app.example.com", "same.example.com"], "upstream": "app",
                     "rules": RULES},
                    {"name": "other", "host": ["other.example.com"], "upstream": "app", "rules": RULES}],
            **settings,
        )
        gate.add_user("admin", ["staff"])
        gate.admin_key = gate.add_key("admin")["key"]
        gate.origin = origin
        return gate.start() if start else gate

    return make


@pytest.fixture
def ask(authority):
    def ask(gate, path, pair=None, host="app.example.com", name="app.example.com", headers=()):
        with connect(gate, authority, pair, name) as connection:
            connection.send(head("GET", path, host, headers))
            return connection.read()

    return ask


def connect(gate, authority, pair=None, name="app.example.com"):
    context = authority.client_context()
    if name is None:
        context.check_hostname = False
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    connection = Connection(gate.port)
    connection.socket = context.wrap_socket(connection.socket, server_hostname=name)
    return connection


def refused_in_handshake(gate, authority, pair):
    """By TLS 1.3 a client hears of it with the first bytes that it reads."""
    try:
        with connect(gate, authority, pair) as connection:
            connection.send(head("GET", "/public/a", "app.example.com"))
            connection.read()
        return False
    except (ssl.SSLError, ConnectionError):
        return True


def test_only_what_the_route_looks_at_decides_before_it(make_mutual, ask, clients):
    gate = make_mutual(start=False)
    gate.settings["routes"][0]["credentials_from"] = ["key"]
    gate.settings["routes"][1]["credentials_from"] = ["authorization"]
    gate.settings["routes"].append(
        {"name": "every", "host": ["auth.example.com"], "upstream": "app", "rules": RULES})
    gate.write(gate.settings)
    gate.start()
    robot = clients.issue("robot", client=True)
    unseen = [("app.example.com", ("Cookie", "__Host-gatehouse=gone; a=b")),
              ("app.example.com", ("Authorization", f"Bearer {gate.admin_key}")),
              ("other.example.com", ("X-API-Key", gate.admin_key)),
              ("other.example.com", ("Cookie", "__Host-gatehouse=gone; a=b")),
              # Ours, and no credential of an app's.
              ("auth.example.com", ("Cookie", "__Host-gatehouse-browser=x; __Host-gatehouse-device=y; a=b")),
              ("auth.example.com", ("Cookie", "__Host-gatehouse-portal=x; a=b"))]
    for host, line in unseen:
        assert ask(gate, "/robot/a", robot, host, host, [line]).status == 200, (host, line)
        seen = gate.origin.last
        assert seen["Remote-User"] == "cert:robot"
        assert gate.admin_key not in repr(seen) and "__Host-gatehouse" not in repr(seen)
    # What is looked at decides, good or not.
    gone = [("Cookie", "__Secure-gatehouse=gone")]
    assert ask(gate, "/robot/a", robot, "auth.example.com", "auth.example.com", gone).status == 401
    assert ask(gate, "/robot/a", robot, headers=[("X-API-Key", "gate_gone")]).status == 401


def test_a_name_that_no_header_can_tell_proves_nobody(make_mutual, ask, clients):
    """A reader of the header drops the spaces: it would be somebody else."""
    gate = make_mutual()
    for name in ["robot ", " robot"]:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        refused = ask(gate, "/a", clients.issue("spaced", client=True, subject=subject))
        assert refused.status == 401 and refused.code == "credential_unknown"
    gate.logged("a client certificate names nobody")


def test_whom_it_proves(make_mutual, ask, authority, clients):
    gate = make_mutual()
    robot = clients.issue("robot", client=True, emails=["robot@example.com"])
    assert ask(gate, "/machines/a", robot).status == 200
    seen = gate.origin.last
    assert seen["Remote-User"] == "cert:robot"
    assert seen["Remote-Groups"] == "" and seen["Remote-Email"] == ""
    assert ask(gate, "/robot/a", robot).status == 200
    assert ask(gate, "/a", robot).status == 200
    assert ask(gate, "/staff/a", robot).status == 403
    # Without one: as everywhere.
    assert ask(gate, "/public/a").status == 200
    assert gate.origin.last["Remote-User"] == ""
    assert ask(gate, "/machines/a").status == 401
    assert ask(gate, "/machines/a", headers=[("X-Client-Cert", "robot"), ("X-Client-Cert-Cn", "robot")]).status == 401
    ask(gate, "/public/a", headers=[("X-Client-Cert", "robot")])
    assert "X-Client-Cert" not in gate.origin.last
    # curl's own TLS.
    result = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", str(authority.certificate),
         "--cert", str(robot.certificate), "--key", str(robot.key),
         "--resolve", f"app.example.com:{gate.port}:127.0.0.1", f"https://app.example.com:{gate.port}/machines/a"],
        capture_output=True, text=True, timeout=30)
    assert result.stdout == "200", result


def test_an_upgrade_by_another_sites_page_gets_nobodys_identity(make_mutual, ask, clients):
    """A browser shows its certificate to the WebSockets of any page, and no CORS rule asks first."""
    gate = make_mutual()
    robot = clients.issue("robot", client=True)
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    assert ask(gate, "/machines/a", robot, headers=upgrade).status == 200
    assert ask(gate, "/machines/a", robot, headers=[*upgrade, ("Origin", "https://app.example.com")]).status == 200
    for origin in ("https://evil.example", "null", "http://app.example.com", "https://app.example.com.evil.example"):
        assert ask(gate, "/machines/a", robot, headers=[*upgrade, ("Origin", origin)]).status == 401, origin


def test_names_that_are_taken_and_names_that_are_not(make_mutual, ask, clients):
    gate = make_mutual()
    admin = clients.issue("admin", client=True)
    assert ask(gate, "/admin/a", admin).status == 403
    assert ask(gate, "/public/a", admin).status == 200
    assert gate.origin.last["Remote-User"] == "cert:admin"
    nameless = x509.Name([])
    assert ask(gate, "/machines/a", clients.issue("n1", "dns.example.com", client=True, subject=nameless)).status == 200
    assert gate.origin.last["Remote-User"] == "cert:dns.example.com"
    by_mail = clients.issue("n2", client=True, subject=nameless, emails=["a@example.com"])
    assert ask(gate, "/machines/a", by_mail).status == 200
    assert gate.origin.last["Remote-User"] == "cert:a@example.com"
    for file, text in [
            ("nul", "robot\0admin"), ("line", "robot\r\nRemote-Groups: staff"), ("esc", "robot\x1b[0m"),
    ]:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        assert ask(gate, "/machines/a", clients.issue(file, client=True, subject=name)).status == 401, file
    unnamed = clients.issue("n3", client=True, subject=x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "nobody")]))
    assert ask(gate, "/machines/a", unnamed).status == 401
    assert ask(gate, "/public/a", unnamed).status == 200


def test_headers_of_ours_decide_first(make_mutual, ask, clients):
    gate = make_mutual()
    robot = clients.issue("robot", client=True)
    key = [("X-API-Key", gate.admin_key)]
    assert ask(gate, "/admin/a", robot, headers=key).status == 200
    assert ask(gate, "/machines/a", robot, headers=key).status == 403
    # Ours and not valid: no fall-back to the certificate.
    wrong = [("X-API-Key", "gate_" + "0" * 49)]
    assert ask(gate, "/machines/a", robot, headers=wrong).status == 401
    # What is the app's decides nothing.
    assert ask(gate, "/machines/a", robot, headers=[("Authorization", "Basic YTpi")]).status == 200


def test_what_does_not_verify_ends_the_handshake(make_mutual, ask, authority, clients, tmp_path):
    gate = make_mutual()
    stranger = Authority(tmp_path / "stranger", "clients")
    for pair in [stranger.issue("robot", client=True), clients.issue("old", client=True, since=-9, days=-1),
                 clients.issue("early", client=True, since=1), clients.issue("server", "app.example.com")]:
        assert refused_in_handshake(gate, authority, pair), pair.certificate
    eventually(lambda: "a client's certificate was not accepted" in gate.log_text())
    assert ask(gate, "/machines/a", clients.issue("robot", client=True)).status == 200


def test_names_of_tls_and_of_the_request(make_mutual, ask, authority, clients):
    gate = make_mutual()
    robot = clients.issue("robot", client=True)
    with connect(gate, authority, robot) as connection:
        for host, status in [("app.example.com", 200), ("APP.example.com:443", 200), ("same.example.com", 200),
                             ("other.example.com", 421), ("app.example.com", 200), ("unknown.example.com", 421)]:
            connection.send(head("GET", "/public/a", host))
            assert connection.read().status == status, host
    # Without a certificate it is no different, and without a name in TLS there is nothing to disagree.
    assert ask(gate, "/public/a", host="other.example.com").status == 421
    assert ask(gate, "/.auth/jwks.json", host="auth.example.com").status == 421
    assert ask(gate, "/machines/a", robot, name=None).status == 200
    assert ask(gate, "/machines/a", robot, host="other.example.com", name="other.example.com").status == 200


def test_blocked_by_issuer_and_subject(make_mutual, ask, authority, clients):
    gate = make_mutual()
    robot = clients.issue("robot", client=True)
    with connect(gate, authority, robot) as connection:
        connection.send(head("GET", "/machines/a", "app.example.com"))
        assert connection.read().status == 200
        line = eventually(lambda: next(
            (line for line in gate.log_text().splitlines() if "certificate was shown for the first time" in line), None))
        told = json.loads(line)
        assert told["user"] == "cert:robot" and told["issuer"] == "CN=clients of a test"
        gate.cli("block", "add", "--issuer", told["issuer"], "--subject", told["subject"])
        connection.send(head("GET", "/machines/a", "app.example.com"))
        answer = connection.read()
        assert (answer.status, answer.code) == (401, "user_disabled")
        # A renewed certificate is the same subject; another one is not.
        assert ask(gate, "/machines/a", clients.issue("robot", client=True)).status == 401
        assert ask(gate, "/machines/a", clients.issue("other", client=True)).status == 200
        gate.cli("block", "remove", "--issuer", told["issuer"], "--subject", told["subject"])
        connection.send(head("GET", "/machines/a", "app.example.com"))
        assert connection.read().status == 200


def test_it_ends_while_the_connection_lasts(make_mutual, authority, clients):
    gate = make_mutual()
    short = clients.issue("short", client=True, seconds=4)
    with connect(gate, authority, short) as connection:
        connection.send(head("GET", "/machines/a", "app.example.com"))
        assert connection.read().status == 200

        def ended():
            connection.send(head("GET", "/machines/a", "app.example.com"))
            answer = connection.read()
            return answer.status == 401 and answer.code == "credential_expired"

        eventually(ended, 15)


def test_resumed_sessions_prove_no_more(make_mutual, authority, clients, tmp_path):
    """A ticket brings the certificate back; another file of authorities ends it, and so does a block."""
    ca = tmp_path / "ca.pem"
    replace(ca, clients.certificate.read_bytes())
    gate = make_mutual(client_ca=ca)
    robot = clients.issue("robot", client=True)
    session = tmp_path / "session"

    def openssl(*arguments):
        result = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gate.port}", "-servername", "app.example.com",
             "-CAfile", str(authority.certificate), "-ign_eof", *arguments],
            input=head("GET", "/machines/a", "app.example.com", [("Connection", "close")]),
            capture_output=True, timeout=30)
        text = result.stdout.decode("latin-1")
        status = re.search(r"HTTP/1\.1 (\d+)", text)
        return int(status.group(1)) if status else None, "Reused" in text

    for version in ["-tls1_2", "-tls1_3"]:
        session.unlink(missing_ok=True)
        shown = ["-cert", str(robot.certificate), "-key", str(robot.key)]
        assert openssl(version, *shown, "-sess_out", str(session)) == (200, False)
        status, _ = openssl(version, "-sess_in", str(session))
        assert status in (200, 401)
        told = next(json.loads(line) for line in gate.logged("for the first time").splitlines() if "for the first time" in line)
        names = ["--issuer", told["issuer"], "--subject", told["subject"]]
        gate.cli("block", "add", *names)
        assert openssl(version, "-sess_in", str(session))[0] == 401
        gate.cli("block", "remove", *names)
    stranger = Authority(tmp_path / "stranger", "stranger")
    replace(ca, stranger.certificate.read_bytes())
    eventually(lambda: "changed certificates are in force" in gate.log_text())
    assert openssl("-tls1_3", "-sess_in", str(session)) == (401, False)
    assert refused_in_handshake(gate, authority, robot)


def test_an_authority_that_is_taken_out_is_out_on_open_connections_too(make_mutual, authority, clients, tmp_path):
    """Adding one disturbs nobody; without the one that has issued it a certificate proves nobody from then on."""
    over = threading.Event()

    def behave(request, socket):
        if request.target != "/machines/stream":
            return answer()
        socket.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        over.wait(60)
        return None

    ca = tmp_path / "ca.pem"
    replace(ca, clients.certificate.read_bytes())
    gate = make_mutual(behave, client_ca=ca)
    robot = clients.issue("robot", client=True)
    stranger = Authority(tmp_path / "stranger", "stranger").certificate.read_bytes()

    def change(content):
        before = gate.log_text().count("changed certificates are in force")
        replace(ca, content)
        eventually(lambda: gate.log_text().count("changed certificates are in force") > before)

    try:
        with connect(gate, authority, robot) as connection, connect(gate, authority, robot) as stream:
            def ask(path="/machines/a"):
                connection.send(head("GET", path, "app.example.com"))
                return connection.read()

            stream.send(head("GET", "/machines/stream", "app.example.com"))
            assert stream.head()[1] == 200
            assert ask().status == 200
            change(clients.certificate.read_bytes() + stranger)
            assert ask().status == 200
            change(stranger)
            refused = ask()
            assert refused.status == 401 and refused.code == "credential_revoked" and refused["Connection"] == "close"
            with pytest.raises((Closed, ConnectionError)):
                while True:
                    stream._more()
        assert refused_in_handshake(gate, authority, robot)
    finally:
        over.set()


def test_over_http2_a_goaway_follows(make_mutual, authority, clients, tmp_path):
    """A client that goes on using its connection would be refused for ever, also with a certificate that is good."""
    ca = tmp_path / "ca.pem"
    stranger = Authority(tmp_path / "stranger", "stranger").certificate.read_bytes()
    replace(ca, clients.certificate.read_bytes() + stranger)
    gate = make_mutual(client_ca=ca)
    robot = clients.issue("robot", client=True)

    def client():
        context = authority.client_context()
        context.load_cert_chain(robot.certificate, robot.key)
        return Client(gate.port, context)

    with client() as kept:
        assert kept.request("/machines/a").status == 200
        replace(ca, clients.certificate.read_bytes())
        eventually(lambda: gate.log_text().count("changed certificates are in force") == 1)
        refused = kept.request("/machines/a")
        assert refused.status == 401 and b"credential_revoked" in refused.body
        kept.until_closed()
        assert [code for code, _ in kept.goaways][-1] == 0
    with client() as anew:
        assert anew.request("/machines/a").status == 200


def test_a_proxys_certificate_proves_nobody(make_mutual, ask, clients):
    gate = make_mutual(trusted_proxies=["127.0.0.1"])
    robot = clients.issue("robot", client=True)
    assert ask(gate, "/machines/a", robot).status == 401
    check = [("X-Original-URL", "https://app.example.com/machines/a"), ("X-Original-Method", "GET")]
    assert ask(gate, "/.auth/check/nginx", robot, headers=check).status in (401, 403)


def test_a_file_that_is_none(make_mutual, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    gate = make_mutual(client_ca=tmp_path / "ca.pem", start=False)
    result = gate.cli("check-config", check=False)
    assert result.returncode == 2 and "client_ca" in result.stderr and "holds no certificate" in result.stderr
