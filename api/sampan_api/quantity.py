"""Resource quantities: `100m`, `1.5Gi`, `2e3`, kept exactly and printed in the one canonical way.

A quantity is a whole number of billionths; anything finer is rounded away from zero when it is read, and
nothing above 2^63-1 is kept. The suffix chosen by the writer decides the family of the canonical form
(binary `Ki`, decimal `k`, exponent `e3`), its size does not: `1024Ki` and `1Mi` print as `1Mi`, `1500Mi` as itself.
Source of the rules: the Kubernetes reference page "Quantity".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import lru_cache

_NANO = 10**9
_MAX = (2**63 - 1) * _NANO
_MAX_DIGITS = 1000
_PATTERN = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY = {suffix: 10 * (i + 1) for i, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}
_BINARY_SUFFIX = {0: "", **{power: suffix for suffix, power in _BINARY.items()}}


class QuantityError(ValueError):
    """The text is not a quantity; the message is the API server's."""


class Format(Enum):
    DECIMAL = "DecimalSI"
    BINARY = "BinarySI"
    EXPONENT = "DecimalExponent"


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """An exact amount; comparisons look at the amount only."""

    nanos: int
    format: Format = field(default=Format.DECIMAL, compare=False)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos + other.nanos, self.format if self.nanos else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nanos - other.nanos, self.format if self.nanos else other.format)

    def __bool__(self) -> bool:
        return self.nanos != 0

    @property
    def milli(self) -> int:
        """Thousandths, rounded away from zero."""
        return _divide_up(self.nanos, 10**6)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero."""
        return _divide_up(self.nanos, _NANO)

    def __str__(self) -> str:
        if self.nanos == 0:
            return "0"
        if self.format is Format.BINARY and abs(self.nanos) >= 1024 * _NANO and self.nanos % _NANO == 0:
            return _binary_text(self.nanos // _NANO)
        return _decimal_text(self.nanos, exponent=self.format is Format.EXPONENT)


def parse(text: str | int | float) -> Quantity:
    """The quantity a JSON string or number stands for. Raises QuantityError."""
    return _parse(text if isinstance(text, str) else repr(text))


def milli(text: str | int | float) -> int:
    """CPU and the like: thousandths, rounded up."""
    return parse(text).milli


def value(text: str | int | float) -> int:
    """Memory, counts: whole units, rounded up."""
    return parse(text).value


def canonical(text: str | int | float) -> str:
    """The one form in which the API server prints this amount."""
    return str(parse(text))


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    match = _PATTERN.fullmatch(text.strip())
    if match is None or not text.strip():
        raise QuantityError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    sign, whole, fraction, suffix = match.group(1), match.group(2), match.group(3) or "", match.group(4)
    if not (whole or fraction) or len(text) > _MAX_DIGITS:
        raise QuantityError("unable to parse numeric part of quantity")
    scale, format_ = _suffix(suffix)
    exact = Fraction(int(whole + fraction or "0"), 10 ** len(fraction)) * scale * _NANO
    nanos = min(_divide_up(exact.numerator, exact.denominator), _MAX)
    if format_ is Format.BINARY and nanos < _NANO:
        format_ = Format.DECIMAL
    return Quantity(-nanos if sign == "-" else nanos, format_)


def _suffix(suffix: str) -> tuple[Fraction, Format]:
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix], Format.DECIMAL
    if suffix in _BINARY:
        return Fraction(2) ** _BINARY[suffix], Format.BINARY
    if suffix[0] in "eE" and re.fullmatch(r"[+-]?[0-9]{1,9}", suffix[1:]):
        # Beyond these bounds the amount is the smallest or the largest one anyway; 10**999999999 is a way to hang.
        return Fraction(10) ** max(-400, min(400, int(suffix[1:]))), Format.EXPONENT
    raise QuantityError("unable to parse quantity's suffix")


def _divide_up(amount: int, by: int) -> int:
    return -(-amount // by) if amount >= 0 else amount // by


def _binary_text(amount: int) -> str:
    power = 0
    while amount % 1024 == 0 and power < 60:
        amount, power = amount // 1024, power + 10
    return f"{amount}{_BINARY_SUFFIX[power]}"


def _decimal_text(nanos: int, *, exponent: bool) -> str:
    amount, power = nanos, -9
    while amount % 1000 == 0 and power < 18:
        amount, power = amount // 1000, power + 3
    if exponent:
        return f"{amount}e{power}" if power else str(amount)
    return f"{amount}{_DECIMAL_SUFFIX[power]}"
