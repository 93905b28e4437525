"""A creature speaks: the prosody plan of a phrase, performed with grains of that creature's own call.

A plan says what a throat does and when; it knows nothing of languages. As JSON it is ``{"syllables": [{"text": "ka", "onset": 0.0,
"duration": 0.2, "pitch": 2.0, "stress": true, "noise": 0.1, "level": 0.0}, ...]}``; ``level`` may be left out.
"""

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadInput
from .frames import Floats, loudest_channel
from .grains import Grain, breath, find_grains, flatten, shift, stretch
from .maker import Audio

LONGEST = 4.0  # seconds: one breath
SHORTEST_SYLLABLE = 0.03  # seconds
WIDEST = 12.0  # semitones either way
LEVELS = (-40.0, 3.0)  # dB
STRESS_DB = 3.0
LOUDNESS, PEAK = 0.14, 0.5  # RMS and peak of a plain syllable; stressed and at the highest level it stays under 1
ATTACK, RELEASE, SUSTAIN_DB = 0.008, 0.050, -4.0  # seconds; the level falls by so much until the release
TOUCH = 1e-6  # seconds by which a syllable may begin before the end of the last: rounding
SHORTEST_CALL = 0.05  # seconds


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
            raise BadInput(f"{here} has no text: every syllable needs one, since its text decides its sound.")
        if not isinstance(self.stress, bool):
            raise BadInput(f"{here} has the stress {self.stress!r}: give true or false.")
        for name, low, high in (
            ("onset", 0.0, LONGEST),
            ("duration", SHORTEST_SYLLABLE, LONGEST),
            ("pitch", -WIDEST, WIDEST),
            ("noise", 0.0, 1.0),
            ("level", *LEVELS),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise BadInput(f"{here} has the {name} {value!r}: give a number from {low:g} to {high:g}.")

    @property
    def end(self) -> float:
        """Seconds from the beginning of the phrase."""
        return self.onset + self.duration


@dataclass(frozen=True, slots=True)
class Plan:
    """The syllables of a phrase in the order of their onsets, one at a time, within :data:`LONGEST` seconds."""

    syllables: tuple[Syllable, ...]

    def __post_init__(self) -> None:
        if not self.syllables:
            raise BadInput("A prosody plan without syllables cannot be spoken: give at least one.")
        for before, after in zip(self.syllables, self.syllables[1:], strict=False):
            if after.onset < before.end - TOUCH:
                raise BadInput(
                    f"In a prosody plan the syllable {after.text!r} begins at {after.onset:.3f} s, before {before.text!r} ends "
                    f"at {before.end:.3f} s: a creature makes one syllable at a time, in order."
                )
        if self.seconds > LONGEST + TOUCH:
            raise BadInput(f"A prosody plan of {self.seconds:.1f} s is too long for one breath: at most {LONGEST:g} s.")

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
            raise BadInput('A prosody plan must be {"syllables": [...]} with an object for each syllable.')
        names = {field.name for field in dataclasses.fields(Syllable)}
        for number, item in enumerate(items, 1):
            wrong = sorted(map(str, ({"level": 0.0} | item).keys() ^ names))
            if wrong:
                raise BadInput(f"Syllable {number} of a prosody plan has missing or unknown fields: {', '.join(wrong)}.")
        return cls(tuple(Syllable(**item) for item in items))


def _hash(voice_seed: int, text: str, purpose: str) -> int:
    """63 bits that depend on nothing else."""
    digest = hashlib.blake2b(f"{voice_seed}/{purpose}/{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _contour(length: int, rate: int) -> Floats:
    """A syllable's loudness over time, (length,) from 0 to 1: a fast rise, a slow fall, a soft end."""
    attack = max(1, min(round(ATTACK * rate), length // 4))
    release = max(1, min(round(RELEASE * rate), length // 3))
    out: Floats = np.logspace(0, SUSTAIN_DB / 20, length, dtype=np.float32)
    out[:attack] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(attack, dtype=np.float32) / attack)
    out[-release:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, release + 1, dtype=np.float32) / release)
    return out


def _utter(grain: Grain, syllable: Syllable, rate: int, voice_seed: int) -> Floats:
    """One plain syllable, (samples,): pitch, then length, then noise, then shape, then loudness."""
    length = round(syllable.duration * rate)
    voice = stretch(flatten(shift(grain.samples, grain.offset + syllable.pitch), rate), length, rate)
    if syllable.noise:
        noise = breath(voice, _hash(voice_seed, syllable.text, "breath"))
        # Powers add up, as both have the same and no common phase.
        voice = math.sqrt(1 - syllable.noise) * voice + math.sqrt(syllable.noise) * noise
    voice = voice * _contour(length, rate)
    loud = min(LOUDNESS / max(1e-9, float(np.sqrt(np.mean(np.square(voice))))), PEAK / max(1e-9, float(np.abs(voice).max())))
    return (voice * loud).astype(np.float32)


def perform(plan: Plan, call: Audio, rate: int, voice_seed: int) -> Audio:
    """The plan, spoken with the voice of ``call``.

    Each syllable text has its own grain, drawn from those of the call by ``voice_seed``; the same text with the same pitch,
    duration and noise has the same samples wherever it stands. Stress adds :data:`STRESS_DB`.

    Args:
        call: (samples, channels) at ``rate`` Hz, of which the loudest channel is used.
        voice_seed: belongs to the creature.

    Returns:
        (samples, 1) at ``rate`` Hz, from the beginning to the end of the plan; never beyond [-1, 1].

    Raises:
        BadInput: the call is silent, shorter than 50 ms, or holds samples that are not numbers.
    """
    if len(call) < SHORTEST_CALL * rate or not np.isfinite(call).all():
        raise BadInput(f"A creature speaks with its own call, and this one is broken or under {1000 * SHORTEST_CALL:.0f} ms: make another.")
    grains = find_grains(loudest_channel(call), rate)
    if not grains:
        raise BadInput("A creature speaks with its own call, and this one is silent: make another.")
    out = np.zeros((max(round(s.onset * rate) + round(s.duration * rate) for s in plan.syllables), 1), dtype=np.float32)
    known: dict[tuple[str, float, float, float], Floats] = {}
    for syllable in plan.syllables:
        key = (syllable.text, syllable.duration, syllable.pitch, syllable.noise)
        if key not in known:
            grain = grains[_hash(voice_seed, syllable.text, "grain") % len(grains)]
            known[key] = _utter(grain, syllable, rate, voice_seed)
        start = round(syllable.onset * rate)
        gain = 10 ** ((syllable.level + STRESS_DB * syllable.stress) / 20)
        out[start : start + len(known[key]), 0] += np.float32(gain) * known[key]
    return out


def babble(seed: int, seconds: float = 2.0) -> Plan:
    """A plan of invented syllables that lasts about ``seconds``: how a creature sounds before it has a language.

    Two to four words of a small stock of syllables, each word stressed at its beginning; the pitch sinks by three semitones
    on the way (declination), as it does in most spoken languages and many calls.

    Raises:
        BadInput: ``seconds`` is not between 0.2 and 4.
    """
    if not 0.2 <= seconds <= LONGEST:
        raise BadInput(f"Babbling lasts from 0.2 to {LONGEST:g} s, not {seconds:g}.")
    draw = np.random.default_rng(seed)
    consonants, vowels = draw.permutation(list("kgrmnwh"))[:4], draw.permutation(list("aeiou"))[:3]
    stock = [str(c + v) for c in consonants for v in vowels]
    stock = [stock[i] for i in draw.permutation(len(stock))[:6]]
    vowel_pitch = dict(zip(map(str, vowels), (float(p) for p in draw.uniform(-2, 2, len(vowels))), strict=True))
    syllables: list[Syllable] = []
    at, left = 0.0, 0
    while True:
        first = left == 0
        left = int(draw.integers(2, 5)) if first else left
        text = stock[int(draw.integers(len(stock)))]
        duration = float(draw.uniform(0.10, 0.18)) * (1.3 if first else 1.0)
        if syllables and at + duration > seconds:
            break
        duration = min(duration, seconds)
        pitch = vowel_pitch[text[1]] - 3 * at / seconds + (2 if first else 0)
        syllables.append(Syllable(text, round(at, 3), round(duration, 3), round(pitch, 2), first, round(float(draw.uniform(0, 0.2)), 2)))
        left -= 1
        at = syllables[-1].end + float(draw.uniform(0.08, 0.16) if left == 0 else draw.uniform(0.02, 0.05))
    return Plan(tuple(syllables))
