"""Open any recording safely: float32 (samples, channels), whatever the file calls itself.

libsndfile (``soundfile``) first, because it is exact and quick; FFmpeg (``av``) for what it does
not know, such as M4A and WMA, for files whose header is broken but whose data can still be decoded,
and for all MPEG audio, in WAV as well: libsndfile's decoder prints its remarks about damage on the
terminal, and left out the last half second of a real recording.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import decoding
from ..data.formats import HEAD, is_mpeg_audio, is_sound_data

Audio = NDArray[np.float32]
"""(samples, channels), nominal range [-1, 1]."""

LONGEST = 600.0  # seconds that are read of a recording; a call needs ten of them

# Over all channels: half a gigabyte, reached by no honest ten minutes in stereo below 112 kHz.
_MOST_SAMPLES = 1 << 27
_BLOCK = 1 << 18  # samples of each channel read at once: a header may promise more than there is
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 768_000  # Hz that a recording can have

# A sample as loud as this is damage; 32-bit floats that hold 16-bit integers reach 32768.
_ABSURD = 1e9

# FFmpeg only gets to see these containers. A playlist among them could open files and addresses of
# its own choice.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,matroska,webm,mov,mp4,mp3,mpeg,mpegts,ogg,tta,w64,"
    "wav,wv"
)

# Marks of copy protection in files of Apple, MPEG-4 and Windows Media.
_LOCKED = (b"drms", b"enca", bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"))
_LOCKED_WITHIN = 1 << 22  # bytes searched for those marks

_SUBTYPES = {
    "PCM_S8": "8 bit",
    "PCM_U8": "8 bit",
    "PCM_16": "16 bit",
    "PCM_24": "24 bit",
    "PCM_32": "32 bit",
    "FLOAT": "float",
    "DOUBLE": "64-bit float",
    "ALAW": "A-law",
    "ULAW": "µ-law",
    "MPEG_LAYER_I": "MP1",
    "MPEG_LAYER_II": "MP2",
    "MPEG_LAYER_III": "MP3",
    "IMA_ADPCM": "ADPCM",
    "MS_ADPCM": "ADPCM",
    "GSM610": "GSM",
    "VORBIS": "Vorbis",
    "OPUS": "Opus",
}
_FORMATS = {
    "WAVEX": "WAV",
    "RF64": "WAV",
    "OGG": "Ogg",
    "mov,mp4,m4a,3gp,3g2,mj2": "MP4",
    "matroska,webm": "Matroska",
    "asf": "WMA",
}


class UnreadableRecording(decoding.Unreadable):
    """A file that cannot be used as a recording; ``reason`` says why in a few words."""

    word = "recording"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says about its sound."""

    rate: int  # Hz
    channels: int
    encoding: str  # container and coding: "WAV 16 bit", "WAV A-law", "FLAC 16 bit", "MP4 AAC"
    seconds: float  # what could be read of it, at most LONGEST


def open_recording(path: Path, rate: int | None = None) -> tuple[Audio, int, AudioInfo]:
    """The sound of a file, its rate in Hz, and what the file says about it.

    Of more than :data:`LONGEST` seconds the first are read. A file that is cut short gives what is
    left of it.

    Args:
        path: any file; its content decides the format, not its suffix.
        rate: of the result, in Hz; None keeps the file's own. Resampled by soxr in high quality.

    Returns:
        float32 (samples, channels), nominal range [-1, 1]; its rate; and the facts, with the file's
        own rate.

    Raises:
        UnreadableRecording: empty, damaged, locked, or without sound.
    """
    head = _read_head(path)
    decoded = None if is_mpeg_audio(head) else _by_soundfile(path)
    audio, own_rate, encoding = decoded or _by_ffmpeg(path)

    _check_samples(path, audio, own_rate)
    info = AudioInfo(own_rate, audio.shape[1], encoding, len(audio) / own_rate)
    if rate is None or rate == own_rate:
        return audio, own_rate, info
    import soxr

    return soxr.resample(audio, own_rate, rate, quality="HQ"), rate, info


def _read_head(path: Path) -> bytes:
    try:
        if path.stat().st_size == 0:
            raise UnreadableRecording(path, "empty file (0 bytes)")
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError as problem:
        reason = (problem.strerror or type(problem).__name__).lower()
        raise UnreadableRecording(path, reason) from None


def _check_samples(path: Path, audio: Audio, rate: int) -> None:
    """Refuse what a decoder took for sound: a damaged file can decode to anything."""
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        raise UnreadableRecording(path, f"a sample rate of {rate:,} Hz is damage")
    if not len(audio):
        raise UnreadableRecording(path, "no samples")
    if not np.isfinite(audio).all():
        raise UnreadableRecording(path, "samples that are not numbers (NaN or infinite)")
    if np.abs(audio).max() > _ABSURD:
        raise UnreadableRecording(path, "samples far beyond any loudness")


