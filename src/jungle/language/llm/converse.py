"""Phrases by a language model, of any server that speaks the protocol of chat completions: always
as many as were asked for.

A model continues the list inside the language (``list``), chooses meanings that the grammar says
(``plan``), or is held to the grammar by its server (``grammar``); in the faithful mode it continues
a list of sixteen phrases, as in the original exercise. Whatever it does not deliver, the embedded
engine says.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ...errors import BadInput, NoAnswer
from ...storage.atomic import write_bytes, write_json
from ..export import PHRASES, record, write_language
from ..language import Language, Utterance
from . import original_request, prompts
from .cache import CachedConversation, cache_path, load_conversation, sound, store_conversation
from .client import LlmClient, Question, Usage
from .coinage import grown
from .endpoint import PRICES_OF, Endpoint, find_endpoint
from .session import BATCH, LlmWishes, Session
from .transport import Post, need_library, post
from .validation import ENGINE, MODEL, PLANNED, REPAIRED, phrase_of

MOST_ASKED = 240
PROVENANCES = (MODEL, REPAIRED, PLANNED)


class Line(NamedTuple):
    """A phrase, and whose work it is. Without ``phrase``, only its text is known: the faithful mode
    has no grammar.
    """

    text: str
    provenance: str
    phrase: Utterance | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said."""

    tongue: Language  # with the words that were coined
    lines: tuple[Line, ...]  # as many as were asked for
    warnings: tuple[str, ...]  # sentences for the user, none of them with words of a model
    usage: Usage  # all zeros if nothing had to be asked
    cost: float | None = None  # estimate in US dollars, where prices are known

    @property
    def phrases(self) -> list[Utterance]:
        """The phrases that are of the language: all, but in the faithful mode."""
        return [line.phrase for line in self.lines if line.phrase]


def converse(  # noqa: PLR0913
    tongue: Language,
    count: int,
    wishes: LlmWishes,
    environ: Mapping[str, str],
    cache: Path,
    clock: Callable[[], float],
    tell: Callable[[str], None],
    post: Post = post,
) -> Conversation:
    """``count`` different phrases, as many of them by a model as pass the gate, the others by the
    embedded engine.

    Args:
        tongue: the language.
        count: 1 to :data:`MOST_ASKED`.
        wishes: which server, how, and how long.
        environ: the environment; of it only JUNGLE_LLM_* and OPENAI_API_KEY are read.
        cache: folder in which answers and habits of servers are kept, below "llm".
        clock: monotonic seconds.
        tell: takes sentences about what happens, before every wait.
        post: sends a request; another one for tests.

    Raises:
        BadInput: no key where one is needed, or an option that makes no sense.
        MissingExtra: the library openai is not installed.
        NoAnswer: phrases of the model are missing, and ``wishes`` require them.
    """
    if not 1 <= count <= MOST_ASKED:
        raise BadInput(
            f"Cannot ask a model for {count} phrases: ask for 1 to {MOST_ASKED}, or use <--engine> "
            "embedded."
        )

    endpoint = find_endpoint(wishes.base_url, wishes.model, environ)
    folder = cache / "llm"
    question = _first_question(tongue, count, wishes)
    path = cache_path(folder, endpoint, question, tongue.seed, wishes.mode, count)

    # Answers are kept by what was asked, so that the same command needs no network again.
    memory = load_conversation(path)
    if memory and (len(memory.found) >= count or not wishes.require):
        tell(
            f"The answers of {endpoint.model} at {endpoint.host} are known from before: nothing is "
            "asked."
        )
        return _finished(tongue, count, wishes, memory, [], Usage(), endpoint)

    need_library()
    tell(_announced(endpoint, question, count, wishes.deadline))
    session = Session(
        tongue, count, wishes, LlmClient(endpoint, folder, clock, wishes.deadline, tell, post)
    )
    warnings = []

    try:
        session.run()

    # A jungle is made all the same: the engine says what the model did not.
    except NoAnswer as problem:
        if wishes.require:
            raise
        warnings.append(problem.for_shell())

    memory = CachedConversation(tuple(session.found), session.used())

    if not warnings:
        try:
            store_conversation(path, memory)
        except BadInput as problem:
            warnings.append(problem.for_shell())

    conversation = _finished(tongue, count, wishes, memory, warnings, session.chat.usage, endpoint)
    tell(_accounted(conversation))

    return conversation


