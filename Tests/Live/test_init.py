"""What `gatehouse init` writes, started as it is: people sign in to the app with a browser. And what it refuses to write."""

import base64
import json
import os
import stat
import subprocess

import pytest
from playwright.sync_api import sync_playwright

from support.chromium import Visitor, launch
from support.gatehouse import ENVIRONMENT, Gatehouse, binary, free_ports

PASSWORD = "three quiet herons fly"


def run(*arguments, input=None):
    return subprocess.run(
        [binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, input=input)


class Initialised(Gatehouse):
    """Configured by `init`; only the monitor's port is added, since the one that it means may be taken."""

    def choose_ports(self):
        self.port, self.monitor = free_ports(2)

    def initialise(self, name, app):
        (self.folder / "master.key").unlink()
        (self.folder / "data").rmdir()
        result = run("init", "--public-url", f"http://auth.{name}:{self.port}", "--admin", "root@example.com",
                     "--app", f"wiki.{name}={app}", "--config", self.config)
        assert result.returncode == 0, result.stderr
        self.config.write_text(self.config.read_text() + f"monitor_listen: 127.0.0.1:{self.monitor}\n")
        self.cli("user", "set-password", "root@example.com", input=PASSWORD + "\n")
        return self.start()


def test_people_sign_in_to_the_app_of_init(tmp_path, make_origin):
    gate = Initialised(tmp_path / "gate")
    try:
        gate.initialise("apps.localhost", make_origin().url)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            visitor = Visitor(browser)
            page = visitor.sign_in(f"http://wiki.apps.localhost:{gate.port}/page?x=1", "root@example.com", PASSWORD)
            page.wait_for_url(f"http://wiki.apps.localhost:{gate.port}/page?x=1")
            assert page.context.cookies(f"http://wiki.apps.localhost:{gate.port}/")
            browser.close()
    finally:
        gate.stop()


def test_localhost_itself_is_no_domain_for_a_cookie(tmp_path):
    """What Chromium would not keep, `init` does not write."""
    config = tmp_path / "gate" / "gatehouse.yaml"
    refused = run("init", "--public-url", "http://auth.localhost:8080", "--app", "wiki.localhost=http://127.0.0.1:3000",
                  "--config", config)
    assert refused.returncode == 2 and "auth.apps.localhost" in refused.stderr, refused.stderr
    assert not config.parent.exists()


@pytest.mark.parametrize("key, mode", [("c2hvcnQ=", 0o600), (base64.b64encode(b"7" * 32).decode(), 0o644)])
def test_a_key_that_is_no_good_is_no_beginning(tmp_path, key, mode):
    (tmp_path / "master.key").write_text(key + "\n")
    (tmp_path / "master.key").chmod(mode)
    result = run("init", "--public-url", "https://auth.example.com", "--config", tmp_path / "gatehouse.yaml")
    assert result.returncode == 4 and str(tmp_path / "master.key") in result.stderr and not result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["master.key"]


def test_what_is_kept_is_said(tmp_path):
    config = tmp_path / "gatehouse.yaml"
    arguments = ("init", "--public-url", "https://auth.example.com", "--config", config)
    first = run(*arguments, "--json", "--admin", "root@example.com")
    assert first.returncode == 0 and json.loads(first.stdout)["kept"] == []
    for name, mode in (("master.key", 0o600), ("data", 0o700), ("gatehouse.yaml", 0o644)):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == mode
    key = (tmp_path / "master.key").read_bytes()
    config.unlink()
    refused = run(*arguments, "--admin", "root@example.com")
    assert refused.returncode == 4 and "leave out --admin" in refused.stderr and not config.exists()
    second = run(*arguments, "--json")
    assert json.loads(second.stdout)["kept"] == [str(tmp_path / "master.key"), str(tmp_path / "data")]
    assert (tmp_path / "master.key").read_bytes() == key
    assert "root@example.com" in run("user", "list", "--config", config).stdout
    config.unlink()
    assert f"Kept {tmp_path}/master.key, which was there." in run(*arguments).stdout
