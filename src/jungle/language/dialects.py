"""Families of languages: the species of one jungle share a grammar and roots, and differ by regular
changes of sound.

A change applies to every word, in order, as in real families; only where it would make two words
the same, or a word that the sounds do not allow, does a dialect keep the older form or take a word
of its own. So every dialect is as free of homophones, and as readable back, as a language drawn
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..seeds import NamedRandom
from .grammar.morphology import Heritage
from .language import Language
from .phonology.phonology import Phonology, Segments
from .phonology.segments import CONSONANTS, VOWELS, is_vowel, quality, tone
from .phonology.vocal_tract import VocalTract

WHERE = ("between vowels", "at the beginning", "at the end", "everywhere")


@dataclass(frozen=True, slots=True)
class SoundChange:
    """A regular change: ``old`` becomes ``new`` in one surrounding of :data:`WHERE`."""

    old: str
    new: str
    where: str

    def __str__(self) -> str:
        return f"/{self.old}/ became /{self.new}/ {self.where}"

    def apply(self, form: Segments) -> Segments:
        """The form after the change."""
        return tuple(
            self.new if one == self.old and self._here(form, index) else one
            for index, one in enumerate(form)
        )

    def _here(self, form: Segments, place: int) -> bool:
        if self.where == "between vowels":
            return (
                0 < place < len(form) - 1
                and is_vowel(form[place - 1])
                and is_vowel(form[place + 1])
            )
        return self.where == "everywhere" or place == (
            0 if self.where == "at the beginning" else len(form) - 1
        )


@dataclass(frozen=True, slots=True)
class Dialect:
    """A language with its history."""

    language: Language
    # in the order in which they happened, after the sounds of the family met another body
    changes: tuple[SoundChange, ...]

    def shared(self, family: Language) -> float:
        """Share of the roots that follow from the family's by the changes alone."""
        own = self.language.grammar.table.stems
        idea = heritage(family, self.language.phonology, self.changes)
        roots = [name for name, stem in family.grammar.table.stems.items() if len(stem) == 1]
        return sum(
            len(own[name]) == 1 and own[name][0].form == idea(name)[0] for name in roots
        ) / len(roots)


def make_dialect(
    family: Language, seed: int | str, voice: VocalTract | None = None, *, changes: int = 3
) -> Dialect:
    """A dialect of a family, spoken with the body of ``voice`` (default: that of the family).

    Raises:
        BadInput: the voice is too poor for the words of the family.
    """
    body = voice or family.voice
    history: list[SoundChange] = []

    # The changes are drawn for the sounds that the body can make, which are known only now.
    def inherited(sounds: Phonology) -> Heritage:
        history[:] = draw_changes(sounds, changes, NamedRandom("changes", family.seed, seed))
        return heritage(family, sounds, history)

    # The body of the family has its sounds; another body gets its own.
    sounds = family.phonology if body == family.voice else None
    language = Language(
        f"{family.seed}/{seed}",
        body,
        more_concepts=family.more_concepts,
        more_intents=family.more_intents,
        typology=family.typology,
        phonology=sounds,
        inherited=inherited,
    )
    language.history = tuple(map(str, history))
    return Dialect(language, tuple(history))


def heritage(family: Language, sounds: Phonology, history: Sequence[SoundChange]) -> Heritage:
    """What a dialect of these sounds has from its family: the changed form, then the form without
    the changes.
    """
    table = family.grammar.table
    move = adapted(sounds)

    def ideas(name: str) -> tuple[Segments, ...]:
        stem = table.stems.get(name, ())
        old = table.morphology.markers.get(name, ()) or (stem[0].form if len(stem) == 1 else ())
        form = plain = move(old)
        for change in history:
            form = change.apply(form)
        return (form, plain) if form else ()

    return ideas


def adapted(sounds: Phonology) -> Callable[[Segments], Segments]:
    """The map of any form to these sounds: each segment becomes the most similar one; consonants
    that no syllable has room for fall.
    """
    nearest: dict[str, str] = {}

    def move(form: Segments) -> Segments:
        for item in form:
            if item not in nearest:
                own: Sequence[str] = sounds.vowels if is_vowel(item) else sounds.consonants
                nearest[item] = min(own, key=lambda other: (unlike(item, other), own.index(other)))
        return repaired(tuple(nearest[item] for item in form), sounds)

    return move


def repaired(form: Segments, sounds: Phonology) -> Segments:
    """A form without the consonants that its syllables have no room for: those farthest from a
    vowel fall first.
    """
    place = len(form) - 1
    while form and sounds.syllables(form) is None and place >= 0:
        after = is_vowel(form[place + 1]) if place + 1 < len(form) else False
        if not is_vowel(form[place]) and not after:
            form = (*form[:place], *form[place + 1 :])
        place -= 1
    return form


def unlike(one: str, other: str) -> float:
    """How different two vowels or two consonants are: 0 for the same, at most about 3."""
    if is_vowel(one):
        a, b = VOWELS[quality(one)], VOWELS[quality(other)]
        return abs(a.height - b.height) + abs(a.back - b.back) + 0.3 * (tone(one) != tone(other))
    c, d = CONSONANTS[one], CONSONANTS[other]
    return (
        0.25 * abs(c.sonority - d.sonority)
        + 0.8 * (c.place != d.place)
        + 0.4 * (c.voiced != d.voiced)
        + 0.3 * (c.kind != d.kind)
    )


def draw_changes(sounds: Phonology, count: int, dice: NamedRandom) -> list[SoundChange]:
    """Changes that a language of these sounds might undergo: to similar sounds, oftenest between
    vowels, as weakening does.
    """
    pairs = [
        (a, b)
        for own in (sounds.consonants, _plain(sounds.vowels))
        for a in own
        for b in own
        if a != b and unlike(a, b) <= 1.0
    ]

    results: list[SoundChange] = []
    while pairs and len(results) < count:
        old, new = dice.choice(pairs)
        places = (*WHERE[:2], WHERE[3]) if not is_vowel(old) else WHERE[2:]
        results.append(
            SoundChange(old, new, dice.weighted(places, (5, 3, 1) if not is_vowel(old) else (4, 1)))
        )

        # A sound changes once: chains would make kin unrecognisable.
        pairs = [pair for pair in pairs if old not in pair]

    return results


def _plain(vowels: Segments) -> Segments:
    return tuple(vowel for vowel in vowels if not tone(vowel))


def kinship(one: Language, other: Language) -> float:
    """Share of the segments that two languages have in common, word by word in order: 1 for the
    same, about 0.1 for strangers.
    """
    same = total = 0
    for name, stem in one.grammar.table.stems.items():
        a, b = (
            (stem[0].form, other.grammar.table.stems[name][0].form)
            if name in other.grammar.table.stems
            else (stem[0].form, ())
        )
        same += sum(left == right for left, right in zip(a, b, strict=False))
        total += max(len(a), len(b))
    return same / total
