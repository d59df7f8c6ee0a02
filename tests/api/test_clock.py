import pytest
from sampan_api.clock import parse_time, rfc3339, rfc3339_micro


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00Z", "0987-06-05T04:03:02Z", "2026-11-25T22:50:31Z"])
def test_a_time_of_any_year_is_written_as_it_was_read(stamp):
    assert rfc3339(parse_time(stamp)) == stamp
    assert rfc3339_micro(parse_time(stamp) + 0.25) == f"{stamp[:-1]}.250000Z"
