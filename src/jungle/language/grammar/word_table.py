"""The closed table of a language: every form of every word, and what it means. No two meanings
share a form.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..memo import Memo
from ..phonology.phonology import Segments
from ..semantics.concepts import Concept
from ..semantics.meaning import make_fast
from .blocklist import is_allowed
from .morphology import Key, Morph, Morphology, Morphs


class InflectedWord(NamedTuple):
    """How a form is written, cut, glossed and said. In isolating languages it may be several
    written words.
    """

    text: str
    parts: str
    gloss: str
    ipa: str
    syllables: tuple[tuple[Segments, bool], ...]  # each with its stress
    size: int  # number of syllables


@dataclass
class WordTable:
    """Forms by key, and keys by written form. :meth:`add` is the gate that keeps it injective."""

    morphology: Morphology
    words: dict[Key, InflectedWord] = field(default_factory=dict)
    reading: dict[str, Key] = field(default_factory=dict)
    stems: dict[str, Morphs] = field(default_factory=dict)

    def word(self, morphs: Morphs) -> InflectedWord | None:
        """How morphs are written and said; None if the language does not allow the sequence."""
        phonology = self.morphology.phonology
        form: Segments = ()
        for morph in morphs:
            form += morph.form
        syllables = phonology.syllables(form)
        if syllables is None:
            return None
        text = parts = phonology.spell(morphs[0].form)
        gloss = morphs[0].gloss

        for item, label, joint in morphs[1:]:
            letters = phonology.spell(item)
            text += letters
            parts += joint + letters
            gloss += joint + label

        # This runs for every form of every word: plain loops and an unchecked constructor.
        main = phonology.stressed(syllables)
        said = tuple([(syllable, index == main) for index, syllable in enumerate(syllables)])

        return make_fast(
            InflectedWord, (text, parts, gloss, phonology.ipa(syllables, main), said, len(said))
        )

    def add(
        self, concept: Concept, stem: Morphs, fits: Callable[[str], bool] | None = None
    ) -> bool:
        """Take in every form of a concept, or nothing and say False: a form is taken, not allowed,
        or to be avoided.
        """
        isolating = self.morphology.typology.kind == "isolating"
        new: dict[str, Key] = {}
        results: dict[Key, InflectedWord] = {}
        heads = Memo(self.word)  # of an isolating language: the same with any particles

        for key, morphs, labels in self.morphology.forms(concept, stem):
            single = heads[morphs] if isolating else self.word(self.morphology.word(morphs, labels))

            # One text has one meaning, or phrases could not be read back.
            if (
                single is None
                or single.text in self.reading
                or not is_allowed(single.text)
                or (fits and not fits(single.text))
            ):
                return False

            root = (
                ("R", concept.name, "URG" if key[2:3] == ("URG",) else "")
                if isolating and key[0] in "NVA"
                else key
            )
            if new.setdefault(single.text, root) != root:
                return False
            results[key] = self._group(single, labels) if isolating else single

        self.words |= results
        self.reading |= new
        self.stems[concept.name] = stem

        return True

    def add_particles(self, labels: list[str]) -> bool:
        """Take in the markers of an isolating language as words; False if one is taken or to be
        avoided.
        """
        for label in labels:
            word = self.word((Morph(self.morphology.markers[label], label),))
            if word is None or word.text in self.reading or not is_allowed(word.text):
                return False
            self.words["M", label] = word
            self.reading[word.text] = ("M", label)
        return True

    def _group(self, head: InflectedWord, labels: list[str]) -> InflectedWord:
        particles = [self.words["M", label] for label in labels]
        words = (
            [*reversed(particles), head]
            if self.morphology.typology.prefixing
            else [head, *particles]
        )
        if len(words) == 1:
            return head

        # An isolating language writes particles as words of their own.
        texts, parts, glosses, said, _, sizes = zip(*words, strict=True)
        syllables = tuple(one for word in words for one in word.syllables)

        return InflectedWord(
            " ".join(texts),
            " ".join(parts),
            " ".join(glosses),
            " ".join(said),
            syllables,
            sum(sizes),
        )
