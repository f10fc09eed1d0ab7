"""What is kept for clients of HTTP/1.1 that take nothing, or do nothing: little, whatever came before."""

import socket

from support.origins import answer
from support.wire import Connection, head

HOST = "app.example.com"
BLOCK = b"x" * 65_000
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           + b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK) * 20 + b"0\r\n\r\n")


def fill(connection, request):
    """Sends the request again and again until nobody takes any more."""
    batch = request * 200
    sent = 0
    connection.settimeout(0.3)
    try:
        while True:
            sent += connection.send(batch[sent % len(request):])
    except TimeoutError:
        pass


def test_small_answers_that_nobody_reads_are_kept_small(simple):
    gate = simple(workers=1, behave=lambda request, _: CHUNKED if request.target == "/public/large" else answer())
    # What the server writes its answers into has become large by this.
    for _ in range(3):
        assert gate.get("/public/large").status == 200
    before = gate.anonymous_memory()
    clients = []
    for _ in range(16):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", gate.port))
        fill(client, b"OPTIONS * HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
        clients.append(client)
    each = (gate.anonymous_memory() - before) / len(clients)
    # A build for users needs 4 MiB where each answer keeps a buffer like the largest.
    assert each < 5 << 19, each
    for client in clients:
        client.close()
    assert gate.get("/public/x").status == 200


def test_a_large_head_is_not_kept_while_its_connection_is_idle(simple):
    gate = simple(workers=1)
    count = 300

    def idle(size):
        clients = [Connection(gate.port) for _ in range(count)]
        for client in clients:
            client.send(head("GET", "/public/x", HOST, [("X-Large", "a" * size)]))
            assert client.read().status == 200
        return clients

    # What a connection needs in any case is there before it is measured.
    for client in idle(100):
        client.close()
    before = gate.anonymous_memory()
    clients = idle(30_000)
    each = (gate.anonymous_memory() - before) / count
    for client in clients:
        client.close()
    # 60 KiB where the head is kept.
    assert each < 28 << 10, each
