"""Apps that others wrote, as they are installed: each on a free port, in a folder of its own, without a login of its own."""

import os
import shutil
import signal
import subprocess

from support.gatehouse import ENVIRONMENT, free_ports
from support.proxies import REPOSITORY
from support.waiting import eventually
from support.wire import request

PROGRAMS = REPOSITORY / ".build-python-apps" / "bin"


def program(name):
    """From the environment that Tests/run makes of Tests/Live/apps.txt, else from Debian; None when it is nowhere."""
    return shutil.which(name, path=os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")]))


class App:
    name = ""
    ready = "/"

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "app.log"
        path = program(self.name)
        assert path, f"{self.name} is not installed"
        environment = ENVIRONMENT | {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [path, *self.arguments()], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True)
        eventually(self._answers, 90, self.name)

    def arguments(self):
        raise NotImplementedError

    def _answers(self):
        assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text()[-3000:]}"
        try:
            return request(self.port, self.ready, f"127.0.0.1:{self.port}").status < 500
        except OSError:
            return False

    def close(self):
        """With everything that it started itself."""
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


class Radicale(App):
    """Calendars; whoever the header names is signed in."""

    name = "radicale"

    def arguments(self):
        (self.folder / "radicale.ini").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\n[auth]\ntype = http_remote_user\n"
            f"[storage]\nfilesystem_folder = {self.folder}/collections\n[rights]\ntype = owner_only\n")
        return ["--config", str(self.folder / "radicale.ini")]


class Prometheus(App):
    name = "prometheus"
    ready = "/-/ready"

    def arguments(self):
        (self.folder / "prometheus.yml").write_text(
            "global: { scrape_interval: 1s }\nscrape_configs:\n- job_name: itself\n"
            f"  static_configs: [ {{ targets: [ '127.0.0.1:{self.port}' ] }} ]\n")
        return [f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}"]


class JupyterLab(App):
    name = "jupyter-lab"
    ready = "/api"

    def arguments(self):
        return ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}",
                "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.password=",
                "--ServerApp.allow_remote_access=True", f"--ServerApp.root_dir={self.folder}"]
