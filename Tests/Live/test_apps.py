"""Apps that others wrote, inline and behind nginx: they learn who it is, and what they need of HTTP comes through."""

import json
import re
import socket
import urllib.parse
import uuid
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from support.apps import JupyterLab, Prometheus, Radicale, program
from support.browser import Browser
from support.gatehouse import Gatehouse
from support.proxies import Proxy
from support.waiting import eventually
from support.wire import request

PASSWORD = "three quiet herons fly"
STAFF = [{"allow": {"groups": ["staff"]}}]


@pytest.fixture(scope="module")
def apps(tmp_path_factory):
    """Each is started when a test asks for it."""
    started = {}

    def get(kind):
        if kind.name not in started:
            if not program(kind.name):
                pytest.skip(f"{kind.name} is not installed; Tests/run does that")
            started[kind.name] = kind(tmp_path_factory.mktemp("app") / kind.name)
        return started[kind.name]

    yield get
    for app in started.values():
        app.close()


@pytest.fixture(params=["inline", "nginx"])
def front(request, apps, tmp_path):
    """Makes a Gatehouse for one app, and answers with what its clients connect to."""
    made = []

    def make(kind, **route):
        app = apps(kind)
        gate = Gatehouse(
            tmp_path / "gate", trusted_proxies=["127.0.0.1"], upstreams={"app": {"url": [app.url]}},
            sessions={"cookie": {"domain": "example.com"}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": STAFF} | route])
        made.append(gate)
        for user in ("mary", "adam"):
            gate.add_user(user, ["staff"])
            gate.cli("user", "set-password", user, input=PASSWORD + "\n")
        keys = {user: gate.add_key(user)["key"] for user in ("mary", "adam")}
        gate.start()
        port = gate.port
        if request.param == "nginx":
            proxy = Proxy("nginx", tmp_path / "proxy")
            made.append(proxy)
            port = proxy.write(gate).start().port
        return SimpleNamespace(gate=gate, port=port, keys=keys)

    yield make
    for each in reversed(made):
        each.stop()


def ask(front, path, user=None, method="GET", headers=(), body=None):
    headers = list(headers) + ([("X-API-Key", front.keys[user])] if user else [])
    return request(front.port, path, "app.example.com", method, headers, body)


def signed_in(front, path, user="mary"):
    browser = Browser(front)
    browser.open(f"http://app.example.com{path}")
    assert browser.url.startswith("http://auth.example.com/.auth/login"), browser.url
    browser.submit(identifier=user, password=PASSWORD)
    return browser


# Radicale


EVENT = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//test//EN\r
BEGIN:VEVENT\r
UID:one\r
DTSTAMP:20260101T000000Z\r
DTSTART:20260101T100000Z\r
SUMMARY:Herons\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_radicale_keeps_each_users_calendars(front):
    front = front(Radicale)
    calendar = f"/mary/{uuid.uuid4()}/"
    assert ask(front, calendar, method="MKCALENDAR").status == 401
    assert ask(front, calendar, "mary", "MKCALENDAR").status == 201
    put = ask(front, calendar + "one.ics", "mary", "PUT", [("Content-Type", "text/calendar")], EVENT)
    assert put.status == 201, put
    assert b"Herons" in ask(front, calendar + "one.ics", "mary").body
    found = ask(front, calendar, "mary", "PROPFIND", [("Depth", "1"), ("Content-Type", "application/xml")],
                b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>')
    assert found.status == 207 and b"one.ics" in found.body
    # Somebody else, whatever he says.
    for name in ["Remote-User", "X-Remote-User", "remote_user", "X_Remote_User", "Remote_User", "X-Forwarded-User"]:
        for method in ["GET", "PROPFIND", "DELETE"]:
            assert ask(front, calendar + "one.ics", "adam", method, [(name, "mary")]).status in (403, 404), (name, method)
            assert ask(front, calendar + "one.ics", None, method, [(name, "mary")]).status == 401, (name, method)
    assert ask(front, calendar, "mary", "DELETE").status == 200


def test_radicales_own_pages_by_a_browser(front):
    front = front(Radicale)
    browser = signed_in(front, "/.web/")
    assert browser.response.status == 200 and b"Radicale" in browser.response.body


# Prometheus


def test_prometheus_pages_and_queries(front):
    front = front(Prometheus)
    assert ask(front, "/graph").status == 401
    browser = signed_in(front, "/graph?g0.expr=up")
    assert browser.response.status == 200 and b"<html" in browser.response.body
    # Debian's sends its pages to others of its own.
    assert re.fullmatch(r"http://app\.example\.com/(classic/)?graph\?g0\.expr=up", browser.url)
    page = browser.url
    links = re.findall(r'(?:src|href)="([^"]*static/[^"]+)"', browser.response.body.decode())
    assert links
    for link in links[:4]:
        part = browser.send("GET", urllib.parse.urljoin(page, link), navigate=False)
        assert part.status == 200 and part.body, link

    def counted():
        answer = ask(front, "/api/v1/query?query=up", "mary")
        assert answer.status == 200
        return answer.json()["data"]["result"]

    assert eventually(counted, 30)[0]["value"][1] == "1"
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    posted = ask(front, "/api/v1/query", "mary", "POST", form, b"query=up")
    assert posted.status == 200 and posted.json()["status"] == "success"
    assert ask(front, "/metrics", "mary").body.startswith(b"# HELP")


# JupyterLab


def kernel_answer(connection, code):
    """Runs `code` in a kernel, by its own protocol; the text of its result."""
    asked = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex,
                        "version": "5.3", "date": "2026-01-01T00:00:00Z"},
             "parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
             "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                         "allow_stdin": False, "stop_on_error": True}}
    connection.send(json.dumps(asked))
    while True:
        said = json.loads(connection.recv(timeout=60))
        if said["parent_header"].get("msg_id") == asked["header"]["msg_id"] and said["msg_type"] == "execute_result":
            return said["content"]["data"]["text/plain"]


def test_jupyterlab_with_its_websockets(front):
    front = front(JupyterLab)
    assert ask(front, "/lab").status == 401
    browser = signed_in(front, "/lab")
    assert browser.response.status == 200 and b"jupyter-config-data" in browser.response.body
    cookies = browser.cookies_for("app.example.com")
    made = browser.send(
        "POST", "http://app.example.com/api/kernels", [("X-XSRFToken", cookies["_xsrf"]), ("Content-Type", "application/json"),
                                                       ("Origin", "http://app.example.com")], b"{}", navigate=False)
    assert made.status == 201, made
    kernel = made.json()["id"]

    def dial(origin):
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies_for("app.example.com").items())}
        return connect(f"ws://app.example.com/api/kernels/{kernel}/channels", origin=origin, additional_headers=sent,
                       sock=socket.create_connection(("127.0.0.1", front.port)), proxy=None, compression=None,
                       open_timeout=60, max_size=None)

    with dial("http://app.example.com") as connection:
        assert kernel_answer(connection, "6 * 7") == "42"
        assert kernel_answer(connection, "'herons'") == "'herons'"
    # Another page of the same site has the cookie as well.
    with pytest.raises(InvalidStatus) as refused:
        dial("http://other.example.com").close()
    assert refused.value.response.status_code == 401
    deleted = browser.send(
        "DELETE", f"http://app.example.com/api/kernels/{kernel}",
        [("X-XSRFToken", browser.cookies_for("app.example.com")["_xsrf"]), ("Origin", "http://app.example.com")],
        navigate=False)
    assert deleted.status == 204
