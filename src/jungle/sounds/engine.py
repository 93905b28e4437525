"""What every sound engine is asked for and gives back: the one interface between them and the rest.

A new engine is a class with the four members of :class:`SoundEngine`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""(samples, channels), nominal range [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt at a call.

    The same seed gives the same samples, whatever it is made together with.
    """

    audio: Audio
    rate: int  # Hz
    seed: int
    note: str = ""  # what went wrong and was mended; "" = nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRequest:
    """A call to make.

    The embedded engine follows ``mix``, a text-to-audio engine ``prompt``.
    """

    seed: int
    mix: dict[str, float] = field(default_factory=dict)  # class -> share; empty = any animal
    prompt: str = ""
    negative: str = ""  # what must not be heard
    seconds: float = 0.0  # 0 = as long as is natural
    takes: int = 1


class SoundEngine(Protocol):
    """Makes calls.

    ``rate`` is its sample rate in Hz, ``model`` the hash or the hub name of its weights.
    """

    name: str
    rate: int
    model: str

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """All takes of all requests in order, each with the index of its request."""
        ...


def take_seed(seed: int, take: int) -> int:
    """The seed of take ``take``, counted from 0, of a request with ``seed``.

    The request's own for take 0, else 63 bits of a hash of both.
    """
    if take == 0:
        return seed
    hashed = hashlib.blake2b(f"{seed}/take/{take}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "little") >> 1
