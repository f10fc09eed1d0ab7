"""Connections of one event loop whose bytes come in turns: nobody gets what is another's."""

import threading

from support.wire import Connection, head

HOST = "app.example.com"


def test_requests_whose_halves_come_in_turns_are_not_mixed(simple):
    """A whole request before the first half shows when that was read."""
    gate = simple(workers=1)
    gate.add_user("ann", ["staff"])
    ann = gate.add_key("ann")["key"]
    whole = head("GET", "/public/first", HOST)
    asked = {
        "/mary": head("GET", "/mary", HOST, [("X-Filler", "x" * 20), ("X-API-Key", gate.mary_key), ("Accept", "*/*")]),
        "/public/ann": head("GET", "/public/ann", HOST, [("Gatehouse-Key", ann), ("X-Filler", "y"), ("Cookie", "a=b")]),
    }
    for cut in range(45, 150, 15):
        with Connection(gate.port) as mary, Connection(gate.port) as other:
            for connection, data in zip((mary, other), asked.values()):
                connection.send(whole + data[:cut])
                assert connection.read().status == 200
            for connection, data in zip((mary, other), asked.values()):
                connection.send(data[cut:])
            assert mary.read().status == 200 and other.read().status == 200
        seen = {request.target: request["Remote-User"] for request in gate.origin.requests[-2:]}
        assert seen == {"/mary": "mary", "/public/ann": "ann"}, cut


def test_answers_whose_halves_come_in_turns_are_not_mixed(simple):
    """An interim answer before the first half shows when that was read."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    answers = {
        "/a": (b"HTTP/1.1 200 OK\r\nX-Name: a\r\nContent-Length: 2\r\nServer: o", b"ne\r\n\r\naa"),
        "/b": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nServer: other\r\n", b"X-Name: b\r\n\r\n" + b"b" * 9),
    }
    halves = {target: threading.Event() for target in answers}

    def behave(request, connection):
        connection.sendall(hint + answers[request.target][0])
        halves[request.target].wait(20)
        connection.sendall(answers[request.target][1])

    gate = simple(behave, workers=1)
    with Connection(gate.port) as first, Connection(gate.port) as second:
        for connection, target in ((first, "/a"), (second, "/b")):
            connection.send(head("GET", target, HOST, [("X-API-Key", gate.mary_key)]))
            assert connection.head()[1] == 103
        for connection, name, length in ((first, "a", 2), (second, "b", 9)):
            halves[f"/{name}"].set()
            response = connection.read()
            assert response["X-Name"] == name and response.body == name.encode() * length
