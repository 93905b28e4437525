"""Postcards for tests and benchmarks: real small files, drawn and synthesised in no time, the same for the same seed."""

import itertools
import json
import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jungle.language import offline
from jungle.language.dialects import make_dialect
from jungle.language.language import Language
from jungle.language.names import binomial, own_name
from jungle.language.script import SIZE, glyph, svg
from jungle.language.voices import VOICES
from jungle.mastering import encode
from jungle.records import Call, Colour, Glyphs, Phrase, Picture, Postcard
from jungle.sounds.views import picture as spectrogram
from jungle.species import invent

CLASSES = ("butterfly", "cat", "chicken", "cow", "dog", "elephant", "horse", "sheep", "spider", "squirrel")
RATE = 48_000  # Hz
PHRASES = 4  # a card
FAMILY = Language(0, VOICES["primate"])
HABITATS = ("among the roots of old figs", "where two rivers meet", "under the mist of the high ridge", "in hollow bamboo")
TRAITS = ("listens before it moves", "sleeps in pairs", "collects blue seeds", "never walks in a straight line")
MONTHS = ("March", "May", "August", "November")


class Talk(NamedTuple):
    """What speakers of one dialect say: phrases with what lies beneath them, and names with their glyphs."""

    language: str
    phrases: tuple[tuple[dict[str, Any], str], ...]  # (fields of a Phrase without the file, its line of writing as SVG)
    names: tuple[tuple[str, Glyphs], ...]


def make_cards(folder: Path, count: int, seed: int = 0, *, distinct: int = 12, size: int = 512) -> list[Postcard]:
    """Fill ``folder``/postcards with ``count`` animals and ``folder``/language with the dictionary of their family.

    Args:
        folder: of the jungle.
        count: animals.
        seed: decides everything.
        distinct: how many different pictures, calls and dialects there are; the animals take turns with them.
        size: side of a picture in pixels.
    """
    cards = []
    for number, species in enumerate(invent(CLASSES, count, seed)):
        place, kind = folder / "postcards" / species.slug, number % distinct
        place.mkdir(parents=True)
        call = _media(place, folder / "postcards", seed + kind, number >= distinct, cards[kind].species.slug if number >= distinct else "", size)
        talk = _talk(kind % 3)
        said = [talk.phrases[(PHRASES * number + one) % len(talk.phrases)] for one in range(PHRASES)]
        name, stamp = talk.names[number % len(talk.names)]
        month = MONTHS[number % len(MONTHS)]
        card = Postcard(
            species=_described(species, number),
            own_name=name,
            language=talk.language,
            family=FAMILY.name,
            picture=Picture(
                file="painted.png", width=64, height=64, seed=species.seed, mix=species.mix, model="00c0ffee", solver="heun", steps=18,
                guidance=2.0, species=species.slug,
            ),
            call=Call(
                file="call.wav", seconds=len(call) / RATE, rate=RATE, seed=species.seed, take=1, mix={"cat": 1.0}, engine="embedded",
                model="0badcafe", prompt="two whistles and a purr", species=species.slug, score=0.8, loudness=-18.0, true_peak=-2.0,
                loop=(0, len(call)),
            ),
            phrases=tuple(Phrase(**one, file=f"phrase_{place}.opus") for place, (one, _) in enumerate(said, 1)),
            stamp=stamp,
            colours=(Colour(name="ochre", hex="#a87c42", share=0.6), Colour(name="moss", hex="#5c6b3a", share=0.3)),
            alt=f"A {species.name.lower()} with a dark muzzle looks out from between broad leaves.",
            call_in_words="Two rising whistles, then a low purr.",
            notes=f"Seen twice {HABITATS[number % 4]}. It {TRAITS[number % 4]}, and answers when it is called by its own name.",
            postmark=("Mistvalley", f"{1 + number % 28} {month} 2026"),
        )
        (place / "stamp.svg").write_text(said[0][1], encoding="utf-8")
        (place / "record.json").write_text(json.dumps(card.to_json(), ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8")
        (place / "manifest.json").write_text(json.dumps({"seed": species.seed}) + "\n", encoding="utf-8")
        cards.append(card)
    offline.write_language(folder / "language", FAMILY, list(FAMILY.phrases(16)))
    return cards


def _described(species: Any, number: int) -> Any:
    import dataclasses

    return dataclasses.replace(
        species, voice="primate", binomial=binomial(species.mix), habitat=HABITATS[number % 4], traits=(TRAITS[number % 4],)
    )
