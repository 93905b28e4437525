"""The two kinds of files that jungle learns from, photos and recordings, and how one is told from
anything else.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

HEAD = 16  # bytes that tell a picture or a recording from anything else


@dataclass(frozen=True)
class FileFormats:
    """A kind of file to learn from."""

    word: str  # for one of them
    forms: str  # examples, as an error sentence names them
    suffixes: frozenset[str]
    is_data: Callable[[bytes], bool]  # whether these first HEAD bytes are of this kind


def is_picture_data(head: bytes) -> bool:
    """Whether the first :data:`HEAD` bytes of a file are those of a JPEG, PNG, GIF, WebP, AVIF,
    HEIC or TIFF.
    """
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"))
        or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"heic", b"heix", b"mif1"))
    )


def is_sound_data(head: bytes) -> bool:
    """Whether the first :data:`HEAD` bytes of a file are those of a WAV, FLAC, Ogg, MP3, AAC, AIFF,
    AU, CAF or M4A.
    """
    return (
        head.startswith((b"fLaC", b"OggS", b".snd", b"caff"))
        or (head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE")
        or (head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"))
        or (head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"M4B"))
        or is_mpeg_audio(head)
    )


def is_mpeg_audio(head: bytes) -> bool:
    """Whether they are an ID3 tag, an MP2 or MP3 frame (ISO/IEC 11172-3, 2.4.2.3) or an AAC frame
    in ADTS, not text in UTF-16.
    """
    if head.startswith(b"ID3"):
        return True
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:
        return True
    version, layer, bits, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer in (1, 2) and 0 < bits < 15 and rate != 3


PHOTOS = FileFormats(
    "photo", "JPEG, PNG or WebP",
    frozenset({
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif",
        ".tiff", ".heic", ".heif",
    }),
    is_picture_data,
)  # fmt: skip
RECORDINGS = FileFormats(
    "recording", "WAV, FLAC or MP3",
    frozenset({
        ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au",
        ".wma", ".caf", ".w64",
    }),
    is_sound_data,
)  # fmt: skip
MEDIA = (PHOTOS, RECORDINGS)


def media_of(name: str, head: Callable[[], bytes]) -> FileFormats | None:
    """What a file is, by its suffix, else by its first bytes, which are only then asked for; None =
    neither.
    """
    suffix = os.path.splitext(name)[1].lower()
    for media in MEDIA:
        if suffix in media.suffixes:
            return media
    start = head()
    return next((media for media in MEDIA if media.is_data(start)), None)
