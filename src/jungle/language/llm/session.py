"""Asks a model until there are enough phrases, in one of four modes, and keeps only what passes the
gate.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import BadInput
from ..language import Language
from . import original_request, prompts
from .cache import CachedPhrase
from .client import LlmClient, Unusable
from .coinage import MOST_COINED, Coin, coins, grown
from .parsing import OfferedPhrase, ParsedAnswer, parse_answer
from .plans import planned
from .validation import MODEL, PLANNED, Validation, Validator

MODES = ("auto", "list", "plan", "grammar")
BATCH = 24  # phrases that a model is asked for at once
LONGEST = 300  # characters of a world and of a theme
ENOUGH = 0.5  # share of phrases that must pass, or plans are asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class LlmWishes:
    """What a user wants of a model."""

    base_url: str = ""  # "": JUNGLE_LLM_BASE_URL, or OpenAI
    model: str = ""  # "": JUNGLE_LLM_MODEL, or the default of OpenAI
    faithful: bool = False  # the original request
    require: bool = False  # every phrase must be the model's
    world: str = ""  # a sentence about the jungle; "": ours
    mode: str = "auto"  # of MODES; auto: the list, and plans where too little of it passes
    deadline: float = 60.0  # seconds for all requests together
    theme: str = ""  # what the phrases are about, in English

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(
                f"There is no mode {self.mode[:40]!r}: choose one of {', '.join(MODES)}."
            )
        if not 0 < self.deadline <= 3600:
            raise BadInput(
                f"A deadline of {self.deadline:g} s is of no use: give 1 to 3600 seconds."
            )
        for name, text in (("world", self.world), ("theme", self.theme)):
            if len(text) > LONGEST or not text.isprintable():
                raise BadInput(
                    f"The {name} must be one line of at most {LONGEST} characters: shorten it."
                )


class Session:
    """Asks until there is enough, and keeps what passes."""

    def __init__(self, tongue: Language, count: int, wishes: LlmWishes, chat: LlmClient) -> None:
        self.wishes, self.chat, self.count = wishes, chat, count
        self.found: list[CachedPhrase] = []
        self.coined: list[Coin] = []
        self.gate = Validator(tongue, {item.phrase for item in prompts.example_lines(tongue)})

    @property
    def missing(self) -> int:
        """How many phrases are to be found."""
        return self.count - len(self.found)

    def run(self) -> None:
        """Ask in the mode that is wished for.

        Raises:
            NoAnswer: the server delivers nothing more; what was found before stays.
        """
        if self.wishes.faithful:
            self._quotes()
        elif self.wishes.mode == "plan":
            self._plans()
        elif self.wishes.mode == "grammar":
            self._lines()
        else:
            self._list()

    def used(self) -> tuple[Coin, ...]:
        """The coined words that a phrase uses."""
        said = " ".join(json.dumps(one.meaning) for one in self.found)
        return tuple(
            coin for coin in self.coined if json.dumps(coin.concept.replace(" ", ".")) in said
        )

    def _list(self) -> None:
        for _ in range(math.ceil(self.missing / BATCH)):
            want, before = min(self.missing, BATCH), len(self.found)
            again = self._round(want, ())
            if len(self.found) - before < want:
                self._round(want - len(self.found) + before, again)
            got = len(self.found) - before
            if got < ENOUGH * want and self.wishes.mode == "auto":
                self._plans()
                return
            if not got:
                return

    def _round(
        self, want: int, again: Sequence[tuple[OfferedPhrase, Validation]]
    ) -> list[tuple[OfferedPhrase, Validation]]:
        """Ask for a list, and judge what comes."""
        question = prompts.list_question(
            self.gate.tongue, want, self.wishes.theme, self.wishes.world, again
        )
        offer = self.chat.ask(question, self._read)
        return self._judge(offer, want)

    def _read(self, text: str) -> ParsedAnswer | None:
        """An answer that holds JSON with phrases, or lines of which one at least has a word of the
        language.
        """
        offer = parse_answer(text)
        if not offer.formal:
            reading = self.gate.tongue.grammar.table.reading
            known = tuple(
                item
                for item in offer.items
                if any(word in reading for word in item.phrase.lower().split())
            )
            offer = offer._replace(items=known)
        return offer if offer.items else None

    def _judge(self, offer: ParsedAnswer, want: int) -> list[tuple[OfferedPhrase, Validation]]:
        new = coins(self.gate.tongue, offer.words)[: MOST_COINED - len(self.coined)]
        if new:
            self.coined += new
            self.gate = Validator(grown(self.gate.tongue, new), self.gate.said)
        verdicts = []
        for item in offer.items:
            if want <= 0:
                break
            verdict = self.gate.decide(item)
            verdicts.append((item, verdict))
            if verdict.meaning:
                want -= 1
                self.found.append(CachedPhrase(verdict.meaning, "", verdict.provenance))
        return verdicts

    def _plans(self) -> None:
        intents = {intent.name for intent in self.gate.tongue.intents}

        for _ in range(math.ceil(self.missing / BATCH)):
            want, before = min(self.missing, BATCH), len(self.found)
            question = prompts.plan_question(
                self.gate.tongue, want, self.wishes.theme, self.wishes.world
            )
            for row in self.chat.ask(question, lambda text: parse_answer(text).rows or None):
                meaning = planned(row, self.gate.tongue.known)
                if meaning and self.missing and self.gate.take(meaning, PLANNED).meaning:
                    intent = row.get("intent")
                    self.found.append(
                        CachedPhrase(meaning, "", PLANNED, intent if intent in intents else "")
                    )

            # A model that brings nothing new will not the next time either.
            if len(self.found) == before:
                return

    def _lines(self) -> None:
        """Ask a server that can be given a grammar; one that cannot gets the list."""
        try:
            for _ in range(math.ceil(self.missing / BATCH)):
                want, before = min(self.missing, BATCH), len(self.found)
                question = prompts.grammar_question(
                    self.gate.tongue, want, self.wishes.theme, self.wishes.world
                )
                self._judge(self.chat.ask(question, self._read), want)
                if len(self.found) == before:
                    return
        except Unusable:
            self.chat.tell(
                f"{self.chat.endpoint.host} takes no grammar; it gets the list of phrases instead."
            )
            self._list()

    def _quotes(self) -> None:
        for _ in range(math.ceil(self.missing / original_request.AT_ONCE)):
            known = [one.text for one in self.found]
            more = self.chat.ask(
                original_request.question(self.missing, self.wishes.world), original_request.quoted
            )
            fresh = original_request.vetted([*known, *more])[len(known) : self.count]
            if not fresh:
                return
            self.found += [CachedPhrase(None, text, MODEL) for text in fresh]
