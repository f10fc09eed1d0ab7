"""HTTP/2 from clients with much to carry and at the end: cancelled streams, large bodies with back-pressure, drains."""

import hashlib
import json
import signal
import threading
import time

import pytest

from support.http2 import Client
from support.origins import answer
from support.waiting import eventually
from test_http2 import HOST, MIB


def test_a_cancelled_request_is_given_up(simple):
    gone = threading.Event()

    def behave(_, connection):
        if connection.recv(1) == b"":
            gone.set()

    gate = simple(behave)
    with Client(gate.port) as client:
        stream = client.start("/public/x")
        eventually(lambda: gate.origin.requests, what="the request")
        client.h2.reset_stream(stream, 8)
        client.flush()
        assert gone.wait(10)
        gate.origin.behave = lambda *_: answer()
        assert client.request("/public/x").status == 200


# Large bodies


def test_a_large_upload_and_a_slow_app(simple):
    """What the app does not take, the client keeps."""
    size, start, result = 50 * MIB, threading.Event(), {}

    def serve(request, connection):
        return answer()

    import socket as sockets
    listener = sockets.create_server(("127.0.0.1", 0))

    def app():
        connection, _ = listener.accept()
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        start.wait(30)
        rest = data.split(b"\r\n\r\n", 1)[1]
        digest, count = hashlib.sha1(rest), len(rest)
        while count < size:
            data = connection.recv(MIB)
            if not data:
                return
            digest.update(data)
            count += len(data)
        result["digest"] = digest.hexdigest()
        connection.sendall(answer())

    threading.Thread(target=app, daemon=True).start()
    gate = simple(serve, upstream={"url": [f"http://127.0.0.1:{listener.getsockname()[1]}"]})
    block = bytes(range(256)) * 256
    before = gate.anonymous_memory()
    with Client(gate.port, timeout=60) as client:
        stream = client.start("/public/x", "POST", headers=[("content-length", str(size))], end=False)
        sent, largest = 0, 0

        def wait_then_go():
            # The client is stuck by now: neither windows nor sockets take more.
            time.sleep(1)
            result["held"] = gate.anonymous_memory() - before
            start.set()

        threading.Thread(target=wait_then_go, daemon=True).start()
        while sent < size:
            client.send(stream, block, end=sent + len(block) >= size)
            sent += len(block)
            if sent % (8 * MIB) == 0:
                largest = max(largest, gate.anonymous_memory() - before)
        assert client.wait(stream).status == 200
    expected = hashlib.sha1()
    for _ in range(size // len(block)):
        expected.update(block)
    assert result["digest"] == expected.hexdigest()
    assert max(largest, result["held"]) < 24 * MIB, f"{largest / MIB:.1f} {result['held'] / MIB:.1f} MiB"
    listener.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_download_to_a_slow_reader(simple, chunked):
    size, block = 50 * MIB, bytes(range(256)) * 256

    def behave(_, connection):
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
        for _ in range(size // len(block)):
            connection.sendall(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        return b"0\r\n\r\n" if chunked else b""

    gate = simple(behave)
    before = gate.anonymous_memory()
    digest = hashlib.sha1()
    with Client(gate.port, timeout=60, acknowledge=False) as client:
        stream = client.start("/public/x")
        got = client.answers[stream]
        count, largest = 0, 0
        client.until(lambda: len(got.body) >= 65535)
        # The window is used up: nothing more comes, and nothing more is held.
        largest = gate.anonymous_memory() - before
        while True:
            data, got.body = got.body, b""
            digest.update(data)
            count += len(data)
            if data:
                client.h2.acknowledge_received_data(len(data), stream)
                client.flush()
            if count % (4 * MIB) < 65536:
                largest = max(largest, gate.anonymous_memory() - before)
            if got.over:
                break
            client.read()
        assert got.ended and count == size
    expected = hashlib.sha1()
    for _ in range(size // len(block)):
        expected.update(block)
    assert digest.hexdigest() == expected.hexdigest()
    assert largest < 24 * MIB, f"{largest / MIB:.1f} MiB"


# The end of a connection


def test_the_drain_says_goaway_and_ends_what_was_asked(simple):
    go = threading.Event()

    def behave(request, _):
        go.wait(20)
        return answer(request.target.encode())

    gate = simple(behave)
    with Client(gate.port) as client:
        streams = [client.start(f"/public/{number}") for number in range(10)]
        eventually(lambda: len(gate.origin.requests) == 10, what="the requests")
        stopping = threading.Thread(target=gate.stop)
        stopping.start()
        client.until(lambda: client.goaways)
        go.set()
        for number, stream in enumerate(streams):
            assert client.wait(stream).body == b"/public/%d" % number
        client.until_closed()
        assert [code for code, _ in client.goaways] == [0, 0]
        # First that it goes, then what it has taken.
        assert [last for _, last in client.goaways] == [2**31 - 1, streams[-1]]
        stopping.join()


def test_sigterm_under_load_loses_no_request(simple):
    """Clients with ten streams each; a GOAWAY ends a connection when its streams are answered."""
    gate = simple()
    failures, answered = [], [0]
    stop = threading.Event()

    def work():
        try:
            with Client(gate.port) as client:
                open_streams = set()
                while not stop.is_set():
                    while len(open_streams) < 10 and not client.goaways:
                        open_streams.add(client.start("/public/x"))
                    if client.goaways and not open_streams:
                        return
                    if not client.read():
                        last = client.goaways[-1][1] if client.goaways else 0
                        lost = [s for s in open_streams if s <= last and not client.answers[s].over]
                        if not client.goaways or lost:
                            failures.append(f"closed with {lost} open, {client.goaways}")
                        return
                    for stream in [s for s in open_streams if client.answers[s].over]:
                        open_streams.discard(stream)
                        answered[0] += 1
                        if client.answers[stream].status != 200:
                            failures.append(repr(client.answers[stream]))
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: answered[0] > 300, 30, "some answers")
    code = gate.stop(signal.SIGTERM)
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert code == 0 and not failures, failures[:3]


def test_a_connection_counts_once(simple):
    """Streams are not connections: the metrics and the list of what is open end at nothing."""
    gate = simple()
    with Client(gate.port) as client:
        for _ in range(3):
            streams = [client.start("/public/x") for _ in range(50)]
            for stream in streams:
                assert client.wait(stream).status == 200
        assert client.request("/public/x").status == 200
    assert gate.stop() == 0


def test_access_lines_are_those_of_http1(simple):
    gate = simple(log={"format": "json", "level": "info", "requests": "all"})
    with Client(gate.port) as client:
        client.request("/public/seen?x=1", headers=[("x-request-id", "my-id")])

    def line():
        for text in gate.log_text().splitlines():
            entry = json.loads(text)
            if entry["message"] == "request" and entry.get("request_id") == "my-id":
                return entry
        return None

    entry = eventually(line, what="the access line")
    assert (entry["method"], entry["host"], entry["path"], entry["status"]) == ("GET", HOST, "/public/seen", 200)
