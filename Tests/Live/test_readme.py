"""What README says to write and to type: configurations are taken, commands and options exist, the first steps lead to the
app. And that the lists of Tests/README.md are whole."""

import json
import os
import re
import subprocess
import textwrap

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.certificates import Authority
from support.gatehouse import ENVIRONMENT, binary, free_ports
from support.proxies import REPOSITORY
from support.waiting import eventually
from support.wire import request

README = (REPOSITORY / "README.md").read_text()
DOCUMENTS = ["README.md", "Tests/README.md", *(f"examples/{name}/README.md" for name in (
    "quickstart", "nginx", "traefik", "caddy", "envoy", "haproxy")), "config/gatehouse.yaml", "config/minimal.yaml",
    "config/gatehouse.service"]


def blocks(language=""):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def run(*arguments, **more):
    return subprocess.run(
        [binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT, **more)


# Configurations


def whole(block):
    """With what the parts that README shows are parts of."""
    text = block.replace("…", "made-up-for-the-test")
    route = {"name": "portal", "host": ["auth.example.com"], "rules": [{"allow": "signed_in"}]}
    for key, value in (("public_url", "https://auth.example.com"), ("data_dir", "data"), ("routes", [route]),
                       ("sessions", {"cookie": {"domain": "example.com"}})):
        if not re.search(rf"^{key}:", text, re.M):
            text += f"{key}: {json.dumps(value)}\n"
    return text


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.split(":")[0])
def test_configurations_are_taken(tmp_path, block):
    text = whole(block)
    pair = Authority(tmp_path / "authority").issue("example", "example.com")
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for name in re.findall(r"(?:file|certificate|private_key): ([\w./-]+)", text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        data = {".p8": key, ".crt": pair.certificate_pem, ".key": pair.key_pem}.get(path.suffix, b"a secret of the test\n")
        path.touch(0o600)
        path.write_bytes(data)
    assert run("keygen", "--out", tmp_path / "master.key").returncode == 0
    config = tmp_path / "gatehouse.yaml"
    config.write_text(text)
    result = run("check-config", "--strict", "--config", config)
    assert result.returncode == 0, result.stderr


# Commands


def commands_of(text):
    """Every `gatehouse …`, in the text or as a line of a block."""
    for found in re.findall(r"`gatehouse\s([^`]+)`", text):
        # In a comment the line goes on behind its mark.
        yield re.sub(r"(^|\s+)(# )?", " ", found).strip()
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        yield from re.findall(r"^(?:sudo )?gatehouse (.+)$", block, re.M)
    yield from re.findall(r"^Exec\w+=/usr/bin/gatehouse (.+)$", text, re.M)


@pytest.fixture(scope="module")
def tree():
    return json.loads(run("--experimental-dump-help").stdout)["command"]


def options_of(command):
    return {f"--{name['name']}" for argument in command["arguments"] for name in argument.get("names", [])}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_options_exist(tree, name):
    for line in commands_of((REPOSITORY / name).read_text()):
        command = tree
        words = re.split(r"[\s,]+", line.replace("\\|", " "))
        while words and "subcommands" in command:
            known = {verb["commandName"]: verb for verb in command["subcommands"]}
            # `gatehouse snippet PROXY`; a group may be spoken of as a whole.
            assert words[0] in known or command is not tree, f"{name}: gatehouse {line}"
            if words[0] not in known:
                break
            command = known[words.pop(0)]
        unknown = {word for word in words if word.startswith("--")} - options_of(command)
        assert not unknown, f"{name}: gatehouse {line}"


def test_readme_has_commands_to_look_at():
    assert len(list(commands_of(README))) > 40


# The first steps


def test_the_first_steps_lead_to_the_app(tmp_path):
    """Word by word, but for the ports, which others may have."""
    steps = next(block for block in blocks() if "gatehouse init" in block and "app.py" in block)
    app, port, monitor = free_ports(3)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gatehouse").symlink_to(os.path.abspath(binary()))
    text = steps.replace("3000", str(app)).replace("8080", str(port))
    text = text.replace("$PWD/.build/release", str(tmp_path / "bin")).replace("$PWD/try", str(tmp_path / "try"))
    before, serve = text.split("gatehouse serve &\n")
    init = next(line for line in before.splitlines() if line.startswith("gatehouse init"))
    # The one thing that is added: a port of the monitor's own.
    before = before.replace(init, f"{init}\necho 'monitor_listen: 127.0.0.1:{monitor}' >> $GATEHOUSE_CONFIG")
    script = f"set -eu\n{before}exec gatehouse serve\n"
    log = tmp_path / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(["bash", "-c", script], cwd=REPOSITORY, env=ENVIRONMENT, stdout=output, stderr=output,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        def is_ready():
            assert process.poll() is None, log.read_text()
            try:
                return request(monitor, "/readyz", "127.0.0.1").status == 200
            except OSError:
                return False

        eventually(is_ready, 60, "the server of the first steps")
        key = re.search(r"^gate_\w+$", log.read_text(), re.M).group()
        answer = subprocess.run(
            ["bash", "-c", serve.replace("curl ", "curl -sS --max-time 20 ").replace("gate_…", key)],
            capture_output=True, text=True, timeout=60)
        told = json.loads(answer.stdout)
        assert told["user"] == "mary" and told["headers"]["REMOTE_GROUPS"] == "staff", answer
    finally:
        # The app is a child of the same shell.
        os.killpg(process.pid, 15)
        process.wait(60)


# The list of tests


def test_every_file_of_tests_is_in_the_list():
    listed = re.findall(r"`(test_\w+\.py)`", (REPOSITORY / "Tests" / "README.md").read_text())
    files = sorted(path.name for path in (REPOSITORY / "Tests" / "Live").glob("test_*.py"))
    assert sorted(listed) == files, textwrap.fill(str(set(files) ^ set(listed)))
