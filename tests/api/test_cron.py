"""Schedules as robfig/cron reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_api.cron import CronError, Schedule, parse


def test_lists_ranges_steps_and_names():
    schedule = parse("*/20,5 1-3 1,15 JAN-mar sun,5")
    assert schedule.minutes == {0, 5, 20, 40}
    assert schedule.hours == {1, 2, 3}
    assert schedule.days == {1, 15}
    assert schedule.months == {1, 2, 3}
    assert schedule.weekdays == {0, 5}
    assert (schedule.any_day, schedule.any_weekday) == (False, False)


def test_a_number_with_a_step_goes_on_to_the_end():
    assert parse("50/3 * * * *").minutes == {50, 53, 56, 59}


def test_a_star_leaves_the_day_open_unless_it_has_a_step():
    assert parse("0 0 * * 1").any_day
    assert parse("0 0 ? * ?").any_weekday
    assert not parse("0 0 */2 * 1").any_day


@pytest.mark.parametrize(
    ("text", "same"),
    [("@daily", "0 0 * * *"), ("@hourly", "0 * * * *"), ("@weekly", "0 0 * * 0"), ("@yearly", "0 0 1 1 *")],
)
def test_descriptors(text, same):
    assert parse(text) == parse(same)


@pytest.mark.parametrize(("text", "seconds"), [("@every 1h30m", 5400), ("@every 1.5s", 1), ("@every 0", 1)])
def test_intervals(text, seconds):
    assert parse(text) == Schedule(every=seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "expected exactly 5 fields, found 1: [abc]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("* * * foo *", 'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax'),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        ("@never", "unrecognized descriptor: @never"),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("@every 5x", 'failed to parse duration @every 5x: time: unknown unit "x" in duration "5x"'),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("", "empty spec string"),
    ],
)
def test_what_is_no_schedule_is_named_in_the_words_of_the_library(text, message):
    with pytest.raises(CronError) as caught:
        parse(text)
    assert str(caught.value) == message


@given(st.text(st.sampled_from("0123456789*/-,? @everyhms."), max_size=24))
def test_any_text_is_a_schedule_or_an_error(text):
    try:
        schedule = parse(text)
    except CronError:
        return
    assert schedule.every or schedule.minutes <= set(range(60))
