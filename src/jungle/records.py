"""The records that travel between stages and end up in files: the only schema."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Species:
    """An animal that never lived. ``mix`` maps class names to shares that sum to 1 (empty = any animal)."""

    slug: str  # a-z, 0-9 and '-': safe in file names and addresses
    name: str
    seed: int
    mix: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A painted picture: its file relative to the jungle's folder, and all that decided its bytes."""

    file: str
    width: int
    height: int
    seed: int
    mix: dict[str, float]
    model: str  # hash of the weights
    solver: str
    steps: int
    guidance: float
    species: str = ""  # slug

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A mastered call: its file relative to the jungle's folder, and all that decided its samples."""

    file: str  # the WAV master; .flac, .opus and .m4a of the same name lie beside it
    seconds: float
    rate: int  # Hz
    seed: int  # of the chosen take
    take: int  # its number, from 1
    mix: dict[str, float]
    engine: str
    model: str  # hash of the weights, or their name on the hub
    prompt: str = ""
    negative: str = ""
    species: str = ""  # slug
    score: float = 0.0  # 0 to 1
    why: str = ""  # the score in words
    flags: tuple[str, ...] = ()  # why it should not be published
    loudness: float = 0.0  # LUFS
    true_peak: float = 0.0  # dBTP
    loop: tuple[int, int] = (0, 0)  # [start, end) in samples
    notes: tuple[str, ...] = ()  # what mastering and the engine did

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)
