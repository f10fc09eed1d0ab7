"""Events at somebody else's address: verified by the library of Standard Webhooks, in order, tried again, dead letters."""

import json
import threading

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from support.gatehouse import free_ports
from support.receiver import Receiver
from support.waiting import eventually

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receivers():
    made = []

    def make():
        made.append(Receiver())
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def hooked(make_gate, make_origin):
    def make(*webhooks, **settings):
        gate = make_gate(
            start=False, upstreams={"app": {"url": [make_origin().url]}},
            routes=[{"name": "app", "host": ["app.example.com"], "upstream": "app", "rules": [{"allow": "signed_in"}]}],
            webhooks=[{"secret": {"env": "HOOK_SECRET"}} | webhook for webhook in webhooks],
            environment={"HOOK_SECRET": SECRET}, **settings)
        return gate.start()

    return make


def told(receiver, count):
    return [json.loads(body) for _, _, body in receiver.got(count)]


def stuck(gate, state="queued"):
    return eventually(lambda: next((row for row in gate.lines("outbox", "list") if row["state"] == state), None), 20,
                      f"an event that is {state}")


def test_events_are_told_in_order_and_signed(hooked, receivers):
    receiver = receivers()
    gate = hooked({"url": receiver.url, "events": ["user_*", "api_key_created"]})
    eventually(lambda: gate.monitor_get("/metrics"), 10, "metrics")
    users = [f"user{number}" for number in range(5)]
    for user in users:
        gate.add_user(user)
    key = gate.add_key("user0", "laptop")
    events = told(receiver, 6)
    assert [event["event_type"] for event in events] == ["user_added"] * 5 + ["api_key_created"]
    assert [event["user"] for event in events] == users + ["user0"]
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert {"created_at", "success", "reason", "actor", "route", "session", "ip_address", "user_agent", "request_id",
            "metadata", "user_id"} <= set(events[0])
    ids = set()
    for path, headers, body in receiver.requests:
        assert path == "/in/SECRETPATH" and headers["Content-Type"] == "application/json"
        assert Webhook(SECRET).verify(body, headers) == json.loads(body)
        ids.add(headers["webhook-id"])
        for broken in (body[:-1] + b" ", body.replace(b"user", b"USER", 1)):
            with pytest.raises(WebhookVerificationError):
                Webhook(SECRET).verify(broken, headers)
        assert key["key"].encode() not in body
    assert len(ids) == 6
    log = gate.log_text()
    assert "SECRETPATH" not in log and SECRET not in log


def test_who_is_down_misses_nothing(hooked, receivers):
    port = free_ports(1)[0]
    gate = hooked({"url": f"http://127.0.0.1:{port}/", "events": ["user_added"]})
    for user in ("one", "two"):
        gate.add_user(user)
    row = stuck(gate)
    assert row["kind"] == "webhook" and row["template"] == "user_added" and row["attempts"] == 1
    assert row["to"] == f"http://127.0.0.1:{port}" and row["last_error"] and row["next_attempt_at"]
    assert 'gatehouse_outbox{state="queued"} 1' in gate.monitor_get("/metrics")[1]
    receiver = receivers()
    # It is somewhere else now, for the operator a new one; so this one is told of what happens from now on.
    gate.settings["webhooks"][0]["url"] = receiver.url
    gate.write(gate.settings)
    gate.cli("reload")
    gate.add_user("three")
    eventually(lambda: not gate.lines("outbox", "list"), 20, "the old webhook forgotten")
    assert [event["user"] for event in told(receiver, 1)] == ["three"]


def test_a_receiver_that_comes_back_gets_what_it_missed(hooked, receivers):
    receiver = receivers()
    receiver.status = 503
    gate = hooked({"url": receiver.url, "events": ["user_added"]})
    for user in ("one", "two", "three"):
        gate.add_user(user)
    row = stuck(gate)
    assert "503" in row["last_error"]
    first = receiver.got(1)[0]
    gate.restart()
    receiver.status = 200
    assert gate.json("outbox", "retry", row["id"]) == {"mails": 1}
    eventually(lambda: len(receiver.requests) >= 4, 20, "all of them")
    users = [json.loads(body)["user"] for _, _, body in receiver.requests]
    assert users == ["one", "one", "two", "three"]
    assert receiver.requests[1][1]["webhook-id"] == first[1]["webhook-id"] == row["id"].split(".")[0]
    assert gate.lines("outbox", "list") == []


