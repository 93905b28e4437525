"""The records that travel between stages and end up in files: the only schema."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from .errors import BadInput

SCHEMA = 1  # of Postcard; docs/postcard.schema.json describes it


@dataclass(frozen=True, kw_only=True, slots=True)
class Species:
    """An animal that never lived. ``mix`` maps class names to shares that sum to 1 (empty = any
    animal).

    Slug, seed and mix decide everything; what is empty besides them is filled in from them
    (``species.describe``).
    """

    slug: str  # a-z, 0-9 and '-': safe in file names and addresses
    name: str
    seed: int
    mix: dict[str, float] = field(default_factory=dict)
    voice: str = ""  # the body that speaks: a name in language.voices
    binomial: str = ""
    habitat: str = ""  # where it lives, as the end of a sentence: "among the roots of old figs"
    traits: tuple[str, ...] = ()  # in words: "listens before it moves"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A painted picture: its file relative to the jungle's folder, and all that decided its
    bytes.
    """

    file: str
    width: int
    height: int
    seed: int
    mix: dict[str, float]
    model: str  # hash of the weights
    solver: str
    steps: int
    guidance: float
    species: str = ""  # slug

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A mastered call: its file relative to the jungle's folder, and all that decided its
    samples.
    """

    file: str  # the WAV master; .flac, .opus and .m4a of the same name lie beside it
    seconds: float
    rate: int  # Hz
    seed: int  # of the chosen take
    take: int  # its number, from 1
    mix: dict[str, float]
    engine: str
    model: str  # hash of the weights, or their name on the hub
    prompt: str = ""
    negative: str = ""
    species: str = ""  # slug
    score: float = 0.0  # 0 to 1
    why: str = ""  # the score in words
    flags: tuple[str, ...] = ()  # why it should not be published
    loudness: float = 0.0  # LUFS
    true_peak: float = 0.0  # dBTP
    loop: tuple[int, int] = (0, 0)  # [start, end) in samples
    notes: tuple[str, ...] = ()  # what mastering and the engine did

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def call_from_json(value: dict[str, Any]) -> Call:
    """The record that :meth:`Call.to_json` made plain."""
    start, end = value["loop"]
    return Call(
        **{
            **value,
            "flags": tuple(value["flags"]),
            "notes": tuple(value["notes"]),
            "loop": (start, end),
        }
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """Something an animal says, with what linguists write beneath it. Words stand in the same order
    in all four lines.
    """

    text: str
    parts: str  # cut into morphs
    gloss: str  # Leipzig rules
    ipa: str
    english: str
    intent: str
    mood: str
    plan: dict[str, Any]  # a prosody.Plan as JSON: how it is performed
    provenance: str = "engine"  # or what a language model had to do with it
    file: str = ""  # the spoken phrase, relative to the folder of its postcard

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Glyphs:
    """A name in the script of its language: SVG path data in a box of ``width`` by ``height``
    units.
    """

    text: str
    width: float
    height: float
    paths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Colour:
    """A colour that the picture shows much of."""

    name: str
    hex: str  # "#a87c42"
    share: float  # of the picture, 0 to 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Postcard:
    """One coherent animal: all that a page, a print or a letter about it shows. Files are relative
    to its folder.
    """

    species: Species
    own_name: str  # what it calls itself, in its language
    language: str  # what its speakers call it
    family: str  # of which that is a dialect
    picture: Picture
    call: Call
    phrases: tuple[Phrase, ...]
    stamp: Glyphs
    colours: tuple[Colour, ...]
    alt: str  # the picture in words
    call_in_words: str
    notes: str  # field notes, a paragraph
    postmark: tuple[str, str]  # place and date
    master: str = "picture.png"  # enlarged
    schema: int = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """Plain values; :func:`postcard_from_json` reads them back."""
        return dataclasses.asdict(self)


def postcard_from_json(value: dict[str, Any]) -> Postcard:
    """The record that :meth:`Postcard.to_json` made plain.

    Raises:
        BadInput: another version of the schema, or a field that is missing or unknown.
    """
    if value.get("schema") != SCHEMA:
        raise BadInput(
            f"The record has schema {value.get('schema')!r}, and this version reads {SCHEMA}: run  "
            "jungle make  again."
        )

    parts = dict(value)

    try:
        # JSON knows no tuples; records are frozen and hashable.
        parts["species"] = Species(
            **{**value["species"], "traits": tuple(value["species"]["traits"])}
        )
        parts["picture"] = Picture(**value["picture"])
        parts["call"] = call_from_json(value["call"])
        parts["phrases"] = tuple(Phrase(**one) for one in value["phrases"])
        parts["stamp"] = Glyphs(**{**value["stamp"], "paths": tuple(value["stamp"]["paths"])})
        parts["colours"] = tuple(Colour(**one) for one in value["colours"])
        parts["postmark"] = tuple(value["postmark"])
        return Postcard(**parts)
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"The record of a postcard is damaged ({error}): run  jungle make  again."
        ) from None
