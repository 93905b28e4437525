"""How many updates fit into a given time. The clock is passed in."""

from collections.abc import Callable
from dataclasses import dataclass

CALIBRATION = 10  # updates at full size before the plan is made; the first three are not timed
OVERRUN = 1.04  # of the time may be used before the plan is cut; a plan that is cut is another run
SMALL_COST = 0.33  # of an update at half size, against one at full size (measured: 0.28 to 0.36)
SHARE = 0.88  # of the time is planned, so that an ordinary slowdown does not change the plan


@dataclass
class TimeBudget:
    """Plans a run of ``minutes``; ``spent`` seconds were used before this process went on with it.

    The plan is rounded to two digits and made from ``known_seconds`` an update where an earlier run measured it (within
    35 %), so that two runs of the same command on the same machine make the same number of updates.
    """

    minutes: float
    clock: Callable[[], float]
    started: float
    spent: float = 0.0
    known_seconds: float | None = None
    small_share: float = 0.0  # of the updates run at half size
    measured_seconds: float | None = None
    _mark: tuple[int, float] | None = None

    def used(self) -> float:
        """Seconds of the budget that are gone."""
        return self.spent + self.clock() - self.started

    def pause(self, seconds: float) -> None:
        """So much time went into saving or a preview: it counts as used, but not as the speed of training."""
        if self._mark is not None:
            self._mark = (self._mark[0], self._mark[1] + seconds)

    def plan(self, step: int, total: int) -> int:
        """Call after every update; returns the number of updates the run should have, ``total`` where nothing changes."""
        now = self.clock()
        if self._mark is None or step < self._mark[0]:
            self._mark = (step, now) if step >= 3 or self.measured_seconds else None
            return total
        done, seconds = step - self._mark[0], now - self._mark[1]
        if step == CALIBRATION:
            self.measured_seconds = seconds / max(done, 1)
            if self.known_seconds is None or not 0.65 < self.measured_seconds / self.known_seconds < 1.35:
                self.known_seconds = self.measured_seconds
            mean = self.known_seconds * mean_cost(self.small_share)
            return min(total, max(step + 1, two_digits(self.minutes * 60 * SHARE / mean)))
        left = self.minutes * 60 * OVERRUN - self.used()
        if step > CALIBRATION and done >= 3 * CALIBRATION and (total - step) * seconds / done > left:
            fitting = int(left * done / max(seconds, 1e-9))
            self._mark = (step, now)
            return min(total, step + max(0, fitting))
        if done >= 20 * CALIBRATION:
            self._mark = (step, now)
        return total


def mean_cost(small_share: float) -> float:
    """Of an update over a whole run, against one at full size."""
    return 1 - small_share * (1 - SMALL_COST)


def two_digits(number: float) -> int:
    """``number`` rounded down to two significant digits: 2437 -> 2400."""
    whole = int(number)
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit
