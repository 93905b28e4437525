"""Where a file comes from: the same facts in every format, as much of them as is wanted, read back
by anybody.

PNG, JPEG, WebP and AVIF carry an XMP packet; FLAC, Opus, WAV and M4A carry tags, and the last two
the packet too. Formats force some
words on every writer that are no facts: the vendor string of FLAC and Opus ("ffmpeg"), the handler
names of M4A and AVIF.
"""

import dataclasses
import io
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from xml.sax.saxutils import escape

from ..errors import BadInput
from . import image_metadata, xmp
from .avif_metadata import avif_with, avif_xmp

Level = Literal["full", "credit", "none"]

# "created using a model derived from sampled content"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# bytes of a fact as XML; the prompt may have PROMPT: together they fit into one segment of a JPEG
MOST = 1_500
PROMPT = 40_000
# what players call a fact; the others keep their names
AUDIO = {
    "credit": "artist",
    "rights": "copyright",
    "licence": "license",
}
# FFmpeg's for DESCRIPTION, ISFT
FOREIGN = {tag: name for name, tag in AUDIO.items()} | {
    "comment": "description",
    "encoder": "software",
}
HEARD = "wav,flac,ogg,mov,mp3,aac,aiff"  # no playlists: FFmpeg would follow them

# A bidirectional override makes a text read as another one; joiners and variation selectors belong
# to emoji and stay.
OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What a file tells of its origin. All are words, and what is empty is not told; made clean by
    :func:`clean_fact`.
    """

    title: str = ""
    credit: str = ""  # who is to be named
    description: str = ""  # what is to be seen or heard: the alternative text of a picture
    source: str = ""  # IPTC digital source type, an address: TRAINED for what a model made
    software: str = ""  # with its version
    engine: str = ""  # the generative system
    model: str = ""  # hash of its weights, or their name
    prompt: str = ""
    seed: str = ""
    mix: str = ""  # "cat 0.6, bird 0.4"
    rights: str = ""  # in words
    licence: str = ""  # address of its text

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = clean_fact(
                getattr(self, field.name), PROMPT if field.name == "prompt" else MOST
            )
            object.__setattr__(self, field.name, value)

    def told(self) -> dict[str, str]:
        """The facts that are not empty."""
        return {
            one.name: getattr(self, one.name)
            for one in dataclasses.fields(self)
            if getattr(self, one.name)
        }


def clean_fact(text: str, most: int = MOST) -> str:
    """``text`` in one line that every format can hold: no control characters, lone surrogates,
    noncharacters or bidirectional overrides.

    Args:
        most: what it may take as UTF-8 in XML, in bytes; the rest is cut and replaced by an
            ellipsis.
    """
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if not _unwritable(c)
    )
    kept = " ".join(kept.split())
    if _size(kept) <= most:
        return kept
    fits, over = 0, len(kept)  # the longest beginning that fits lies between them
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if _size(kept[:middle]) <= most - 3 else (fits, middle)
    return kept[:fits].rstrip() + "…"


def _unwritable(character: str) -> bool:
    code = ord(character)
    return (
        0xD800 <= code <= 0xDFFF
        or code & 0xFFFE == 0xFFFE
        or 0xFDD0 <= code <= 0xFDEF
        or character in OVERRIDES
    )


def _size(text: str) -> int:
    return len(escape(text).encode())


def select_facts(facts: Provenance, level: Level) -> Provenance:
    """What of ``facts`` is told: all, only the credit, or nothing.

    Raises:
        BadInput: ``level`` is none of these.
    """
    if level not in get_args(Level):
        raise BadInput(f"There is no metadata level '{level}': use full, credit or none.")
    return (
        facts
        if level == "full"
        else Provenance(credit=facts.credit)
        if level == "credit"
        else Provenance()
    )


def write_provenance(data: bytes, facts: Provenance) -> bytes:
    """The PNG, JPEG, WebP or AVIF file ``data`` with exactly ``facts`` as its metadata, its pixels
    untouched; without facts it has none.

    Raises:
        BadInput: another format, or damaged.
    """
    return _writer(data)[0](data, provenance_packet(facts))


def provenance_packet(facts: Provenance) -> bytes:
    """The XMP packet with ``facts``, for :func:`encode.wav` and :func:`encode.aac`; empty without
    facts.
    """
    return xmp.xmp_packet(facts.told())


def tags(facts: Provenance) -> dict[str, str]:
    """``facts`` as the tags that the writers in ``encode`` take."""
    return {AUDIO.get(name, name): value for name, value in facts.told().items()}


def read_provenance(data: bytes) -> Provenance:
    """What a picture (PNG, JPEG, WebP, AVIF) or a sound (WAV, FLAC, Ogg, M4A, MP3, AIFF) tells;
    empty where it tells nothing.

    Raises:
        BadInput: neither, or damaged.
    """
    if _form(data) in PICTURES:
        return Provenance(**xmp.facts_in(_writer(data)[1](data)))
    return Provenance(**_heard(data))


ProvenanceWriter = tuple[Callable[[bytes, bytes], bytes], Callable[[bytes], bytes]]
PICTURES: dict[str, ProvenanceWriter] = {
    "PNG": (image_metadata.png_with, image_metadata.png_xmp),
    "JPEG": (image_metadata.jpeg_with, image_metadata.jpeg_xmp),
    "WebP": (image_metadata.webp_with, image_metadata.webp_xmp),
    "AVIF": (avif_with, avif_xmp),
}


def _form(data: bytes) -> str:
    """The format by its first bytes, or nothing."""
    if data.startswith(image_metadata.PNG):
        return "PNG"
    if data.startswith(image_metadata.JPEG):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return "AVIF" if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis", b"mif1") else ""


def _writer(data: bytes) -> ProvenanceWriter:
    form = _form(data)
    if not form:
        raise BadInput(
            "Facts can be written into PNG, JPEG, WebP and AVIF files, and this is none of them: "
            "save the picture as one."
        )
    return PICTURES[form]


def _heard(data: bytes) -> dict[str, str]:
    import av

    try:
        with av.open(
            io.BytesIO(data), metadata_errors="replace", options={"format_whitelist": HEARD}
        ) as container:
            results = dict(container.metadata)
            for stream in container.streams:
                results |= stream.metadata  # Ogg has its tags there
    except (av.error.FFmpegError, OSError, ValueError):
        raise BadInput(
            "This is neither a picture nor a sound that can be read: make it again."
        ) from None

    # Formats spell the same names in different cases.
    lower = {key.lower(): value for key, value in results.items()}
    return _as_facts(_listed(lower.get("comment", "")) or lower)


def _listed(comment: str) -> dict[str, str]:
    """The tags in a comment that is JSON, or nothing."""
    try:
        value = json.loads(comment)
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _as_facts(found: Mapping[str, str]) -> dict[str, str]:
    names = {one.name for one in dataclasses.fields(Provenance)}
    renamed = {FOREIGN.get(tag, tag): value for tag, value in found.items()}
    return {name: value for name, value in renamed.items() if name in names}
