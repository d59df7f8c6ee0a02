import pytest
from sampan_sim.durations import parse_duration, read_duration

EVEN = [(i + 0.5) / 10_000 for i in range(10_000)]


@pytest.mark.parametrize(
    ("said", "seconds"), [("2s", 2), ("500ms", 0.5), ("1m30s", 90), ("1.5h", 5400), (0, 0), ("1h0m1s", 3601)]
)
def test_lengths_are_read_as_go_writes_them(said, seconds):
    assert parse_duration(said) == pytest.approx(seconds)


@pytest.mark.parametrize("said", [5, "5", "", "s", "-1s", "1d", "1s ", True, None, [], "1s1"])
def test_what_has_no_unit_is_refused(said):
    with pytest.raises(ValueError, match="write it with units"):
        parse_duration(said)


def test_uniform_lies_between_its_ends():
    lengths = [read_duration({"min": "1s", "max": "3s"}).at(chance) for chance in EVEN]
    assert min(lengths) >= 1
    assert max(lengths) <= 3
    assert sum(lengths) / len(lengths) == pytest.approx(2, rel=0.01)


def test_exponential_has_its_mean_and_its_end():
    assert sum(read_duration({"mean": "4s"}).at(chance) for chance in EVEN) / len(EVEN) == pytest.approx(4, rel=0.01)
    assert max(read_duration({"mean": "4s", "max": "6s"}).at(chance) for chance in EVEN) == 6


def test_log_normal_has_its_median_and_its_p99():
    lengths = [read_duration({"median": "2s", "p99": "20s"}).at(chance) for chance in EVEN]
    assert lengths[5000] == pytest.approx(2, rel=0.01)
    assert lengths[9900] == pytest.approx(20, rel=0.02)
    assert read_duration({"median": "2s", "p99": "20s"}).at(0.0) > 0


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"min": "1s"}, "write a duration such as 2s"),
        ({"min": "3s", "max": "1s"}, "min 3s is more than max 1s"),
        ({"median": "0s", "p99": "1s"}, "median must be more than 0"),
        ({}, "no distribution"),
    ],
)
def test_other_shapes_are_refused(said, why):
    with pytest.raises(ValueError, match=why):
        read_duration(said)
