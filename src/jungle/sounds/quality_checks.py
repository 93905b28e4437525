"""What can be wrong with a take, found by arithmetic and told in plain words.

Every limit was set on the 875 real recordings of ten animals that the shipped model learned from, and on bad takes made for
the purpose; ``docs/LOG.md`` has the shares of real recordings beyond each limit.
"""

from dataclasses import dataclass

import numpy as np

from .engine import Audio
from .frames import Floats, frames, levels, loudest_channel, power_spectra

FRAME, HOP = 0.032, 0.016  # seconds
SILENCE_DB = -60.0  # level of the active part, re full scale
ACTIVE_DB = 45.0  # the active part: frames that are at most so far under the loudest
SOUNDING_DB = 20.0  # of these, what tone and hiss are looked for in: not the fades
FEWEST_FRAMES = 8  # sounding ones, below which steadiness means nothing

CLIPPED_SHARE = 0.001
CLIPPED_RUN = 3  # samples in a row at the rail
STEP = 1 / 32768  # of 16 bits
CORNER = 8 * STEP  # a round peak leaves its top more gently than this, a flat one drops at once
LOWEST_RAIL = 0.1  # flat tops below that are no clipping

DEAD_DB = 50.0  # under the loudest frame
DEAD_STRETCH = 1.0  # seconds
DEAD_SHARE = 0.6

HUM_SHARE = 0.7  # of the energy in the partials of a mains frequency
HUM_FRAME = 0.5  # seconds: bins of 2 Hz
MAINS, MAINS_PARTIALS = (50, 60), 10  # Hz
HISS_STEADY = 0.42  # stationary noise has 0.56 (see _steadiness), whatever its colour
HISS_LEVELLED = (0.42, 0.70)
TONE_STEADY = 0.85  # a pure tone has 1

