"""The whole chain for a set of clips: clean, loop, level, dither."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import RATE, Audio, Cleaning, clean_clip
from .dither import dither
from .loop import Loop, Looping, append_pause, bake_crossfade, find_loop
from .loudness import REPEATED, Levelled, Levels, level_clip


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterSettings:
    """The settings of the three steps, each with its own defaults."""

    cleaning: Cleaning = field(default_factory=Cleaning)
    looping: Looping = field(default_factory=Looping)
    levels: Levels = field(default_factory=Levels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mastered:
    """A finished clip: what to write, and what was done to it."""

    audio: Audio  # float32 (samples, 1) at 48 kHz, before dither: for 24 bit, Opus and AAC
    pcm: NDArray[np.int16]  # (samples, 1): the 16-bit master
    rate: int  # Hz
    loop: tuple[int, int]  # [start, end) in samples
    before: float  # LUFS
    after: float  # LUFS
    true_peak: float  # dBTP
    method: str  # how the loudness was measured
    notes: tuple[str, ...]  # what was done, in plain words


def master_clips(
    clips: Sequence[Audio], rate: int, settings: MasterSettings | None = None
) -> list[Mastered]:
    """Master a set of clips so that it sounds like one place.

    The bytes of a clip do not depend on the other clips.

    Args:
        clips: float32 (samples, channels) each, nominal range [-1, 1].
        rate: their sample rate in Hz.

    Raises:
        BadInput: a clip is silent, holds NaN, is shorter than 20 ms, or is no such array; the
            sentence begins with its number from 1.
    """
    chosen = settings or MasterSettings()
    results = []
    for position, clip in enumerate(clips, 1):
        try:
            results.append(_master(clip, rate, chosen))
        except BadInput as problem:
            raise BadInput(f"Clip {position} of {len(clips)}: {problem.sentence}") from None
    return results


def _master(clip: Audio, rate: int, settings: MasterSettings) -> Mastered:
    audio, notes = clean_clip(clip, rate, settings.cleaning)
    loop = find_loop(audio, RATE, settings.looping)

    def finish(levelled: Audio) -> Audio:
        if loop:
            return bake_crossfade(levelled, loop)
        return append_pause(levelled, RATE, settings.looping.pause)

    # The level is set ahead of the crossfade: a limiter behind it would have another gain on each
    # side of the seam.
    levelled = level_clip(audio, RATE, settings.levels, finish)

    notes += _notes(levelled, loop, settings)
    return Mastered(
        audio=levelled.audio,
        pcm=dither(levelled.audio),
        rate=RATE,
        loop=(loop.start, loop.end) if loop else (0, len(levelled.audio)),
        before=levelled.before,
        after=levelled.after,
        true_peak=levelled.true_peak,
        method=levelled.method,
        notes=tuple(notes),
    )


def _notes(levelled: Levelled, loop: Loop | None, settings: MasterSettings) -> list[str]:
    """What looping and levelling did, and where the target was missed."""
    if loop:
        notes = [f"loops inside itself from {loop.start / RATE:.2f} to {loop.end / RATE:.2f} s"]
    else:
        notes = [f"loops as a whole with a pause of {settings.looping.pause:.1f} s"]

    notes.append(f"loudness {levelled.before:.1f} to {levelled.after:.1f} LUFS")
    if levelled.method == REPEATED:
        notes.append("under 0.4 s: its loudness is that of the clip repeated to 3 s")

    # Less than 0.1 dB of limiting and 0.3 LU of loudness are not heard.
    if levelled.limited >= 0.1:
        notes.append(f"highest peak limited by {levelled.limited:.1f} dB")
    missing = settings.levels.target - levelled.after
    if missing >= 0.3:
        notes.append(
            f"{missing:.1f} LU quieter than the set: its peaks would have to be limited by more "
            f"than {settings.levels.most:.0f} dB"
        )
    return notes
