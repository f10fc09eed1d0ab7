"""Certificates of listeners: renewed, wrong, expired; and what plain http redirects to."""

import os

from support.certificates import Authority, replace
from support.waiting import eventually
from support.wire import head
from test_tls import TLSConnection, authority, make_secure  # noqa: F401 - fixtures


# Files that change


def serial(gate, authority):
    with TLSConnection(gate.port, authority.client_context()) as connection:
        return connection.serial()


def expiry(gate, name="app.example.com"):
    text = gate.monitor_get("/metrics")[1]
    lines = [line for line in text.splitlines() if line.startswith(f'gatehouse_certificate_expiry_seconds{{name="{name}"}} ')]
    assert len(lines) == 1, text
    return int(lines[0].split()[-1])


def test_renewed_certificates_are_taken(make_secure, authority, tmp_path):
    old = Authority.issue(authority, "renewed", "app.example.com")
    gate = make_secure(old)
    assert serial(gate, authority) == old.serial
    assert 9 * 86400 < expiry(gate) <= 10 * 86400
    with TLSConnection(gate.port, authority.client_context()) as before:
        new = authority.issue("renewed", "app.example.com", days=20)
        eventually(lambda: serial(gate, authority) == new.serial, 10, "the new certificate")
        assert 19 * 86400 < expiry(gate) <= 20 * 86400
        before.send(head("GET", "/public/x", "app.example.com"))
        assert before.read().status == 200, "who is connected stays so"
    assert gate.logged("changed certificates are in force")


def test_a_bad_renewal_keeps_the_old(make_secure, authority):
    pair = authority.issue("kept", "app.example.com")
    gate = make_secure(pair)
    for content in (b"nonsense", b"", authority.issue("stranger", "app.example.com").certificate_pem):
        mark = gate.log_text().count("changed certificates cannot be used")
        replace(pair.certificate, content)
        eventually(lambda: gate.log_text().count("changed certificates cannot be used") > mark, 10, "the log line")
        assert serial(gate, authority) == pair.serial
    os.unlink(pair.certificate)
    os.chmod(pair.key, 0o644)
    replace(pair.certificate, pair.certificate_pem)
    eventually(lambda: "may be read by others" in gate.log_text(), 10, "the log line about the key")
    assert serial(gate, authority) == pair.serial
    assert "PRIVATE" not in gate.log_text()
    new = authority.issue("kept", "app.example.com")
    eventually(lambda: serial(gate, authority) == new.serial, 10, "the mended certificate")


# The configuration


def check(gate, pair, *more):
    result = gate.cli("check-config", *more, check=False)
    return result.returncode, result.stdout + result.stderr


def test_mistakes_are_found_before_the_start(make_secure, authority):
    good = authority.issue("good", "app.example.com")
    other = authority.issue("other", "app.example.com")
    gate = make_secure(good, start=False)
    assert check(gate, good)[0] == 0
    os.chmod(good.key, 0o640)
    code, text = check(gate, good)
    assert code == 2 and "may be read by others (mode 0640)" in text
    replace(good.key, other.key_pem, 0o600)
    code, text = check(gate, good)
    assert code == 2 and "does not belong to the certificate" in text
    place = f"{gate.config}:"
    lines = [line for line in text.splitlines() if "does not belong" in line]
    assert len(lines) == 1 and place in lines[0] and "listen[0].tls.certificates[0].private_key: " in lines[0], text
    replace(good.key, b"nonsense", 0o600)
    assert "holds no private key in PEM" in check(gate, good)[1]
    replace(good.certificate, b"nonsense")
    assert "holds no certificate in PEM" in check(gate, good)[1]


def test_an_expired_certificate_is_a_warning(make_secure, authority):
    old = authority.issue("expired", "app.example.com", since=-10, days=-1)
    gate = make_secure(old, start=False)
    code, text = check(gate, old)
    assert code == 0 and "warning: " in text and "expired on 2" in text and str(old.certificate) in text
    assert check(gate, old, "--strict")[0] == 2
    future = authority.issue("future", "app.example.com", since=2, days=9)
    gate = make_secure(future, start=False, name="future")
    assert "holds only from 2" in check(gate, future)[1]
