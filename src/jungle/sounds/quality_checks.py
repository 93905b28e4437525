"""What can be wrong with a take, measured by arithmetic and told in plain words.

Every limit was set on the 875 real recordings of ten animals that the shipped model learned from,
and on bad takes made for the purpose; ``docs/LOG.md`` has the shares of real recordings beyond each
limit.
"""

from dataclasses import dataclass

import numpy as np

from .engine import Audio
from .frames import FloatArray, frame_levels, frames, loudest_channel, power_spectra

OFFSET = 0.02  # of full scale; smaller ones are common in old recordings, and harmless

_FRAME, _HOP = 0.032, 0.016  # seconds
_SILENCE_DB = -60.0  # level of the active part, re full scale
_ACTIVE_DB = 45.0  # the active part: frames that are at most so far under the loudest
_SOUNDING_DB = 20.0  # of these, what tone and hiss are looked for in: not the fades
_FEWEST_FRAMES = 8  # sounding ones, below which steadiness means nothing

_CLIPPED_SHARE = 0.001
_CLIPPED_RUN = 3  # samples in a row at the rail
_STEP = 1 / 32768  # of 16 bits
_CORNER = 8 * _STEP  # a round peak leaves its top more gently than this, a flat one drops at once
_LOWEST_RAIL = 0.1  # flat tops below that are no clipping

_DEAD_DB = 50.0  # under the loudest frame
_DEAD_STRETCH = 1.0  # seconds
_DEAD_SHARE = 0.6

_HUM_SHARE = 0.7  # of the energy in the partials of a mains frequency
_HUM_FRAME = 0.5  # seconds: bins of 2 Hz
_MAINS, _MAINS_PARTIALS = (50, 60), 10  # Hz
_HISS_STEADY = 0.42  # stationary noise has 0.56 (see _steadiness), whatever its colour
_HISS_LEVELLED = (0.42, 0.70)
_TONE_STEADY = 0.85  # a pure tone has 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    ``value`` went beyond ``limit``, both in the unit that ``sentence`` names.
    """

    kind: str  # "not finite", "silence", "clipping", "dead air", "hum", "hiss", "tone" or "offset"
    sentence: str
    value: float
    limit: float
    fatal: bool  # another take is needed; else mastering mends it, or a listener may like it


def check_quality(audio: Audio, rate: int) -> tuple[Finding, ...]:
    """Everything wrong with a take, the worst first; empty for a good one.

    A take that is not finite, or silent, has no other faults that could be heard, except an offset.

    Args:
        audio: (samples, channels).
        rate: in Hz.
    """
    broken = 1 - float(np.isfinite(audio).mean()) if audio.size else 0.0
    if broken:
        sentence = f"{broken:.1%} of the samples are not numbers."
        return (Finding("not finite", sentence, broken, 0.0, fatal=True),)

    # DC has a finding of its own, and must not count as sound in the others.
    offset = _offset(audio)
    signal = np.zeros(1, np.float32)
    if audio.size:
        signal = loudest_channel(audio - audio.mean(axis=0, dtype=np.float64).astype(np.float32))
    framed = frames(signal, round(_FRAME * rate), round(_HOP * rate))
    level = frame_levels(framed)
    silence = _silence(level)
    if silence:
        return silence + offset

    # A hum is a steady tone too: it is named once.
    hum = _hum(signal, rate)
    steady = () if hum else _steady(framed, level, rate)
    return hum + steady + _clipping(audio) + _dead_air(level) + offset


def _offset(audio: Audio) -> tuple[Finding, ...]:
    value = float(np.abs(audio.mean(axis=0, dtype=np.float64)).max()) if audio.size else 0.0
    if value <= OFFSET:
        return ()
    sentence = f"It is shifted off the middle by {value:.1%} of full scale (a DC offset)."
    return (Finding("offset", sentence, value, OFFSET, fatal=False),)


def _silence(level: FloatArray) -> tuple[Finding, ...]:
    active = level[level >= level.max() - _ACTIVE_DB]
    value = 10 * float(np.log10(np.mean(10 ** (active / 10))))
    if value >= _SILENCE_DB:
        return ()
    sentence = f"It is silent: {value:.0f} dB re full scale where it is loudest."
    return (Finding("silence", sentence, value, _SILENCE_DB, fatal=True),)


def _clipping(audio: Audio) -> tuple[Finding, ...]:
    """Flat tops: samples in a row at the highest (or lowest) value of a channel.

    With a corner at either end of the row. What was clipped and then resampled or compressed has no
    flat tops any more, and is not detected.
    """
    flat = sum(_flat_samples(side * channel) for channel in audio.T for side in (1, -1))
    value = flat / audio.size
    if value <= _CLIPPED_SHARE:
        return ()
    sentence = f"It is clipped: {value:.1%} of the samples lie on flat tops."
    return (Finding("clipping", sentence, value, _CLIPPED_SHARE, fatal=False),)


def _flat_samples(channel: FloatArray) -> int:
    """Number of samples on flat tops of a (samples,) signal."""
    rail = channel.max()
    if rail < _LOWEST_RAIL:
        return 0
    start, end = _runs(channel >= rail - _STEP)
    before = rail - channel[np.maximum(start - 1, 0)]
    after = rail - channel[np.minimum(end, len(channel) - 1)]
    length = end - start
    return int(length[(length >= _CLIPPED_RUN) & (np.maximum(before, after) >= _CORNER)].sum())


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the runs of True in a mask (N,) start, and where they end, exclusive."""
    bounded = np.concatenate([[False], mask, [False]])
    start, end = np.flatnonzero(np.diff(bounded)).reshape(-1, 2).T
    return start, end


