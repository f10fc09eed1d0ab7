"""Waiting for something to become true, bounded: never a fixed time."""

import threading
import time


def eventually(probe, seconds=10.0, what="it"):
    """Calls `probe` until it returns something true, and returns that; fails after `seconds`.

    An AssertionError or OSError of the probe counts as "not yet"; the last one is told when the time is over.
    """
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    last = None
    while True:
        try:
            value = probe()
            if value:
                return value
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not become true within {seconds} s; last: {last}")
        pause.wait(0.02)
