"""gRPC through Gatehouse: server and client are those of PyPI's `grpcio`, with bytes for messages."""

import concurrent.futures
import struct
import threading
import time

import grpc
import pytest

from support.certificates import Authority
from support.gatehouse import free_ports
from support.waiting import eventually
from support.wire import Connection, head

HOST = "app.example.com"
# One second is what is promised; the rest is the test's own way there and back.
SOON = 1.5
LARGE = [("grpc.max_send_message_length", 8 << 20), ("grpc.max_receive_message_length", 8 << 20)]


class Service(grpc.GenericRpcHandler):
    """`/test/NAME`: what a service may do, without a description to compile."""

    def __init__(self):
        self.metadata = []
        self.cancelled = threading.Event()
        self.streams = 0

    def service(self, details):
        self.metadata.append(list(details.invocation_metadata))
        return {
            "/test/Echo": grpc.unary_unary_rpc_method_handler(lambda request, _: request),
            "/test/Trailers": grpc.unary_unary_rpc_method_handler(self.trailers),
            "/test/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/test/Hang": grpc.unary_unary_rpc_method_handler(self.hang),
            "/test/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/test/Endless": grpc.unary_stream_rpc_method_handler(self.endless),
            "/test/Gather": grpc.stream_unary_rpc_method_handler(lambda requests, _: b"".join(requests)),
            "/test/Early": grpc.stream_unary_rpc_method_handler(self.early),
            "/test/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
            "/test/FailLate": grpc.unary_stream_rpc_method_handler(self.fail_late),
        }.get(details.method)

    def trailers(self, request, context):
        context.send_initial_metadata((("x-first", "1"),))
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\x00\x01\xff")))
        return request

    def fail(self, request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: \u00e4 \u2713 100%")

    def early(self, requests, context):
        next(requests)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")

    def hang(self, request, context):
        context.add_callback(self.cancelled.set)
        self.cancelled.wait(30)
        return b""

    def count(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number

    def endless(self, request, context):
        context.add_callback(self.cancelled.set)
        while context.is_active():
            yield b"tick"
            threading.Event().wait(0.05)

    def fail_late(self, request, context):
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "half")

    def talk(self, requests, context):
        self.streams += 1
        for request in requests:
            yield request.upper()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("grpc-authority"))


@pytest.fixture(params=["h2c", "https"])
def app(request, authority):
    """The gRPC server, plain or by TLS: `app.url`, `app.service`."""
    app = grpc.server(concurrent.futures.ThreadPoolExecutor(64), options=LARGE)
    app.service = Service()
    app.add_generic_rpc_handlers((app.service,))
    if request.param == "https":
        pair = authority.issue("grpc", "127.0.0.1")
        credentials = grpc.ssl_server_credentials([(pair.key_pem, pair.certificate_pem)])
        port = app.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = app.add_insecure_port("127.0.0.1:0")
    app.start()
    app.url = f"{request.param}://127.0.0.1:{port}"
    app.tls = {"tls": {"ca": str(authority.certificate)}} if request.param == "https" else {}
    yield app
    app.stop(None).wait()


@pytest.fixture
def gate(make_gate, app):
    gate = make_gate(
        start=False, upstreams={"app": {"url": app.url} | app.tls},
        routes=[{"name": "app", "host": [HOST], "upstream": "app", "audience": "grpc",
                 "rules": [{"allow": {"groups": ["staff"]}}]}])
    gate.mary = gate.add_user("mary", ["staff"], name="Mary Major")
    gate.mary_key = gate.add_key("mary")["key"]
    gate.app = app
    return gate.start()


@pytest.fixture
def channel(gate):
    with grpc.insecure_channel(f"127.0.0.1:{gate.port}", options=[("grpc.default_authority", HOST), *LARGE]) as channel:
        yield channel


@pytest.fixture
def key(gate):
    return (("x-api-key", gate.mary_key),)


# By HTTP/1.1: bodies and trailers as any client sees them


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def call(connection, gate, method, body, fields=()):
    connection.send(head("POST", f"/test/{method}", HOST, [
        ("Content-Type", "application/grpc"), ("TE", "trailers"), ("X-API-Key", gate.mary_key),
        ("Content-Length", str(len(body))), *fields]) + body)


