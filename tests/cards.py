"""Postcards for tests and benchmarks: real small files, drawn and synthesised in no time, the same
for the same seed.
"""

import dataclasses
import itertools
import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jungle.encoding import audio_files
from jungle.language import export
from jungle.language.dialects import make_dialect
from jungle.language.grammar.word_table import InflectedWord
from jungle.language.language import Language
from jungle.language.names import binomial, own_name
from jungle.language.phonology.vocal_tract import VOICES
from jungle.language.script import SIZE, glyph, svg
from jungle.mastering.clean import Audio
from jungle.mastering.dither import dither
from jungle.postcards.captions import complete_species
from jungle.records import Call, Colour, Glyphs, Phrase, Picture, Postcard, Species
from jungle.sounds.plots import spectrogram_image as spectrogram
from jungle.species.invent import invent_species

CLASSES = (
    "butterfly",
    "cat",
    "chicken",
    "cow",
    "dog",
    "elephant",
    "horse",
    "sheep",
    "spider",
    "squirrel",
)
BODIES = ("songbird", "cat", "frog")
RATE = 48_000  # Hz
PHRASES = 4  # a card
HABITATS = (
    "among the roots of old figs",
    "where two rivers meet",
    "under the mist of the high ridge",
    "in hollow bamboo",
)
TRAITS = (
    "listens before it moves",
    "sleeps in pairs",
    "collects blue seeds",
    "never walks in a straight line",
)
MONTHS = ("March", "May", "August", "November")


class Talk(NamedTuple):
    """What the speakers of one dialect say."""

    language: str
    phrases: tuple[dict[str, Any], ...]  # fields of a Phrase
    lines: tuple[str, ...]  # each phrase in its script, as SVG
    names: tuple[tuple[str, Glyphs], ...]


def make_cards(
    folder: Path, count: int, seed: int = 0, *, distinct: int = 12, size: int = 512
) -> list[Postcard]:
    """Fill ``folder``/postcards with ``count`` animals, and ``folder``/language with the dictionary
    of their family.

    Args:
        folder: of the jungle.
        count: animals.
        seed: decides everything.
        distinct: how many different pictures and calls there are; the animals take turns with them.
        size: side of an enlarged picture in pixels.
    """
    cards: list[Postcard] = []
    for number, species in enumerate(
        complete_species(one, "ochre") for one in invent_species(CLASSES, count, seed)
    ):
        place = folder / "postcards" / species.slug
        place.mkdir(parents=True)
        if number < distinct:
            _draw(place, seed + number, size)
            _sing(place, seed + number)
        else:
            twin = folder / "postcards" / cards[number % distinct].species.slug
            for name in (
                "picture.png",
                "painted.png",
                "spectrogram.png",
                *(path.name for path in twin.iterdir() if path.suffix in FORMS),
            ):
                shutil.copyfile(twin / name, place / name)
        card = _card(
            species, number, min(len(BODIES), distinct), _length(cards, number % distinct, place)
        )
        (place / "stamp.svg").write_text(
            _talk(number % min(len(BODIES), distinct)).lines[0], encoding="utf-8"
        )
        (place / "record.json").write_text(
            json.dumps(card.to_json(), ensure_ascii=False, sort_keys=True, indent=1) + "\n", "utf-8"
        )
        (place / "manifest.json").write_text(
            json.dumps({"seed": species.seed}) + "\n", encoding="utf-8"
        )
        cards.append(card)
    export.write_language(folder / "language", _family(), list(_family().phrases(16)))
    return cards


FORMS = (".flac", ".opus", ".m4a")


def _length(cards: list[Postcard], twin: int, place: Path) -> int:
    import soundfile

    return (
        cards[twin].call.loop[1]
        if twin < len(cards)
        else int(soundfile.info(place / "call.flac").frames)
    )


@cache
def _family() -> Language:
    return Language(0, VOICES["primate"])


@cache
def _talk(kind: int) -> Talk:
    language = make_dialect(_family(), kind, VOICES[BODIES[kind]]).language
    phrases = list(language.phrases(16))
    fields = ("text", "parts", "gloss", "ipa", "english", "intent", "mood")
    said = [
        {name: getattr(one, name) for name in fields} | {"plan": language.plan(one).to_json()}
        for one in phrases
    ]
    written = {
        word.text.strip("'").capitalize(): word for word in language.grammar.table.words.values()
    }
    names = [own_name(language, number).text for number in range(8)]
    glyphs = [(name, _glyphs(name, [written[part] for part in name.split()])) for name in names]
    return Talk(
        language.name, tuple(said), tuple(svg(list(one.words)) for one in phrases), tuple(glyphs)
    )


