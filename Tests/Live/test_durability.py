"""`kill -9` at any moment: whatever was acknowledged is there afterwards, and the audit chain verifies."""

import json
import random
import signal
import subprocess
import threading

import pytest

from support.gatehouse import binary


@pytest.fixture(params=[pytest.param(20, id="20"), pytest.param(200, id="200", marks=pytest.mark.long)])
def rounds(request):
    return request.param


class Writers:
    """Threads that create keys by the command line and note what was acknowledged."""

    def __init__(self, gate, count):
        self.gate = gate
        self.acknowledged = []
        self.running = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(count)]
        self.progress = threading.Semaphore(0)

    def _work(self, number):
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            command = [binary(), "api-key", "create", "--user", "mary", "--name", f"{number}-{turn}", "--json",
                       "--config", str(self.gate.config)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env=self.gate.environment)
            with self.lock:
                self.running.add(process)
            output, _ = process.communicate()
            with self.lock:
                self.running.discard(process)
                # What was printed was acknowledged, whatever happened to the process then.
                if output.endswith("\n"):
                    self.acknowledged.append(json.loads(output))
            self.progress.release()

    def start(self):
        for thread in self.threads:
            thread.start()

    def wait_for(self, writes):
        for _ in range(writes):
            assert self.progress.acquire(timeout=30)

    def kill_one(self):
        with self.lock:
            if self.running:
                next(iter(self.running)).send_signal(signal.SIGKILL)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def test_every_acknowledged_write_survives_kill_9(simple, rounds):
    seed = 20260801
    chance = random.Random(seed)
    gate = simple()
    writers = Writers(gate, 2)
    writers.start()
    for turn in range(rounds):
        writers.wait_for(chance.randrange(1, 4))
        writers.kill_one()
        gate.kill()
        gate.start()
        if turn % 10 == 9:
            assert gate.cli("audit", "verify").returncode == 0
    writers.stop()
    gate.kill()
    listed = {key["id"]: key for key in gate.lines("api-key", "list", "--user", "mary")}
    missing = [made["id"] for made in writers.acknowledged if made["id"] not in listed]
    assert not missing, f"seed {seed}: {len(missing)} of {len(writers.acknowledged)} are lost"
    assert len(writers.acknowledged) >= rounds
    assert gate.cli("audit", "verify").returncode == 0
    assert gate.cli("store", "check").returncode == 0
    gate.start()
    for made in writers.acknowledged[-10:]:
        assert gate.get("/page", key=made["key"]).status == 200


def test_killed_command_leaves_all_or_nothing(simple):
    """A command killed at a random moment: its key and its event are both there, or neither."""
    chance = random.Random(7)
    gate = simple()
    for turn in range(30):
        process = subprocess.Popen(
            [binary(), "user", "add", f"u{turn}@example.com", "--username", f"u{turn}", "--config", str(gate.config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=gate.environment)
        try:
            process.wait(chance.random() * 0.06)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    users = {user["username"] for user in gate.lines("user", "list")}
    events = {event["user"] for event in gate.audit() if event.get("user", "") and event["user"].startswith("u")}
    assert {user for user in users if user.startswith("u")} == events
    assert gate.cli("audit", "verify").returncode == 0
    assert gate.get("/page", key=gate.mary_key).status == 200, "the server never noticed"
