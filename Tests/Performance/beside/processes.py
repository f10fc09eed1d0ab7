"""Processes under test, what they have cost so far and what memory they hold."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def seconds_by_ticks(pids):
    """User and system time of these processes so far, ended threads included."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def processor_seconds(pids):
    """User and system time of these processes' threads, in the scheduler's nanoseconds where the kernel has them."""
    total = 0
    try:
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return seconds_by_ticks(pids)
    return total / 1e9 if total else seconds_by_ticks(pids)


def anonymous_kilobytes(pids):
    """RssAnon: memory that is the processes' own, without files that the kernel keeps."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                total += int(line.split()[1])
    return total


def children_of(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """A process under test; `pids` are those whose time counts: it, or its workers where it has some."""

    running = []

    def __init__(self, name, command, port, ready, folder, environment=None, secure_port=None):
        self.port = port
        self.secure_port = secure_port
        self.name = name
        self.log = open(folder / f"{name}.log", "wb")
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, cwd=folder,
            env=os.environ | (environment or {}))
        Service.running.append(self)
        self._wait(ready, folder)
        self.pids = children_of(self.process.pid) or [self.process.pid]

    def _wait(self, ready, folder):
        deadline, pause = time.monotonic() + 60, threading.Event()
        while True:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended early:\n{(folder / f'{self.name}.log').read_text()[-3000:]}")
            try:
                with urllib.request.urlopen(ready, timeout=2):
                    return
            except urllib.error.HTTPError:
                return
            except OSError:
                if time.monotonic() > deadline:
                    sys.exit(f"{self.name} was not ready within 60 s")
                pause.wait(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        if self in Service.running:
            Service.running.remove(self)


class Together:
    """Several services whose costs are one: a proxy and whom it asks."""

    def __init__(self, front, *others):
        self.front = front
        self.name = front.name
        self.port, self.secure_port = front.port, front.secure_port
        self.pids = [pid for service in (front, *others) for pid in service.pids]
