"""Writers: WAV and FLAC masters, Opus and AAC for the web. The same input gives the same bytes: no
dates, no random numbers.

Every file carries the tags it is given: FLAC and Opus each under its own name; WAV and M4A, which
have no free names that players show, those that they have names for and, if there are others, a
comment that holds all as JSON. WAV and M4A have a place for an XMP packet.
"""

import io
import json
import struct
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..mastering.clean import Audio

INFO = {
    "title": b"INAM",
    "artist": b"IART",
    "software": b"ISFT",
    "source": b"ISRC",
    "copyright": b"ICOP",
    "comment": b"ICMT",
}
PLAYERS = ("title", "artist", "copyright")  # what every player shows, of any format
# XMP specification part 3, section 1.2.6 (MPEG-4)
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

Pcm = NDArray[np.int16] | NDArray[np.int32]  # (samples, channels); int32 holds 24-bit numbers


def wav(
    pcm: Pcm,
    rate: int,
    loop: tuple[int, int] | None = None,
    tags: Mapping[str, str] | None = None,
    xmp: bytes = b"",
) -> bytes:
    """A WAV file (RIFF, Microsoft and IBM 1991): 16 bit for int16, 24 bit for int32, with the loop
    and the tags ahead of the samples.

    Args:
        pcm: (samples, channels), from :func:`~jungle.mastering.dither.dither`.
        loop: [start, end) in samples, written as a ``smpl`` chunk that loops for ever.
        tags: written as a ``LIST`` chunk of kind ``INFO``: those that it has names for, and all as
            JSON in its comment.
        xmp: a packet, written as a ``_PMX`` chunk.
    """
    size = 2 if pcm.dtype == np.int16 else 3
    channels = pcm.shape[1]
    numbers = pcm.astype("<i2" if size == 2 else "<i4", order="C")
    samples = numbers.reshape(-1, 1).view(np.uint8)[:, :size].tobytes()  # of 32 bits the lower 24
    chunks = _chunk(
        b"fmt ",
        struct.pack(
            "<HHIIHH", 1, channels, rate, rate * channels * size, channels * size, 8 * size
        ),
    )

    # The sampler chunk is what game engines and samplers read loops from (RIFF MCI, 1994).
    if loop:
        start, end = _inside(loop, len(pcm))
        period = round(1e9 / rate)  # nanoseconds a sample
        head = (0, 0, period, 60, 0, 0, 0, 1, 0)  # no maker, middle C, no SMPTE; one loop
        # its end is inclusive
        chunks += _chunk(
            b"smpl", struct.pack("<9I", *head) + struct.pack("<6I", 0, 0, start, end - 1, 0, 0)
        )

    # Players show INFO; what it has no names for stands as JSON in its comment.
    if tags:
        told = dict(tags) | _shown(tags, INFO)
        items = (
            _chunk(name, told[key].encode() + b"\0") for key, name in INFO.items() if key in told
        )
        chunks += _chunk(b"LIST", b"INFO" + b"".join(items))

    if xmp:
        chunks += _chunk(b"_PMX", xmp)
    chunks += _chunk(b"data", samples)

    return _chunk(b"RIFF", b"WAVE" + chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    """Name, length, content, and a byte to make it even."""
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _inside(loop: tuple[int, int], samples: int) -> tuple[int, int]:
    if not 0 <= loop[0] < loop[1] <= samples:
        raise BadInput(
            f"A loop from {loop[0]} to {loop[1]} does not lie inside {samples} samples: search it "
            "in the clip that is written."
        )
    return loop


def _shown(tags: Mapping[str, str], names: Collection[str] = PLAYERS) -> dict[str, str]:
    """What every player shows, and a comment with all tags as JSON if some are not among the
    format's ``names``.
    """
    plain = {key: tags[key] for key in PLAYERS if key in tags}
    return (
        plain
        if set(tags) <= set(names)
        else plain | {"comment": json.dumps(dict(tags), ensure_ascii=False)}
    )


def _named(tags: Mapping[str, str], loop: tuple[int, int] | None, samples: int) -> dict[str, str]:
    """Vorbis comments: every tag under its own name in capitals, and the loop as players of game
    music read it.
    """
    named = {key.upper(): value for key, value in tags.items()}
    if loop:
        start, end = _inside(loop, samples)
        named |= {"LOOPSTART": str(start), "LOOPLENGTH": str(end - start)}
    return named


def flac(
    pcm: NDArray[np.int16],
    rate: int,
    loop: tuple[int, int] | None = None,
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """A FLAC file (RFC 9639) that decodes to ``pcm``, int16 (samples, channels), bit for bit;
    Vorbis comments carry tags and loop.
    """
    return _encoded(
        "flac",
        "flac",
        pcm,
        "s16",
        rate,
        _named(tags or {}, loop, len(pcm)),
        {"compression_level": "8"},
    )


def opus(
    audio: Audio,
    rate: int = 48_000,
    loop: tuple[int, int] | None = None,
    tags: Mapping[str, str] | None = None,
    bits: int = 96_000,
) -> bytes:
    """An Opus file in Ogg (RFC 6716, 7845) of float32 (samples, channels) at 48 kHz, ``bits`` a
    second; decodes to the same length.
    """
    if rate != 48_000:
        raise BadInput(f"Opus is written at 48000 Hz, not at {rate} Hz: master the clip first.")
    return _encoded(
        "ogg", "libopus", audio, "flt", rate, _named(tags or {}, loop, len(audio)), {"b": str(bits)}
    )


def aac(
    audio: Audio,
    rate: int = 48_000,
    tags: Mapping[str, str] | None = None,
    bits: int = 96_000,
    xmp: bytes = b"",
) -> bytes:
    """An AAC file (.m4a) of float32 (samples, channels), ``bits`` a second; with title, artist and
    comment. Its edges are not loop-safe.

    The index lies ahead of the sound, so that a browser starts to play before the file has arrived;
    the packet ``xmp`` lies at the end.
    """
    shown = _shown(tags or {})
    # bytes kept free for it: ample
    index = 4096 + 8 * (len(audio) // 1024) + 2 * sum(len(text.encode()) for text in shown.values())
    written = _encoded(
        "ipod", "aac", audio, "fltp", rate, shown, {"b": str(bits)}, {"moov_size": str(index)}
    )
    return written + struct.pack(">I4s", 24 + len(xmp), b"uuid") + XMP_BOX + xmp if xmp else written


def _encoded(  # noqa: PLR0913
    kind: str,
    codec: str,
    samples: NDArray[Any],
    form: str,
    rate: int,
    tags: dict[str, str],
    options: dict[str, str],
    container_options: dict[str, str] | None = None,
) -> bytes:
    import av  # only here: FFmpeg takes a tenth of a second to load

    channels = samples.shape[1]
    if channels not in (1, 2):
        raise BadInput(
            f"{codec} is written in mono or stereo, not with {channels} channels: mix it down "
            "first."
        )

    layout = "mono" if channels == 1 else "stereo"
    buffer = io.BytesIO()

    fixed = {"fflags": "+bitexact"}  # no random Ogg serial, no library version
    with av.open(buffer, "w", format=kind, options=fixed | (container_options or {})) as container:
        # bitexact leaves out versions and dates: the same sound gives the same bytes.
        stream: Any = container.add_stream(
            codec, rate=rate, layout=layout, options=options | {"flags": "+bitexact"}
        )
        container.metadata.update(tags)
        ordered = samples.T if form == "fltp" else samples.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(ordered), format=form, layout=layout
        )
        frame.sample_rate, frame.pts = rate, 0
        for packet in stream.encode(frame):
            container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)

    return buffer.getvalue()
