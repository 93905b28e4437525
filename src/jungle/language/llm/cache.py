"""Conversations that were had before: kept as meanings, never as text of a model, and checked like
new ones when they are read.

So a second run needs no network, and a file that somebody changed can say nothing that is not of
the language.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...storage.atomic import write_json
from ..semantics.concepts import Concept
from ..semantics.meaning import NP, Clause, Meaning, violations
from .client import SAMPLING, Question
from .coinage import CLASSES, Coin
from .endpoint import Endpoint

VERSION = 1


class CachedPhrase(NamedTuple):
    """A phrase of a model that passed: a meaning, or in the faithful mode the text itself."""

    meaning: Meaning | None
    text: str
    provenance: str
    intent: str = ""


class CachedConversation(NamedTuple):
    """What a conversation came to."""

    found: tuple[CachedPhrase, ...]
    coined: tuple[Coin, ...]


def cache_path(cache: Path, endpoint: Endpoint, question: Question, *others: object) -> Path:
    """The file of a conversation: its name is the SHA-256 of all that decides the answers."""
    asked = [
        VERSION,
        endpoint.base_url,
        endpoint.model,
        SAMPLING,
        question.tokens,
        question.messages,
        others,
    ]
    return cache / f"{hashlib.sha256(json.dumps(asked).encode()).hexdigest()}.json"


def store_conversation(path: Path, memory: CachedConversation) -> None:
    """Write a conversation down.

    Raises:
        BadInput: the cache cannot be written.
    """
    write_json(
        path,
        {
            "found": [item._asdict() for item in memory.found],
            "coined": [coin._asdict() for coin in memory.coined],
        },
    )


def load_conversation(path: Path) -> CachedConversation | None:
    """A conversation from its file; None if there is none, or it cannot be read."""
    try:
        value = json.loads(path.read_text("utf-8"))
        coined = tuple(
            Coin(
                str(one["concept"]),
                CLASSES["quality" if one["kind"] == "A" else "noun"],
                tuple(map(str, one["form"])),
            )
            for one in value["coined"]
        )
        results = tuple(
            CachedPhrase(
                _meaning(one["meaning"]),
                str(one["text"]),
                str(one["provenance"]),
                str(one["intent"]),
            )
            for one in value["found"]
        )

    # A memory that cannot be read is as good as none: the model is asked again.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None

    return CachedConversation(results, coined)


def sound(meaning: Meaning, known: Mapping[str, Concept]) -> bool:
    """Whether a meaning that was read from a file can be said."""
    try:
        return not violations(meaning, dict(known))
    except TypeError:  # lists and the like in place of names
        return False


def _meaning(value: Any) -> Meaning | None:
    if value is None:
        return None
    call, level, to, first, link, second = value
    return Meaning(str(call), int(level), _np(to), _clause(first), str(link), _clause(second))


def _clause(value: Any) -> Clause | None:
    if value is None:
        return None
    verb, mood, tense, source, negative, actor, patient, relation, where, adverb = value
    actors = (_np(actor), _np(patient), str(relation), _np(where), str(adverb))
    return Clause(str(verb), str(mood), str(tense), str(source), bool(negative), *actors)


def _np(value: Any) -> NP | None:
    return None if value is None else NP(*map(str, value))
