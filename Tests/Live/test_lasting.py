"""What lasts is judged again: who loses a tunnel or a stream, when, and who keeps one."""

import threading
import time

from support.echo import HOST, closed_after, dial, works
from support.waiting import eventually
from support.wire import Connection, head

# One second is what is promised; the rest is the test's own way there and back.
SOON = 1.5


def test_revoking_the_key_closes_its_tunnels_and_no_other(chat):
    gate = chat()
    second = gate.add_key("mary", "second")
    with dial(gate, key=second["key"]) as gone, dial(gate, key=gate.mary_key) as stays:
        assert works(gone) and works(stays)
        gate.cli("api-key", "revoke", second["id"])
        assert closed_after(gone) < SOON
        assert works(stays)
        assert gate.logged("its request would now be refused")
        assert gate.logged("credential_revoked")


def test_disabling_the_user_closes_her_tunnels(chat, echo):
    gate = chat()
    with dial(gate, key=gate.mary_key) as first, dial(gate, "/public/x", gate.mary_key) as known:
        with dial(gate, "/public/x") as anonymous:
            assert works(first) and works(known) and works(anonymous)
            gate.cli("user", "disable", "mary")
            assert closed_after(first) < SOON
            # Everyone may pass there, but the app was told that it is mary.
            assert closed_after(known) < SOON
            assert works(anonymous)
    assert eventually(lambda: echo.open == 0)


def test_other_groups_a_block_and_a_deletion_close_tunnels(chat):
    gate = chat()
    gate.add_user("ann", ["staff"])
    gate.add_user("bob", ["staff"])
    ann, bob = gate.add_key("ann")["key"], gate.add_key("bob")["key"]
    with dial(gate, key=gate.mary_key) as mary, dial(gate, key=ann) as anns, dial(gate, key=bob) as bobs:
        gate.cli("user", "set-groups", "mary", "visitors")
        assert closed_after(mary) < SOON
        gate.cli("block", "add", "--email", "ann@example.com")
        assert closed_after(anns) < SOON
        assert works(bobs)
        gate.cli("user", "delete", "bob")
        assert closed_after(bobs) < SOON


def test_a_tunnel_ends_with_its_key_and_its_session(chat):
    gate = chat()
    short = gate.add_key("mary", "short", expires="2s")["key"]
    token = gate.json("token", "issue", "--user", "mary")["access_token"]
    with dial(gate, headers={"Authorization": f"Bearer {token}"}) as session, dial(gate, key=short) as expiring:
        assert works(session) and works(expiring)
        assert closed_after(expiring) < 2 + SOON
        assert works(session)
        gate.cli("session", "revoke", gate.lines("session", "list")[0]["id"])
        assert closed_after(session) < SOON


def test_a_foreign_token_is_watched_too(chat, issuer):
    gate = chat(jwt={"issuers": [issuer.settings()]})
    blocked = issuer.token(sub="eve", email="eve@corp.example")
    with dial(gate, headers={"Authorization": f"Bearer {blocked}"}) as connection:
        assert works(connection)
        gate.cli("block", "add", "--issuer", issuer.name, "--subject", "eve")
        assert closed_after(connection) < SOON
    # A minute is given to the issuer's clock.
    ending = issuer.token(exp=int(time.time()) - 57)
    with dial(gate, headers={"Authorization": f"Bearer {ending}"}) as connection:
        assert works(connection)
        assert closed_after(connection) < 4 + SOON


def test_streams_are_watched_too(simple):
    """An event stream, a body without length, and an app that has not answered yet."""
    leave = threading.Event()

    def behave(request, connection):
        if request.target == "/chunks":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"3\r\none\r\n")
        elif request.target == "/close":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\none")
        leave.wait(30)

    gate = simple(behave)
    key = gate.add_key("mary", "streams")
    with Connection(gate.port) as chunks, Connection(gate.port) as close, Connection(gate.port) as silent:
        for path, connection in [("/chunks", chunks), ("/close", close), ("/silent", silent)]:
            connection.send(head("GET", path, HOST, [("X-API-Key", key["key"])]))
        assert chunks.head()[1] == 200 and close.head()[1] == 200
        assert chunks._until(b"one") == b"3\r\n"
        gate.cli("api-key", "revoke", key["id"])
        start = time.monotonic()
        assert silent.read().code == "credential_revoked"
        assert chunks.rest() in (b"\r\n", b"")
        close.rest()
        assert time.monotonic() - start < SOON
    leave.set()


def test_an_idle_tunnel_is_closed(chat):
    gate = chat(upstream={"idle_timeout": "1s"})
    with dial(gate, key=gate.mary_key) as connection:
        for _ in range(8):
            assert works(connection)
            threading.Event().wait(0.2)
        assert closed_after(connection) < 3
    assert gate.logged("a tunnel was idle for too long")


def test_an_idle_event_stream_is_closed(simple):
    def behave(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.recv(1)

    gate = simple(behave, upstream={"idle_timeout": "1s"})
    with Connection(gate.port) as connection:
        connection.send(head("GET", "/public/x", HOST))
        assert connection.head()[1] == 200
        assert connection.rest() == b""


def test_a_stop_waits_for_tunnels_and_then_cuts_them(chat):
    gate = chat(drain="1s")
    with dial(gate, key=gate.mary_key) as connection:
        assert works(connection)
        stopping = threading.Thread(target=gate.stop)
        stopping.start()
        assert works(connection)
        assert closed_after(connection) < 1 + SOON
        stopping.join()