def _sample_limit(rate: int, channels: int) -> int:
    """Samples of each channel that are read at most."""
    return min(math.ceil(LONGEST * rate), _MOST_SAMPLES // channels)


def _concatenate(blocks: list[Audio], channels: int) -> Audio:
    return np.concatenate(blocks) if blocks else np.empty((0, channels), np.float32)


def _encoding_name(container: str, coding: str) -> str:
    return container if container == coding else f"{container} {coding}"


def _by_soundfile(path: Path) -> tuple[Audio, int, str] | None:
    """Samples, rate in Hz and encoding.

    None if libsndfile does not know the file or finds no sample in it.
    """
    import soundfile

    blocks: list[Audio] = []
    try:
        # A descriptor, because libsndfile would believe the suffix of a name.
        with open(path, "rb") as raw, soundfile.SoundFile(raw.fileno(), closefd=False) as file:
            if file.subtype.startswith("MPEG"):
                return None
            rate, channels = int(file.samplerate), int(file.channels)
            container = _FORMATS.get(file.format, file.format)
            coding = _SUBTYPES.get(file.subtype, file.subtype.replace("_", " "))
            remaining = _sample_limit(rate, channels)
            while remaining > 0:
                block = file.read(min(_BLOCK, remaining), dtype="float32", always_2d=True)
                if not len(block):
                    break
                blocks.append(block)
                remaining -= len(block)

    # TypeError and ValueError come from headers without meaning. FFmpeg gets further into a damaged
    # file.
    except (soundfile.SoundFileError, TypeError, ValueError):
        return None
    if not blocks:
        return None
    return _concatenate(blocks, channels), rate, _encoding_name(container, coding)


def _by_ffmpeg(path: Path) -> tuple[Audio, int, str]:
    """Samples, rate in Hz and encoding.

    Raises:
        UnreadableRecording: FFmpeg cannot decode the file, or it holds no sound.
    """
    import av

    # Whatever the file says, nothing else is opened.
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
    try:
        with open(path, "rb") as file, av.open(file, options=options) as container:
            if not container.streams.audio:
                silent_video = bool(container.streams.video)
                raise UnreadableRecording(
                    path, "a video without sound" if silent_video else _reason(path)
                )
            stream = container.streams.audio[0]
            context = stream.codec_context
            coding = str(context.codec.canonical_name) if context else ""
            audio, rate = _decode(container, stream) if coding else (_concatenate([], 1), 0)
            name = _FORMATS.get(container.format.name, container.format.name.upper())
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as problem:
        raise UnreadableRecording(path, _reason(path)) from problem

    if not len(audio):
        raise UnreadableRecording(path, _reason(path))
    return audio, rate, _encoding_name(name, coding.upper())


def _decode(container: Any, stream: Any) -> tuple[Audio, int]:
    """All frames that can be decoded and have the rate and the channels of the first one.

    Damaged packets are passed over.
    """
    import av

    blocks: list[Audio] = []
    rate = channels = remaining = 0
    packets = container.demux(stream)
    while packet := _next_packet(packets):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue

        # A stream may change its format half way, by damage or by design: the first one counts.
        for frame in frames:
            block = _to_float(frame)
            if not blocks:
                rate, channels = frame.sample_rate, block.shape[1]
                remaining = _sample_limit(rate, channels)
            if frame.sample_rate == rate and block.shape[1] == channels:
                blocks.append(block[:remaining])
                remaining -= len(blocks[-1])
        if blocks and remaining <= 0:
            break
    return _concatenate(blocks, channels or 1), rate


def _next_packet(packets: Any) -> Any:
    """The next packet; None at the end, or where the file is damaged beyond it."""
    import av

    try:
        return next(packets, None)
    except av.FFmpegError:
        return None


def _to_float(frame: Any) -> Audio:
    """(samples, channels) of an FFmpeg frame; whole numbers are scaled to [-1, 1)."""
    data = frame.to_ndarray()
    data = data.T if frame.format.is_planar else data.reshape(-1, len(frame.layout.channels))
    if data.dtype.kind == "f":
        return np.ascontiguousarray(data, np.float32)
    half = 2.0 ** (8 * data.dtype.itemsize - 1)
    offset = half if data.dtype.kind == "u" else 0.0
    return np.ascontiguousarray((data - offset) / half, np.float32)


def _reason(path: Path) -> str:
    """Why no decoder could open this file, in a few words."""
    with open(path, "rb") as file:
        head = file.read(_LOCKED_WITHIN)
    if any(mark in head for mark in _LOCKED):
        return "locked by copy protection"
    return "damaged" if is_sound_data(head[:HEAD]) else "not a recording"
