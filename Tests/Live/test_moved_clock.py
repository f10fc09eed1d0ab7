"""A machine whose clock was ahead and is set back while the server runs: nothing stops until the time is reached again."""

from support.clock import MovedClock
from support.portal import api, login, portal  # noqa: F401 - a fixture

AHEAD = 6 * 3600


def test_apps_are_reached_and_people_sign_in_after_the_clock_was_set_back(portal, tmp_path):
    clock = MovedClock(tmp_path)
    clock.move(AHEAD)
    gate = portal(environment=clock.environment)
    # The first keys were made in what is the future now.
    before = login(gate).json()["access_token"]
    clock.move(0)
    for token in (before, login(gate).json()["access_token"]):
        answer = gate.get("/", headers=[("Authorization", f"Bearer {token}")])
        assert answer.status == 200 and answer.body
        assert api(gate, "GET", "/me", token=token).status == 200
    assert {key["state"] for key in gate.lines("key", "list")} == {"current"}


def test_a_lock_is_over_when_it_would_be(portal, tmp_path):
    clock = MovedClock(tmp_path)
    clock.move(AHEAD)
    gate = portal(environment=clock.environment)
    for _ in range(5):
        assert login(gate, password="none of theirs").status == 401
    locked = login(gate)
    assert (locked.status, locked.json()["code"]) == (403, "account_locked")
    assert 1700 < int(locked["Retry-After"]) <= 1800
    clock.move(AHEAD - 10)
    assert login(gate).json()["code"] == "account_locked", "a clock that is corrected lifts no lock"
    clock.move(0)
    assert login(gate).status == 200
