"""What a model offers, found in its text: JSON, JSON in a fence or cut off, a Markdown list, or
bare lines. All of it is untrusted.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

MOST_ITEMS = 300
LONGEST = 400  # characters of a field; what is longer is dropped
MOST_STARTS = 600  # places at which JSON is looked for in a text that is not all JSON
THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
BULLET = re.compile(r"^[\s>|]*(?:[-*+•]|\(?\d{1,3}[.):])?\s+")
END_OF_PHRASE = re.compile(r"\s+[-–—=|:(/]+|:\s|\t|[|(\[{]|\s*[*_`\"“”«»]{1,3}(?=[\s:,;.)]|$)")
_decoder = json.JSONDecoder()


class OfferedPhrase(NamedTuple):
    """A phrase that a model offers, and its gloss of it."""

    phrase: str
    gloss: str = ""


class ParsedAnswer(NamedTuple):
    """All that an answer holds."""

    items: tuple[OfferedPhrase, ...]
    rows: tuple[dict[str, Any], ...]  # the objects that the items were, for plans and coined words
    words: tuple[dict[str, Any], ...]
    formal: bool  # it came as JSON


def parse_answer(text: str) -> ParsedAnswer:
    """Everything in an answer that could be a phrase, a plan or a word."""
    text = THOUGHTS.sub("", text[:1_000_000])
    values = list(_values(text))
    rows, words = _rows(values, "phrases"), _rows(values, "words")
    items = [_item(row) for row in rows]
    results = [item for item in items if item.phrase or item.gloss]
    formal = bool(rows)
    if not formal:
        results = [OfferedPhrase(line) for line in _lines(text)]
    objects = tuple(row for row in rows if isinstance(row, dict))
    coined = tuple(row for row in words if isinstance(row, dict) and "form" in row)
    return ParsedAnswer(
        tuple(results[:MOST_ITEMS]), objects[:MOST_ITEMS], coined[:MOST_ITEMS], formal
    )


def _values(text: str) -> Iterator[Any]:
    """JSON values in a text: the whole, or the largest ones in it that are complete."""
    try:
        yield json.loads(text)
        return
    except RecursionError:
        return  # nobody nests phrases a thousand deep
    except ValueError:
        pass

    # Models wrap JSON in prose: complete values are taken out of it, from the first bracket on.
    place = 0

    for _ in range(MOST_STARTS):
        start = re.compile(r"[{\[]").search(text, place)
        if not start:
            return
        try:
            value, place = _decoder.raw_decode(text, start.start())
            yield value
        except RecursionError:
            return
        except ValueError:
            place = start.end()


def _rows(values: list[Any], name: str) -> list[Any]:
    """The members of the lists of this name; for phrases, whatever else looks like a list of them
    too.
    """
    rows: list[Any] = []

    for value in values:
        if isinstance(value, dict):
            inner = value.get(name)
            if isinstance(inner, list):
                rows += inner
            elif name == "phrases" and not isinstance(value.get("words"), list):
                lists = [one for one in value.values() if isinstance(one, list)]
                rows += lists[0] if len(lists) == 1 and "phrase" not in value else [value]
            elif name == "words" and "concept" in value:
                rows.append(value)
        elif isinstance(value, list) and name == "phrases":
            rows += value

    # Some models nest the list once more.
    flat: list[Any] = []
    for row in rows[:MOST_ITEMS]:
        flat += row if isinstance(row, list) else [row]
    return [row for row in flat if isinstance(row, str | dict)][:MOST_ITEMS]


def _item(row: str | dict[str, Any]) -> OfferedPhrase:
    if isinstance(row, str):
        return OfferedPhrase(_short(row))
    phrase = next(
        (row[name] for name in ("phrase", "text", "utterance") if isinstance(row.get(name), str)),
        "",
    )
    return OfferedPhrase(_short(phrase), _short(row.get("gloss")))


def _short(value: Any) -> str:
    return (
        unicodedata.normalize("NFC", value).strip()
        if isinstance(value, str) and len(value) <= LONGEST
        else ""
    )


def _lines(text: str) -> Iterator[str]:
    """The beginnings of lines, without bullets, numbers, bold letters, quotes, and what is said
    about them.
    """
    for line in text.splitlines()[: 2 * MOST_ITEMS]:
        if len(line) > LONGEST:
            continue
        bare = BULLET.sub("", f" {line}").lstrip('*_`"“”«»‘ ')
        end = END_OF_PHRASE.search(bare)
        phrase = _short(bare[: end.start()] if end else bare)
        if phrase:
            yield phrase
