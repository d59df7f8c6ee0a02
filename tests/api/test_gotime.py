import pytest
from sampan_api import gotime


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("2026-11-23T23:50:02Z", "2026-11-23T23:50:02Z"),
        ("2026-11-23T23:50:02.999Z", "2026-11-23T23:50:02Z"),
        ("2026-11-24T01:50:02+02:00", "2026-11-23T23:50:02Z"),
        ("0001-01-02T00:00:00Z", "0001-01-02T00:00:00Z"),
    ],
)
def test_times_are_printed_in_utc_by_the_second(written, printed):
    assert gotime.canonical_seconds(written) == printed


def test_micro_times_have_exactly_six_digits():
    assert gotime.canonical_micros("2026-11-23T23:50:02.000001-01:00") == "2026-11-24T00:50:02.000001Z"
    with pytest.raises(gotime.TimeError, match=r'cannot parse "Z" as ".000000"'):
        gotime.canonical_micros("2026-11-23T23:50:02Z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"'),
        ("", 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'),
        (
            "2026-11-23 23:50:02Z",
            'parsing time "2026-11-23 23:50:02Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 23:50:02Z" as "T"',
        ),
        ("2026-13-23T23:50:02Z", 'parsing time "2026-13-23T23:50:02Z": month out of range'),
        ("2026-02-30T23:50:02Z", 'parsing time "2026-02-30T23:50:02Z": day out of range'),
        (
            "2026-11-23T23:50:02",
            'parsing time "2026-11-23T23:50:02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"',
        ),
        ("2026-11-23T23:50:02Z!", 'parsing time "2026-11-23T23:50:02Z!": extra text: "!"'),
        ("2026-11-23T23:50:02+25:00", 'parsing time "2026-11-23T23:50:02+25:00": time zone offset hour out of range'),
    ],
)
def test_bad_times_are_told_as_go_tells_them(text, message):
    with pytest.raises(gotime.TimeError) as raised:
        gotime.canonical_seconds(text)
    assert str(raised.value) == message
