"""The outbox and its mail server: what arrives, what never leaves, and that nothing is lost."""

import json
import threading

import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.mail import MailServer, ScriptedServer
from support.waiting import eventually

FROM = "Gatehouse für alle <auth@example.com>"


@pytest.fixture
def servers():
    made = []

    def make(kind=MailServer, *arguments, **settings):
        made.append(kind(*arguments, **settings))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture
def post(make_gate, make_origin):
    """A server that mails by `server`, with mary, who has no key yet."""

    def make(server, environment=None, start=True, **smtp):
        gate = make_gate(
            start=False, environment=environment, upstreams={"app": {"url": [make_origin().url]}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app",
                     "rules": [{"allow": {"groups": ["staff"]}}]}],
            mail={"from": FROM,
                  "smtp": {"host": "127.0.0.1", "port": server.port, "security": "none"} | smtp})
        gate.add_user("mary", ["staff"], name="Mary Major")
        return gate.start() if start else gate

    return make


def password(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "smtp.password"
    file.write_text(text + "\n")
    file.chmod(0o600)
    return {"file": str(file)}


def outbox(gate):
    return gate.lines("outbox", "list")


def waits(gate, state="queued", attempts=1, **fields):
    """The only mail in the outbox, once it was tried."""

    def look():
        rows = outbox(gate)
        assert len(rows) == 1, rows
        row = rows[0]
        return row if row["state"] == state and row["attempts"] >= attempts and "last_error" in row else None

    return eventually(look, 20, f"a mail that is {state}")


def is_empty(gate):
    eventually(lambda: not outbox(gate), 20, "an empty outbox")


def metrics(gate):
    text = gate.monitor_get("/metrics")[1]
    return {line.split('"')[1]: int(line.split()[-1]) for line in text.splitlines()
            if line.startswith("gatehouse_outbox{")}


def test_a_mail_arrives_whole(post, servers):
    server = servers()
    gate = post(server)
    # Dots at the beginnings of lines, and more than a line holds.
    name = "." * 50 + " „Gruß“ <b>&amp;"
    key = gate.add_key("mary", name)
    mail = server.mail()
    assert mail.recipients == ["mary@example.com"] and mail.sender == "auth@example.com"
    assert mail["To"] == "mary@example.com"
    assert mail["From"].addresses[0].display_name == "Gatehouse für alle"
    assert mail["From"].addresses[0].addr_spec == "auth@example.com"
    assert mail["Subject"] == "New API key at auth.example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].startswith("<mail_") and mail["Message-ID"].endswith("@example.com>")
    assert mail["Date"].datetime.tzinfo is not None
    assert mail.greeting == "auth.example.com"
    assert not mail.defects and not any(part.defects for part in mail.walk())
    assert mail.get_content_type() == "multipart/alternative"
    plain = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert f"“{name}”" in plain and key["prefix"] in plain and key["key"] not in plain
    assert "Gruß“ &lt;b&gt;&amp;amp;" in html and "<b>" not in html
    assert all(byte < 0x80 for byte in mail.raw)
    assert all(len(line) <= 78 for line in mail.raw.split(b"\r\n"))
    is_empty(gate)
    assert metrics(gate) == {"queued": 0, "sending": 0, "failed": 0}


def test_service_accounts_get_no_mail(post, servers):
    server = servers()
    gate = post(server)
    gate.add_user("robot", ["staff"], service=True)
    gate.add_key("robot")
    gate.add_key("mary", "a key")
    assert server.mail().recipients == ["mary@example.com"]
    is_empty(gate)
    assert len(server.mails) == 1


def test_starttls(post, servers, authority):
    certificate = authority.issue("mail", "127.0.0.1")
    server = servers(certificate=certificate)
    gate = post(server, {"SSL_CERT_FILE": str(authority.certificate)}, security="starttls")
    gate.add_key("mary")
    assert server.mail().secure


def test_tls_from_the_first_byte(post, servers, authority):
    server = servers(certificate=authority.issue("mail", "127.0.0.1"), implicit=True)
    gate = post(server, {"SSL_CERT_FILE": str(authority.certificate)}, security="tls")
    gate.add_key("mary")
    assert server.mail().secure


def test_without_starttls_nothing_is_said(post, servers, tmp_path):
    server = servers(ScriptedServer, {})
    gate = post(server, security="starttls", username="me", password=password(tmp_path, "hunter2hunter2"))
    gate.add_key("mary")
    row = waits(gate)
    assert "STARTTLS" in row["last_error"]
    assert {line.split()[0] for line in server.lines} <= {"EHLO", "STARTTLS", "QUIT"}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_believed_gets_no_mail(post, servers, authority, tmp_path, security):
    stranger = Authority(tmp_path / "stranger", "stranger")
    server = servers(certificate=stranger.issue("mail", "127.0.0.1"), implicit=security == "tls")
    gate = post(server, {"SSL_CERT_FILE": str(authority.certificate)}, security=security)
    gate.add_key("mary")
    assert "TLS" in waits(gate)["last_error"]
    assert server.mails == []


def test_sign_in_at_the_server(post, servers, authority, tmp_path):
    server = servers(certificate=authority.issue("mail", "127.0.0.1"), login=("me", "correct horse ü"))
    gate = post(server, {"SSL_CERT_FILE": str(authority.certificate)}, security="starttls", username="me",
                password=password(tmp_path, "correct horse ü"))
    gate.add_key("mary")
    assert server.mail().secure


def test_a_wrong_password_loses_no_mail(post, servers, authority, tmp_path):
    server = servers(certificate=authority.issue("mail", "127.0.0.1"), login=("me", "correct horse"))
    gate = post(server, {"SSL_CERT_FILE": str(authority.certificate)}, security="starttls", username="me",
                password=password(tmp_path, "hunter2hunter2"))
    gate.add_key("mary")
    row = waits(gate)
    assert "username and password" in row["last_error"]
    assert "hunter2" not in gate.log_text() and "hunter2" not in json.dumps(row)
    # The operator mends it: a reload reads the file again.
    password(tmp_path, "correct horse")
    gate.cli("reload")
    gate.cli("outbox", "retry", row["id"])
    server.mail()
    is_empty(gate)


def test_a_server_that_puts_off_gets_the_same_mail_later(post, servers):
    server = servers()
    server.on_recipient = lambda address: "451 greylisted, come back"
    gate = post(server)
    gate.add_key("mary")
    row = waits(gate)
    assert "451" in row["last_error"] and row["next_attempt_at"] > row["created_at"]
    server.on_recipient = lambda address: None
    assert gate.json("outbox", "retry", row["id"]) == {"mails": 1}
    assert server.mail()["Message-ID"] == f"<{row['id']}@example.com>"
    is_empty(gate)
    gate.event(event_type="outbox_retried")


def test_a_refused_mail_is_dead_until_the_operator_says_so(post, servers):
    server = servers()
    server.on_recipient = lambda address: "550 no such mailbox"
    gate = post(server)
    gate.add_key("mary", "one")
    row = waits(gate, "failed")
    assert "550 no such mailbox" in row["last_error"] and "next_attempt_at" not in row
    assert metrics(gate) == {"queued": 0, "sending": 0, "failed": 1}
    assert gate.logged("given up")
    # Not this one alone: the next mail goes out.
    server.on_recipient = lambda address: None
    gate.add_key("mary", "two")
    server.mail()
    assert gate.json("outbox", "retry", "--failed") == {"mails": 1}
    assert f"<{row['id']}@example.com>" == server.mail(2)["Message-ID"]
    is_empty(gate)


def test_dropped_mails_are_gone_and_audited(post, servers):
    server = servers()
    server.on_content = lambda: "554 we do not want this"
    gate = post(server)
    gate.add_key("mary")
    row = waits(gate, "failed")
    assert gate.json("outbox", "drop", row["id"]) == {"mails": 1}
    assert outbox(gate) == []
    assert gate.event(event_type="outbox_dropped")["metadata"]["mail"] == row["id"]
    assert gate.cli("outbox", "drop", row["id"], check=False).returncode == 3
    assert gate.cli("outbox", "retry", "mail_none", check=False).returncode == 3
    assert gate.cli("outbox", "drop", check=False).returncode == 2


def test_a_dead_server_loses_nothing_and_blocks_nothing(post, servers):
    class Nobody:
        port = free_ports(1)[0]

    gate = post(Nobody)
    keys = [gate.add_key("mary", f"key {number}")["key"] for number in range(3)]
    eventually(lambda: any("last_error" in row for row in outbox(gate)), 20, "an attempt")
    assert gate.get("/", key=keys[0]).status == 200
    rows = outbox(gate)
    assert len(rows) == 3 and all(row["state"] != "failed" for row in rows)
    # One attempt tells that nobody is there; the other mails are not tried one by one.
    assert sum(row["attempts"] for row in rows) <= 2
    server = servers()
    gate.settings["mail"]["smtp"]["port"] = server.port
    gate.write(gate.settings)
    gate.cli("reload")
    for row in outbox(gate):
        if "last_error" in row:
            gate.cli("outbox", "retry", row["id"])
    server.mail(3)
    is_empty(gate)


@pytest.mark.parametrize("script, greeting", [
    ({"EHLO": None, "HELO": None}, "220 hello"),
    ({"MAIL": None}, "220 hello"),
    ({"RCPT": None}, "220 hello"),
    ({"DATA": None}, "220 hello"),
    ({".": None}, "220 hello"),
    ({}, None),
    ({}, "554 go away"),
    ({}, "421 too busy"),
    ({}, "what is this"),
    ({"MAIL": "530 sign in first"}, "220 hello"),
    ({"RCPT": "421 closing"}, "220 hello"),
], ids=lambda value: str(value))
def test_a_server_that_breaks_off_loses_nothing(post, servers, script, greeting):
    server = servers(ScriptedServer, script, greeting=greeting)
    gate = post(server)
    gate.add_key("mary")
    row = waits(gate)
    assert row["last_error"]


def test_a_hanging_server_blocks_nothing(post, servers):
    arrived, go = threading.Event(), threading.Event()

    def hang():
        arrived.set()
        go.wait(60)

    server = servers(ScriptedServer, {"EHLO": hang})
    gate = post(server)
    key = gate.add_key("mary")["key"]
    assert arrived.wait(20)
    eventually(lambda: metrics(gate)["sending"] == 1, 10, "a mail in hand")
    assert gate.get("/", key=key).status == 200
    row = outbox(gate)[0]
    assert row["state"] == "sending"
    assert gate.cli("outbox", "drop", row["id"], check=False).returncode == 1
    # A stop does not wait for it, and the mail stays.
    assert gate.stop() == 0
    go.set()
    assert [row["state"] for row in outbox(gate)] == ["queued"]


def test_kill_between_sending_and_deleting_sends_again(post, servers):
    """At least once, and the second can be known by its Message-ID."""
    killed = threading.Event()
    server = servers()
    gate = post(server)

    def die():
        gate.kill()
        killed.set()
        return "250 taken"

    server.on_content = die
    gate.add_key("mary")
    first = server.mail()
    assert killed.wait(20)
    assert [row["state"] for row in outbox(gate)] == ["sending"]
    server.on_content = lambda: None
    gate.start()
    assert server.mail(2)["Message-ID"] == first["Message-ID"]
    assert server.mails[1].raw == first.raw
    is_empty(gate)


def test_mail_to_the_log_and_to_nobody(simple):
    gate = simple(mail="log")
    gate.add_key("mary", "to the log")
    eventually(lambda: "to the log" in gate.log_text(), 20, "the mail in the log")
    is_empty(gate)
    gate.write(gate.settings | {"mail": "none"})
    gate.cli("reload")
    gate.add_key("mary", "to nobody")
    assert outbox(gate) == []
    assert "to nobody" not in gate.log_text()
