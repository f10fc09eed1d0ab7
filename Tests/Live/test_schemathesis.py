"""The JSON API against its own document: schemathesis makes requests out of it, good and bad, and every answer has to be
one that the document has."""

import json
import os
import subprocess
import sys

import pytest

from support.wire import request

PASSWORD = "three quiet herons fly"
# Bounded by examples and by time: what this finds it finds early, with a written seed.
EXAMPLES = os.environ.get("GATEHOUSE_SCHEMATHESIS_EXAMPLES", "15")
# What it asks about HTTP itself is held by other tests; here it is whether answer and document agree.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture
def api(simple):
    gate = simple(limits={"exempt_networks": ["127.0.0.0/8"]}, login={"lockout": {"failures": 1000}},
                  api_keys={"scopes": {"wiki:read": "Read the wiki"}}, mail="log")
    # The app is on the portal's own host, since no cookie of an address reaches another.
    routes = [route | {"host": ["127.0.0.1"]} for route in gate.settings["routes"]]
    gate.write(gate.settings | {"public_url": f"http://127.0.0.1:{gate.port}", "routes": routes})
    gate.stop()
    gate.start()
    gate.cli("user", "set-password", "mary", input=PASSWORD + "\n")
    answer = request(gate.port, "/.auth/api/login", f"127.0.0.1:{gate.port}", "POST",
                     [("Content-Type", "application/json")],
                     json.dumps({"email": "mary", "password": PASSWORD}).encode())
    assert answer.status == 200, answer
    gate.token = json.loads(answer.body)["access_token"]
    return gate


# Signing out would end what the others need; each is called by other tests.
ENDING = ["/.auth/api/logout", "/.auth/api/sessions"]


@pytest.mark.parametrize("who", ["nobody", "mary"])
def test_no_answer_is_outside_of_the_document(api, tmp_path, who):
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{api.port}/.auth/openapi.json",
               "--checks", CHECKS, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--seed", "4711",
               # One worker: CPython 3.11 counts the depth of what it parses for all threads together (gh-106905), and
               # fails when two of them parse at once, as Hypothesis does for descriptions.
               "--request-timeout", "20", "--workers", "1", "--max-time", "25",
               "--exclude-path-regex", "|".join(f"^{path}$" for path in ENDING)]
    if who == "mary":
        command += ["-H", f"Authorization: Bearer {api.token}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "Tested" in result.stdout or "tested" in result.stdout, result.stdout[-2000:]
