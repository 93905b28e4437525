"""A gentle equaliser: what is far duller, boomier or harsher than real calls is brought nearer.

The target is no theory but the long-term spectrum of recorded calls, and a wide one, because a
call's colour belongs to it.
"""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""(samples, 1), nominal range [-1, 1]."""

CENTRES = 1000.0 * 2.0 ** np.arange(-4, 4)
"""Hz: the octave bands 63 Hz to 8 kHz of IEC 61260-1."""

TARGET = np.array([-12.0, -8.0, 0.0, 6.0, 10.0, 7.0, 2.0, -5.0])
"""dB: the octave bands of a call against each other, the median over 375 recordings of ten animals.

From 1 kHz on it falls by 3 to 7 dB an octave; below, it rises, because most animals are too small
to call there.
"""

# dB around the target, within which three of four of those recordings lie with all of their bands
TOLERANCE = 18.0

Q = 2**0.5  # of a filter one octave wide
_ACTIVE_DB = 20.0  # under the loudest frame: quieter frames are not the call
_ABOVE_NOISE_DB = 10.0  # by which a band must rise with the call; what rises less is noise
_FAINT_DB = 50.0  # under the loudest band: fainter bands are not heard beside it
_FEWEST_BANDS = 3  # of a call, that can be compared with each other
_AUDIBLE_DB = 0.5  # a smaller change is not worth a filter


def equalise(audio: Audio, rate: int, most: float) -> tuple[Audio, str]:
    """Raise octave bands that are far too weak and lower those far too strong.

    By half of what they are beyond :data:`TOLERANCE`. Left alone are clips within the tolerance,
    clips of less than three octaves (a whistle has no colour to mend), clips too short to measure,
    and, but for lowering, bands that hold only noise or lie under the loudest, where a small
    animal has no voice to raise. Zero phase: the filters run forwards and backwards.

    Args:
        audio: float32 (samples, 1).
        rate: in Hz, at least 24 kHz, so that there is an octave around 8 kHz.
        most: dB by which a band is raised or lowered at most; 0 switches the equaliser off.

    Returns:
        The same shape, and what was done in plain words; the same array and "" where nothing was.
    """
    gains = band_corrections(audio, rate, most)
    if np.abs(gains).max() < _AUDIBLE_DB:
        return audio, ""
    from scipy import signal

    out = signal.sosfiltfilt(
        equaliser_sections(gains, rate),
        audio.astype(np.float64),
        axis=0,
        padlen=min(len(audio) - 1, rate // 10),
    )
    return out.astype(np.float32), _describe(gains)


def band_corrections(audio: Audio, rate: int, most: float) -> NDArray[np.float64]:
    """Decibels (8,) to be added around :data:`CENTRES`; all zeros where a clip is left alone."""
    untouched: NDArray[np.float64] = np.zeros(len(CENTRES))
    measured = octave_levels(audio, rate) if most > 0 else None
    if measured is None:
        return untouched
    levels, holds_call = measured
    if holds_call.sum() < _FEWEST_BANDS:
        return untouched

    # The median is taken off because loudness is no colour.
    deviation = levels - TARGET
    deviation -= np.median(deviation[holds_call])
    excess = np.sign(deviation) * np.maximum(np.abs(deviation) - TOLERANCE, 0)
    gains: NDArray[np.float64] = np.clip(-excess / 2, -most, most)

    # Raising a band without a voice would raise its noise: there, only lowering is left.
    voiceless = ~holds_call | (np.arange(len(levels)) < levels.argmax())
    gains[voiceless] = np.minimum(gains[voiceless], 0.0)
    return gains


def octave_levels(audio: Audio, rate: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """The level of each octave band while the animal calls, and which bands hold the call.

    Returns:
        Levels in dB (8,), and whether the band holds the call and not only noise (8,). None for a
        clip of less than eight windows of 43 ms, which has too few frames for an average.
    """
    width = 2 ** round(np.log2(0.043 * rate))
    if len(audio) < 8 * width:
        return None
    from scipy import signal

    transform = signal.ShortTimeFFT(signal.windows.hann(width, sym=False), width // 4, rate)
    spectrum = transform.stft(audio[:, 0].astype(np.float64))  # (frequencies, frames)
    power = np.square(np.abs(spectrum))
    edges = np.searchsorted(transform.f, np.append(CENTRES / 2**0.5, CENTRES[-1] * 2**0.5))
    bands = np.add.reduceat(power[: edges[-1]], edges[:-1], axis=0) + 1e-20  # (bands, frames)

    # The quietest tenth of the frames stands for the noise of the recording.
    total = bands.sum(axis=0)
    active = total >= total.max() * 10 ** (-_ACTIVE_DB / 10)
    quiet = np.argsort(total)[: max(4, len(total) // 10)]
    levels = 10 * np.log10(bands[:, active].mean(axis=1))
    noise = 10 * np.log10(bands[:, quiet].mean(axis=1))
    return levels, (levels > noise + _ABOVE_NOISE_DB) & (levels > levels.max() - _FAINT_DB)


def equaliser_sections(gains: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Second-order sections (8, 6) that add ``gains`` when they are run forwards and backwards.

    Each is a peaking equaliser of R. Bristow-Johnson's Audio EQ Cookbook. Neighbours overlap;
    because the decibels of a peak are nearly proportional to its gain, the gains for which the sum
    is right at every centre come from a linear system.

    Args:
        gains: decibels (8,) in the octave bands around :data:`CENTRES`.
        rate: in Hz.
    """
    from scipy import signal

    responses = [
        signal.sosfreqz(peaking_section(centre, 1.0, rate)[None], CENTRES, fs=rate)[1]
        for centre in CENTRES
    ]
    overlap = 20 * np.log10(np.abs(np.stack(responses, axis=1)))  # (at a centre, of a filter): dB
    filter_gains = np.linalg.solve(overlap, gains / 2)  # half, because every filter acts twice
    return np.stack(
        [
            peaking_section(centre, gain, rate)
            for centre, gain in zip(CENTRES, filter_gains, strict=True)
        ]
    )


def peaking_section(centre: float, gain: float, rate: int) -> NDArray[np.float64]:
    """A second-order section (6,): ``gain`` dB at ``centre`` Hz, one octave wide.

    Audio EQ Cookbook, peakingEQ.
    """
    root = 10 ** (gain / 40)
    angle = 2 * np.pi * centre / rate
    alpha = np.sin(angle) / (2 * Q)
    middle = -2 * np.cos(angle)
    section: NDArray[np.float64] = np.array(
        [1 + alpha * root, middle, 1 - alpha * root, 1 + alpha / root, middle, 1 - alpha / root]
    )
    section /= section[3]
    return section


def _describe(gains: NDArray[np.float64]) -> str:
    """The largest change in each of three regions, as a person would say it."""
    regions = {"bass": gains[:3], "middle": gains[3:5], "treble": gains[5:]}
    largest = {name: float(max(part, key=abs)) for name, part in regions.items()}
    phrases = [
        f"{name} {'raised' if gain > 0 else 'lowered'} by {abs(gain):.1f} dB"
        for name, gain in largest.items()
        if abs(gain) >= _AUDIBLE_DB
    ]
    return " and ".join(phrases)
