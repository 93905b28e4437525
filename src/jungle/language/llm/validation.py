"""The gate between a model and everything else: an offer becomes a meaning of the language, or
nothing.

What passes is a :class:`~jungle.language.meaning.Meaning`; its phrase, gloss and English are made
from it by our own grammar. So no letter that a model sends can reach a file, a page or a terminal,
and nothing that it says about a phrase can be wrong.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..grammar.syntax import NotInLanguage, normal
from ..language import Language, Utterance
from ..semantics.intents import Intent
from ..semantics.meaning import Meaning
from .parsing import OfferedPhrase

MOST_WORDS = 30  # of a phrase that is looked at
LONGEST_WORD = 40
MOST_MISSPELLED = 2  # words of a phrase that are mended
# provenance
MODEL, REPAIRED, PLANNED, ENGINE = (
    "model",
    "model, repaired",
    "model's plan",
    "engine",
)


class Validation(NamedTuple):
    """What became of an item: a meaning and whose work it is, or a reason that the model may
    read.
    """

    meaning: Meaning | None = None
    provenance: str = ""
    reason: str = ""
    intent: str = ""  # that the model named


@dataclass
class Validator:
    """Judges items for one language, and remembers what was said."""

    tongue: Language
    said: set[str] = field(default_factory=set)  # phrases that are taken

    def __post_init__(self) -> None:
        self._reading = self.tongue.grammar.table.reading
        self._letters = sorted({letter for word in self._reading for letter in word})

    def decide(self, item: OfferedPhrase) -> Validation:
        """Accept a phrase, repair it from its gloss, repair its spelling, or reject it."""
        words = _words(item.phrase)
        try:
            return self.take(self.tongue.parse(" ".join(words)), MODEL)
        except NotInLanguage as problem:
            reason = str(problem)
        for mended in (self._from_gloss(item.gloss), self._respelled(words)):
            if mended:
                try:
                    return self.take(self.tongue.parse(mended), REPAIRED)
                except NotInLanguage:
                    continue
        return Validation(reason=reason)

    def take(self, meaning: Meaning, provenance: str) -> Validation:
        """Let a meaning through, if it is new and fits into a breath."""
        words = self.tongue.grammar.words(meaning)
        text = " ".join(word.text for word in words)
        if text in self.said:
            return Validation(reason="This was said already: say something new.")
        if sum(word.size for word in words) > self.tongue.voice.breath:
            return Validation(
                reason=f"It is too long: a breath has {self.tongue.voice.breath} syllables."
            )
        self.said.add(text)
        return Validation(meaning, provenance)

    def _from_gloss(self, gloss: str) -> str:
        known = glosses(self.tongue)
        found = [known.get(_sorted(token), "") for token in gloss.split()[:MOST_WORDS]]
        return " ".join(found) if found and all(found) else ""

    def _respelled(self, words: list[str]) -> str:
        """The phrase with each unknown word replaced by the only known one that differs in one
        letter; "" if that cannot be done.
        """
        unknown = [word for word in words if word not in self._reading]
        if not 1 <= len(unknown) <= MOST_MISSPELLED:
            return ""
        mended = {}
        for word in unknown:
            near = {edit for edit in self._edits(word) if edit in self._reading}
            if len(near) != 1:
                return ""
            mended[word] = near.pop()
        return " ".join(mended.get(word, word) for word in words)

    def _edits(self, word: str) -> Iterator[str]:
        """Every text at a distance of one letter (Levenshtein 1966)."""
        for index in range(len(word) + 1):
            before, after = word[:index], word[index:]
            for letter in self._letters:
                yield before + letter + after
                if after:
                    yield before + letter + after[1:]
            if after:
                yield before + after[1:]


@lru_cache(maxsize=4)
def glosses(tongue: Language) -> dict[str, str]:
    """Written words of a language by their gloss, its pieces sorted; without glosses that fit two
    words.
    """
    words = tongue.grammar.table.words.values()
    pairs = {
        pair for word in words for pair in zip(word.gloss.split(), word.text.split(), strict=True)
    }
    results: dict[str, set[str]] = {}
    for gloss, text in pairs:
        results.setdefault(_sorted(gloss), set()).add(text)
    return {gloss: texts.pop() for gloss, texts in results.items() if len(texts) == 1}


def _words(text: str) -> list[str]:
    """The words of a phrase; marks after them, and hyphens between their morphs, are forgiven."""
    bare = re.sub(r"[,;:.!?…\"“”]+(?=\s|$)|(?<=\w)[-~](?=\w)", "", normal(text))
    return [word[:LONGEST_WORD] for word in bare.split()[:MOST_WORDS]]


def _sorted(gloss: str) -> str:
    return ".".join(
        sorted(filter(None, re.split(r"[-~.:=]", unicodedata.normalize("NFC", gloss).casefold())))
    )


def phrase_of(tongue: Language, meaning: Meaning, name: str = "") -> Utterance:
    """The phrase for a meaning that a model chose, with the intent of this name, or the one that it
    fits best.
    """
    named = [intent for intent in tongue.intents if intent.name == name]
    intent = max(named or tongue.intents, key=lambda one: _likeness(one, meaning))
    return tongue.say(meaning, intent.name, intent.mood)


def _likeness(intent: Intent, meaning: Meaning) -> int:
    """How much of a meaning could be of an intent."""
    points = 3 * (bool(meaning.call) and meaning.call in intent.calls)
    for clause, templates in ((meaning.first, intent.say), (meaning.second, intent.then)):
        if clause:
            heads = {(head.verb, head.mood) for template in templates for head in template.heads}
            points += 2 * ((clause.verb, clause.mood) in heads)
            points += clause.actor in {actor for template in templates for actor in template.actors}
    return points
