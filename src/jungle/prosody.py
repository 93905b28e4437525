"""The prosody plan of a phrase: what a throat does and when. It knows nothing of languages, and
nothing of sound.

As JSON it is ``{"syllables": [{"text": "ka", "onset": 0.0, "duration": 0.2, "pitch": 2.0, "stress":
true, "noise": 0.1, "level": 0.0}, ...]}``; ``level`` may be left out.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from .errors import BadInput

LONGEST = 4.0  # seconds: one breath
SHORTEST_SYLLABLE = 0.03  # seconds
WIDEST = 12.0  # semitones either way
LEVELS = (-40.0, 3.0)  # dB
TOUCH = 1e-6  # seconds by which a syllable may begin before the end of the last: rounding


@dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable. The same text always has the same sound in the same voice."""

    text: str
    onset: float  # seconds from the beginning
    duration: float  # seconds
    pitch: float  # semitones above the creature's own pitch
    stress: bool
    noise: float  # 0 all voice, 1 all breath
    level: float = 0.0  # dB

    def __post_init__(self) -> None:
        here = f"The syllable {self.text!r} of a prosody plan"

        if not isinstance(self.text, str) or not self.text.strip():
            raise BadInput(
                f"{here} has no text: every syllable needs one, since its text decides its sound."
            )

        if not isinstance(self.stress, bool):
            raise BadInput(f"{here} has the stress {self.stress!r}: give true or false.")

        # A plan may come from outside: a number out of range would become an hour of sound, or
        # none.
        for name, low, high in (
            ("onset", 0.0, LONGEST),
            ("duration", SHORTEST_SYLLABLE, LONGEST),
            ("pitch", -WIDEST, WIDEST),
            ("noise", 0.0, 1.0),
            ("level", *LEVELS),
        ):
            value = getattr(self, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not low <= value <= high
            ):
                raise BadInput(
                    f"{here} has the {name} {value!r}: give a number from {low:g} to {high:g}."
                )

    @property
    def end(self) -> float:
        """Seconds from the beginning of the phrase."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class Plan:
    """The syllables of a phrase in the order of their onsets, one at a time, within :data:`LONGEST`
    seconds.
    """

    syllables: tuple[Syllable, ...]

    def __post_init__(self) -> None:
        if not self.syllables:
            raise BadInput("A prosody plan without syllables cannot be spoken: give at least one.")
        for before, after in zip(self.syllables, self.syllables[1:], strict=False):
            if after.onset < before.end - TOUCH:
                raise BadInput(
                    f"In a prosody plan the syllable {after.text!r} begins at {after.onset:.3f} s, "
                    f"before {before.text!r} ends "
                    f"at {before.end:.3f} s: a creature makes one syllable at a time, in order."
                )
        if self.seconds > LONGEST + TOUCH:
            raise BadInput(
                f"A prosody plan of {self.seconds:.1f} s is too long for one breath: at most "
                f"{LONGEST:g} s."
            )

    @property
    def seconds(self) -> float:
        """How long it takes: until the end of the last syllable."""
        return self.syllables[-1].end

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"syllables": [dataclasses.asdict(syllable) for syllable in self.syllables]}

    @classmethod
    def from_json(cls, value: object) -> "Plan":
        """The plan that :meth:`to_json` made plain.

        Raises:
            BadInput: a field is missing, unknown, or out of its range.
        """
        items = value.get("syllables") if isinstance(value, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadInput(
                'A prosody plan must be {"syllables": [...]} with an object for each syllable.'
            )
        names = {field.name for field in dataclasses.fields(Syllable)}
        for number, item in enumerate(items, 1):
            wrong = sorted(map(str, ({"level": 0.0} | item).keys() ^ names))
            if wrong:
                raise BadInput(
                    f"Syllable {number} of a prosody plan has missing or unknown fields: "
                    f"{', '.join(wrong)}."
                )
        return cls(tuple(Syllable(**item) for item in items))