def _glyphs(name: str, words: list[InflectedWord]) -> Glyphs:
    """A name as paths, each moved to its place."""
    squares = [
        glyph(syllable, stressed=stressed)
        for word in words
        for syllable, stressed in word.syllables
    ]
    paths = [
        re.sub(r"([ML])([-\d.]+) ", lambda found, x=x: f"{found[1]}{float(found[2]) + x:g} ", path)  # type: ignore[misc]
        for x, path in zip(itertools.count(0, SIZE), squares)
    ]
    return Glyphs(
        text=name, width=float(SIZE * len(squares)), height=float(SIZE), paths=tuple(paths)
    )


def _draw(place: Path, seed: int, size: int) -> None:
    """A picture of soft spots on a gradient, small as painted and enlarged, the way real ones
    are.
    """
    source = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:64] / 63
    sky, ground = source.integers(40, 220, (2, 3))
    pixels = sky + (ground - sky) * y[..., None]
    for _ in range(14):
        (cx, cy), radius, colour = (
            source.random(2),
            source.uniform(0.04, 0.25),
            source.integers(10, 245, 3),
        )
        spot = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / radius**2) ** 2))[..., None]
        pixels = pixels + spot * (colour - pixels)
    painted = Image.fromarray(
        (pixels + source.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)
    )
    painted.save(place / "painted.png")
    painted.resize((size, size), Image.Resampling.LANCZOS).save(
        place / "picture.png", compress_level=1
    )


def _sing(place: Path, seed: int) -> None:
    """A call of 1 to 2 s and phrases of half a second in all their forms, and the picture of the
    call.
    """
    source = np.random.default_rng(seed)
    samples = 480 * int(source.integers(100, 200))
    call = _whistle(samples, 600.0 + 2000 * source.random(), 3 + 6 * source.random())
    pcm = dither(call, seed=seed)
    (place / "call.flac").write_bytes(audio_files.flac(pcm, RATE, (0, samples)))
    (place / "call.opus").write_bytes(audio_files.opus(call, RATE, (0, samples)))
    (place / "call.m4a").write_bytes(audio_files.aac(call, RATE))
    Image.fromarray(spectrogram(call, RATE, 640, 200)).save(place / "spectrogram.png")
    phrase = audio_files.opus(
        _whistle(RATE // 2, 300.0 + 900 * source.random(), 5.0), RATE, bits=32_000
    )
    for number in range(1, PHRASES + 1):
        (place / f"phrase_{number}.opus").write_bytes(phrase)


def _whistle(samples: int, pitch: float, warble: float) -> Audio:
    """float32 (samples, 1): a warbling tone with one harmonic, which fades in and out."""
    t = np.arange(samples) / RATE
    phase = 2 * np.pi * pitch * t + 8 * np.sin(2 * np.pi * warble * t)
    tone = (0.3 * np.sin(phase) + 0.1 * np.sin(2 * phase)) * np.sin(
        np.pi * np.arange(samples) / samples
    )
    whistle: Audio = tone[:, None].astype(np.float32)
    return whistle


def _card(species: Species, number: int, dialects: int, samples: int) -> Postcard:
    talk, here, habit = (
        _talk(number % dialects),
        HABITATS[number % len(HABITATS)],
        TRAITS[number % len(TRAITS)],
    )
    said = [
        talk.phrases[(PHRASES * (number // dialects) + one) % len(talk.phrases)]
        for one in range(PHRASES)
    ]
    name, stamp = talk.names[number % len(talk.names)]
    described = dataclasses.replace(
        species,
        voice=BODIES[number % len(BODIES)],
        binomial=binomial(species.mix),
        habitat=here,
        traits=(habit,),
    )
    made: dict[str, Any] = {"seed": species.seed, "species": species.slug}
    picture: dict[str, Any] = {
        "width": 64,
        "height": 64,
        "mix": species.mix,
        "model": "00c0ffee",
        "solver": "heun",
        "steps": 18,
        "guidance": 2.0,
    }
    call: dict[str, Any] = {
        "seconds": samples / RATE,
        "rate": RATE,
        "take": 1,
        "mix": {"cat": 1.0},
        "engine": "embedded",
        "model": "0badcafe",
    }
    return Postcard(
        species=described,
        own_name=name,
        language=talk.language,
        family=_family().name,
        picture=Picture(file="painted.png", **picture, **made),
        call=Call(
            file="call.wav",
            prompt="two whistles and a purr",
            score=0.8,
            loudness=-18.0,
            loop=(0, samples),
            **call,
            **made,
        ),
        phrases=tuple(
            Phrase(**one, file=f"phrase_{place}.opus") for place, one in enumerate(said, 1)
        ),
        stamp=stamp,
        colours=(
            Colour(name="ochre", hex="#a87c42", share=0.6),
            Colour(name="moss", hex="#5c6b3a", share=0.3),
        ),
        alt=f"A {species.name.lower()} with a dark muzzle looks out from between broad leaves.",
        call_in_words="Two rising whistles, then a low purr.",
        notes=f"Seen twice {here}. It {habit}, and answers when it is called by its own name.",
        postmark=("Mistvalley", f"{1 + number % 28} {MONTHS[number % len(MONTHS)]} 2026"),
    )
