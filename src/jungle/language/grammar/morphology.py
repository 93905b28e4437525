"""How words take their endings: the markers of a language, and every form that a stem can have.

A form is a list of morphs, pairs of a form and its gloss, parted by a joint: "-" between a stem and
an affix, "~" for a copy (Leipzig Glossing Rules 2 and 10).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ...seeds import NamedRandom
from ..phonology.phonology import Phonology, Segments
from ..phonology.segments import CONSONANTS, VOWELS, is_vowel, quality, tone
from ..semantics.concepts import DERIVATIONS, Concept
from .blocklist import is_allowed
from .typology import EVIDENTIALS, NUMBERS, TENSES, Typology

# a word of another class, without other change
CONVERSIONS = {
    "N": "NMLZ",
    "I": "VBLZ",
    "T": "VBLZ",
    "A": "ADJZ",
    "D": "ADVZ",
}
HARMONY = {"i": "u", "e": "o", "ɛ": "ɔ", "u": "i", "o": "e", "ɔ": "ɛ"}


class Morph(NamedTuple):
    """A piece of a word, its gloss, and the joint before it."""

    form: Segments
    gloss: str
    joint: str = "-"


Morphs = tuple[Morph, ...]
# forms that a dialect has from its family, the best first, by concept or marker
Heritage = Callable[[str], tuple[Segments, ...]]
Key = tuple[str, ...]  # of a form: class, concept, features


@dataclass(frozen=True)
class Morphology:
    """The markers of one language, by gloss."""

    phonology: Phonology
    typology: Typology
    markers: dict[str, Segments]
    # of markers under harmony
    _shades: dict[tuple[Segments, bool], Segments] = field(default_factory=dict, repr=False)

    @cached_property
    def _predicates(self) -> list[tuple[Key, list[str]]]:
        """What follows the name in the key of every form of a predicate, and the glosses of its
        markers.
        """
        return [
            ((*features[:3], "NEG" if features[3] else ""), self.verb_marks(*features))
            for features in PREDICATES
        ]

    def marks(self) -> tuple[str, ...]:
        """The cases that nouns are marked for; "" is the bare one."""
        if self.typology.kind == "isolating":
            return "", "VOC", "POSS"
        return "", "ERG" if self.typology.ergative else "ACC", "LOC", "VOC", "POSS"

    def mark(self, case: str) -> str:
        """The marker of a case of :data:`jungle.language.typology.CASES`."""
        if case == "ACT":
            return "ERG" if self.typology.ergative else ""
        if case in ("SBJ", "PAT"):
            return "ACC" if case == "PAT" and "ACC" in self.marks() else ""
        return case if case in self.marks() else ""

    def noun_marks(self, concept: Concept, number: str, mark: str) -> list[str]:
        """Glosses of the markers of a noun, from the stem outwards."""
        if self.typology.kind == "fusional":
            return [f"{number}.{mark or 'NOM'}"] if number != "SG" or mark else []
        plural = "PL" if concept.animate or self.typology.kind == "isolating" else "PL.INAN"
        return [label for label in (plural if number == "PL" else "", mark) if label]

    def verb_marks(self, mood: str, tense: str, source: str, negative: bool) -> list[str]:
        """Glosses of the markers of a predicate, from the stem outwards."""
        result = ["NEG"] if negative else []
        if mood in ("IMP", "URG"):
            return [*result, "IMP"]
        if self.typology.kind == "fusional":
            return [*result, f"{tense}.{source or 'Q'}"]
        return [*result, *([tense] if tense != "PRS" else []), source or "Q"]

    def word(self, stem: Morphs, labels: list[str]) -> Morphs:
        """A stem with the markers of these glosses, after the rules of sound."""
        morphs = stem
        for label in labels:
            marker = Morph(self.harmonised(self.markers[label], morphs), label)
            morphs = (
                self.joined(marker, morphs)
                if self.typology.prefixing
                else self.joined(morphs, marker)
            )
        return morphs

    def joined(self, first: Morphs | Morph, second: Morphs | Morph) -> Morphs:
        """Two pieces side by side: a nasal at the end of the first takes the place of the consonant
        that follows.
        """
        left = (first,) if isinstance(first, Morph) else first
        right = (second,) if isinstance(second, Morph) else second

        # A stem behind a prefix begins without a joint of its own.
        if isinstance(first, Morph):
            right = (Morph(right[0].form, right[0].gloss), *right[1:])

        if self.typology.assimilation:
            last, after = left[-1].form[-1], right[0].form[0]
            if not is_vowel(last) and not is_vowel(after) and CONSONANTS[last].kind == "nasal":
                place = CONSONANTS[after].place
                same = [
                    coda
                    for coda in self.phonology.codas
                    if CONSONANTS[coda].kind == "nasal" and CONSONANTS[coda].place == place
                ]
                if same:
                    left = (*left[:-1], left[-1]._replace(form=(*left[-1].form[:-1], min(same))))

        return (*left, *right)

    def harmonised(self, marker: Segments, stem: Morphs) -> Segments:
        """A marker whose vowels are front or back like the nearest vowel of the stem, in languages
        with harmony.
        """
        if not self.typology.harmony:
            return marker
        back = VOWELS[quality(self._nearest(stem))].back > 0.5
        shade = self._shades.get((marker, back))
        if shade is None:
            shade = self._shades[marker, back] = tuple(
                [self._shifted(one, back) if is_vowel(one) else one for one in marker]
            )
        return shade

    def _nearest(self, stem: Morphs) -> str:
        """The vowel of a stem that stands nearest to its markers."""
        way = 1 if self.typology.prefixing else -1
        return next(one for morph in stem[::way] for one in morph.form[::way] if is_vowel(one))

    def _shifted(self, vowel: str, back: bool) -> str:
        base = quality(vowel)
        other = HARMONY.get(base, base)
        if (
            base == "a"
            or (VOWELS[base].back > 0.5) == back
            or other + tone(vowel) not in self.phonology.letters
        ):
            return vowel
        return other + tone(vowel)

    def copy(self, stem: Morphs) -> Morphs:
        """A stem after a copy of its first consonant and vowel: urgency."""
        form = stem[0].form
        end = next(index for index, one in enumerate(form) if is_vowel(one)) + 1
        return (Morph(form[:end], "URG", ""), stem[0]._replace(joint="~"), *stem[1:])

    def sound(self) -> bool:
        """Whether every bundle of features is told apart on any stem, and none of them spells what
        no word may.
        """
        if self.typology.kind == "isolating":
            return True
        bundles = {tuple(self.verb_marks(*features)) for features in PREDICATES}
        back = -1 if self.typology.prefixing else 1
        spelled = {
            "".join(self.phonology.spell(self.markers[label]) for label in labels[::back])
            for labels in bundles
        }
        return len(spelled) == len(bundles) and all(map(is_allowed, spelled))

    def forms(self, concept: Concept, stem: Morphs) -> Iterator[tuple[Key, Morphs, list[str]]]:
        """Every form of a concept: its key, its stem, and the glosses of its markers, from the stem
        outwards.
        """
        name = concept.name

        if concept.kind == "N":
            for number in NUMBERS:
                for mark in self.marks():
                    yield ("N", name, number, mark), stem, self.noun_marks(concept, number, mark)

        # A call is said up to three times: the louder the danger, the more often.
        elif concept.kind == "X":
            for level in (1, 2, 3):
                copies = [
                    Morph(stem[0].form, "ALARM" if "alarm" in concept.tags else "INT", "~")
                    for _ in range(level - 1)
                ]
                whole = [
                    *copies,
                    *(stem if not copies else (stem[0]._replace(joint="~"), *stem[1:])),
                ]
                yield ("X", name, str(level)), tuple(whole), []
        else:
            if concept.kind not in "IT":
                yield (concept.kind, name), stem, []
            if concept.predicate:
                copied = self.copy(stem)
                for features, labels in self._predicates:
                    yield ("V", name, *features), copied if features[0] == "URG" else stem, labels


PREDICATES = tuple(
    (mood, tense, source, negative)
    for negative in (False, True)
    for mood, tense, source in (
        *(("IND", tense, source) for tense in TENSES for source in EVIDENTIALS),
        *(("Q", tense, "") for tense in TENSES),
        ("IMP", "", ""),
        ("URG", "", ""),
    )
)


def marker_labels(typology: Typology) -> list[str]:
    """Glosses of the markers that a kind of grammar needs, the most used first; derivations
    last.
    """
    nouns = ["VOC", "POSS"]
    if typology.kind == "fusional":
        cases = ["ERG" if typology.ergative else "ACC", "LOC", *nouns]
        results = [f"{tense}.{source}" for tense in TENSES for source in (*EVIDENTIALS, "Q")]
        results += [f"SG.{case}" for case in cases] + [f"PL.{case}" for case in ("NOM", *cases)]
    else:
        results = [*EVIDENTIALS, "Q", "PST", "FUT", "PL", *nouns]
        if typology.kind == "agglutinating":
            results += ["ERG" if typology.ergative else "ACC", "LOC", "PL.INAN"]
    return [*results, "NEG", "IMP", *DERIVATIONS, *dict.fromkeys(CONVERSIONS.values())]


def make_markers(
    phonology: Phonology, typology: Typology, dice: NamedRandom, inherited: Heritage | None = None
) -> dict[str, Segments]:
    """A short form for each gloss, no two alike, not even under harmony; all could be words."""
    markers: dict[str, Segments] = {}
    taken: set[Segments] = set()

    for label in marker_labels(typology):
        ideas = inherited(label) if inherited else ()
        for attempt in range(1000):
            form: Segments = ideas[attempt] if attempt < len(ideas) else ()
            for _ in range(1 + (attempt > 60) if not form else 0):
                form += tuple(
                    phonology.syllable(dice, first=False, bare=attempt < 20 or typology.prefixing)
                )

            # Harmony changes vowels, so two markers that differ in them alone could fall together.
            seen = _shape(form) if typology.harmony else form
            if (
                seen not in taken
                and phonology.syllables(form)
                and is_allowed(phonology.spell(form))
            ):
                taken.add(seen)
                markers[label] = form
                break

    return markers


def _shape(form: Segments) -> Segments:
    """A form in which vowels that harmony can swap look alike."""
    return tuple(
        min(base, HARMONY.get(base, base)) + tone(item)
        if (base := quality(item)) in VOWELS
        else item
        for item in form
    )
