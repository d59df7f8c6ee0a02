from __future__ import annotations

from sampan_agent.memory import Backoff, crash_wait, next_backoff


def test_first_restart_is_at_once():
    assert crash_wait(None, 0, 1.0, 100.0, 100.5) <= 0


def test_delay_doubles_from_ten_seconds_to_five_minutes():
    backoff, delays = None, []
    for attempt in range(8):
        backoff = next_backoff(backoff, attempt, 100.0 + attempt)
        delays.append(backoff.delay)
    assert delays == [10, 20, 40, 80, 160, 300, 300, 300]


def test_ten_quiet_minutes_forget_the_crashes():
    backoff = Backoff(160.0, 100.0)
    assert crash_wait(backoff, 5, 700.0, 800.0, 801.0) <= 0
    assert next_backoff(backoff, 5, 801.0).delay == 10


def test_a_new_agent_goes_on_with_the_delay_the_attempts_stand_for():
    assert crash_wait(None, 3, 1.0, 100.0, 101.0) == 39.0
    assert next_backoff(None, 3, 140.0).delay == 80


def test_a_new_agent_does_not_punish_a_container_that_ran_long():
    assert crash_wait(None, 3, 900.0, 1000.0, 1001.0) <= 0