def test_a_call_over_http1(gate):
    with Connection(gate.port) as connection:
        for size in (0, 5, 4 << 20):
            call(connection, gate, "Echo", message(b"x" * size))
            response = connection.read("POST")
            assert response.status == 200 and response["Content-Type"] == "application/grpc"
            assert response.body == message(b"x" * size)
            assert ("grpc-status", "0") in response.trailers
        call(connection, gate, "Trailers", message(b"a"))
        response = connection.read("POST")
        assert response["x-first"] == "1" and ("x-last", "2") in response.trailers
        call(connection, gate, "Fail", message(b"a"))
        response = connection.read("POST")
        status = dict(response.trailers).get("grpc-status") or response["grpc-status"]
        assert status == "5"
        call(connection, gate, "Absent", message(b"a"))
        response = connection.read("POST")
        assert (dict(response.trailers).get("grpc-status") or response["grpc-status"]) == "12"
    metadata = dict(gate.app.service.metadata[0])
    assert metadata["remote-user"] == "mary" and "x-api-key" not in metadata


def test_a_conversation_over_http1(gate):
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/test/Talk", HOST, [
            ("Content-Type", "application/grpc"), ("X-API-Key", gate.mary_key), ("Transfer-Encoding", "chunked")]))
        for number in range(20):
            piece = message(b"word %d" % number)
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            if number == 0:
                assert connection.head()[1] == 200
            got = b""
            while len(got) < len(piece):
                size = int(connection._until(b"\r\n"), 16)
                got += connection._exactly(size + 2)[:-2]
            assert got == message(b"WORD %d" % number)
        connection.send(b"0\r\n\r\n")
        assert b"grpc-status: 0" in connection._until(b"\r\n\r\n")


def test_a_revoked_key_ends_a_stream_over_http1(gate):
    second = gate.add_key("mary", "second")
    with Connection(gate.port) as connection:
        connection.send(head("POST", "/test/Endless", HOST, [
            ("Content-Type", "application/grpc"), ("X-API-Key", second["key"]), ("Content-Length", "5")])
            + message(b""))
        assert connection.head()[1] == 200
        gate.cli("api-key", "revoke", second["id"])
        start = time.monotonic()
        assert b"grpc-status" not in connection.rest()
        assert time.monotonic() - start < SOON
    assert gate.app.service.cancelled.wait(10)


# By HTTP/2, with the client of grpcio


def test_a_unary_call(channel, key, gate):
    assert channel.unary_unary("/test/Echo")(b"hello", metadata=key, timeout=10) == b"hello"


def test_streams_of_the_server_and_of_the_client(channel, key):
    assert list(channel.unary_stream("/test/Count")(b"500", metadata=key, timeout=20)) == [
        b"%d" % number for number in range(500)]
    assert channel.stream_unary("/test/Gather")(iter([b"a", b"bc", b"def"]), metadata=key, timeout=10) == b"abcdef"
    assert channel.stream_unary("/test/Gather")(iter([]), metadata=key, timeout=10) == b""
    assert list(channel.unary_stream("/test/Count")(b"0", metadata=key, timeout=10)) == []


def test_a_conversation(channel, key):
    """Each message is answered before the next is sent."""
    answered = threading.Semaphore(1)

    def words():
        for number in range(50):
            assert answered.acquire(timeout=10)
            yield b"word %d" % number

    got = []
    for answer in channel.stream_stream("/test/Talk")(words(), metadata=key, timeout=30):
        got.append(answer)
        answered.release()
    assert got == [b"WORD %d" % number for number in range(50)]


def test_metadata_both_ways(channel, key, gate):
    answer, done = channel.unary_unary("/test/Trailers").with_call(
        b"a", metadata=key + (("x-mine", "1"), ("x-mine-bin", b"\x00\xff")), timeout=10)
    assert answer == b"a"
    assert ("x-first", "1") in list(done.initial_metadata())
    trailing = dict(done.trailing_metadata())
    assert trailing["x-last"] == "2" and trailing["x-last-bin"] == b"\x00\x01\xff"
    seen = dict(gate.app.service.metadata[-1])
    assert seen["x-mine"] == "1" and seen["x-mine-bin"] == b"\x00\xff"


