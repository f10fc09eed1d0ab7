#!/usr/bin/env python3
"""A real proxy in front of a demo app, asking Gatehouse about every request: all three on free ports of the loopback, in a
temporary folder. Usage: proxied.py PROXY [--check]; GATEHOUSE_BINARY names the binary.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "Tests" / "Live")]
sys.dont_write_bytecode = True

from proofs import Proofs  # noqa: E402
from support.gatehouse import Gatehouse, binary, free_ports  # noqa: E402
from support.proxies import KINDS, Proxy  # noqa: E402
from support.waiting import eventually  # noqa: E402
from support.wire import request  # noqa: E402


class ExampleGate(Gatehouse):
    """Has examples/lib/gatehouse.yaml, with ports of its own."""

    def __init__(self, folder, ports):
        self.ports = ports
        super().__init__(folder)

    def choose_ports(self):
        self.port, self.monitor = free_ports(2)
        self.write(None)

    def write(self, settings):
        text = (HERE / "gatehouse.yaml").read_text()
        for old, new in self.all_ports.items():
            text = text.replace(f":{old}", f":{new}")
        self.config.write_text(text)

    @property
    def all_ports(self):
        return self.ports | {9081: self.port, 9082: self.monitor}


def start_app(port, folder):
    with open(folder / "app.log", "wb") as log:
        process = subprocess.Popen([sys.executable, str(HERE / "app.py"), str(port)], stdout=log, stderr=log)

    def answers():
        assert process.poll() is None, "the app ended"
        try:
            return request(port).status == 200
        except OSError:
            return False

    eventually(answers, 30, "the app")
    return process


def try_it(gate, proxy, proofs):
    resolve = " ".join(f"--resolve {name}.example.com:{proxy.port}:127.0.0.1" for name in ("app", "auth"))
    print(f"""{proxy.kind.name} is at 127.0.0.1:{proxy.port}, Gatehouse behind it. Things to try:
  curl -i {resolve} {proofs.app}/
  curl -i {resolve} -H 'X-API-Key: {proofs.key}' {proofs.app}/
  {binary()} api-key revoke {proofs.key_id} --config {gate.config}
Or, with these names in /etc/hosts, open {proofs.app}/ and sign in as mary, “three quiet herons fly”.""", flush=True)


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in KINDS or arguments[1:] not in ([], ["--check"]):
        print(f"usage: {sys.argv[0]} {'|'.join(KINDS)} [--check]", file=sys.stderr)
        return 2
    counts = {True: 0, False: 0}
    # Whoever ends this ends what it has started, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def report(what, ok, seen):
        counts[bool(ok)] += 1
        print(f"ok: {what}" if ok else f"FAILED: {what}: {seen}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        proxy = Proxy(arguments[0], folder / "proxy")
        app_port = free_ports(1)[0]
        app = start_app(app_port, folder)
        gate = None
        try:
            gate = ExampleGate(folder / "gate", {9080: proxy.port, 9083: app_port})
            proofs = Proofs(gate, proxy, report)
            proofs.prepare()
            gate.start()
            proxy.copy(gate.all_ports).start()
            if arguments[1:]:
                proofs.all()
            else:
                try_it(gate, proxy, proofs)
                print("\nEnd it with Ctrl-C.", flush=True)
                proxy.process.wait()
        except KeyboardInterrupt:
            return 130
        finally:
            if counts[False]:
                print(gate.log_text()[-4000:] if gate else "", proxy.log_text()[-4000:], sep="\n", file=sys.stderr)
            proxy.stop()
            if gate:
                gate.stop()
            app.terminate()
            app.wait(10)
    if arguments[1:]:
        print(f"{arguments[0]}: " + (f"{counts[False]} of {sum(counts.values())} checks failed" if counts[False]
                                     else f"all {counts[True]} checks passed"))
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
