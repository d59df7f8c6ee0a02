from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampan_api import quantity

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-2", "e+6"]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Ki", "1Mi"),
        ("1500Mi", "1500Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.1Gi", "107374182400m"),
        ("1e3", "1e3"),
        ("5e-1", "500e-3"),
        ("12E", "9223372036854775807"),
        ("0.1n", "1n"),
        ("0Gi", "0"),
        ("512Ki", "512Ki"),
        ("0.5Ki", "512"),
        (".5", "500m"),
        ("-1", "-1"),
        ("+2", "2"),
        (1, "1"),
        (0.25, "250m"),
    ],
)
def test_an_amount_has_one_printed_form(written, printed):
    assert quantity.canonical(written) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "quantities must match the regular expression"),
        ("abc", "quantities must match the regular expression"),
        ("1 Gi", "quantities must match the regular expression"),
        ("1Kb", "quantities must match the regular expression"),
        ("1KK", "unable to parse quantity's suffix"),
        ("1e", "unable to parse quantity's suffix"),
        (".", "unable to parse numeric part of quantity"),
        ("9" * 5000, "unable to parse numeric part of quantity"),
    ],
)
def test_what_is_no_quantity_says_so_in_the_servers_words(text, message):
    with pytest.raises(quantity.QuantityError, match=message):
        quantity.parse(text)


def test_milli_and_value_round_away_from_zero():
    assert quantity.milli("1.0001") == 1001
    assert quantity.value("1m") == 1
    assert quantity.value("-1m") == -1


def test_amounts_compare_and_add_across_forms():
    assert quantity.parse("1Gi") == quantity.parse("1024Mi")
    assert quantity.parse("100m") < quantity.parse("0.2")
    assert str(quantity.parse("1Gi") + quantity.parse("1Gi")) == "2Gi"
    assert str(quantity.parse("1") - quantity.parse("100m")) == "900m"


def test_an_absurd_exponent_costs_nothing():
    assert quantity.canonical("1e999999999") == "9223372036854775807"
    assert quantity.canonical("1e-999999999") == "1e-9"


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(SUFFIXES))
def test_canonical_is_stable_and_keeps_the_amount(whole, thousandths, suffix):
    text = f"{whole}.{thousandths:03}{suffix}"
    once = quantity.canonical(text)
    assert quantity.canonical(once) == once
    assert quantity.parse(once) == quantity.parse(text)


@given(st.integers(-(10**12), 10**12))
def test_milli_agrees_with_exact_arithmetic(milli):
    assert quantity.milli(f"{milli}m") == milli
    value = Fraction(milli, 1000)
    assert abs(quantity.value(f"{milli}m")) >= abs(value) > abs(quantity.value(f"{milli}m")) - 1
