"""A species, its picture, its call and its language become one postcard: the only place where the three meet.

postcards/SLUG/
  record.json        the whole postcard (docs/postcard.schema.json)
  picture.png        the picture, enlarged: the master of everything that is published
  call.flac ...      the call: FLAC, and Opus and M4A for browsers
  phrase_1.opus ...  the phrases, spoken with the animal's own voice
  spectrogram.png    the call, to look at
  stamp.svg          its name in the script of its language
  manifest.json      what all this was made with; written last
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import biography
from .album import EXACT, tags
from .images.enlarge import Look, enlarge_pixels
from .language import script
from .language.dialects import Dialect, make_dialect
from .language.language import Language
from .language.language import Phrase as Said
from .language.meaning import Meaning
from .language.names import own_name
from .language.voices import voice_named
from .mastering import encode
from .mastering.colours import dominant
from .mastering.master import master
from .mastering.provenance import Level, stamped
from .records import Call, Colour, Glyphs, Phrase, Picture, Postcard, Species
from .sounds.speech import perform
from .sounds.views import picture as spectrogram

FOLDER = "postcards"
FORMS = ("flac", "opus", "m4a")  # of the call
SPECTROGRAM = (640, 200)  # pixels
SIDE = 512  # least short side of the master in pixels


@dataclass(frozen=True, slots=True)
class Told:
    """Something to say in any dialect: what a language model or the family's engine came up with."""

    meaning: Meaning
    intent: str
    mood: str
    provenance: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """How postcards of one jungle are made."""

    phrases: int = 4  # on each
    look: Look = "painterly"
    metadata: Level = "full"


@dataclass(frozen=True, slots=True)
class Parts:
    """What an animal has before it is on a postcard: its picture (H, W, 3) uint8 and the bytes of its call by form, WAV among them."""

    species: Species
    picture: Picture
    pixels: NDArray[np.uint8]
    call: Call
    audio: Mapping[str, bytes]


def make_postcard(parts: Parts, family: Language, told: Sequence[Told], wishes: Wishes) -> tuple[Postcard, dict[str, bytes]]:
    """The postcard of one animal, and the files of its folder but for the manifest.

    Args:
        family: the language that the dialect of this animal belongs to.
        told: what it says, in its own dialect; empty: phrases of its own.

    The same arguments make the same bytes on the same machine.
    """
    colours = tuple(Colour(name=name, hex=code, share=round(share, 3)) for name, code, share in dominant(parts.pixels)[:3])
    species = biography.describe(parts.species, colours[0].name if colours else "")
    dialect = make_dialect(family, species.seed, voice_named(species.voice))
    name = own_name(dialect.language, species.seed)
    said = _phrases(dialect, told, wishes.phrases)
    phrases, spoken = _speak(dialect.language, said, parts, species)
    card = Postcard(
        species=species, own_name=name.text, language=dialect.language.name, family=family.name, picture=parts.picture, call=parts.call,
        phrases=phrases, stamp=_glyphs(dialect.language, name.text), colours=colours, alt=biography.alt_text(species, colours),
        call_in_words=biography.call_in_words(parts.call), notes=biography.field_notes(species, colours, name.text, name.meaning),
        postmark=biography.postmark(species.seed),
    )  # fmt: skip
    files = {"picture.png": _master(parts, card, wishes), **spoken}
    files |= {f"call.{form}": parts.audio[form] for form in FORMS}
    files["spectrogram.png"] = _spectrogram(parts)
    files["stamp.svg"] = _stamp(card.stamp)
    files["record.json"] = (json.dumps(card.to_json(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    return card, files
