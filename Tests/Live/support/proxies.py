"""The real proxies in front of Gatehouse, as the examples have them: each asks before it forwards.

`examples/NAME` holds what a proxy needs besides the snippet; the snippet is what `gatehouse snippet NAME` prints.
"""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.gatehouse import ENVIRONMENT, free_ports
from support.waiting import eventually
from support.wire import request

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAMS = REPOSITORY / ".build-python-proxies" / "bin"


def program(name):
    """From the examples' environment, else from Debian; None when it is nowhere."""
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", ""), "/usr/sbin"])
    return shutil.which(name, path=path)


@dataclass(frozen=True)
class Kind:
    name: str
    # What `examples/NAME` has besides the snippet, and what the snippet is called there.
    around: tuple
    snippet: str
    command: tuple
    # What it makes of a navigation that is sent on.
    redirect: int = 303
    # What it answers when Gatehouse cannot be asked.
    unreachable: tuple = (502, 503)
    lua: bool = False


KINDS = {kind.name: kind for kind in [
    Kind("nginx", ("nginx.conf",), "gatehouse.conf", ("nginx", "-p", "{folder}", "-c", "{folder}/nginx.conf"),
         redirect=302, unreachable=(500,)),
    Kind("traefik", ("traefik.yaml",), "routes.yaml", ("traefik", "--configFile={folder}/traefik.yaml"),
         unreachable=(500, 502)),
    Kind("caddy", ("Caddyfile",), "gatehouse.caddy",
         ("caddy", "run", "--config", "{folder}/Caddyfile", "--adapter", "caddyfile")),
    Kind("envoy", (), "envoy.yaml",
         ("envoy", "-c", "{folder}/envoy.yaml", "--disable-hot-restart", "--concurrency", "1", "-l", "error")),
    Kind("haproxy", ("haproxy.cfg",), "gatehouse.cfg",
         ("haproxy", "-db", "-f", "{folder}/haproxy.cfg", "-f", "{folder}/gatehouse.cfg"), lua=True),
]}


class Proxy:
    """One of them, in a folder of its own, on a free port."""

    def __init__(self, name, folder):
        self.kind = KINDS[name]
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        # nginx's worker drops root's rights and still has to reach its folder.
        self.folder.chmod(0o755)
        self.port = free_ports(1)[0]
        self.process = None
        self.log = self.folder / "proxy.log"

    def write(self, gate, edit=None):
        """What is around the snippet as the example has it, and the snippet that `gate` prints for this port.

        `edit` gets the snippet's text and answers another."""
        for name in self.kind.around:
            text = (REPOSITORY / "examples" / self.kind.name / name).read_text()
            (self.folder / name).write_text(text.replace("127.0.0.1:9080", f"127.0.0.1:{self.port}"))
        text = gate.cli("snippet", self.kind.name, "--listen", f"127.0.0.1:{self.port}").stdout
        (self.folder / self.kind.snippet).write_text(edit(text) if edit else text)
        if self.kind.lua:
            (self.folder / "gatehouse.lua").write_text(gate.cli("snippet", self.kind.name, "--lua").stdout)
        return self

    def copy(self, ports):
        """The example's own files, `ports` put in the place of the ports that stand there."""
        for file in (REPOSITORY / "examples" / self.kind.name).iterdir():
            if file.name in ("run", "README.md"):
                continue
            text = file.read_text()
            for old, new in ports.items():
                text = text.replace(f":{old}", f":{new}").replace(f"port_value: {old}", f"port_value: {new}")
            (self.folder / file.name).write_text(text)
        return self

    def start(self, host="auth.example.com", until=None):
        name, *arguments = [part.format(folder=self.folder) for part in self.kind.command]
        path = program(name)
        assert path, f"{name} is not installed"
        environment = ENVIRONMENT | {"HOME": str(self.folder), "GOMAXPROCS": "2"}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [path, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                start_new_session=True)
        eventually(lambda: self._answers(host), 60, self.kind.name)
        return self

    def _answers(self, host):
        assert self.process.poll() is None, f"{self.kind.name} ended: {self.log_text()[-3000:]}"
        try:
            return request(self.port, "/.auth/jwks.json", host).status == 200
        except OSError:
            return False

    def log_text(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def stop(self):
        """With everything that it started itself."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
        self.process = None
