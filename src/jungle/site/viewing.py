"""From a postcard to what a page shows of it: paths, facts in words, phrases cut into words, and
the JSON for the dialog.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..postcards.captions import mix_in_words
from ..records import Phrase, Postcard
from .images import ImageManifest
from .render import folded
from .views import CallView, CardView, PhraseView, PictureView, Source, WordView

VOLUME = 240  # cards of a page
SECTION = 48  # cards that a browser lays out together
TILTS = 5


def volumes(count: int) -> tuple[str, ...]:
    """The pages of so many cards; one for none."""
    return ("index.html", *(f"v{index}.html" for index in range(2, -(-count // VOLUME) + 1)))


def sections(cards: Sequence[CardView], volume: int) -> list[list[CardView]]:
    """The cards of a volume (from 1), in sections."""
    own = cards[(volume - 1) * VOLUME : volume * VOLUME]
    return [list(own[start : start + SECTION]) for start in range(0, len(own), SECTION)]


def card_view(
    card: Postcard, number: int, looks: ImageManifest, *, masters: bool, prompts: bool
) -> CardView:
    """What the templates see of a postcard that is clean.

    Args:
        card: made clean.
        number: its place in the jungle, from 1.
        looks: of its picture.
        masters: whether the lossless masters are published.
        prompts: whether prompts are told.
    """
    name = card.species.slug

    # Paths are built here, once, for templates and scripts alike.
    return CardView(
        id=name,
        number=number,
        card=card,
        mix_in_words=mix_in_words(card.species.mix),
        picture=_picture(name, looks, masters),
        call=_call(card, masters),
        phrases=tuple(map(_phrase, card.phrases)),
        stamp=card.stamp,
        colours=card.colours,
        tilt=card.species.seed * 7 % TILTS,
        page=f"c/{name}.html",
        script=f"c/{name}.js",
        share=f"s/{name}.jpg",
        facts=recipe_facts(card, prompts),
    )


def _picture(name: str, looks: ImageManifest, masters: bool) -> PictureView:
    # A browser takes the first form that it knows: the order is that of the ladder.
    forms = dict.fromkeys(file.form for file in looks.files)
    sources = tuple(
        Source(
            type=f"image/{form}",
            srcset=tuple((one.path(name), one.width) for one in looks.files if one.form == form),
        )
        for form in forms
    )
    return PictureView(
        width=looks.width,
        height=looks.height,
        sources=sources,
        placeholder=looks.placeholder,
        tint=looks.tint,
        master=f"m/{name}.png" if masters else looks.files[-1].path(name),
    )


def _call(card: Postcard, masters: bool) -> CallView:
    name, call = card.species.slug, card.call
    return CallView(
        flac=f"m/{name}.flac" if masters else "",
        opus=f"m/{name}.opus",
        m4a=f"m/{name}.m4a",
        seconds=call.seconds,
        rate=call.rate,
        loop=call.loop,
        spectrogram=f"m/{name}-call.webp",
        script=f"c/{name}.call.js",
        voices=f"c/{name}.voice.js" if any(one.file for one in card.phrases) else "",
    )


def _phrase(one: Phrase) -> PhraseView:
    """The words stand over their glosses only where the lines have as many parts as the text has
    words.
    """
    lines = [line.split() for line in (one.text, one.parts, one.gloss, one.ipa)]
    even = [line if len(line) == len(lines[0]) else [""] * len(lines[0]) for line in lines]
    words = tuple(WordView(*parts) for parts in zip(*even, strict=True))
    return PhraseView(
        text=one.text,
        words=words,
        english=one.english,
        intent=one.intent,
        mood=one.mood,
        provenance=one.provenance,
    )


def recipe_facts(card: Postcard, prompts: bool) -> tuple[tuple[str, str], ...]:
    """The recipe of an animal: what is needed to make it again."""
    picture, call = card.picture, card.call
    rows = [
        ("Seed", str(card.species.seed)),
        ("Mixed from", mix_in_words(card.species.mix)),
        (
            "Picture",
            f"{picture.steps} steps of {picture.solver}, guidance {picture.guidance:g}, "
            f"{picture.width} x {picture.height} pixels",
        ),
        ("Picture model", picture.model),
        ("Call", f"{call.engine}, take {call.take}, seed {call.seed}"),
        ("Call model", call.model),
        ("Prompt of the call", call.prompt if prompts else ""),
        ("Loudness", f"{call.loudness:.1f} LUFS" if call.loudness else ""),
        ("Language", f"{card.language}, of the family {card.family}"),
        ("Words", "; ".join(dict.fromkeys(phrase.provenance for phrase in card.phrases))),
    ]

    # Rows without a value are left out, not shown empty.
    return tuple((label, value) for label, value in rows if value)


def card_json(one: CardView, previous: str, following: str, volume: str) -> dict[str, Any]:
    """All that the dialog shows of a card, as plain values; paths are relative to the site's
    root.
    """
    card, species = one.card, one.card.species
    return {
        "id": one.id,
        "number": one.number,
        "page": one.page,
        "share": one.share,
        "volume": volume,
        "previous": previous,
        "next": following,
        "name": species.name,
        "binomial": species.binomial,
        "habitat": species.habitat,
        "traits": species.traits,
        "voice": species.voice,
        "own_name": card.own_name,
        "language": card.language,
        "family": card.family,
        "alt": card.alt,
        "call_in_words": card.call_in_words,
        "notes": card.notes,
        "postmark": card.postmark,
        "mix": one.mix_in_words,
        "tilt": one.tilt,
        "picture": {
            **_shallow(one.picture),
            "sources": [_shallow(source) for source in one.picture.sources],
        },
        "call": _shallow(one.call),
        "phrases": [
            {**_shallow(phrase), "words": [_shallow(word) for word in phrase.words]}
            for phrase in one.phrases
        ],
        "stamp": _shallow(one.stamp),
        "colours": [_shallow(colour) for colour in one.colours],
        "facts": one.facts,
    }


def _shallow(value: Any) -> dict[str, Any]:
    """The fields of a record; unlike ``asdict`` it copies nothing, which matters for a thousand
    cards.
    """
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def search_row(one: CardView, volume: str) -> list[Any]:
    """A card as the search box knows it: id, number, names, everything that can be found, and its
    volume.
    """
    card, species = one.card, one.card.species
    said = [text for phrase in one.phrases for text in (phrase.text, phrase.english)]
    texts = [
        species.name,
        species.binomial,
        card.own_name,
        species.habitat,
        *species.traits,
        *(colour.name for colour in one.colours),
    ]

    # A list instead of an object: field names would be most of the file.
    return [
        one.id,
        one.number,
        species.name,
        species.binomial,
        card.own_name,
        folded(" ".join([*texts, *said, *species.mix])),
        volume,
    ]
