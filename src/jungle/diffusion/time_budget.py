"""How many updates fit into a given time. The clock is passed in."""

from collections.abc import Callable
from dataclasses import dataclass

CALIBRATION = 10  # updates at full size before the plan is made; the first three are not timed
SMALL_COST = 0.36  # of an update at half size, against one at full size (measured: 0.28 to 0.37)
# of an adversarial update against one of diffusion at full size, roughly (docs/LOG.md)
ADVERSARIAL_COST = 5.0
SHARE = 0.88  # of the time is planned, so that an ordinary slowdown does not change the plan
OVERRUN = (
    1.05  # of the time may be forecast before the plan is cut; a plan that is cut is another run
)
CUT_TO = (
    1.0  # of the time is what a cut plan fits into: the last save, preview and report come after it
)
# of the time: how long the present speed is measured before it is believed, and then forgotten
WINDOW = (
    0.05,
    0.2,
)


@dataclass
class TimeBudget:
    """Plans a run of ``minutes``; ``spent`` seconds were used before this process went on with it.

    The plan is rounded to two digits and made from ``known_seconds`` an update where an earlier run
    measured it (within 35 %), so that two runs of the same command on the same machine make the
    same number of updates.
    """

    minutes: float
    clock: Callable[[], float]
    started: float
    spent: float = 0.0
    known_seconds: float | None = None
    small_share: float = 0.0  # of the updates run at half size
    _since: float | None = (
        None  # when the present window began, and its cost in updates at full size
    )
    _cost: float = 0.0
    _last: float = 0.0  # when the update before ended
    _slowest: float = (
        0.0  # seconds of the slowest update in the window: one hiccup says nothing about the speed
    )

    def used(self) -> float:
        """Seconds of the budget that are gone."""
        return self.spent + self.clock() - self.started

    def pause(self, seconds: float) -> None:
        """So much time went into saving or a preview: it counts as used, but not as the speed of
        training.
        """
        if self._since is not None:
            self._since += seconds
            self._last += seconds

    def plan(self, step: int, total: int) -> int:
        """Call after every update; returns the number of updates the run should have, ``total``
        where nothing changes.
        """
        now, seconds = self.clock(), self.minutes * 60

        if self._since is None or step == 3:
            self._open_window(now)
            return total

        self._slowest = max(self._slowest, now - self._last)
        self._last = now
        self._cost += SMALL_COST if CALIBRATION < step <= self.small_share * total else 1.0
        speed = (now - self._since) / self._cost

        # A remembered speed within a third of the measured one is kept: plans stay the same from
        # run to run.
        if step == CALIBRATION:
            self._open_window(now)
            if self.known_seconds is None or not 0.65 < speed / self.known_seconds < 1.35:
                self.known_seconds = speed
            return min(
                total,
                max(
                    step + 1,
                    two_digits(
                        seconds * SHARE / (self.known_seconds * mean_cost(self.small_share))
                    ),
                ),
            )

        if step < CALIBRATION or now - self._since < WINDOW[0] * seconds:
            return total if self.used() < seconds * OVERRUN else step

        # The slowest update is left out: a save or a hiccup must not shorten the run.
        speed = (now - self._since - self._slowest) / max(self._cost - 1.0, SMALL_COST)
        if self.used() + self._cost_left(step, total) * speed > seconds * OVERRUN:
            total = min(
                total, self._affordable(step, max(0.0, seconds * CUT_TO - self.used()) / speed)
            )

        if now - self._since > WINDOW[1] * seconds:
            self._open_window(now)
        return total

    def _open_window(self, now: float) -> None:
        self._since = self._last = now
        self._cost = self._slowest = 0.0

    def _cost_left(self, step: int, total: int) -> float:
        """Of updates ``step`` to ``total``, in updates at full size."""
        small = max(0.0, self.small_share * total - step)
        return total - step - small * (1 - SMALL_COST)

    def _affordable(self, step: int, cost: float) -> int:
        """The total whose :meth:`_cost_left` is ``cost``."""
        total = (cost + SMALL_COST * step) / mean_cost(self.small_share)
        return int(total) if self.small_share * total > step else step + int(cost)


def mean_cost(small_share: float) -> float:
    """Of an update over a whole run, against one at full size."""
    return 1 - small_share * (1 - SMALL_COST)


def two_digits(number: float) -> int:
    """``number`` rounded down to two significant digits: 2437 -> 2400."""
    whole = int(number)
    unit: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def share_done(
    first: tuple[int, int], second: tuple[int, int], small_share: float, share: float | None
) -> float:
    """How much of a run is done, in [0, 1]; each part counts by its time.

    Args:
        first, second: updates done, and their total, of diffusion and of adversarial training.
        small_share: of the updates of diffusion, which work at half size.
        share: of the time that belongs to adversarial training; None where updates are planned and
            not minutes: then the parts are compared by what an update costs.
    """
    small = small_share * first[1]

    def cost(updates: int) -> float:
        return updates - min(updates, small) * (1 - SMALL_COST)

    whole = cost(first[1])
    of_first = cost(first[0]) / whole if first[1] else 1.0
    if not second[1]:
        return of_first

    if share is None:
        second_cost = second[1] * ADVERSARIAL_COST
        share = second_cost / (second_cost + whole)
    return (1 - share) * of_first + share * second[0] / max(second[1], 1)
