"""Columns as kubectl prints them: padded to the widest cell, three spaces apart, nothing after the last."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


class Columns:
    """Remembers its widths, so that rows that come later (`-w`) stay under their headers."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def text(self, rows: Sequence[Sequence[str]]) -> str:
        for row in rows:
            for i, cell in enumerate(row):
                if i == len(self._widths):
                    self._widths.append(0)
                self._widths[i] = max(self._widths[i], len(cell))
        return "".join(self._line(row) for row in rows)

    def _line(self, row: Sequence[str]) -> str:
        padded = [cell.ljust(self._widths[i] + 3) for i, cell in enumerate(row[:-1])]
        return "".join([*padded, *row[-1:]]) + "\n"


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    sys.stdout.write(Columns().text([header, *rows]))


def terminal_width() -> int:
    """$COLUMNS, else the terminal's; 80 where there is none. (`shutil` would be imported for its function alone.)"""
    if (given := os.environ.get("COLUMNS", "")).isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80
