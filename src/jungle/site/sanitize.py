"""The border of the site: texts that people and language models wrote become plain lines, and names
and paths are checked.

What is left of a text is still hostile, and is escaped wherever it is printed; but it cannot turn a
line around, hide letters, break JSON or XML, or be longer than a postcard is wide.
"""

import dataclasses
import math
import re
import unicodedata

from ..errors import BadInput
from ..records import Call, Colour, Glyphs, Phrase, Picture, Postcard, Species

NAME, PHRASE, LINE, MESSAGE = 60, 120, 300, 600  # characters
MARKS = 4  # combining marks in a row; more of them climb over the lines above
SLUG = re.compile(r"[a-z0-9-]{1,64}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HEX = re.compile(r"#[0-9a-fA-F]{6}")
PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9eE ,.+-]*")  # SVG path data

# Cc control, Cf format (bidirectional controls, zero width, joiners, tags), Cs surrogates, Co
# private, Cn unassigned and noncharacters
DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def sanitize(text: str, most: int = LINE) -> str:
    """``text`` as one line of at most ``most`` characters: NFC, single spaces, nothing invisible;
    the rest is replaced by an ellipsis.

    Unicode Standard Annex 15 (normal forms); the dropped categories are those of Unicode 15,
    section 4.5.

    Raises:
        BadInput: it is no text.
    """
    if not isinstance(text, str):
        raise BadInput(
            f"The record of a postcard has {text!r:.80} in place of a text: make that postcard "
            "again."
        )

    if (
        len(text) <= most
        and text.isascii()
        and text.isprintable()
        and text == " ".join(text.split())
    ):
        return text

    # Cut first: a text of megabytes must not cost seconds.
    spaced = re.sub(r"\s+", " ", text[: 20 * most])  # with U+2028, U+2029 and U+0085
    kept, marks = [], 0

    for character in unicodedata.normalize("NFC", spaced):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category not in DROPPED and marks <= MARKS:
            kept.append(character)

    line = " ".join(unicodedata.normalize("NFC", "".join(kept)).split())

    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def sanitize_card(card: Postcard) -> Postcard:
    """The postcard with every text made :func:`sanitize`.

    Raises:
        BadInput: a slug, file name, colour, drawing or number that no postcard of ours has.
    """
    slug = card.species.slug
    if not SLUG.fullmatch(slug):
        raise BadInput(
            f"The slug {slug!r:.80} cannot be part of an address: use up to 64 of a-z, 0-9 and '-'."
        )

    # Every field is named, so that a new one cannot slip through unseen.
    return dataclasses.replace(
        card,
        species=_species(card.species),
        own_name=sanitize(card.own_name, NAME),
        language=sanitize(card.language, NAME),
        family=sanitize(card.family, NAME),
        picture=_picture(card.picture),
        call=_call(card.call, slug),
        phrases=tuple(_phrase(phrase, slug) for phrase in card.phrases),
        stamp=_glyphs(card.stamp, slug),
        colours=tuple(
            Colour(
                name=sanitize(colour.name, NAME),
                hex=_fits(HEX, colour.hex, "colour", slug),
                share=colour.share,
            )
            for colour in card.colours
        ),
        alt=sanitize(card.alt, LINE),
        call_in_words=sanitize(card.call_in_words, LINE),
        notes=sanitize(card.notes, MESSAGE),
        postmark=(sanitize(card.postmark[0], NAME), sanitize(card.postmark[1], NAME)),
        master=_fits(FILE, card.master, "file name", slug),
    )


def _fits(pattern: re.Pattern[str], text: str, what: str, slug: str) -> str:
    if not pattern.fullmatch(text):
        raise BadInput(
            f"The record of '{slug}' has the {what} {text!r:.80}, which cannot be published: make "
            "that postcard again."
        )
    return text


def _mix(mix: dict[str, float]) -> dict[str, float]:
    return {sanitize(name, NAME): share for name, share in mix.items()}


def _species(one: Species) -> Species:
    return dataclasses.replace(
        one,
        name=sanitize(one.name, NAME),
        mix=_mix(one.mix),
        voice=sanitize(one.voice, NAME),
        binomial=sanitize(one.binomial, NAME),
        habitat=sanitize(one.habitat, PHRASE),
        traits=tuple(sanitize(trait, PHRASE) for trait in one.traits),
    )


def _picture(one: Picture) -> Picture:
    return dataclasses.replace(
        one,
        mix=_mix(one.mix),
        model=sanitize(one.model, PHRASE),
        solver=sanitize(one.solver, NAME),
        species=sanitize(one.species, NAME),
    )


def _call(one: Call, slug: str) -> Call:
    _whole((one.seconds, one.rate, one.loudness, *one.loop), slug)
    return dataclasses.replace(
        one,
        mix=_mix(one.mix),
        engine=sanitize(one.engine, NAME),
        model=sanitize(one.model, PHRASE),
        prompt=sanitize(one.prompt, MESSAGE),
        negative=sanitize(one.negative, MESSAGE),
        species=sanitize(one.species, NAME),
        why=sanitize(one.why),
        flags=tuple(map(sanitize, one.flags)),
        notes=tuple(map(sanitize, one.notes)),
    )


def _phrase(one: Phrase, slug: str) -> Phrase:
    return dataclasses.replace(
        one,
        text=sanitize(one.text, PHRASE),
        parts=sanitize(one.parts),
        gloss=sanitize(one.gloss),
        ipa=sanitize(one.ipa),
        english=sanitize(one.english),
        intent=sanitize(one.intent, NAME),
        mood=sanitize(one.mood, NAME),
        plan={},  # how it is performed: heard, not shown
        provenance=sanitize(one.provenance, PHRASE),
        file=_fits(FILE, one.file, "file name", slug) if one.file else "",
    )


def _glyphs(one: Glyphs, slug: str) -> Glyphs:
    _whole((one.width, one.height), slug)
    paths = tuple(_fits(PATH, path, "drawing", slug) for path in one.paths)
    return Glyphs(text=sanitize(one.text, NAME), width=one.width, height=one.height, paths=paths)


def _whole(numbers: tuple[float, ...], slug: str) -> None:
    for number in numbers:
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not math.isfinite(number)
        ):
            raise BadInput(
                f"The record of '{slug}' has {number!r:.80} in place of a number: make that "
                "postcard again."
            )