def _dead_air(level: FloatArray) -> tuple[Finding, ...]:
    dead = level < level.max() - _DEAD_DB
    share = float(dead.mean())
    start, end = _runs(dead)
    if not len(start):
        return ()
    longest = int((end - start).argmax())
    stretch = float(end[longest] - start[longest]) * _HOP

    # One long stretch is told first, because its place says how to mend it.
    if stretch > _DEAD_STRETCH:
        if start[longest] == 0:
            sentence = f"It begins with {stretch:.1f} s of dead air."
        elif end[longest] == len(dead):
            sentence = f"It ends with {stretch:.1f} s of dead air."
        else:
            sentence = f"It has {stretch:.1f} s of dead air inside."
        return (Finding("dead air", sentence, stretch, _DEAD_STRETCH, fatal=False),)
    if share > _DEAD_SHARE:
        sentence = f"{share:.0%} of it is dead air."
        return (Finding("dead air", sentence, share, _DEAD_SHARE, fatal=False),)
    return ()


def _hum(signal: FloatArray, rate: int) -> tuple[Finding, ...]:
    """Energy within 4 Hz of the first ten partials of 50 or 60 Hz.

    Of all energy, in the median half second.
    """
    size = round(_HUM_FRAME * rate)
    power = power_spectra(frames(signal, size, size // 2))
    total = power.sum(axis=1)

    # Pauses have no spectrum worth a share.
    sounding = total >= total.max() * 1e-3
    power, total = power[sounding], total[sounding]

    reach = np.arange(-2, 3)  # bins: the main lobe of the Hann window
    share = {}
    for mains in _MAINS:
        centre = np.arange(1, _MAINS_PARTIALS + 1) * mains * size / rate
        bins = (np.round(centre).astype(int)[:, None] + reach).ravel()
        bins = bins[bins < power.shape[1]]
        share[mains] = float(np.median(power[:, bins].sum(axis=1) / total))
    mains = max(share, key=share.__getitem__)
    value = share[mains]
    if value <= _HUM_SHARE:
        return ()
    sentence = f"It hums: {value:.0%} of its energy lies on {mains} Hz and its multiples."
    return (Finding("hum", sentence, value, _HUM_SHARE, fatal=True),)


def _steadiness(power: FloatArray) -> float:
    """How little a spectrum (frames, bins) changes in time, 0 to 1.

    The geometric over the arithmetic mean of each bin, weighted by energy: the spectral flatness
    measure (Gray and Markel 1974) taken along time. A steady tone has 1; stationary noise of any
    colour exp(-0.5772) = 0.56, the flatness of exponentially distributed power; calls, which come
    and go and glide, much less.
    """
    mean = power.mean(axis=0)
    return float(np.exp(np.log(power + 1e-14).mean(axis=0)).sum() / mean.sum())


def _steady(framed: FloatArray, level: FloatArray, rate: int) -> tuple[Finding, ...]:
    """A tone or a hiss that goes on unchanged while there is sound."""
    loud = np.pad(level >= level.max() - _SOUNDING_DB, 1)
    inside = loud[:-2] & loud[1:-1] & loud[2:]  # without the frames that an onset or an end cuts
    if inside.sum() < _FEWEST_FRAMES:
        return ()
    power = power_spectra(framed[inside])
    value = _steadiness(power)
    if value > _TONE_STEADY:
        sentence = _tone_sentence(power, rate, framed.shape[1])
        return (Finding("tone", sentence, value, _TONE_STEADY, fatal=True),)
    if value <= _HISS_STEADY:
        return ()

    # A hiss goes on through what would be pauses, which tells it from a croak.
    power = power_spectra(framed[level >= level.max() - _ACTIVE_DB])
    value = _steadiness(power)

    # A tone that dies away changes as much as noise does, but not once each frame is brought to the
    # same level.
    levelled = _steadiness(power / power.sum(axis=1, keepdims=True))
    if value > _HISS_STEADY and _HISS_LEVELLED[0] < levelled < _HISS_LEVELLED[1]:
        sentence = (
            f"It is nothing but hiss: as steady as {min(1.0, value / 0.56):.0%} of pure noise, "
            "without any structure."
        )
        return (Finding("hiss", sentence, value, _HISS_STEADY, fatal=True),)
    return ()


def _tone_sentence(power: FloatArray, rate: int, size: int) -> str:
    """Names the strongest partial of spectra (frames, bins), of frames of ``size`` samples."""
    mean = power.mean(axis=0)
    peak = int(mean.argmax())
    share = min(1.0, float(mean[max(0, peak - 2) : peak + 3].sum() / mean.sum()))
    pitch = peak * rate / size
    return (
        f"It is one electronic tone: {share:.0%} of its energy lies near {pitch:,.0f} Hz and "
        "neither swells nor glides."
    )
