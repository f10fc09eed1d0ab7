"""Backups and restores that something comes between: each other, `kill -9`, a network's file system, a moved clock."""

import os
import random
import shutil
import subprocess
import time

import pytest

from support.clock import MovedClock
from support.gatehouse import binary

ROUTE = {"name": "app", "host": ["app.example.com"], "rules": [{"allow": {"groups": ["staff"]}}]}


@pytest.fixture
def stopped(make_gate):
    """A store that a server has made and left, with a person, a session of theirs, and a backup from before a second
    person came."""
    gate = make_gate(start=False, routes=[ROUTE])
    gate.add_user("mary", ["staff"])
    gate.start()
    gate.stop()
    gate.json("token", "issue", "--user", "mary")
    gate.backup = gate.folder / "backup"
    gate.cli("backup", gate.backup)
    gate.add_user("later")
    return gate


def start(gate, *arguments):
    return subprocess.Popen(
        [binary(), *map(str, arguments), "--config", str(gate.config)], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, cwd=gate.folder, env=gate.environment)


def users(gate):
    return {user["username"] for user in gate.lines("user", "list")}


def test_backups_at_once_into_one_folder(stopped):
    for number in range(12):
        folder = stopped.folder / f"backup{number}"
        running = [start(stopped, "backup", folder) for _ in range(4)]
        said = [process.communicate(timeout=60)[1] for process in running]
        codes = sorted(process.returncode for process in running)
        # The others find a copy that is being made, or one that is there.
        assert codes[0] == 0 and set(codes[1:]) <= {1, 4}, (codes, said)
        assert all("wait until it has ended" in text or "holds a data.mdb" in text for text in said if text), said
        assert not (folder / ".unfinished").exists()
        stopped.cli("restore", folder)
        assert users(stopped) == {"mary", "later"}


def test_a_restore_that_is_killed_is_whole_or_nothing(stopped):
    seeded = random.Random(11)
    begin = time.monotonic()
    stopped.cli("restore", stopped.backup)
    length = time.monotonic() - begin
    assert users(stopped) == {"mary"} and not stopped.lines("session", "list")
    whole = 0
    for _ in range(25):
        # The store as it was before.
        shutil.copy(stopped.backup / "data.mdb", stopped.folder / "data" / "data.mdb")
        (stopped.folder / "data" / "lock.mdb").unlink(missing_ok=True)
        stopped.add_user("later")
        process = start(stopped, "restore", stopped.backup)
        try:
            process.communicate(timeout=seeded.uniform(0, 1.2) * length)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        last, = stopped.audit("--limit", "1")
        if last["event_type"] == "store_restored":
            whole += 1
            assert users(stopped) == {"mary"} and not stopped.lines("session", "list")
        else:
            assert users(stopped) == {"mary", "later"} and len(stopped.lines("session", "list")) == 1
        stopped.cli("store", "check")
        stopped.cli("audit", "verify")
    assert whole < 25
    # What the last one has left keeps nothing from going on.
    stopped.cli("restore", stopped.backup)
    assert not (stopped.folder / "data" / ".unfinished").exists()


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no file systems in user space")
def test_a_backup_may_lie_on_a_network(stopped):
    place, real = stopped.folder / "network", stopped.folder / "real"
    place.mkdir()
    real.mkdir()
    subprocess.run(["bindfs", str(real), str(place)], check=True)
    try:
        stopped.cli("backup", place / "copy")
        stopped.cli("restore", place / "copy")
        assert users(stopped) == {"mary", "later"}
        # A store may not.
        stopped.write(stopped.settings | {"data_dir": str(place)})
        refused = stopped.cli("user", "list", check=False)
        assert refused.returncode == 1 and "network file system" in refused.stderr
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_clock_that_is_ahead_for_a_moment_costs_nothing(make_gate, tmp_path):
    clock = MovedClock(tmp_path)
    gate = make_gate(routes=[ROUTE], environment=clock.environment)
    gate.add_user("mary")
    before = [event["sequence"] for event in gate.audit()]
    clock.move(500 * 86_400)
    gate.logged("the clock was moved; for a day nothing is removed for its age")
    # Refusals are written by the same hands, so they have been at work since.
    assert gate.get("/page").status == 401
    gate.event(event_type="request_denied", reason="sign_in_required")
    clock.move(0)
    sequences = {event["sequence"] for event in gate.audit()}
    assert set(before) <= sequences and not gate.audit("--type", "audit_pruned")
    assert not gate.audit("--type", "signing_key_created", "--from", "2028-01-01")
    gate.stop()
    gate.cli("audit", "verify")
