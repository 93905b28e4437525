"""What a model is told: the language, made from the language itself, so that the question is always
true of the grammar that checks.
"""

import json
import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ..grammar_sketch import sentence_pages, word_pages
from ..language import Language
from .client import Question, RequestForm
from .gbnf import Rules
from .parsing import OfferedPhrase
from .plans import schema as plan_schema
from .validation import Validation

WORLD = (
    "In a jungle that no map shows, the animals communicate through phrases of their own. You "
    "speak as one of them."
)
# shown of each class: 118 in all
WORDS = {
    "N": 44,
    "T": 16,
    "I": 14,
    "A": 12,
    "P": 9,
    "D": 6,
    "C": 5,
    "Q": 3,
    "X": 9,
}
CLASSES = {
    "N": "nouns",
    "T": "verbs with an object",
    "I": "verbs without",
    "A": "qualities, verbs of being too",
    "P": "relations",
}
CLASSES |= {
    "D": "adverbs",
    "C": "connectives",
    "Q": "quantities",
    "X": "calls, at the very beginning",
}
EXAMPLES = 10
FAR = (
    1_000_000  # index of the first example: the embedded engine, asked for less, says none of them
)


def _string(text: str = "") -> dict[str, Any]:
    return {"type": "string", "description": text} if text else {"type": "string"}


def _rows(**fields: dict[str, Any]) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {"type": "array", "items": row}


LIST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "phrases": _rows(
            phrase=_string("in the language"),
            gloss=_string("word by word"),
            meaning=_string("in English"),
        ),
        "words": _rows(
            concept=_string("English, lower case"),
            form=_string("a new root"),
            **{"class": {"type": "string", "enum": ["noun", "quality"]}},
        ),
    },
    "required": ["phrases", "words"],
    "additionalProperties": False,
}
LIST_SHAPE = (
    '{"phrases": [{"phrase": "...", "gloss": "...", "meaning": "..."}], "words": [{"concept": '
    '"...", "form": "...", "class": "noun"}]}'
)


def request_forms(name: str, shape: dict[str, Any], words: str) -> tuple[RequestForm, ...]:
    """The forms in which JSON is asked for, the strictest first."""
    strict = {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": shape, "strict": True},
        }
    }
    loose = {"response_format": {"type": "json_object", "schema": shape}}
    tail = f"Answer with one JSON object of this shape and nothing else: {words}"
    return (
        RequestForm("schema", tail, strict),
        RequestForm("object", tail, loose),
        RequestForm("json", tail, {}),
    )


def example_lines(tongue: Language) -> list[OfferedPhrase]:
    """Phrases that a prompt shows; nobody should say them again."""
    return [
        OfferedPhrase(phrase.text, phrase.gloss)
        for phrase in map(tongue.phrase, range(FAR, FAR + EXAMPLES))
    ]


@lru_cache(maxsize=4)
def describe_language(tongue: Language, theme: str = "", world: str = "") -> str:
    """The language on a page: letters, syllables, endings, order, words, examples.

    Args:
        tongue: the language.
        theme: what the phrases should be about, in English: words of it are shown first.
        world: a sentence in place of :data:`WORLD`.
    """
    sounds, letters = tongue.phonology, tongue.phonology.letters
    _, what, *tables, _ = word_pages(tongue)
    missing = sorted(
        set(string.ascii_lowercase) - {letter for spelled in letters.values() for letter in spelled}
    )
    onset = "C" if not (sounds.clusters and sounds.onsets) else "C(C)"
    coda = (
        f"({'/'.join(sorted(sounds.spell((one,)) for one in sounds.codas))})"
        if sounds.codas
        else ""
    )
    said = [tongue.phrase(FAR + index) for index in range(EXAMPLES)]
    shown = [
        json.dumps(
            {"phrase": one.text, "gloss": one.gloss, "meaning": one.english}, ensure_ascii=False
        )
        for one in said
    ]

    every = (*sounds.consonants, *sounds.vowels)
    spelled = [letters[segment] for segment in every if segment in letters]
    return "\n\n".join(
        [
            world or WORLD,
            f"The language is called {tongue.name}. The body that speaks it is like that of a "
            f"{tongue.voice.name}.",
            "Letters: "
            f"{' '.join(spelled)}. "
            f"It cannot say: {' '.join(missing)}. Syllables: {onset}V{coda}. A phrase has at most "
            f"{tongue.voice.breath} syllables.",
            what,
            *tables,
            sentence_pages(tongue)[1],
            "The words that matter, as roots; inflect them as shown:",
            "\n".join(_words(tongue, theme)),
            "Phrases of the language. Hyphens and ~ stand in the gloss only.",
            "\n".join(shown),
        ]
    )