def test_who_it_is_arrives_and_what_is_forged_does_not(channel, key, gate):
    forged = (("remote-user", "eve"), ("remote_user", "eve"), ("x-forwarded-for", "6.6.6.6"),
              ("gatehouse-assertion", "forged"), ("x-remote-groups", "admins"))
    assert channel.unary_unary("/test/Echo")(b"", metadata=key + forged, timeout=10) == b""
    seen = gate.app.service.metadata[-1]
    assert [value for name, value in seen if name == "remote-user"] == ["mary"]
    assert [value for name, value in seen if name == "remote-groups"] == ["staff"]
    assert not {"remote_user", "x-remote-groups", "x-api-key"} & {name for name, _ in seen}
    assert not {"eve", "forged", "6.6.6.6", "admins", gate.mary_key} & {value for _, value in seen}
    assert [value for name, value in seen if name == "gatehouse-assertion"][0].count(".") == 2


def status_of(error):
    return error.value.code(), error.value.details()


@pytest.mark.parametrize("method", ["Fail", "Absent"])
def test_a_failure_with_its_words(channel, key, method):
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary(f"/test/{method}")(b"", metadata=key, timeout=10)
    if method == "Fail":
        assert status_of(error) == (grpc.StatusCode.NOT_FOUND, "no such thing: \u00e4 \u2713 100%")
    else:
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_failure_behind_messages(channel, key):
    call = channel.unary_stream("/test/FailLate")(b"", metadata=key, timeout=10)
    assert next(call) == b"one"
    with pytest.raises(grpc.RpcError) as error:
        next(call)
    assert status_of(error) == (grpc.StatusCode.DATA_LOSS, "half")


def test_an_early_end_while_the_client_sends(channel, key):
    going = threading.Event()

    def endless():
        while not going.is_set():
            yield b"x" * 1000

    with pytest.raises(grpc.RpcError) as error:
        channel.stream_unary("/test/Early")(endless(), metadata=key, timeout=20)
    going.set()
    assert status_of(error) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")


def test_a_deadline_and_a_cancel_reach_the_server(channel, key, gate):
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/test/Hang")(b"", metadata=key, timeout=0.5)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert gate.app.service.cancelled.wait(5)
    gate.app.service.cancelled.clear()
    call = channel.unary_stream("/test/Endless")(b"", metadata=key)
    assert next(call) == b"tick"
    call.cancel()
    assert gate.app.service.cancelled.wait(5)


def test_large_messages(channel, key):
    large = bytes(range(256)) * (4 << 12)
    assert channel.unary_unary("/test/Echo")(large, metadata=key, timeout=60) == large
    assert list(channel.stream_stream("/test/Talk")(iter([large] * 3), metadata=key, timeout=60)) == [large.upper()] * 3


def test_many_calls_at_once(channel, key):
    echo = channel.unary_unary("/test/Echo")
    calls = [echo.future(b"%d" % number * 100, metadata=key, timeout=60) for number in range(200)]
    assert [call.result() for call in calls] == [b"%d" % number * 100 for number in range(200)]


def test_without_a_credential(channel, gate):
    for metadata in ((), (("x-api-key", "gate_" + "0" * 49),)):
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/test/Echo")(b"", metadata=metadata, timeout=10)
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert gate.app.service.metadata == []


def test_a_revoked_key_ends_a_running_stream(channel, gate):
    second = gate.add_key("mary", "second")
    call = channel.unary_stream("/test/Endless")(b"", metadata=(("x-api-key", second["key"]),))
    assert next(call) == b"tick"
    gate.cli("api-key", "revoke", second["id"])
    start = time.monotonic()
    with pytest.raises(grpc.RpcError):
        for _ in call:
            pass
    assert time.monotonic() - start < SOON
    assert gate.app.service.cancelled.wait(5)


def test_a_conversation_outlives_a_reload(channel, key, gate):
    say = concurrent.futures.Future()
    answers = channel.stream_stream("/test/Talk")(iter_then(b"a", say), metadata=key, timeout=30)
    assert next(answers) == b"A"
    gate.write(gate.settings | {"log": {"format": "json", "level": "debug"}})
    gate.cli("reload")
    say.set_result(b"b")
    assert next(answers) == b"B"


def iter_then(first, later):
    yield first
    yield later.result(20)
