"""The real binary, with a folder, a configuration and ports of its own."""

import json
import os
import signal
import socket
import subprocess
from urllib.parse import urlsplit

from support.waiting import eventually
from support.wire import request

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}


def binary():
    path = os.environ.get("GATEHOUSE_BINARY")
    if path:
        return path
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.join(here, "..", "..", "..", ".build", "release", "gatehouse")


def free_ports(count):
    """Ports that were free a moment ago, all different. `Gatehouse.start` tries others when one was taken since."""
    sockets = []
    for _ in range(count):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        sockets.append(probe)
    ports = [probe.getsockname()[1] for probe in sockets]
    for probe in sockets:
        probe.close()
    return ports


def with_cookie_domain(document):
    """`document` with the domain above the portal and all its apps, without which a configuration is warned of that asks
    people on other hosts to sign in. What a test says of the cookie itself stays; where no domain fits, nothing is said."""
    portal = urlsplit(document["public_url"]).hostname
    hosts = [portal]
    for route in document.get("routes", []):
        host = route.get("host", [])
        hosts += [name.removeprefix("*.") for name in ([host] if isinstance(host, str) else host)]
    labels = portal.split(".")
    while labels and not all(host == ".".join(labels) or host.endswith("." + ".".join(labels)) for host in hosts):
        labels = labels[1:]
    sessions = document.get("sessions", {})
    cookie = sessions.get("cookie", {})
    if set(hosts) == {portal} or len(labels) < 2 or labels[-1].isdigit() or "domain" in cookie:
        return document
    return document | {"sessions": sessions | {"cookie": cookie | {"domain": ".".join(labels)}}}


class Failed(Exception):
    """The process ended although it should run; `log` is what it said."""

    def __init__(self, log):
        super().__init__(log)
        self.log = log


class Gatehouse:
    def __init__(self, folder, environment=None, **settings):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = ENVIRONMENT | (environment or {})
        self.settings = {
            "public_url": "http://auth.example.com",
            "data_dir": "data",
            "log": {"format": "json", "level": "info"},
            "store": {"max_size": "4GiB"},
        } | settings
        self.config = folder / "gatehouse.yaml"
        self.log = folder / "gatehouse.log"
        self.process = None
        (folder / "data").mkdir(mode=0o700, exist_ok=True)
        self.choose_ports()
        if not (folder / "master.key").exists():
            self.cli("keygen", "--out", str(folder / "master.key"), config=False)

    def choose_ports(self):
        self.port, self.monitor = free_ports(2)
        self.write(self.settings)

    def write(self, settings):
        """Writes the configuration; JSON is YAML. A listener without address gets this one's port."""
        document = dict(with_cookie_domain(settings))
        listen = document.pop("listen", [{"serve": ["apps", "portal", "check"]}])
        listen = [{"address": f"127.0.0.1:{self.port}"} | entry for entry in listen]
        monitor = f"127.0.0.1:{self.monitor}"
        # In one step, as an operator's tools do it: a server may read the file at any moment.
        new = self.config.with_suffix(".new")
        new.write_text(json.dumps({"listen": listen, "monitor_listen": monitor} | document, indent=2))
        os.replace(new, self.config)

    # The command line

    def cli(self, *arguments, check=True, input=None, config=True, environment=None):
        command = [binary(), *map(str, arguments)]
        if config:
            command += ["--config", str(self.config)]
        result = subprocess.run(
            command, input=input, capture_output=True, text=True, timeout=120, cwd=self.folder,
            env=self.environment | (environment or {}),
        )
        if check:
            assert result.returncode == 0, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments):
        """The one document that `--json` prints."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def lines(self, *arguments):
        """The documents of a list, one a line."""
        return [json.loads(line) for line in self.cli(*arguments, "--json").stdout.splitlines()]

    def add_user(self, username, /, groups=(), **more):
        arguments = ["user", "add", more.pop("email", f"{username}@example.com"), "--username", username]
        if groups:
            arguments += ["--groups", ",".join(groups)]
        for option, value in more.items():
            arguments += [f"--{option}"] if value is True else [f"--{option}", value]
        return self.json(*arguments)

    def add_key(self, user, name="test", /, **options):
        arguments = ["api-key", "create", "--user", user, "--name", name]
        for option, value in options.items():
            arguments += [f"--{option}", value]
        return self.json(*arguments)

    def audit(self, *arguments):
        return self.lines("audit", "list", *arguments)

    def event(self, seconds=10.0, **fields):
        """Waits for an event with these fields; denials are written a second or two after they happened."""

        def look():
            for event in self.audit():
                if all(event.get(name) == value for name, value in fields.items()):
                    return event
            return None

        return eventually(look, seconds, f"an audit event with {fields}")

    # The server

    def start(self, until="/readyz"):
        for attempt in range(5):
            self._spawn()
            try:
                eventually(lambda: self._answers(until), 30, until)
                return self
            except Failed as failure:
                if attempt < 4 and "in use" in failure.log.lower():
                    self.choose_ports()
                    continue
                raise
        raise AssertionError("unreachable")

    def _spawn(self):
        with open(self.log, "ab") as log, open(self.folder / "gatehouse.out", "ab") as output:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [binary(), "serve", "--config", str(self.config)],
                stdout=output, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment,
            )

    def _answers(self, path):
        if self.process.poll() is not None:
            raise Failed(self.log_text())
        return self.monitor_get(path)[0] == 200

    def log_text(self):
        """The whole lines that are in the log by now."""
        data = self.log.read_bytes() if self.log.exists() else b""
        data = data[getattr(self, "_log_start", 0):]
        return data[:data.rfind(b"\n") + 1].decode("utf-8", "replace")

    def logged(self, *texts, seconds=10):
        """The log, once all of these stand in it: it is written beside the answers, not before them."""
        def all_there():
            log = self.log_text()
            missing = [text for text in texts if text not in log]
            assert not missing, f"not in the log: {missing}\n{log[-4000:]}"
            return log
        return eventually(all_there, seconds, f"a log with {texts}")

    def monitor_get(self, path):
        """(status, text) of a path of the monitor listener."""
        response = request(self.monitor, path, host=f"127.0.0.1:{self.monitor}")
        return response.status, response.body.decode()

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"it did not stop\n{self.log_text()[-4000:]}") from None
        code = self.process.returncode if self.process else None
        self.process = None
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def get(self, path="/", host="app.example.com", key=None, **more):
        """One request; `key` goes into X-API-Key."""
        headers = list(more.pop("headers", []))
        if key:
            headers.append(("X-API-Key", key))
        return request(self.port, path, host, headers=headers, **more)

    def anonymous_memory(self):
        """RssAnon in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")

