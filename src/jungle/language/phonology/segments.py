"""The segments that any animal of the jungle could say: symbols of the International Phonetic
Alphabet, and what a body needs for them.
"""

import math
from dataclasses import dataclass
from functools import cache

from .vocal_tract import VocalTract

# Parker 2002
SONORITY = {
    "click": 1,
    "stop": 1,
    "affricate": 2,
    "fricative": 3,
    "nasal": 4,
    "liquid": 5,
    "glide": 6,
    "vowel": 7,
}
# tone letters and the marks they are written with
TONES = {
    "": "",
    "˥": "\u0301",
    "˥˩": "\u0302",
    "˩˥": "\u030c",
}
CANNOT = 0.08  # of an axis under which a body is not able
PICKY = 3.0  # how much better than others a body must be at a segment to use it


@dataclass(frozen=True, slots=True)
class Segment:
    """One sound. ``letters``: spellings to try in turn, at most two letters each, so that a greedy
    reader of two can decode them.
    """

    ipa: str
    letters: tuple[str, ...]
    kind: str  # a key of SONORITY
    place: str
    voiced: bool
    # share of the world's languages that have it, after PHOIBLE (Moran and McCloy 2019), rounded
    common: float
    needs: tuple[tuple[str, float], ...]  # (axis of the voice, how much)

    @property
    def sonority(self) -> int:
        """From 1, a stop, to 7, a vowel."""
        return SONORITY[self.kind]

    def fits(self, voice: VocalTract) -> float:
        """How likely a body says it, not negative; 0: it cannot."""
        total = logs = 0.0
        for axis, weight in self.needs:
            able = getattr(voice, axis)
            if able < CANNOT:
                return 0.0
            total += weight
            logs += weight * math.log(able)
        return math.sqrt(self.common) * math.exp(PICKY * logs / total)


def _consonants() -> dict[str, Segment]:
    results = {}
    for line in _CONSONANTS.strip().splitlines():
        ipa, letters, kind, place, voiced, common, *needs = line.split()
        pairs = tuple((axis, float(weight)) for axis, weight in (need.split("=") for need in needs))
        results[ipa] = Segment(
            ipa, tuple(letters.split("|")), kind, place, voiced == "+", float(common), pairs
        )
    return results


_CONSONANTS = """
p   p      stop      labial   - .86 lips=1
b   b      stop      labial   + .63 lips=1 tone=.1
t   t      stop      coronal  - .84 tongue=1
d   d      stop      coronal  + .60 tongue=1 depth=.2
k   k      stop      dorsal   - .90 throat=.6 tongue=.1
ɡ   g      stop      dorsal   + .57 throat=.9 depth=.3
q   q|kh   stop      uvular   - .08 throat=1
ɢ   gh     stop      uvular   + .04 throat=1 depth=.6
ʔ   '      stop      glottal  - .37 throat=.5
ts  ts|c   affricate coronal  - .22 tongue=.6 noise=.6
tʃ  ch|tc  affricate palatal  - .40 tongue=.6 noise=.5
dʒ  j|dj   affricate palatal  + .27 tongue=.6 noise=.5
f   f      fricative labial   - .44 lips=.5 noise=.5
v   v      fricative labial   + .27 lips=.5 noise=.5
θ   th     fricative coronal  - .06 tongue=.4 noise=.9
s   s      fricative coronal  - .67 tongue=.4 noise=.9
z   z      fricative coronal  + .30 tongue=.4 noise=.9
ɬ   lh     fricative coronal  - .06 tongue=.6 noise=.8
ʃ   sh|x   fricative palatal  - .37 tongue=.3 noise=.9
ʒ   zh|j   fricative palatal  + .16 tongue=.3 noise=.9
x   x|kh   fricative dorsal   - .20 throat=.6 noise=.7
ɣ   gh|g   fricative dorsal   + .14 throat=.6 pulse=.5
ħ   hh|h   fricative glottal  - .06 throat=.7 noise=.9
h   h|hh   fricative glottal  - .56 throat=.5
m   m      nasal     labial   + .96 nose=.7 lips=.6
n   n      nasal     coronal  + .78 nose=.6 tongue=.5
ɲ   ny     nasal     palatal  + .42 nose=.6 tongue=.5
ŋ   ng     nasal     dorsal   + .63 nose=.7 throat=.4
ɴ   nq     nasal     uvular   + .03 nose=.8 throat=.6 depth=.4
l   l      liquid    coronal  + .68 tongue=1
ɾ   r      liquid    coronal  + .26 tongue=1
r   rr|r   liquid    coronal  + .44 tongue=.5 pulse=.7
ʀ   rh|r   liquid    uvular   + .05 throat=.4 pulse=1
ʙ   br     liquid    labial   + .02 lips=.5 pulse=1
j   y|j    glide     palatal  + .90 tongue=.9
w   w      glide     labial   + .82 lips=1
ɰ   gw|w   glide     dorsal   + .03 throat=.6 nose=.3 depth=.4
ǀ   c|tc   click     coronal  - .03 click=1
ǃ   q|tq   click     palatal  - .03 click=1
ǁ   x|tx   click     lateral  - .03 click=1
ŋǀ  nc     click     nasal    + .02 click=1 nose=.6
"""
CONSONANTS = _consonants()


@dataclass(frozen=True, slots=True)
class Vowel:
    """A vowel quality: where it lies in the mouth, and how deep a body it asks for."""

    ipa: str
    letters: tuple[str, ...]
    height: float  # 0 open, 1 close
    back: float  # 0 front, 1 back
    depth: float
    round: bool
    common: float


VOWELS = {
    vowel.ipa: vowel
    for vowel in (
        Vowel("i", ("i",), 1.0, 0.0, 0.00, False, 0.92),
        Vowel("y", ("ue", "y"), 1.0, 0.2, 0.05, True, 0.06),
        Vowel("e", ("e",), 0.65, 0.1, 0.25, False, 0.61),
        Vowel("ɛ", ("e", "ae"), 0.4, 0.15, 0.35, False, 0.37),
        Vowel("ɨ", ("y", "ie"), 1.0, 0.5, 0.20, False, 0.16),
        Vowel("ə", ("e", "eu"), 0.5, 0.5, 0.45, False, 0.22),
        Vowel("a", ("a",), 0.0, 0.4, 0.50, False, 0.91),
        Vowel("ɔ", ("o", "oa"), 0.4, 0.9, 0.80, True, 0.35),
        Vowel("o", ("o",), 0.65, 0.95, 0.85, True, 0.60),
        Vowel("ɯ", ("y", "eu"), 1.0, 0.9, 0.80, False, 0.06),
        Vowel("u", ("u",), 1.0, 1.0, 1.00, True, 0.88),
    )
}


def quality(segment: str) -> str:
    """A vowel without its tone."""
    return segment.rstrip("˥˩")


def tone(segment: str) -> str:
    """The tone letters of a vowel, "" for none."""
    return segment[len(quality(segment)) :]


@cache
def is_vowel(segment: str) -> bool:
    """Whether a segment, with or without a tone, is a vowel."""
    return quality(segment) in VOWELS
