"""Loads: wrk for HTTP/1.1, h2load for TLS, HTTP/2 and fixed rates; and costs side by side."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .processes import processor_seconds

HERE = Path(__file__).resolve().parent.parent
CONNECTIONS = 32


class Load:
    """What wrk sends: a path, fixed headers, and a header drawn from a file of credentials."""

    def __init__(self, path, headers=(), credentials=None, name="X-API-Key", connections=CONNECTIONS):
        self.path = path
        self.headers = list(headers)
        self.credentials = credentials
        self.name = name
        self.connections = connections

    def run(self, service, seconds):
        """How many requests were answered; ends the program when one failed."""
        url = f"http://127.0.0.1:{service.port}{self.path}"
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", str(HERE / "keys.lua"), url]
        environment = os.environ | {
            "GATEHOUSE_CREDENTIALS": str(self.credentials), "GATEHOUSE_HEADER": self.name,
            "GATEHOUSE_HEADERS": "|".join(self.headers),
        }
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        line = [line for line in result.stdout.splitlines() if line.startswith("RESULT ")]
        if not line:
            sys.exit(f"wrk failed against {service.name}:\n{result.stdout}{result.stderr}")
        requests, failed, _ = map(int, line[0].split()[1:])
        if failed or not requests:
            sys.exit(f"{failed} of {requests} requests to {service.name} {self.path} failed")
        return requests


class SecureLoad:
    """What h2load sends over TLS, by HTTP/1.1 or HTTP/2, with one credential."""

    def __init__(self, path, headers, protocol, streams=1, connections=CONNECTIONS):
        self.path = path
        self.headers = headers
        self.protocol = protocol
        self.streams = streams
        self.connections = connections

    def run(self, service, seconds):
        command = h2load(f"https://127.0.0.1:{service.secure_port}{self.path}", self.headers, self.protocol) + [
            f"-c{self.connections}", f"-m{self.streams}", f"--duration={seconds}"]
        return answered(subprocess.run(command, capture_output=True, text=True), service)


def h2load(url, headers, protocol):
    command = ["h2load", "-t1", url]
    if protocol == "h1":
        command.append("--h1")
    for header in headers:
        name, value = header.split(": ", 1)
        # h2load makes the Host of HTTP/1.1 of HTTP/2's field too.
        command += ["-H", f":authority: {value}" if name == "Host" else header]
    return command


def answered(result, service):
    """The requests that got a 2xx, out of h2load's words; ends the program when another answer came."""
    for line in result.stdout.splitlines():
        if line.startswith("status codes:"):
            good, *others = [int(word.split()[0]) for word in line.split(":", 1)[1].split(",")]
            if good and not any(others):
                return good
    sys.exit(f"h2load failed against {service.name}:\n{result.stdout[-2000:]}{result.stderr[-1000:]}")


def latencies(service, path, headers, rate, seconds, connections=CONNECTIONS):
    """Microseconds of each answer while requests come at a fixed rate, in order of length."""
    with tempfile.NamedTemporaryFile() as log:
        command = h2load(f"http://127.0.0.1:{service.port}{path}", headers, "h1") + [
            f"-c{connections}", f"--rps={rate / connections:g}", f"-n{int(rate * seconds)}", f"--log-file={log.name}"]
        answered(subprocess.run(command, capture_output=True, text=True), service)
        return sorted(int(line.split("\t")[2]) for line in Path(log.name).read_text().splitlines())


def cost(service, load, seconds):
    """Microseconds of processor time a request."""
    before = processor_seconds(service.pids)
    requests = load.run(service, seconds)
    return (processor_seconds(service.pids) - before) / requests * 1e6


def side_by_side(sides, options):
    """Median costs of (service, load) pairs whose rounds alternate."""
    for service, load in sides:
        load.run(service, 1)
    rounds = [[] for _ in sides]
    for _ in range(options.rounds):
        for costs, (service, load) in zip(rounds, sides):
            costs.append(cost(service, load, options.seconds))
    return [statistics.median(costs) for costs in rounds]
