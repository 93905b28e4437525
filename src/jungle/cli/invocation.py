"""What one run of the command line remembers beside its options."""

from dataclasses import dataclass


@dataclass(slots=True)
class Invocation:
    """``obj`` of the click context."""

    started: float  # seconds of the monotonic clock, before anything heavy was imported
    debug: bool = False  # of --debug
