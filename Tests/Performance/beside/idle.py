"""Memory of idle tunnels: WebSocket connections that are opened and left alone."""

import base64
import hashlib
import os
import resource
import selectors
import socket
import subprocess
import sys
from pathlib import Path

from .processes import anonymous_kilobytes

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def measure(gate, key, wanted, table):
    """Opens up to `wanted` tunnels, as far as this machine's descriptors go: two of each in Gatehouse."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    # Gatehouse keeps 512 of them back, and accepts no more than half of the rest.
    count = min(wanted, (limit - 512) // 2 - 50)
    origin = subprocess.Popen(
        [sys.executable, "-B", "-m", "beside.idle"], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parent.parent)
    connections = []
    try:
        port = int(origin.stdout.readline())
        gate.config.write_text(gate.config.read_text().replace(gate.origin_url, f"http://127.0.0.1:{port}"))
        service = gate.serve("gatehouse-tunnels")
        before = anonymous_kilobytes(service.pids)
        for _ in range(count):
            connections.append(open_tunnel(gate.port, key))
        after = anonymous_kilobytes(service.pids)
        table.note(f"RssAnon: {before / 1000:.1f} MB idle (goal ≤ 30), {(after - before) / count:.1f} kB for each of "
                   f"{count:,} idle tunnels (goal ≤ 8)")
        service.stop()
    finally:
        for connection in connections:
            connection.close()
        origin.kill()
        origin.wait()


def open_tunnel(port, key):
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    token = base64.b64encode(os.urandom(16)).decode()
    connection.sendall((f"GET /page HTTP/1.1\r\nHost: app.example.com\r\nX-API-Key: {key}\r\nConnection: Upgrade\r\n"
                        f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {token}\r\n\r\n").encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            sys.exit(f"a tunnel was refused: {answer[:200]!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 101 "):
        sys.exit(f"a tunnel was refused: {answer[:200]!r}")
    return connection


def serve():
    """An origin that accepts every WebSocket and then says nothing."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for event, _ in selector.select():
            if event.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            data = event.fileobj.recv(4096)
            if not data:
                selector.unregister(event.fileobj)
                event.fileobj.close()
                continue
            token = next(line[19:].strip() for line in data.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            accept = base64.b64encode(hashlib.sha1(token + GUID).digest())
            event.fileobj.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")


if __name__ == "__main__":
    serve()
