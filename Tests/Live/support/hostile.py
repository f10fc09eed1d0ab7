"""An app's server that misbehaves: a table of ways, one entry a case. What the client must see stands beside each."""

import dataclasses
import socket
import struct
import threading
import typing

CUT = "cut"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclasses.dataclass(frozen=True)
class Case:
    """`play(server, connection)`: what happens once the head of the request has been read; bytes are sent as they are.
    Behind both the connection is closed, unless `play` returned True."""

    name: str
    play: typing.Union[bytes, typing.Callable]
    # What the client is told; CUT: the answer ends before its end, or never begins.
    status: typing.Union[int, str] = 502
    # Of the metric and the log line; None: it is no failure.
    kind: typing.Optional[str] = "malformed"
    method: str = "GET"
    body: bytes = b""
    # What the request says of its body's length, where that is more than is sent.
    announced: int = 0
    # A request that was answered goes before it on the same connection.
    reused: bool = False
    # How often the server must have seen the request.
    seen: int = 1
    expected: typing.Optional[bytes] = None
    # Sent on the same connection after the client has its answer.
    afterwards: bytes = b""

    def __str__(self):
        return self.name


def reset(_, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(server, connection):
    server.wait_for_end(connection)


def dribble(server, connection):
    """A byte at a time, for as long as anybody listens."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 4000:
        connection.sendall(bytes([byte]))
        if server.stopped.wait(0.1):
            return


def then_hang(data):
    def play(server, connection):
        connection.sendall(data)
        server.wait_for_end(connection)

    return play


def early(data):
    """Answers before the body is complete, and takes the rest."""

    def play(server, connection):
        connection.sendall(data)
        server.wait_for_end(connection)

    return play


def early_close(data):
    def play(server, connection):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        server.wait_for_end(connection)

    return play


def keep(data):
    """Answers and waits for another request."""

    def play(_, connection):
        connection.sendall(data)
        return True

    return play


def once(first, then=OK):
    """`first` happens the first time, and the connection is closed; `then` is the answer to every other."""

    def play(server, connection):
        if server.plays == 1:
            return first(server, connection) if callable(first) else connection.sendall(first)
        connection.sendall(then)
        return True

    return play


def chunked(data):
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data


def head(*lines, body=b"ok"):
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]) + body


DIES = [
    Case("reset instead of an answer", reset, kind="closed"),
    Case("closed without an answer", b"", kind="closed"),
    Case("closed without an answer, twice, the first on a used connection", b"", kind="closed", reused=True, seen=2),
    Case("a used connection is closed", once(b""), 200, None, reused=True, seen=2, expected=b"ok"),
    Case("a used connection is reset", once(reset), 200, None, reused=True, seen=2, expected=b"ok"),
    Case("a used connection is closed under a POST", b"", kind="closed", method="POST", body=b"x", reused=True),
    Case("a used connection is closed under an empty POST", b"", kind="closed", method="POST", reused=True),
    Case("a used connection is closed under a PUT", b"", kind="closed", method="PUT", body=b"x", reused=True),
    Case("a used connection is closed under an empty PUT", once(b""), 200, None, "PUT", reused=True, seen=2,
         expected=b"ok"),
    Case("a used connection is closed under a DELETE", once(b""), 200, None, "DELETE", reused=True, seen=2,
         expected=b"ok"),
    Case("a used connection is closed under an unknown method", b"", kind="closed", method="FROB", reused=True),
    Case("a fresh connection is closed under a DELETE", once(b""), 502, "closed", "DELETE"),
    Case("closed in its head on a used connection", b"HTTP/1.1 200 OK\r\nContent-", kind="closed", reused=True),
    Case("closed in the status line", b"HTTP/1.1 2", kind="closed"),
    Case("closed in a header line", b"HTTP/1.1 200 OK\r\nContent-Length: 2", kind="closed"),
    Case("closed before the end of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", kind="closed"),
    Case("closed behind an interim answer", b"HTTP/1.1 103 Early Hints\r\n\r\n", kind="closed"),
    Case("closed in a body of known length", head(b"Content-Length: 10", body=b"half"), CUT, "closed"),
    Case("closed in a chunk's size", chunked(b"5\r\nhello\r\n5"), CUT, "closed"),
    Case("closed in a chunk", chunked(b"5\r\nhe"), CUT, "closed"),
    Case("closed behind a chunk", chunked(b"5\r\nhello\r\n"), CUT, "closed"),
    Case("closed in the last chunk", chunked(b"5\r\nhello\r\n0\r\n"), CUT, "closed"),
    Case("closed in a trailer", chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1"), CUT, "closed"),
]

HANGS = [
    Case("never answers", hang, 504, "first_byte_timeout"),
    Case("never answers on a used connection", hang, 504, "first_byte_timeout", reused=True),
    Case("never answers after an interim answer", then_hang(b"HTTP/1.1 103 Early Hints\r\n\r\n"), 504,
         "first_byte_timeout"),
    Case("stops in its head", then_hang(b"HTTP/1.1 200 OK\r\nContent-Len"), 504, "first_byte_timeout"),
    Case("sends its head a byte at a time", dribble, 504, "first_byte_timeout"),
    Case("stops in a body of known length", then_hang(head(b"Content-Length: 10", body=b"half")), CUT, "idle_timeout"),
    Case("stops in a chunk", then_hang(chunked(b"5\r\nhe")), CUT, "idle_timeout"),
    Case("stops in a body until the close", then_hang(head(body=b"half")), CUT, "idle_timeout"),
    Case("takes no body and says nothing", hang, 504, "first_byte_timeout", method="POST", body=b"x" * 100),
]

GARBAGE = [
    Case("no HTTP", b"hello world\r\n\r\n"),
    Case("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n"),
    Case("HTTP/0.9", b"<html>hello</html>\n"),
    Case("HTTP/1.2", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("HTTP/2 frames", b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 4, kind="closed"),
    Case("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x50" + b"\x00" * 20, kind="closed"),
    Case("status of two digits", b"HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("status below 100", b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("status of four digits", b"HTTP/1.1 1000 OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("status that is no number", b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("negative status", b"HTTP/1.1 -20 OK\r\nContent-Length: 2\r\n\r\nok"),
    Case("no status", b"HTTP/1.1 \r\nContent-Length: 2\r\n\r\nok"),
    Case("lines end in LF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    Case("two lengths", head(b"Content-Length: 2", b"Content-Length: 3")),
    Case("two equal lengths", head(b"Content-Length: 2", b"Content-Length: 2")),
    Case("a list of lengths", head(b"Content-Length: 2, 2")),
    Case("a signed length", head(b"Content-Length: +2")),
    Case("a hexadecimal length", head(b"Content-Length: 0x2")),
    Case("a length beyond 64 bits", head(b"Content-Length: 99999999999999999999")),
    Case("length and chunked", head(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    Case("chunked and length", head(b"Transfer-Encoding: chunked", b"Content-Length: 2", body=b"0\r\n\r\n")),
    Case("another coding", head(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    Case("chunked twice", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
    Case("a vertical tab before chunked", head(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n")),
    Case("chunked in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case("a folded line", head(b"X: a", b" b", b"Content-Length: 2")),
    Case("a space before the colon", head(b"Content-Length : 2")),
    Case("a line without a colon", head(b"Content-Length 2")),
    Case("an empty name", head(b": x", b"Content-Length: 2")),
    Case("a name that is no token", head(b"X(y): x", b"Content-Length: 2")),
    Case("NUL in a value", head(b"X: a\x00b", b"Content-Length: 2")),
    Case("NUL in a name", head(b"X\x00Y: a", b"Content-Length: 2")),
    Case("a bare CR in a value", head(b"X: a\rSet-Cookie: b", b"Content-Length: 2")),
    Case("an endless status line", b"HTTP/1.1 200 " + b"a" * 200_000),
    Case("an endless line", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000),
    Case("a head over 64 KiB", head(*[b"X: " + b"a" * 1000] * 70, b"Content-Length: 2")),
    Case("10,000 header lines", head(*[b"X: y"] * 10_000, b"Content-Length: 2")),
    Case("100 interim answers", b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + OK),
    Case("an interim answer with a body", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nhello" + OK),
    Case("a 101 that nobody asked for",
         b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    Case("a 204 that announces a body", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
    Case("a 204 that announces chunks", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    Case("garbage on a used connection", b"hello world\r\n\r\n", reused=True),
]

CHUNKS = [
    Case("a chunk size beyond 64 bits", chunked(b"FFFFFFFFFFFFFFFFF\r\nhello")),
    Case("a chunk size of 2^63", chunked(b"8000000000000000\r\nhello")),
    Case("a negative chunk size", chunked(b"-5\r\nhello\r\n0\r\n\r\n")),
    Case("a chunk size with 0x", chunked(b"0x5\r\nhello\r\n0\r\n\r\n")),
    Case("a chunk size with a blank", chunked(b"5 \r\nhello\r\n0\r\n\r\n")),
    Case("no chunk size", chunked(b"\r\nhello\r\n0\r\n\r\n")),
    Case("a chunk size that ends in LF", chunked(b"5\nhello\r\n0\r\n\r\n")),
    Case("a chunk longer than its size", chunked(b"5\r\nhello!\r\n0\r\n\r\n")),
    Case("an extension of 100 kB", chunked(b"5;x=" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"), (502, CUT)),
    Case("10,000 chunks with extensions", chunked(b"1;x=aaaaaaaaaaaaaaaa\r\nx\r\n" * 10_000 + b"0\r\n\r\n"),
         (502, CUT)),
    Case("an extension that is no token", chunked(b"5;\x01\r\nhello\r\n0\r\n\r\n")),
    Case("a trailer that is no header line", chunked(b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n")),
    Case("1,000 trailers", chunked(b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), (502, CUT)),
    Case("a bad size behind a good chunk", then_hang(chunked(b"5\r\nhello\r\nZZ\r\n"))),
]

# What is strange but has an answer, and must not harm the next one.
POISON = [
    Case("a second answer behind the first", keep(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"), 200, None,
         expected=b"ok"),
    Case("a second answer later", keep(OK), 200, None, expected=b"ok",
         afterwards=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"),
    Case("nonsense behind the answer", keep(OK + b"\r\n\r\n"), 200, None, expected=b"ok"),
    Case("an interim answer later", keep(OK), 200, None, expected=b"ok", afterwards=b"HTTP/1.1 100 Continue\r\n\r\n"),
    Case("bytes behind the last chunk", keep(chunked(b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")), 200, None,
         expected=b"ok"),
    Case("a body behind a HEAD's answer", keep(head(b"Content-Length: 5", body=b"hello")), 200, None, method="HEAD",
         expected=b""),
    Case("a body behind a 204", keep(b"HTTP/1.1 204 No Content\r\n\r\nhello"), 204, None, expected=b""),
    Case("a body behind a 304", keep(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello"), 304, None,
         expected=b""),
    Case("a 205 with a body", keep(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello"), 205, None,
         expected=b"hello"),
    Case("keep-alive, then a close", OK, 200, None, expected=b"ok"),
    Case("a body until the close", head(b"Connection: keep-alive", body=b"until the end"), 200, None,
         expected=b"until the end"),
    Case("an empty body until the close", head(body=b""), 200, None, expected=b""),
    Case("an unknown status", keep(b"HTTP/1.1 799 Whatever\r\nContent-Length: 2\r\n\r\nok"), 799, None, expected=b"ok"),
    Case("an error of its own", keep(b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"), 500, None, expected=b"no"),
    Case("30 interim answers", keep(b"HTTP/1.1 102 Processing\r\n\r\n" * 30 + OK), 200, None, expected=b"ok"),
    Case("forbidden trailers", keep(chunked(
        b"2\r\nok\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\nHost: x\r\n"
        b"Remote-User: root\r\nX-Sum: 1\r\n\r\n")), 200, None, expected=b"ok"),
]

EARLY = [
    Case("answers early and keeps the connection",
         early(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno"), 413, None, "POST", b"a" * 1000, 1_000_000,
         expected=b"no"),
    Case("answers early and closes",
         early_close(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"), 413, None, "POST",
         b"a" * 1000, 1_000_000, expected=b"no"),
    Case("answers early, in chunks", early(chunked(b"2\r\nno\r\n0\r\n\r\n")), 200, None, "POST", b"a" * 1000, 1_000_000,
         expected=b"no"),
    Case("answers early with nonsense", early(b"nonsense\r\n\r\n"), 502, "malformed", "POST", b"a" * 1000, 1_000_000),
    Case("closes early without an answer", b"", 502, "closed", "POST", b"a" * 1000, 1_000_000),
]

CASES = DIES + HANGS + GARBAGE + CHUNKS + POISON + EARLY


class HostileServer:
    """Answers properly, but for the path of the case: `/public/case`."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopped = threading.Event()
        self.case = None
        # How often the case was asked for.
        self.plays = 0
        self.answered = threading.Event()
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def prepare(self, case):
        self.answered.clear()
        self.ended.clear()
        self.plays = 0
        self.case = case

    def cut(self):
        """Ends every connection, as a server does that is tired of idle ones."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.stopped.set()
        self.listener.close()
        self.cut()

    def wait_for_end(self, connection):
        """Takes what still comes until the other side has closed."""
        connection.settimeout(30)
        while not self.stopped.is_set() and connection.recv(65536):
            pass

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with self._lock:
            self._open.add(connection)
        try:
            while self._one(connection):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _one(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(65536)
            if not data:
                return False
            request += data
        if not request.split(b" ")[1] == b"/public/case":
            connection.sendall(OK)
            return True
        self.plays += 1
        case = self.case
        if not callable(case.play):
            connection.sendall(case.play)
            return False
        goes_on = case.play(self, connection)
        if case.afterwards:
            self.answered.wait(10)
            connection.sendall(case.afterwards)
            # The connection must not be used again: nothing but its end comes.
            connection.settimeout(10)
            if connection.recv(1) == b"":
                self.ended.set()
            return False
        return goes_on
