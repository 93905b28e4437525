"""Statistics of a run as it goes: a line of JSON every few seconds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .adversarial import AdversarialProgress
from .report import describe_adversarial, describe_window, in_brief
from .train import BANDS, Progress

STATS_SECONDS = 5.0


class StatsLog:
    """Appends to ``file`` what happened since the line before.

    Args:
        file: JSON, a line each; made when the first line is due.
        clock: seconds, monotonic.
    """

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self.file = file
        self.clock = clock
        self._written = clock()
        self._window: list[Progress] = []
        self._adversarial: list[AdversarialProgress] = []

    def add(
        self, progress: Progress | AdversarialProgress, *, last: bool, seconds: float
    ) -> dict[str, Any]:
        """Count an update in, and write a line if one is due.

        Args:
            progress: of the update.
            last: whether it is the last one of its part, which is always written.
            seconds: that the run has used so far.

        Returns:
            A summary of the adversarial updates of the line that was written, else empty.
        """
        if isinstance(progress, AdversarialProgress):
            self._adversarial.append(progress)
        else:
            self._window.append(progress)

        # A note is written at once: it may be the last thing that the run says.
        if self.clock() - self._written < STATS_SECONDS and not last and not progress.note:
            return {}
        self._written = self.clock()

        if isinstance(progress, AdversarialProgress):
            line = describe_adversarial(self._adversarial)
            summary = in_brief(self._adversarial)
        else:
            line = describe_window(self._window) | {"bands": list(BANDS)}
            summary = {}
        with self.file.open("a") as file:
            file.write(json.dumps(line | {"seconds": round(seconds, 1)}) + "\n")

        self._window.clear()
        self._adversarial.clear()
        return summary