def _first_question(tongue: Language, count: int, wishes: LlmWishes) -> Question:
    if wishes.faithful:
        return original_request.question(count, wishes.world)
    ask = {"plan": prompts.plan_question, "grammar": prompts.grammar_question}.get(
        wishes.mode, prompts.list_question
    )
    return ask(tongue, min(count, BATCH), wishes.theme, wishes.world)


def _announced(endpoint: Endpoint, question: Question, count: int, deadline: float) -> str:
    times = math.ceil(count / (original_request.AT_ONCE if question.name == "faithful" else BATCH))
    # three bytes a token, or so
    sent = times * sum(len(text.encode()) for _, text in question.messages) // 3
    cost = endpoint.cost(sent, times * question.tokens)
    price = "" if cost is None else f", ${cost:.4f} by an estimate with the prices of {PRICES_OF}"
    tokens = (
        f"about {sent:,} tokens there and {times * question.tokens:,} back{price}, or twice that "
        "where a second round is needed"
    )
    return (
        f"Asking {endpoint.model} at {endpoint.host} for {count} phrases: {tokens}; this takes up "
        f"to {deadline:g} s."
    )


def _accounted(conversation: Conversation) -> str:
    usage = conversation.usage
    price = (
        ""
        if conversation.cost is None
        else f", about ${conversation.cost:.4f} by an estimate with the prices of {PRICES_OF}"
    )
    tokens = (
        f"{usage.sent:,} tokens there and {usage.received:,} back{price}"
        if usage.sent
        else "which the server did not count"
    )
    return f"{usage.requests} request{'s' * (usage.requests != 1)}, {tokens}."


def _finished(  # noqa: PLR0913
    tongue: Language,
    count: int,
    wishes: LlmWishes,
    memory: CachedConversation,
    warnings: list[str],
    usage: Usage,
    endpoint: Endpoint,
) -> Conversation:
    """Phrases for what was found, checked once more, and the engine's for what is missing."""
    spoken = grown(tongue, memory.coined) if memory.coined else tongue
    lines: dict[str, Line] = {}

    # Checked once more: the file of answers may have been edited.
    for item in memory.found[:count]:
        if item.meaning and sound(item.meaning, spoken.known) and item.provenance in PROVENANCES:
            phrase = phrase_of(spoken, item.meaning, item.intent)
            lines.setdefault(phrase.text, Line(phrase.text, item.provenance, phrase))
        elif wishes.faithful and [item.text] == original_request.vetted([item.text]):
            lines.setdefault(item.text, Line(item.text, MODEL, None))

    got = len(lines)
    for phrase in spoken.phrases(count + got) if got < count else ():
        lines.setdefault(phrase.text, Line(phrase.text, ENGINE, phrase))
        if len(lines) == count:
            break

    if got < count:
        if wishes.require:
            raise NoAnswer(
                f"Only {got} of {count} phrases of the model can be used: ask again, or leave out "
                "<--require-llm>."
            )
        reason = (
            f"only {got} of the model's can be used" if got else "none of the model's can be used"
        )
        warnings = [
            *warnings,
            f"{count - got} of {count} phrases are the embedded engine's: {reason}.",
        ]

    cost = endpoint.cost(usage.sent, usage.received) if usage.requests else None

    return Conversation(spoken, tuple(lines.values()), tuple(warnings), usage, cost)


def write_conversation(folder: Path, conversation: Conversation) -> list[Path]:
    """Write the files of a language, with the provenance of each phrase; of faithful phrases, whose
    language nobody knows, only these.

    Raises:
        BadInput: the folder cannot be written.
    """
    phrases = conversation.phrases
    if len(phrases) == len(conversation.lines):
        return write_language(
            folder, conversation.tongue, phrases, [line.provenance for line in conversation.lines]
        )

    # Lines of a faithful conversation have no meaning, and so no dictionary and no grammar.
    rows = [
        record(conversation.tongue, line.phrase, line.provenance)
        if line.phrase
        else {"text": line.text, "provenance": line.provenance}
        for line in conversation.lines
    ]
    texts = [line.text for line in conversation.lines]
    write_bytes(folder / PHRASES, (json.dumps(texts, ensure_ascii=False, indent=2) + "\n").encode())
    write_json(folder / "phrases.json", rows)

    return [folder / PHRASES, folder / "phrases.json"]
