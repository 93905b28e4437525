"""What a template sees: plain values, ready to be printed. Texts are hostile until the template
escapes them; ids and paths are ours.

Paths are relative to the site's root; a page in a folder puts ``root`` ("" or "../") in front of
them.
"""

from dataclasses import dataclass

from ..records import Colour, Glyphs, Postcard


@dataclass(frozen=True, slots=True)
class Source:
    """One ``<source>`` of a picture, best form first; the last one is the ``<img>`` itself."""

    type: str  # "image/avif"
    srcset: tuple[tuple[str, int], ...]  # (path, width in pixels), narrowest first


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture in a ladder of widths. ``width`` and ``height`` are those of the master."""

    width: int
    height: int
    sources: tuple[Source, ...]
    placeholder: str  # data: address of a tiny WebP
    tint: int  # 0 to 63: class q-NN of the style sheet, the colour before the picture comes
    master: str  # the file to download: the PNG, or the largest of the ladder


@dataclass(frozen=True, slots=True)
class CallView:
    """A call: files for a player without script, and where the script finds its samples."""

    flac: str  # "" where the lossless masters are not published: the script has the samples
    opus: str
    m4a: str
    seconds: float
    rate: int
    loop: tuple[int, int]  # [start, end) in samples
    spectrogram: str  # picture, 640 x 200
    script: str  # c/ID.call.js: JUNGLE.put("call", ID, base64 FLAC)
    # c/ID.voice.js: JUNGLE.put("voice", ID, [base64 Ogg Opus of each phrase]); "" where nothing was
    # spoken
    voices: str


@dataclass(frozen=True, slots=True)
class WordView:
    """A word of a phrase over its gloss."""

    text: str
    parts: str
    gloss: str
    ipa: str


@dataclass(frozen=True, slots=True)
class PhraseView:
    """A phrase, its words and what it means."""

    text: str
    words: tuple[WordView, ...]
    english: str
    intent: str
    mood: str
    provenance: str


@dataclass(frozen=True, slots=True)
class CardView:
    """One animal."""

    id: str  # [a-z0-9-]{1,64}: in addresses, file names and classes
    number: int  # from 1, the place in the whole jungle
    card: Postcard  # names, notes, alt text and everything else that is only printed
    mix_in_words: str  # "70 % leopard, 30 % rabbit"
    picture: PictureView
    call: CallView
    phrases: tuple[PhraseView, ...]
    stamp: Glyphs
    colours: tuple[Colour, ...]
    tilt: int  # 0 to 4: class t-N, how the card lies
    page: str  # c/ID.html
    script: str  # c/ID.js: JUNGLE.put("card", ID, {...}) with everything the dialog shows
    share: str  # picture of 1200 x 630 for a share card
    # (label, value) of the recipe: seed, model, engine, steps ...
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DictionaryEntry:
    """A row of the dictionary."""

    word: str
    ipa: str
    english: str
    kind: str
    made_of: str
    gloss: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """What all pages know."""

    title: str
    world: str  # a sentence or two
    base_url: str  # "https://me.github.io/jungle/" or ""
    version: str
    count: int  # animals in all volumes
    volumes: tuple[str, ...]  # index.html, v2.html ...
    language: str  # the family that all dialects belong to
    ledger: tuple[tuple[str, str], ...]  # (label, value): minutes, energy estimate, money
    models: tuple[tuple[str, str], ...]  # (name, what it is, from its card)
    # (what, by whom and licence) of the training data and fonts
    credits: tuple[tuple[str, str], ...]
    dictionary: tuple[DictionaryEntry, ...]
