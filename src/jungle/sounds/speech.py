"""A creature speaks: a prosody plan, performed with grains of that creature's own call.

``prosody.py`` says what a plan is, ``granular.py`` what a grain is.
"""

import hashlib
import math

import numpy as np

from ..errors import BadInput
from ..prosody import LONGEST, Plan, Syllable
from .engine import Audio
from .frames import FloatArray, loudest_channel
from .granular import Grain, breath_noise, find_grains, flatten_envelope, shift_pitch, stretch_time

STRESS_DB = 3.0

# RMS and peak of a plain syllable; stressed and at the highest level it stays under 1.
_LOUDNESS, _PEAK = 0.14, 0.5

_ATTACK, _RELEASE = 0.008, 0.050  # seconds
_SUSTAIN_DB = -4.0  # the level falls by so much until the release
_SHORTEST_CALL = 0.05  # seconds


def _hash(voice_seed: int, text: str, purpose: str) -> int:
    """63 bits that depend on nothing else."""
    content = f"{voice_seed}/{purpose}/{text}".encode("utf-8", "surrogatepass")
    hashed = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(hashed, "little") >> 1


def _envelope(length: int, rate: int) -> FloatArray:
    """Loudness over time, (length,) from 0 to 1: a fast rise, a slow fall, a soft end."""
    attack = max(1, min(round(_ATTACK * rate), length // 4))
    release = max(1, min(round(_RELEASE * rate), length // 3))
    out: FloatArray = np.logspace(0, _SUSTAIN_DB / 20, length, dtype=np.float32)
    out[:attack] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(attack, dtype=np.float32) / attack)
    fall = np.arange(1, release + 1, dtype=np.float32)
    out[-release:] *= 0.5 + 0.5 * np.cos(np.pi * fall / release)
    return out


def _render_syllable(grain: Grain, syllable: Syllable, rate: int, voice_seed: int) -> FloatArray:
    """One plain syllable, (samples,): pitch, then length, then noise, then shape, then loudness."""
    length = round(syllable.duration * rate)
    shifted = shift_pitch(grain.samples, grain.offset + syllable.pitch)
    voice = stretch_time(flatten_envelope(shifted, rate), length, rate)

    # Powers add up, as both have the same and no common phase.
    if syllable.noise:
        noise = breath_noise(voice, _hash(voice_seed, syllable.text, "breath"))
        voice = math.sqrt(1 - syllable.noise) * voice + math.sqrt(syllable.noise) * noise

    # Loudness by RMS, but for a grain of single clicks, which would clip.
    voice = voice * _envelope(length, rate)
    rms = float(np.sqrt(np.mean(np.square(voice))))
    peak = float(np.abs(voice).max())
    gain = min(_LOUDNESS / max(1e-9, rms), _PEAK / max(1e-9, peak))
    return (voice * gain).astype(np.float32)


def render_speech(plan: Plan, call: Audio, rate: int, voice_seed: int) -> Audio:
    """The plan, spoken with the voice of ``call``.

    Each syllable text has its own grain, drawn from those of the call by ``voice_seed``; the same
    text with the same pitch, duration and noise has the same samples wherever it stands. Stress
    adds :data:`STRESS_DB`.

    Args:
        plan: onsets and durations in seconds, pitches in semitones, levels in dB.
        call: (samples, channels) at ``rate`` Hz, of which the loudest channel is used.
        rate: in Hz.
        voice_seed: belongs to the creature.

    Returns:
        (samples, 1) at ``rate`` Hz, as long as the plan; never beyond [-1, 1].

    Raises:
        BadInput: the call is silent, shorter than 50 ms, or holds samples that are not numbers.
    """
    if len(call) < _SHORTEST_CALL * rate or not np.isfinite(call).all():
        raise BadInput(
            "A creature speaks with its own call, and this one is broken or under "
            f"{1000 * _SHORTEST_CALL:.0f} ms: make another."
        )
    grains = find_grains(loudest_channel(call), rate)
    if not grains:
        raise BadInput("A creature speaks with its own call, and this one is silent: make another.")

    # Rounded one by one, as below: the end of a syllable is not the rounded end in seconds.
    length = max(round(s.onset * rate) + round(s.duration * rate) for s in plan.syllables)
    out = np.zeros((length, 1), dtype=np.float32)
    rendered: dict[tuple[str, float, float, float], FloatArray] = {}
    for syllable in plan.syllables:
        key = (syllable.text, syllable.duration, syllable.pitch, syllable.noise)
        if key not in rendered:
            grain = grains[_hash(voice_seed, syllable.text, "grain") % len(grains)]
            rendered[key] = _render_syllable(grain, syllable, rate, voice_seed)
        samples = rendered[key]
        start = round(syllable.onset * rate)
        gain = 10 ** ((syllable.level + STRESS_DB * syllable.stress) / 20)
        out[start : start + len(samples), 0] += np.float32(gain) * samples
    return out


def babble_plan(seed: int, seconds: float = 2.0) -> Plan:
    """A plan of invented syllables: how a creature sounds before it has a language.

    Words of two to four syllables from a small stock, each stressed at its beginning; the pitch
    sinks by three semitones on the way (declination), as it does in most spoken languages and many
    calls.

    Args:
        seed: of stock, words and prosody.
        seconds: that the plan lasts, about.

    Raises:
        BadInput: ``seconds`` is not between 0.2 and 4.
    """
    if not 0.2 <= seconds <= LONGEST:
        raise BadInput(f"Babbling lasts from 0.2 to {LONGEST:g} s, not {seconds:g}.")
    draw = np.random.default_rng(seed)

    # Few sounds and few syllables: repetition is what makes it sound like a language.
    consonants = draw.permutation(list("kgrmnwh"))[:4]
    vowels = draw.permutation(list("aeiou"))[:3]
    stock = [str(consonant + vowel) for consonant in consonants for vowel in vowels]
    stock = [stock[index] for index in draw.permutation(len(stock))[:6]]
    intervals = draw.uniform(-2, 2, len(vowels))  # semitones
    vowel_pitch = {
        str(vowel): float(interval) for vowel, interval in zip(vowels, intervals, strict=True)
    }

    syllables: list[Syllable] = []
    onset, remaining = 0.0, 0  # seconds; syllables of the word
    while True:
        first = remaining == 0
        remaining = int(draw.integers(2, 5)) if first else remaining
        text = stock[int(draw.integers(len(stock)))]
        duration = float(draw.uniform(0.10, 0.18)) * (1.3 if first else 1.0)
        if syllables and onset + duration > seconds:
            break
        duration = min(duration, seconds)
        pitch = vowel_pitch[text[1]] - 3 * onset / seconds + (2 if first else 0)
        noise = round(float(draw.uniform(0, 0.2)), 2)
        syllables.append(
            Syllable(text, round(onset, 3), round(duration, 3), round(pitch, 2), first, noise)
        )

        # A longer pause parts two words.
        remaining -= 1
        pause = draw.uniform(0.08, 0.16) if remaining == 0 else draw.uniform(0.02, 0.05)
        onset = syllables[-1].end + float(pause)
    return Plan(tuple(syllables))
