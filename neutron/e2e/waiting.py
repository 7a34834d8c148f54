"""The wait for a condition."""

import time


def wait_until(what, condition, seconds=120):
    """Polls condition() until its result is true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"timeout after {seconds} s: {what}"
        time.sleep(0.05)
    return result