def test_a_server_that_dies_in_between_tells_again(hooked, receivers):
    receiver = receivers()
    receiver.hold = threading.Event()
    gate = hooked({"url": receiver.url, "events": ["user_added"]})
    gate.add_user("one")
    receiver.got(1)
    gate.kill()
    gate.add_user("two")
    receiver.hold.set()
    gate.start()
    users = [event["user"] for event in told(receiver, 3)]
    assert users == ["one", "one", "two"]
    assert receiver.requests[0][1]["webhook-id"] == receiver.requests[1][1]["webhook-id"]


def test_what_is_refused_is_a_dead_letter_and_holds_nobody_up(hooked, receivers):
    receiver = receivers()
    receiver.status = 422
    gate = hooked({"url": receiver.url, "events": ["user_added"]})
    gate.add_user("one")
    row = stuck(gate, "failed")
    assert row["kind"] == "webhook" and row["id"].startswith("hook_") and "422" in row["last_error"]
    gate.logged("event given up")
    receiver.status = 204
    gate.add_user("two")
    assert told(receiver, 2)[1]["user"] == "two"
    assert gate.json("outbox", "retry", "--failed") == {"mails": 1}
    assert told(receiver, 3)[2]["user"] == "one"
    eventually(lambda: not gate.lines("outbox", "list"), 20, "an empty outbox")
    assert gate.event(event_type="outbox_retried")["metadata"]["webhook"] == row["id"]


def test_redirects_are_not_followed(hooked, receivers):
    target, receiver = receivers(), receivers()
    receiver.status = 307
    receiver.headers = {"Location": target.url}
    gate = hooked({"url": receiver.url, "events": ["user_added"]})
    gate.add_user("one")
    assert "307" in stuck(gate)["last_error"]
    assert target.requests == []


def test_a_slow_receiver_keeps_nobody_waiting(hooked, receivers):
    slow, quick = receivers(), receivers()
    slow.hold = threading.Event()
    gate = hooked({"url": slow.url}, {"url": quick.url, "events": ["user_added"]})
    key = None
    for user in ("one", "two"):
        gate.add_user(user)
    key = gate.add_key("one")["key"]
    assert [event["user"] for event in told(quick, 2)] == ["one", "two"]
    assert gate.get("/", key=key).status == 200
    slow.got(1)
    assert gate.stop() == 0, "an answer that is under way is not waited for"


def test_a_bad_configuration_is_told(make_gate):
    gate = make_gate(start=False, webhooks=[{"url": "http://hooks.example.com/", "secret": {"env": "NONE"},
                                             "events": ["Sign In"]}])
    result = gate.cli("check-config", check=False)
    assert result.returncode == 2
    for text in ("webhooks[0].url", "webhooks[0].secret", "webhooks[0].events"):
        assert text in result.stderr + result.stdout, result.stderr


def test_events_that_there_are_not_stop_the_start(make_gate):
    hook = {"url": "https://hooks.example.com/", "secret": {"env": "HOOK_SECRET"}}
    gate = make_gate(start=False, webhooks=[hook | {"events": ["sing_in", "usr_*", "user_*", "xyzzy", "*"]}],
                     environment={"HOOK_SECRET": SECRET})
    result = gate.cli("check-config", check=False)
    assert result.returncode == 2
    said = result.stderr + result.stdout
    for text in ('webhooks[0].events[0]: there is no event "sing_in"; did you mean "sign_in"?',
                 'webhooks[0].events[1]: there is no event that begins like "usr_"; did you mean "user_*"?',
                 'webhooks[0].events[3]: there is no event "xyzzy"'):
        assert text in said, said
    assert "events[2]" not in said and "events[4]" not in said
