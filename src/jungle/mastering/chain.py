"""The whole chain for a set of clips: clean, loop, level, dither."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .clean import RATE, Audio, Cleaning, clean
from .dither import dithered
from .loop import Looping, bake, find_loop, with_pause
from .loudness import REPEATED, Levels, level


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
    rate: int
    loop: tuple[int, int]  # [start, end) in samples
    before: float  # LUFS
    after: float  # LUFS
    true_peak: float  # dBTP
    method: str  # how the loudness was measured
    notes: tuple[str, ...]  # what was done, in plain words


def master(
    clips: Sequence[Audio], rate: int, settings: MasterSettings | None = None
) -> list[Mastered]:
    """Master a set of clips so that it sounds like one place. A clip's bytes do not depend on the other clips.

    Args:
        clips: float32 (samples, channels) each.
        rate: their sample rate in Hz.

    Raises:
        BadInput: a clip is silent, holds NaN, is shorter than 20 ms, or is no such array; the sentence begins with its number from 1.
    """
    chosen = settings or MasterSettings()
    done = []
    for number, clip in enumerate(clips, 1):
        try:
            done.append(_master(clip, rate, chosen))
        except BadInput as problem:
            raise BadInput(f"Clip {number} of {len(clips)}: {problem}") from None
    return done


def _master(clip: Audio, rate: int, settings: MasterSettings) -> Mastered:
    audio, notes = clean(clip, rate, settings.cleaning)
    found = find_loop(audio, RATE, settings.looping)
    pause = settings.looping.pause
    # The level is set ahead of the crossfade: a limiter behind it would have another gain on each side of the seam.
    levelled = level(
        audio,
        RATE,
        settings.levels,
        lambda x: bake(x, found) if found else with_pause(x, RATE, pause),
    )
    loop = (found.start, found.end) if found else (0, len(levelled.audio))
    if found:
        notes.append(
            f"loops inside itself from {found.start / RATE:.2f} to {found.end / RATE:.2f} s"
        )
    else:
        notes.append(f"loops as a whole with a pause of {pause:.1f} s")
    notes.append(f"loudness {levelled.before:.1f} to {levelled.after:.1f} LUFS")
    if levelled.method == REPEATED:
        notes.append("under 0.4 s: its loudness is that of the clip repeated to 3 s")
    if levelled.limited >= 0.1:
        notes.append(f"highest peak limited by {levelled.limited:.1f} dB")
    missing = settings.levels.target - levelled.after
    if missing >= 0.3:
        notes.append(
            f"{missing:.1f} LU quieter than the set: its peaks would have to be limited by more than {settings.levels.most:.0f} dB"
        )
    return Mastered(
        audio=levelled.audio,
        pcm=dithered(levelled.audio),
        rate=RATE,
        loop=loop,
        before=levelled.before,
        after=levelled.after,
        true_peak=levelled.true_peak,
        method=levelled.method,
        notes=tuple(notes),
    )