OFFSET = 0.02  # of full scale; smaller ones are common in old recordings, and harmless


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``value`` went beyond ``limit``, both in the unit that ``sentence`` names."""

    kind: str  # "not finite", "silence", "clipping", "dead air", "hum", "hiss", "tone" or "offset"
    sentence: str
    value: float
    limit: float
    fatal: (
        bool  # True: another take is needed; False: mastering mends it, or a listener may like it
    )


def examine(audio: Audio, rate: int) -> tuple[Finding, ...]:
    """Everything wrong with ``audio`` (samples, channels) at ``rate`` Hz, the worst first; empty for a good take.

    A take that is not finite, or silent, has no other faults that could be heard, except an offset.
    """
    broken = 1 - float(np.isfinite(audio).mean()) if audio.size else 0.0
    if broken:
        return (
            Finding(
                "not finite", f"{broken:.1%} of the samples are not numbers.", broken, 0.0, True
            ),
        )
    offset = _offset(audio)
    signal = (
        loudest_channel(audio - audio.mean(axis=0, dtype=np.float64).astype(np.float32))
        if audio.size
        else np.zeros(1, np.float32)
    )
    framed = frames(signal, round(FRAME * rate), round(HOP * rate))
    level = levels(framed)
    silence = _silence(level)
    if silence:
        return silence + offset
    hum = _hum(signal, rate)
    return (
        hum
        + (_steady(framed, level, rate) if not hum else ())
        + _clipping(audio)
        + _dead_air(level)
        + offset
    )


def _offset(audio: Audio) -> tuple[Finding, ...]:
    value = float(np.abs(audio.mean(axis=0, dtype=np.float64)).max()) if audio.size else 0.0
    if value <= OFFSET:
        return ()
    return (
        Finding(
            "offset",
            f"It is shifted off the middle by {value:.1%} of full scale (a DC offset).",
            value,
            OFFSET,
            False,
        ),
    )


def _silence(level: Floats) -> tuple[Finding, ...]:
    active = level[level >= level.max() - ACTIVE_DB]
    value = 10 * float(np.log10(np.mean(10 ** (active / 10))))
    if value >= SILENCE_DB:
        return ()
    return (
        Finding(
            "silence",
            f"It is silent: {value:.0f} dB re full scale where it is loudest.",
            value,
            SILENCE_DB,
            True,
        ),
    )


def _clipping(audio: Audio) -> tuple[Finding, ...]:
    """Flat tops: samples in a row at the highest (or lowest) value of a channel, with a corner at either end of the row.

    What was clipped and then resampled or compressed has no flat tops any more, and is not found.
    """
    value = sum(_flat(side * channel) for channel in audio.T for side in (1, -1)) / audio.size
    if value <= CLIPPED_SHARE:
        return ()
    return (
        Finding(
            "clipping",
            f"It is clipped: {value:.1%} of the samples lie on flat tops.",
            value,
            CLIPPED_SHARE,
            False,
        ),
    )


def _flat(channel: Floats) -> int:
    """Number of samples on flat tops of a (samples,) signal."""
    rail = channel.max()
    if rail < LOWEST_RAIL:
        return 0
    high = np.concatenate([[False], channel >= rail - STEP, [False]])
    start, end = (
        np.flatnonzero(np.diff(high)).reshape(-1, 2).T
    )  # end is the first sample after the row
    before = rail - channel[np.maximum(start - 1, 0)]
    after = rail - channel[np.minimum(end, len(channel) - 1)]
    length = end - start
    return int(length[(length >= CLIPPED_RUN) & (np.maximum(before, after) >= CORNER)].sum())


def _dead_air(level: Floats) -> tuple[Finding, ...]:
    dead = level < level.max() - DEAD_DB
    share = float(dead.mean())
    start, end = np.flatnonzero(np.diff(np.concatenate([[False], dead, [False]]))).reshape(-1, 2).T
    if not len(start):
        return ()
    longest = int((end - start).argmax())
    stretch = float(end[longest] - start[longest]) * HOP
    if stretch > DEAD_STRETCH:
        place = (
            "begins with"
            if start[longest] == 0
            else "ends with"
            if end[longest] == len(dead)
            else "has"
        )
        pause = " inside" if place == "has" else ""
        return (
            Finding(
                "dead air",
                f"It {place} {stretch:.1f} s of dead air{pause}.",
                stretch,
                DEAD_STRETCH,
                False,
            ),
        )
    if share > DEAD_SHARE:
        return (Finding("dead air", f"{share:.0%} of it is dead air.", share, DEAD_SHARE, False),)
    return ()


def _hum(signal: Floats, rate: int) -> tuple[Finding, ...]:
    """Energy within 4 Hz of the first ten partials of 50 or 60 Hz, of all energy, in the median half second."""
    size = round(HUM_FRAME * rate)
    power = power_spectra(frames(signal, size, size // 2))
    total = power.sum(axis=1)
    power, total = power[total >= total.max() * 1e-3], total[total >= total.max() * 1e-3]
    reach = np.arange(-2, 3)  # bins: the main lobe of the Hann window
    share = {}
    for mains in MAINS:
        centre = np.arange(1, MAINS_PARTIALS + 1) * mains * size / rate
        bins = (np.round(centre).astype(int)[:, None] + reach).ravel()
        bins = bins[bins < power.shape[1]]
        share[mains] = float(np.median(power[:, bins].sum(axis=1) / total))
    mains = max(share, key=share.__getitem__)
    value = share[mains]
    if value <= HUM_SHARE:
        return ()
    return (
        Finding(
            "hum",
            f"It hums: {value:.0%} of its energy lies on {mains} Hz and its multiples.",
            value,
            HUM_SHARE,
            True,
        ),
    )


def _steadiness(power: Floats) -> float:
    """How little the spectrum changes in time, 0 to 1: the geometric over the arithmetic mean of each bin, weighted by energy.

    This is the spectral flatness measure (Gray and Markel 1974) taken along time. A steady tone has 1; stationary noise of
    any colour exp(-0.5772) = 0.56, the flatness of exponentially distributed power; calls, which come and go and glide, much less.
    """
    mean = power.mean(axis=0)
    return float(np.exp(np.log(power + 1e-14).mean(axis=0)).sum() / mean.sum())


def _steady(framed: Floats, level: Floats, rate: int) -> tuple[Finding, ...]:
    """A tone or a hiss that goes on unchanged while there is sound."""
    loud = np.pad(level >= level.max() - SOUNDING_DB, 1)
    inside = loud[:-2] & loud[1:-1] & loud[2:]  # without the frames that an onset or an end cuts
    if inside.sum() < FEWEST_FRAMES:
        return ()
    power = power_spectra(framed[inside])
    value = _steadiness(power)
    if value > TONE_STEADY:
        mean = power.mean(axis=0)
        peak = int(mean.argmax())
        share = min(1.0, float(mean[max(0, peak - 2) : peak + 3].sum() / mean.sum()))
        pitch = peak * rate / framed.shape[1]
        sentence = f"It is one electronic tone: {share:.0%} of its energy lies near {pitch:,.0f} Hz and neither swells nor glides."
        return (Finding("tone", sentence, value, TONE_STEADY, True),)
    if value <= HISS_STEADY:
        return ()
    # A hiss goes on through what would be pauses, which tells it from a croak.
    power = power_spectra(framed[level >= level.max() - ACTIVE_DB])
    value = _steadiness(power)
    # A tone that dies away changes as much as noise does, but not once each frame is brought to the same level.
    levelled = _steadiness(power / power.sum(axis=1, keepdims=True))
    if value > HISS_STEADY and HISS_LEVELLED[0] < levelled < HISS_LEVELLED[1]:
        sentence = f"It is nothing but hiss: as steady as {min(1.0, value / 0.56):.0%} of pure noise, without any structure."
        return (Finding("hiss", sentence, value, HISS_STEADY, True),)
    return ()
