"""A language, ready to speak: made from a seed and a voice, the same on every machine."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

from ..errors import BadInput
from ..prosody import Plan
from ..seeds import NamedRandom, large_numbers
from .english.sentences import EnglishGenerator
from .grammar.lexicon import make_table
from .grammar.morphology import Heritage
from .grammar.syntax import Grammar
from .grammar.typology import Typology, draw_typology
from .grammar.word_table import InflectedWord
from .phonology.phonology import Phonology, make_phonology
from .phonology.vocal_tract import VocalTract
from .prosody_plan import make_plan
from .semantics.concepts import concepts
from .semantics.intents import intents
from .semantics.meaning import Meaning, make_fast

TRIES = 12  # drafts for a phrase, until one fits into a breath
WHOLE = 1  # of these drafts; a later one is shortened, if that is enough
SHORTEST, LONGEST = 3, 8  # words of a phrase
_SIZE = itemgetter(InflectedWord._fields.index("size"))
SOUNDS = ("voice", "song", "sound", "story", "name", "whisper")


class Utterance(NamedTuple):
    """Something said: four lines as linguists write them, and why."""

    text: str
    parts: str  # the text, cut into morphs
    gloss: str
    ipa: str
    english: str
    intent: str
    mood: str
    meaning: Meaning
    words: tuple[InflectedWord, ...]


class Language:
    """Sounds, words and grammar of one creature; :meth:`phrase` and :meth:`parse` are the two ways
    through it.
    """

    def __init__(  # noqa: PLR0913
        self,
        seed: int | str,
        voice: VocalTract,
        *,
        kind: str = "",
        order: str = "",
        more_concepts: str = "",
        more_intents: str = "",
        typology: Typology | None = None,
        phonology: Phonology | None = None,
        inherited: Callable[[Phonology], Heritage] | None = None,
    ) -> None:
        """Make a language.

        Args:
            seed: decides everything that the voice leaves open.
            voice: the body that speaks.
            kind: agglutinating, fusional or isolating; "" leaves it to chance.
            order: of subject, verb and object, as "SOV"; "" leaves it to chance.
            more_concepts: further lines for concepts.tsv.
            more_intents: further tables for intents.toml.
            typology: the grammar of the family, in place of one drawn.
            phonology: the sounds of the family, in place of those drawn.
            inherited: the words that a dialect has from its family, given its sounds.

        Raises:
            BadInput: the concepts or intents are not sound, or the voice is too poor for a
                language.
        """
        self.seed, self.voice = str(seed), voice
        self.more_concepts, self.more_intents = more_concepts, more_intents
        self.history: tuple[str, ...] = ()  # of a dialect: its changes of sound, in words
        self._number = large_numbers(f"{seed}/{voice.name}/")
        self.known = concepts(more_concepts)
        self.intents = intents(more_concepts, more_intents)
        self.typology = typology or draw_typology(
            NamedRandom("typology", seed, voice.name), kind=kind, order=order
        )

        # A draw of sounds may be too poor for a lexicon; the next one is another.
        for attempt in range(10):
            name = (seed, voice.name, self.typology.kind, attempt)
            try:
                self.phonology = phonology or make_phonology(voice, NamedRandom("phonology", *name))
                words = inherited(self.phonology) if inherited else None
                table = make_table(
                    self.phonology, self.typology, self.known, NamedRandom("words", *name), words
                )
                break
            except BadInput:
                if attempt == 9:
                    raise

        self.grammar = Grammar(table, self.known)
        self.english = EnglishGenerator(self.known)
        self._order = [
            self.intents[place]
            for place in NamedRandom("intents", seed).order(range(len(self.intents)))
        ]

    def phrase(self, index: int) -> Utterance:
        """Phrase ``index`` of this language, the same whatever was asked before. Intents take
        turns.
        """
        intent = self._order[index % len(self._order)]
        for draft in range(TRIES):
            meaning: Meaning | None = intent.draw(self._number(f"{index}/{draft}"))
            while meaning:
                words = self.grammar.words(meaning)
                if (
                    SHORTEST <= len(words) <= LONGEST
                    and sum(map(_SIZE, words)) <= self.voice.breath
                ):
                    return self._said(meaning, words, intent.name, intent.mood)
                shortest, meaning = meaning, _shorter(meaning) if draft >= WHOLE else None
        return self._said(shortest, words, intent.name, intent.mood)

    def say(self, meaning: Meaning, intent: str = "", mood: str = "calm") -> Utterance:
        """The phrase for a meaning."""
        return self._said(meaning, self.grammar.words(meaning), intent, mood)

    def parse(self, text: str) -> Meaning:
        """What a phrase means.

        Raises:
            NotInLanguage: it is none of this language.
        """
        return self.grammar.parse(text)

    def plan(self, phrase: Utterance) -> Plan:
        """How a phrase is performed, in at most four seconds."""
        clauses = [clause for clause in (phrase.meaning.first, phrase.meaning.second) if clause]
        question = bool(clauses) and clauses[-1].mood == "Q"
        return make_plan(
            phrase.words, self.voice, phrase.mood, self.phonology.letters, question=question
        )

    def phrases(self, count: int) -> Iterator[Utterance]:
        """``count`` different phrases.

        Raises:
            BadInput: the intents do not offer so many.
        """
        seen: set[str] = set()
        for index in range(100 + 20 * count):
            phrase = self.phrase(index)
            if phrase.text not in seen and len(seen) < count:
                seen.add(phrase.text)
                yield phrase
            if len(seen) >= count:
                return
        raise BadInput(
            f"The intents offer only {len(seen)} different phrases, not {count}: ask for fewer, or "
            "add intents."
        )

    @cached_property
    def name(self) -> str:
        """What the speakers call their language: their word for a voice, or, where that is very
        short, for another sound.
        """
        words = [self.grammar.table.words["N", sound, "SG", ""].text.strip("'") for sound in SOUNDS]
        return next((word for word in words if len(word) > 3), max(words, key=len)).capitalize()

    def lexicon(self) -> list[dict[str, Any]]:
        """A row for each concept: its word, how it is cut and said, what it means and is made
        of.
        """
        rows = []
        for concept in self.known.values():
            word = self.grammar.table.word(self.grammar.table.stems[concept.name])
            assert word
            row = {
                "word": word.text,
                "parts": word.parts,
                "gloss": word.gloss,
                "ipa": word.ipa,
                "concept": concept.name,
            }
            row |= {"class": concept.kind, "english": concept.english.split(",")[0]}
            rows.append({**row, "tags": sorted(concept.tags), "made_of": list(concept.parts)})
        return rows

    def _said(
        self, meaning: Meaning, words: list[InflectedWord], intent: str, mood: str
    ) -> Utterance:
        texts, parts, glosses, said, _, _ = zip(*words, strict=True)
        text, cut, gloss, ipa = " ".join(texts), " ".join(parts), " ".join(glosses), " ".join(said)

        # Unchecked and positional: this runs for every phrase that is drawn.
        return make_fast(
            Utterance,
            (
                text,
                cut,
                gloss,
                ipa,
                self.english.sentence(meaning),
                intent,
                mood,
                meaning,
                tuple(words),
            ),
        )

    def distinct_meanings(self) -> float:
        """About how many phrases the grammar allows, in powers of ten."""
        nouns = sum(one.kind == "N" for one in self.known.values())
        others = {kind: sum(one.kind == kind for one in self.known.values()) for kind in "AQITPDCX"}
        np = nouns * (2 + others["Q"]) * (1 + others["A"]) * (1 + nouns)
        place = 1 + others["P"] * np
        finite = 15 * 2  # tenses and sources or a question, affirmed or denied
        clause = (
            finite * np * (others["I"] + others["A"] + others["T"] * np) * place * (1 + others["D"])
        )
        return math.log10(clause) * 2 + math.log10(others["C"] * np * 3 * others["X"])


def _shorter(meaning: Meaning) -> Meaning | None:
    """A meaning with less to say: without the second clause, who is spoken to, insistence, then
    place and adverb; None if that is all.
    """
    call, level, to, first, _, second = meaning
    if second:
        return Meaning(call, level, to, first)
    if call and (to or level > 1):
        return Meaning(call, 1, None, first)
    if first and (first.place or first.adverb):
        return meaning._replace(first=first._replace(relation="", place=None, adverb=""))
    return None
