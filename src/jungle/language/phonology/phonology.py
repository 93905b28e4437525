"""The sounds of one language: which segments, how they make syllables, where the stress lies, how
they are spelled.

A form is a tuple of segments. Syllables follow the sonority sequence (Selkirk 1984): what stands
before the vowel rises towards it.
"""

import math
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from ...errors import BadInput
from ...seeds import NamedRandom
from .segments import CONSONANTS, TONES, VOWELS, Vowel, is_vowel, quality, tone
from .vocal_tract import VocalTract

Segments = tuple[str, ...]
Bias = Callable[[str], float]  # how much likelier than usual a segment is
# Goedemans and van der Hulst 2013, WALS 14 and 15
STRESSES = {
    "initial": 0.3,
    "penultimate": 0.35,
    "final": 0.2,
    "heaviest": 0.15,
}
CODAS = {"none": 0.3, "nasals": 0.2, "sonorants": 0.25, "most": 0.25}
FEWEST_CONSONANTS, MOST_CONSONANTS = 8, 13
POOREST = 5  # consonants of a language at least: Rotokas has six
TONE_LETTERS = frozenset("˥˩")
DISTANCE = 2  # of sonority between the two consonants of an onset


def even(_segment: str) -> float:
    """No bias."""
    return 1.0


@dataclass(frozen=True, kw_only=True)
class Phonology:
    """What :func:`make_phonology` drew. Segments stand in the order of how often roots use them."""

    consonants: Segments
    vowels: Segments  # with their tones
    onsets: frozenset[Segments]  # of two consonants
    codas: frozenset[str]
    clusters: float  # share of onsets that are clusters, where there are any
    closed: float  # share of syllables with a coda, where there are any
    stress: str  # a key of STRESSES
    letters: dict[str, str]
    _reading: dict[str, str] = field(default_factory=dict, repr=False)
    # what was worked out before
    _spelled: dict[Segments, str] = field(default_factory=dict, repr=False)
    _said: dict[Segments, str] = field(default_factory=dict, repr=False)
    _nuclei: frozenset[str] = field(init=False, repr=False)  # segments that carry a syllable
    _rest: frozenset[str] = field(init=False, repr=False)  # segments that do not
    _weights: dict[str, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._reading.update({spelled: segment for segment, spelled in self.letters.items()})
        nuclei = frozenset(filter(is_vowel, self.letters))
        object.__setattr__(self, "_nuclei", nuclei)
        object.__setattr__(self, "_rest", frozenset(self.letters) - nuclei)
        for ranked in (self.consonants, self.vowels):
            self._weights.update(
                {
                    segment: math.log((len(ranked) + 1) / rank)
                    for rank, segment in enumerate(ranked, 1)
                }
            )

    @cached_property
    def tonal(self) -> bool:
        """Whether pitch tells words apart."""
        return any(tone(vowel) for vowel in self.vowels)

    def spell(self, form: Segments) -> str:
        """A form in letters."""
        result = self._spelled.get(form)
        if result is None:
            result = self._spelled[form] = "".join([self.letters[segment] for segment in form])
        return result

    def decode(self, text: str) -> Segments | None:
        """The form that letters spell, two letters before one; None if they spell none."""
        form, place = [], 0
        text = unicodedata.normalize("NFC", text)
        while place < len(text):
            for size in (2, 1):
                if text[place : place + size] in self._reading:
                    form.append(self._reading[text[place : place + size]])
                    place += size
                    break
            else:
                return None
        return tuple(form)

    def syllables(self, form: Segments) -> tuple[Segments, ...] | None:
        """A form cut into syllables, each onset as long as it may be; None if the language does not
        allow the form.
        """
        starts: list[int] = []
        last = -1  # vowel

        for index, segment in enumerate(form):
            if segment in self._rest:
                continue
            if segment not in self._nuclei:
                return None
            between = index - last - 1
            onset = 1 if between else 0
            if between > 1 and form[index - 2 : index] in self.onsets:
                onset = 2

            if starts:
                coda = between - onset
                if not onset or coda > 1 or (coda and form[last + 1] not in self.codas):
                    return None
            elif onset < between:
                return None

            starts.append(index - onset)
            last = index

        # What is behind the last vowel can only be a coda.
        left = form[last + 1 :]
        if not starts or len(left) > 1 or (left and left[0] not in self.codas):
            return None
        return tuple(
            [form[start:end] for start, end in zip(starts, [*starts[1:], len(form)], strict=True)]
        )

    def stressed(self, syllables: tuple[Segments, ...]) -> int:
        """The number of the stressed syllable, from 0."""
        last = len(syllables) - 1
        if self.stress == "initial" or last == 0:
            return 0
        if self.stress == "final":
            return last
        if self.stress == "heaviest":
            return next(
                (place for place, one in enumerate(syllables) if not is_vowel(one[-1])), last - 1
            )
        return last - 1

    def ipa(self, syllables: tuple[Segments, ...], main: int) -> str:
        """Broad transcription: a stress mark before syllable ``main``, dots before the others; tone
        letters end a syllable.
        """
        said = [self._said.get(syllable) or self._say(syllable) for syllable in syllables]
        if len(said) == 1:
            return said[0]
        text = ".".join(said[:main])
        return f"{text}ˈ{'.'.join(said[main:])}"

    def _say(self, syllable: Segments) -> str:
        said = "".join(sorted("".join(syllable), key=TONE_LETTERS.__contains__))
        self._said[syllable] = said
        return said

    def syllable(
        self, dice: NamedRandom, bias: Bias = even, *, first: bool, bare: bool = False
    ) -> list[str]:
        """A syllable. ``bare``: one consonant and one vowel."""
        pairs = sorted(self.onsets)
        if not bare and pairs and dice.random() < self.clusters:
            onset = list(
                dice.weighted(
                    pairs, [self.weight(a) * bias(a) * self.weight(b) * bias(b) for a, b in pairs]
                )
            )
        elif first and not bare and dice.random() < 0.08:
            onset = []
        else:
            onset = [
                dice.weighted(
                    self.consonants, [self.weight(one) * bias(one) for one in self.consonants]
                )
            ]

        onset.append(
            dice.weighted(self.vowels, [self.weight(one) * bias(one) for one in self.vowels])
        )

        # Sorted, because sets have no order that a seed could rely on.
        ends = sorted(self.codas)
        if not bare and ends and dice.random() < self.closed:
            onset.append(dice.weighted(ends, [self.weight(one) for one in ends]))
        return onset

    def root(self, dice: NamedRandom, count: int, bias: Bias = even) -> Segments:
        """A form of ``count`` syllables."""
        while True:
            form: list[str] = []
            for place in range(count):
                form += self.syllable(dice, bias, first=place == 0)
            if all(a != b for a, b in pairwise(form)):
                return tuple(form)

    def weight(self, segment: str) -> float:
        """Share of a segment by its rank: the law of Gusein-Zade 1988, as in real languages."""
        return self._weights[segment]


def make_phonology(voice: VocalTract, dice: NamedRandom) -> Phonology:
    """The sounds of one language of a body. Two languages of one voice differ, as those of two
    frogs do.

    Raises:
        BadInput: the body can say too little for a language.
    """
    consonants = _consonants(voice, dice)
    bases = _vowels(voice, dice)
    tones = dice.some(list(TONES)[1:], [3, 1, 2], 1 + dice.below(2)) if voice.tone > 0.6 else []
    vowels = [vowel + mark for mark in ("", *tones) for vowel in bases]
    clusters = (
        dice.choice((0.0, 0.0, 0.08, 0.15)) if voice.tongue > 0.2 or voice.pulse > 0.6 else 0.0
    )
    letters = _letters(consonants, bases, tones)

    consonants = [consonant for consonant in consonants if consonant in letters]
    if len(consonants) < POOREST:
        raise BadInput(
            f"The voice {voice.name!r} can say only {len(consonants)} consonants, too few for a "
            "language: raise some of its axes."
        )

    kinds = {
        "none": (),
        "nasals": ("nasal",),
        "sonorants": ("nasal", "liquid"),
        "most": ("nasal", "liquid", "fricative"),
    }

    # Languages allow codas in this order: nasals, sonorants, most consonants.
    coda = dice.weighted(list(CODAS), list(CODAS.values()))
    ends = [
        one
        for one in consonants
        if CONSONANTS[one].kind in kinds[coda] and CONSONANTS[one].place != "glottal"
    ]
    starts = [(a, b) for a in consonants for b in consonants if clusters and _rises(a, b)]
    stress = dice.weighted(list(STRESSES), list(STRESSES.values()))

    return Phonology(
        consonants=tuple(consonants),
        vowels=tuple(vowel for vowel in vowels if vowel in letters),
        onsets=frozenset(starts),
        codas=frozenset(ends),
        clusters=clusters,
        closed=dice.choice((0.15, 0.25, 0.35)),
        stress=stress,
        letters=letters,
    )


def _rises(first: str, second: str) -> bool:
    a, b = CONSONANTS[first], CONSONANTS[second]
    return (
        a.kind in ("stop", "fricative")
        and b.kind in ("liquid", "glide")
        and b.sonority - a.sonority >= DISTANCE
        and a.place != b.place
    )


def _consonants(voice: VocalTract, dice: NamedRandom) -> list[str]:
    fits = {name: segment.fits(voice) for name, segment in CONSONANTS.items()}
    able = [name for name, fit in fits.items() if fit > 0]
    count = FEWEST_CONSONANTS + dice.below(MOST_CONSONANTS - FEWEST_CONSONANTS + 1)

    chosen = dice.some(able, [fits[name] for name in able], count)
    # a voiced stop has its voiceless partner, if the body can say it (universal of Hyman 2008)
    for name in list(chosen):
        segment = CONSONANTS[name]
        if segment.kind == "stop" and segment.voiced:
            partner = next(
                o.ipa
                for o in CONSONANTS.values()
                if o.kind == "stop" and o.place == segment.place and not o.voiced
            )
            if partner not in chosen and fits[partner] > 0:
                chosen.append(partner)

    return sorted(chosen, key=lambda name: -fits[name])


def _vowels(voice: VocalTract, dice: NamedRandom) -> list[str]:
    """Three to five vowels, far from one another (Liljencrants and Lindblom 1972), and like the
    body: small and high, or large and low.
    """
    chosen = [VOWELS["a"]]

    for _ in range(2 + dice.below(3)):
        rest = [
            vowel
            for vowel in VOWELS.values()
            if vowel not in chosen and _apart(vowel, chosen) > 0.3
        ]
        if not rest:
            break

        # Common, far from the others, near to what the throat is like, round only with lips.
        weights = [
            math.sqrt(item.common)
            * _apart(item, chosen)
            * math.exp(-(((item.depth - voice.depth) / 0.45) ** 2))
            * (1 if not item.round or item.ipa in "ou" else voice.lips)
            + 1e-4
            for item in rest
        ]
        chosen.append(dice.some(rest, weights, 1)[0])

    return sorted(
        (one.ipa for one in chosen), key=lambda name: abs(VOWELS[name].depth - voice.depth)
    )


def _apart(vowel: Vowel, others: Iterable[Vowel]) -> float:
    return min(math.hypot(vowel.height - other.height, vowel.back - other.back) for other in others)


def _letters(consonants: list[str], bases: list[str], tones: list[str]) -> dict[str, str]:
    """One spelling a segment, such that reading two letters before one always finds the segments
    again.

    Unique decoding is not enough: b + rh and br + h are told apart by a patient reader, not by a
    greedy one. So every pair of spellings that can meet must be read as the pair. Spellings have at
    most two letters, hence pairs are all that matters. A segment that no spelling fits is left out.
    """
    letters: dict[str, str] = {}
    for segment in [*bases, *consonants]:
        vowel = segment in VOWELS
        for spelled in VOWELS[segment].letters if vowel else CONSONANTS[segment].letters:
            trial = {**letters, segment: spelled}
            for mark in tones if vowel else ():
                trial[segment + mark] = unicodedata.normalize(
                    "NFC", spelled[0] + TONES[mark] + spelled[1:]
                )
            if _readable(trial):
                letters = trial
                break
    return letters


def _readable(letters: dict[str, str]) -> bool:
    spelled = set(letters.values())
    if len(spelled) < len(letters) or any(len(one) > 2 for one in spelled):
        return False
    for first, a in letters.items():
        for second, b in letters.items():
            if is_vowel(first) and is_vowel(second):
                continue  # vowels never meet
            if len(a) == 1 and a + b[0] in spelled and a + b[0] != a:
                return False
    return True


def vowel_depth(segment: str) -> float:
    """Where a vowel lies between small and high, 0, and large and low, 1."""
    return VOWELS[quality(segment)].depth
