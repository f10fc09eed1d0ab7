"""Methods with lower-case letters: a framework that raises them sees what the rules have judged."""

import threading

import pytest
from flask import Flask, request as asked
from werkzeug.serving import make_server

from support.http2 import Client
from support.wire import head, request

RULES = [
    {"methods": ["DELETE", "POST"], "allow": {"groups": ["admins"]}},
    {"paths": ["/cors/**"], "preflight": True, "allow": "everyone"},
    {"allow": {"groups": ["staff"]}},
]
SPELLINGS = ["DELETE", "delete", "Delete", "dELETE", "post"]


@pytest.fixture(scope="module")
def flask():
    """A real app: Werkzeug raises the method before Flask looks for a view."""
    app = Flask("methods")
    app.seen = []

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST", "DELETE", "PATCH", "OPTIONS"])
    @app.route("/<path:path>", methods=["GET", "POST", "DELETE", "PATCH", "OPTIONS"])
    def view(path):
        app.seen.append(asked.method)
        return {"method": asked.method, "user": asked.headers.get("Remote-User", "")}

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    app.url = f"http://127.0.0.1:{server.server_port}"
    app.port = server.server_port
    yield app
    server.shutdown()
    thread.join(10)


@pytest.fixture(scope="module")
def gate(tmp_path_factory, flask):
    from support.gatehouse import Gatehouse

    gate = Gatehouse(
        tmp_path_factory.mktemp("methods"), trusted_proxies=["127.0.0.1"], upstreams={"app": {"url": [flask.url]}},
        routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": RULES}])
    for user, groups in [("mary", ["staff"]), ("adam", ["staff", "admins"])]:
        gate.add_user(user, groups)
    gate.keys = {user: gate.add_key(user)["key"] for user in ("mary", "adam")}
    gate.bound = gate.add_key("adam", "reader", methods="GET")["key"]
    gate.start()
    yield gate
    gate.stop()


def test_the_app_raises_methods(flask):
    assert request(flask.port, "/item", "app.example.com", "delete").json()["method"] == "DELETE"


@pytest.mark.parametrize("method", SPELLINGS)
def test_a_rule_for_a_method_holds_for_its_other_spellings(gate, flask, method):
    flask.seen.clear()
    refused = gate.get("/item", key=gate.keys["mary"], method=method)
    assert (refused.status, refused.code) == (403, "group_missing") and flask.seen == []
    passed = gate.get("/item", key=gate.keys["adam"], method=method)
    assert passed.status == 200 and passed.json() == {"method": method.upper(), "user": "adam"}
    assert gate.get("/item", key=gate.keys["mary"], method="patch").status == 200


@pytest.mark.parametrize("method", SPELLINGS)
def test_http2_is_no_way_around(gate, flask, method):
    flask.seen.clear()
    with Client(gate.port) as client:
        answer = client.request("/item", method=method, headers=[("x-api-key", gate.keys["mary"])])
    assert answer.status == 403 and flask.seen == []


@pytest.mark.parametrize("method", SPELLINGS)
@pytest.mark.parametrize("proxy", ["nginx", "traefik", "caddy", "envoy", "haproxy"])
def test_checks_judge_both(gate, proxy, method):
    def ask(user):
        lines = [("X-Forwarded-For", "203.0.113.7"), ("X-API-Key", gate.keys[user])]
        if proxy == "envoy":
            return request(gate.port, "/.auth/check/envoy/item", "app.example.com", method, lines)
        if proxy == "nginx":
            lines += [("X-Original-URL", "http://app.example.com/item"), ("X-Original-Method", method)]
        else:
            lines += [("X-Forwarded-Method", method), ("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/item")]
        return request(gate.port, f"/.auth/check/{proxy}", "gatehouse", "GET", lines)

    refused = ask("mary")
    assert (refused.status, refused["Gatehouse-Reason"]) == (403, "group_missing")
    assert ask("adam").status == 200


def test_bounds_of_a_key_and_preflights(gate):
    assert gate.get("/item", key=gate.bound).status == 200
    for method in ("get", "DELETE", "delete"):
        assert gate.get("/item", key=gate.bound, method=method).code == "key_restricted", method
    preflight = [("Origin", "https://other.example.org"), ("Access-Control-Request-Method", "POST")]
    assert gate.get("/cors/x", method="OPTIONS", headers=preflight).status == 200
    # No preflight to an app that tells letters apart.
    assert gate.get("/cors/x", method="options", headers=preflight).status == 401


def test_explain_judges_both(gate):
    url = "http://app.example.com/item"
    for method in SPELLINGS:
        told = gate.json("explain", method, url, "--user", "mary")
        assert (told["verdict"], told["reason"], told["rule"]) == ("deny", "group_missing", 0), method
    text = gate.cli("explain", "delete", url, "--user", "mary").stdout
    assert "read as delete /item" in text and "read as DELETE /item" in text
