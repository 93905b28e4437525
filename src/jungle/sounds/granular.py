"""Grains: short pieces of an animal's call, found where it is strong and voiced, and given another pitch and length."""

from dataclasses import dataclass

import numpy as np

from .frames import Floats, frames, hann, levels

FRAME, HOP = 0.040, 0.010  # seconds; two periods of 50 Hz
LOWEST = 60.0  # Hz, of a voice's pitch
VOICED = 0.6  # autocorrelation beyond which a frame has a pitch
QUIETEST = 20.0  # dB under the loudest frame that a grain may lie
EXAMINED = 400  # loudest frames of a call: enough to choose from
CHOICE = 16  # grains that a call offers at most
APART = 0.030  # seconds between the centres of two grains
EDGE_DB = 12.0  # a grain ends where the call is that much quieter than at its centre
REACH = 0.08  # seconds, at most, to either side of the centre
FARTHEST = 7.0  # semitones: a grain further from the creature's own pitch is left as it is
WINDOW = 0.040  # seconds, of the stretching; at most a quarter of the grain, so that it follows a chirp's glide
SEARCH = 0.3  # of the window, either way


@dataclass(frozen=True, slots=True)
class Grain:
    """A piece of a call. ``offset``: semitones from its own pitch to the creature's; 0 where either has none."""

    samples: Floats  # (samples,)
    offset: float


def pitches(framed: Floats, rate: int) -> tuple[Floats, Floats]:
    """Pitch in Hz and how voiced each frame is, 0 to 1: (frames, size) to two (frames,).

    The highest peak of the autocorrelation, divided by that of the window (Boersma 1993, equation 9), at lags of up to half a
    frame; of peaks that are nearly as high the shortest lag, since a multiple of the period is no other pitch.
    """
    size = framed.shape[1]
    window = hann(size)
    longest, shortest = min(size // 2, int(rate / LOWEST)), 3
    spectra = np.fft.rfft((framed - framed.mean(axis=1, keepdims=True)) * window, 2 * size)
    correlation = np.fft.irfft(np.square(np.abs(spectra)))[:, : longest + 2]
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, 2 * size))))[: longest + 2]
    correlation = correlation / np.maximum(correlation[:, :1], 1e-12) / (own / own[0])
    inner = correlation[:, shortest : longest + 1]
    left, right = correlation[:, shortest - 1 : longest], correlation[:, shortest + 1 : longest + 2]
    peaks = np.where((inner > left) & (inner >= right), inner, 0.0)
    best = peaks.max(axis=1)
    at = (peaks >= 0.9 * best[:, None]).argmax(axis=1)
    here = np.arange(len(framed))
    a, b, c = left[here, at], inner[here, at], right[here, at]
    bend = a - 2 * b + c
    # The vertex of the parabola through the peak and its neighbours.
    lag = shortest + at + np.where(bend < -1e-9, 0.5 * (a - c) / np.minimum(bend, -1e-9), 0.0)
    return (rate / lag).astype(np.float32), best.clip(0, 1).astype(np.float32)


def find_grains(signal: Floats, rate: int) -> tuple[Grain, ...]:
    """Up to :data:`CHOICE` grains of a call (samples,) in order of time; none if it is silent.

    Centres are taken from the strongest and most voiced frame on, a fully voiced one counting 12 dB over noise. A grain reaches
    from its centre until the call is :data:`EDGE_DB` quieter, at most :data:`REACH` either way, so that it holds one piece of sound.
    """
    framed = frames(signal, round(FRAME * rate), round(HOP * rate))
    level = levels(framed)
    if level.max() < -100:
        return ()
    loud = np.sort(np.argsort(-level, kind="stable")[:EXAMINED])
    loud = loud[level[loud] >= level.max() - QUIETEST]
    pitch, voicing = np.zeros_like(level), np.zeros_like(level)
    pitch[loud], voicing[loud] = pitches(framed[loud], rate)
    score = np.full_like(level, -np.inf)
    score[loud] = level[loud] + 12 * voicing[loud]
    centres: list[int] = []
    for frame in np.argsort(-score, kind="stable"):
        if score[frame] == -np.inf or len(centres) == CHOICE:
            break
        if all(abs(int(frame) - centre) * HOP >= APART for centre in centres):
            centres.append(int(frame))
    voiced = voicing >= VOICED
    sung = pitch[voiced]
    own = float(np.median(sung)) if len(sung) else 0.0
    return tuple(
        _cut(signal, level, np.where(voiced, pitch, np.nan), centre, own, rate)
        for centre in sorted(centres)
    )


