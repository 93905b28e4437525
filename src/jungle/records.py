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
