"""The prosody of a phrase: when each syllable comes, how long, how high and how rough it is.

Pitch and noise follow motivation: hostile calls are low and harsh, friendly and frightened ones
high and tonal (Morton 1977).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..prosody import LEVELS, LONGEST, WIDEST, Plan, Syllable
from .grammar.word_table import InflectedWord
from .phonology.phonology import vowel_depth
from .phonology.segments import CONSONANTS, is_vowel, tone
from .phonology.vocal_tract import VocalTract

STRESS_PITCH, STRESS_LENGTH = 2.0, 1.25  # semitones, times
DECLINATION = -3.0  # semitones over a phrase
# semitones from the lowest vowel to the highest, either way from the middle: intrinsic pitch, made
# large
VOWEL_PITCH = 4.0
QUESTION_RISE = 5.0  # semitones on the last syllable
PAUSE = 0.35  # of a syllable, between words
MARGIN = 0.01  # seconds kept free at the end
TONE_PITCH = {"": 0.0, "˥": 4.0, "˥˩": 1.0, "˩˥": 2.0}
NOISES = {"affricate": 0.45, "fricative": 0.6, "click": 0.35, "stop": 0.15}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a mood sounds."""

    tempo: float = 1.0  # times
    pitch: float = 0.0  # semitones
    span: float = 1.0  # times
    noise: float = 0.0  # added
    level: float = 0.0  # dB


MANNERS = {
    "calm": Manner(),
    "glad": Manner(tempo=1.1, pitch=1.5, span=1.3),
    "afraid": Manner(tempo=1.3, pitch=3.0, span=1.2, noise=0.1, level=2.0),
    "angry": Manner(tempo=1.05, pitch=-3.0, span=0.8, noise=0.3, level=2.0),
    "sad": Manner(tempo=0.75, pitch=-1.5, span=0.7, level=-4.0),
    "curious": Manner(pitch=1.0, span=1.2, level=-1.0),
    "tender": Manner(tempo=0.85, pitch=1.0, span=0.9, level=-5.0),
    "proud": Manner(tempo=0.95, pitch=-1.0, span=1.2, level=1.0),
}


def make_plan(
    words: Sequence[InflectedWord],
    voice: VocalTract,
    mood: str,
    spell: dict[str, str],
    *,
    question: bool = False,
) -> Plan:
    """When and how the syllables of a phrase are said, in one breath.

    Args:
        words: what is said.
        voice: who says it.
        mood: a key of :data:`MANNERS`.
        spell: letters of each segment: the text of a syllable.
        question: whether it ends with a rise.
    """
    manner = MANNERS[mood]
    beat = 1 / (voice.tempo * manner.tempo)
    said = [(form, stress, last) for word in words for form, stress, last in _marked(word)]
    lengths = [beat * (STRESS_LENGTH if stress else 1.0) for _, stress, _ in said]
    pauses = [beat * PAUSE if last else 0.0 for _, _, last in said]
    total = sum(lengths) + sum(pauses[:-1])

    # A phrase is one breath: a long one is said faster.
    scale = min(1.0, (LONGEST - MARGIN) / total)
    syllables, onset = [], 0.0

    for index, ((form, stress, _), length, pause) in enumerate(
        zip(said, lengths, pauses, strict=True)
    ):
        vowel = next(item for item in form if is_vowel(item))
        pitch = (0.5 - vowel_depth(vowel)) * 2 * VOWEL_PITCH * min(
            voice.span / 2, 1.0
        ) + TONE_PITCH[tone(vowel)]
        pitch = pitch * manner.span + manner.pitch + (STRESS_PITCH if stress else 0.0)

        # Pitch falls over a phrase and rises at the end of a question.
        pitch += DECLINATION * index / max(len(said) - 1, 1) + (
            QUESTION_RISE if question and index == len(said) - 1 else 0.0
        )
        first = NOISES.get(CONSONANTS[form[0]].kind, 0.0) if not is_vowel(form[0]) else 0.0
        noise = min(max(first * (0.5 + voice.noise / 2) + manner.noise, 0.0), 1.0)
        level = min(max(manner.level + (1.0 if stress else -2.0), LEVELS[0]), LEVELS[1])
        syllables.append(
            Syllable(
                text="".join(spell[one] for one in form),
                onset=round(onset, 4),
                duration=round(length * scale * 0.98, 4),
                pitch=round(min(max(pitch, -WIDEST), WIDEST), 2),
                stress=stress,
                noise=round(noise, 2),
                level=level,
            )
        )
        onset += (length + pause) * scale

    return Plan(tuple(syllables))


def _marked(word: InflectedWord) -> list[tuple[tuple[str, ...], bool, bool]]:
    """Syllables of a word with their stress, and whether the word ends there."""
    return [
        (form, stress, place == len(word.syllables) - 1)
        for place, (form, stress) in enumerate(word.syllables)
    ]