def _words(tongue: Language, theme: str) -> list[str]:
    """A line for each class of words: those of the theme, then those said most."""
    about = set(theme.lower().split())
    rows = []

    for kind, count in WORDS.items():
        known = [concept for concept in tongue.known.values() if concept.kind == kind]

        # Words of the theme first, then by use: a prompt has no room for all.
        known.sort(
            key=lambda one: (
                not about
                & {*one.name.split("."), *one.english.lower().replace(",", " ").split(), *one.tags},
                one.use,
            )
        )
        table = tongue.grammar.table
        words = ((table.word(table.stems[one.name]), one) for one in known[:count])
        rows.append(
            f"{CLASSES[kind]}: "
            + ", ".join(f"{word.text} = {one.name}" for word, one in words if word)
        )

    return rows


def list_question(
    tongue: Language,
    count: int,
    theme: str = "",
    world: str = "",
    again: Sequence[tuple[OfferedPhrase, Validation]] = (),
) -> Question:
    """Ask to continue the list. ``again``: items of the answer before with what became of them, for
    a second round.
    """
    about = f" They are about {theme}." if theme else ""
    task = [
        f"Continue the list with {count} new phrases that differ from one another, "
        f"{tongue.voice.breath // 2} syllables or so.{about}"
    ]

    # What was wrong and why: models mend what they are told.
    if again:
        wrong = [
            f"- {json.dumps(item.phrase[:80])}: {verdict.reason}"
            for item, verdict in again
            if verdict.reason
        ]
        if wrong:
            task += [
                "Phrases that you gave before, and why they are not of the language, or not new:",
                *wrong[:count],
            ]

        task += [
            "Said already:",
            *(
                f"- {tongue.grammar.text(verdict.meaning)}"
                for _, verdict in again
                if verdict.meaning
            ),
        ]
        task.append("Use only the words above, inflected as shown.")
    else:
        task.append(
            'If a word is missing, put a root for it into "words", one to three syllables, and use '
            'it; otherwise leave "words" empty.'
        )

    text = describe_language(tongue, theme, world) + "\n\n" + "\n".join(task)
    bare = RequestForm(
        "lines",
        "Answer with the phrases only: one a line, without numbers, quotes or anything else.",
        {},
    )

    return Question(
        "list",
        (("user", text),),
        (*request_forms("phrases", LIST_SCHEMA, LIST_SHAPE), bare),
        90 * count + 200,
    )


def plan_question(tongue: Language, count: int, theme: str = "", world: str = "") -> Question:
    """Ask what should be said, from lists of what can be said; the grammar says it."""
    shape = plan_schema(tongue)
    slots = shape["properties"]["phrases"]["items"]["properties"]
    lists = {
        name: slot["enum"] for name, slot in {**slots, **shape["$defs"]}.items() if "enum" in slot
    }
    listed = "\n".join(
        f"{name}: {', '.join(value or '(empty)' for value in values)}"
        for name, values in lists.items()
    )
    words = json.dumps({"phrases": [dict.fromkeys(slots, "...")]})
    text = (
        f"{world or WORLD}\n\nChoose what they say: {count} plans that differ from one another"
        f"{f', about {theme}' if theme else ''}. A plan has a verb with an actor (none in the "
        "moods IMP and URG), a patient "
        "where the verb asks for one, and now and then a call, somebody spoken to, a place with "
        "its relation, or an adverb. "
        f"What a plan does not need is empty.\n\n{listed}\n\nto, actor, patient, place: a noun."
    )

    return Question(
        "plan", (("user", text),), request_forms("plans", shape, words), 150 * count + 200
    )


def grammar_question(tongue: Language, count: int, theme: str = "", world: str = "") -> Question:
    """Ask for lines that a server lets through only if they are of the language."""
    rules = Rules(tongue).gbnf(count)
    about = f" They are about {theme}." if theme else ""
    text = (
        f"{describe_language(tongue, theme, world)}\n\nContinue the list with {count} new phrases, "
        "short "
        f"ones, one a line and nothing else.{about}"
    )
    forms = (
        RequestForm("gbnf", "", {"grammar": rules}),
        RequestForm("structured", "", {"structured_outputs": {"grammar": rules}}),
    )
    return Question("grammar", (("user", text),), forms, 60 * count + 100)
