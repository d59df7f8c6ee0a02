"""When to start again what has died: at once the first time, slower and slower for what does not stay up."""

from __future__ import annotations

from dataclasses import dataclass

STEADY_SECONDS = 10.0
FIRST_PAUSE = 0.1
MAX_PAUSE = 5.0


@dataclass
class Backoff:
    started: float = 0.0
    quick_deaths: int = 0

    def died(self, now: float) -> float:
        """Seconds to wait before the next start."""
        if now - self.started >= STEADY_SECONDS:
            self.quick_deaths = 0
        self.quick_deaths += 1
        if self.quick_deaths == 1:
            return 0.0
        return float(min(MAX_PAUSE, FIRST_PAUSE * 2 ** (self.quick_deaths - 2)))
