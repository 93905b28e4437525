"""A creature speaks: the prosody plan of a phrase (``prosody.py``), performed with grains of that creature's own call."""

import hashlib
import math

import numpy as np

from ..errors import BadInput
from ..prosody import LONGEST, Plan, Syllable
from .engine import Audio
from .frames import Floats, loudest_channel
from .granular import Grain, breath_noise, find_grains, flatten_envelope, shift_pitch, stretch_time

STRESS_DB = 3.0
LOUDNESS, PEAK = (
    0.14,
    0.5,
)  # RMS and peak of a plain syllable; stressed and at the highest level it stays under 1
ATTACK, RELEASE, SUSTAIN_DB = (
    0.008,
    0.050,
    -4.0,
)  # seconds; the level falls by so much until the release
SHORTEST_CALL = 0.05  # seconds


def _hash(voice_seed: int, text: str, purpose: str) -> int:
    """63 bits that depend on nothing else."""
    digest = hashlib.blake2b(
        f"{voice_seed}/{purpose}/{text}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little") >> 1


def _contour(length: int, rate: int) -> Floats:
    """A syllable's loudness over time, (length,) from 0 to 1: a fast rise, a slow fall, a soft end."""
    attack = max(1, min(round(ATTACK * rate), length // 4))
    release = max(1, min(round(RELEASE * rate), length // 3))
    out: Floats = np.logspace(0, SUSTAIN_DB / 20, length, dtype=np.float32)
    out[:attack] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(attack, dtype=np.float32) / attack)
    out[-release:] *= 0.5 + 0.5 * np.cos(
        np.pi * np.arange(1, release + 1, dtype=np.float32) / release
    )
    return out


def _utter(grain: Grain, syllable: Syllable, rate: int, voice_seed: int) -> Floats:
    """One plain syllable, (samples,): pitch, then length, then noise, then shape, then loudness."""
    length = round(syllable.duration * rate)
    voice = stretch_time(
        flatten_envelope(shift_pitch(grain.samples, grain.offset + syllable.pitch), rate),
        length,
        rate,
    )
    if syllable.noise:
        noise = breath_noise(voice, _hash(voice_seed, syllable.text, "breath"))
        # Powers add up, as both have the same and no common phase.
        voice = math.sqrt(1 - syllable.noise) * voice + math.sqrt(syllable.noise) * noise
    voice = voice * _contour(length, rate)
    loud = min(
        LOUDNESS / max(1e-9, float(np.sqrt(np.mean(np.square(voice))))),
        PEAK / max(1e-9, float(np.abs(voice).max())),
    )
    return (voice * loud).astype(np.float32)


def render_speech(plan: Plan, call: Audio, rate: int, voice_seed: int) -> Audio:
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
        raise BadInput(
            f"A creature speaks with its own call, and this one is broken or under {1000 * SHORTEST_CALL:.0f} ms: make another."
        )
    grains = find_grains(loudest_channel(call), rate)
    if not grains:
        raise BadInput("A creature speaks with its own call, and this one is silent: make another.")
    out = np.zeros(
        (max(round(s.onset * rate) + round(s.duration * rate) for s in plan.syllables), 1),
        dtype=np.float32,
    )
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


def babble_plan(seed: int, seconds: float = 2.0) -> Plan:
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
    vowel_pitch = dict(
        zip(map(str, vowels), (float(p) for p in draw.uniform(-2, 2, len(vowels))), strict=True)
    )
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
        syllables.append(
            Syllable(
                text,
                round(at, 3),
                round(duration, 3),
                round(pitch, 2),
                first,
                round(float(draw.uniform(0, 0.2)), 2),
            )
        )
        left -= 1
        at = syllables[-1].end + float(
            draw.uniform(0.08, 0.16) if left == 0 else draw.uniform(0.02, 0.05)
        )
    return Plan(tuple(syllables))