def _cut(signal: Floats, level: Floats, pitch: Floats, centre: int, own: float, rate: int) -> Grain:
    loud = level >= level[centre] - EDGE_DB
    reach = round(REACH / HOP)
    first = last = centre
    while first > max(0, centre - reach) and loud[first - 1]:
        first -= 1
    while last < min(len(level) - 1, centre + reach) and loud[last + 1]:
        last += 1
    offset = 0.0
    sung = pitch[first : last + 1]
    if own and np.isfinite(sung).any():
        offset = 12 * float(np.log2(own / np.nanmedian(sung)))
        offset -= 12 * round(offset / 12)  # octaves are the usual mistake of an autocorrelation
        offset = offset if abs(offset) <= FARTHEST else 0.0
    # From the middle of the first frame to the middle of the last, and a quarter of a frame on either side.
    start = first * HOP + FRAME / 4
    end = last * HOP + 3 * FRAME / 4
    return Grain(signal[round(start * rate) : round(end * rate)], offset)


def shift(signal: Floats, semitones: float) -> Floats:
    """Another pitch by resampling, so another length: (samples,) to (about samples / 2 ** (semitones / 12),).

    Band-limited interpolation through the Fourier transform of the signal and its mirror image, which leaves no jump at the ends.
    """
    length = max(1, round(len(signal) / 2 ** (semitones / 12)))
    around = np.concatenate([signal, signal[::-1]])
    out = np.fft.irfft(np.fft.rfft(around), 2 * length)[:length] * (length / len(signal))
    return out.astype(np.float32)


def stretch(signal: Floats, length: int, rate: int) -> Floats:
    """Another length at the same pitch, (samples,) to (length,): WSOLA (Verhelst and Roelands, ICASSP 1993).

    Windows of 40 ms or less overlap by half; each is taken near its place where it best continues the one before, by normalised
    cross-correlation.
    """
    hop = min(round(WINDOW / 2 * rate), max(1, len(signal) // 8), max(1, length // 2))
    size, search = 2 * hop, round(SEARCH * 2 * hop)
    count = -(-length // hop) + 1  # windows, the first and last reaching over the ends by half
    source = np.pad(signal, (hop, size), mode="symmetric")
    window = hann(size)
    out = np.zeros((count + 1) * hop, dtype=np.float32)
    end = len(signal)  # where in ``source`` the window begins whose middle is the end of the signal
    at = 0
    for number in range(count):
        planned = round(number * end / max(1, count - 1))
        if number:
            low = max(0, min(planned - search, end))
            high = max(low, min(planned + search, end))
            at = low + _best(source[low : high + size], source[at + hop : at + hop + size])
        out[number * hop : number * hop + size] += window * source[at : at + size]
    return out[hop : hop + length]


def _best(near: Floats, wanted: Floats) -> int:
    """Where in ``near`` (samples,) the piece lies that resembles ``wanted`` most."""
    total = np.cumsum(np.square(np.pad(near, (1, 0)), dtype=np.float64))
    energy = total[len(wanted) :] - total[: -len(wanted)]
    return int(np.argmax(np.correlate(near, wanted, "valid") / np.sqrt(energy + 1e-9)))


def breath(signal: Floats, seed: int) -> Floats:
    """Noise with the spectral envelope of ``signal`` (samples,), at its level; the same seed gives the same noise."""
    size = (
        1 << (2 * len(signal)).bit_length()
    )  # a power of two, for speed; the noise is cut from its middle, away from the seam
    magnitude = np.abs(np.fft.rfft(signal, size))
    width = max(
        3, len(magnitude) // 40
    )  # 1/40 of the band: wider than the distance of most partials
    around = np.pad(np.square(magnitude), width, mode="edge")
    smooth = np.sqrt(np.convolve(around, np.ones(width) / width, mode="same")[width:-width])
    noise = np.random.default_rng(seed).standard_normal(size)
    out = np.fft.irfft(np.fft.rfft(noise) * smooth)[size // 4 :][: len(signal)]
    level = np.sqrt(np.mean(np.square(signal)) / max(1e-12, float(np.mean(np.square(out)))))
    coloured: Floats = (out * level).astype(np.float32)
    return coloured


def flatten(signal: Floats, rate: int) -> Floats:
    """The same piece (samples,) at a constant level: divided by its envelope, the RMS over 20 ms, where that is not a pause."""
    width = max(1, min(round(0.020 * rate), len(signal)))
    kernel = hann(width + 2)[1:-1] if width > 2 else np.ones(width, np.float32)
    weight = np.convolve(np.ones_like(signal), kernel, mode="same")
    envelope = np.sqrt(np.maximum(np.convolve(np.square(signal), kernel, mode="same") / weight, 0))
    out: Floats = (signal / np.maximum(envelope, max(1e-9, 0.15 * float(envelope.max())))).astype(
        np.float32
    )
    return out
