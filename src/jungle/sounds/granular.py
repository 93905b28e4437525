"""Grains: short pieces of an animal's call, strong and voiced, given another pitch and length."""

from dataclasses import dataclass

import numpy as np

from .frames import FloatArray, frame_levels, frames, hann_window

VOICED = 0.6  # autocorrelation beyond which a frame has a pitch

_FRAME, _HOP = 0.040, 0.010  # seconds; two periods of 50 Hz
_LOWEST = 60.0  # Hz, of a voice's pitch
_SILENT_DB = -100.0  # re full scale: a call that never rises above it has no grain
_QUIETEST_DB = 20.0  # under the loudest frame that a grain may lie
_EXAMINED = 400  # loudest frames of a call: enough to choose from
_MOST_GRAINS = 16  # that a call offers
_APART = 0.030  # seconds between the centres of two grains
_EDGE_DB = 12.0  # a grain ends where the call is that much quieter than at its centre
_REACH = 0.08  # seconds, at most, to either side of the centre
_FARTHEST = 7.0  # semitones: a grain further from the creature's own pitch is left as it is

# Seconds, of the stretching; at most a quarter of the grain, so that it follows a chirp's glide.
_WINDOW = 0.040
_SEARCH = 0.3  # of that window, either way


@dataclass(frozen=True, slots=True)
class Grain:
    """A piece of a call."""

    samples: FloatArray  # (samples,)
    offset: float  # semitones from its own pitch to the creature's; 0 where either has none


def estimate_pitches(framed: FloatArray, rate: int) -> tuple[FloatArray, FloatArray]:
    """Pitch in Hz and how voiced each frame is, 0 to 1: (frames, size) to two (frames,).

    The highest peak of the autocorrelation, divided by that of the window (Boersma 1993, equation
    9), at lags of up to half a frame; of peaks that are nearly as high the shortest lag, since a
    multiple of the period is no other pitch.
    """
    size = framed.shape[1]
    window = hann_window(size)
    longest, shortest = min(size // 2, int(rate / _LOWEST)), 3

    # Autocorrelation by the power spectrum, zero-padded so that it does not wrap around.
    spectra = np.fft.rfft((framed - framed.mean(axis=1, keepdims=True)) * window, 2 * size)
    correlation = np.fft.irfft(np.square(np.abs(spectra)))[:, : longest + 2]
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, 2 * size))))[: longest + 2]
    correlation = correlation / np.maximum(correlation[:, :1], 1e-12) / (own / own[0])

    inner = correlation[:, shortest : longest + 1]
    left, right = correlation[:, shortest - 1 : longest], correlation[:, shortest + 1 : longest + 2]
    peaks = np.where((inner > left) & (inner >= right), inner, 0.0)
    best = peaks.max(axis=1)
    at = (peaks >= 0.9 * best[:, None]).argmax(axis=1)

    # The vertex of the parabola through the peak and its neighbours.
    rows = np.arange(len(framed))
    a, b, c = left[rows, at], inner[rows, at], right[rows, at]
    bend = a - 2 * b + c
    lag = shortest + at + np.where(bend < -1e-9, 0.5 * (a - c) / np.minimum(bend, -1e-9), 0.0)
    return (rate / lag).astype(np.float32), best.clip(0, 1).astype(np.float32)


def find_grains(signal: FloatArray, rate: int) -> tuple[Grain, ...]:
    """Up to 16 grains of a call (samples,) in order of time; none if it is silent.

    Centres are taken from the strongest and most voiced frame on, a fully voiced one counting 12 dB
    over noise. A grain reaches from its centre until the call is 12 dB quieter, at most 80 ms
    either way, so that it holds one piece of sound.
    """
    framed = frames(signal, round(_FRAME * rate), round(_HOP * rate))
    level = frame_levels(framed)
    if level.max() < _SILENT_DB:
        return ()

    # Pitch is looked for in the loud frames only: it is the slow part.
    loud = np.sort(np.argsort(-level, kind="stable")[:_EXAMINED])
    loud = loud[level[loud] >= level.max() - _QUIETEST_DB]
    pitch, voicing = np.zeros_like(level), np.zeros_like(level)
    pitch[loud], voicing[loud] = estimate_pitches(framed[loud], rate)
    score = np.full_like(level, -np.inf)
    score[loud] = level[loud] + 12 * voicing[loud]
    centres = _choose_centres(score)

    # The median pitch is that of the creature, to which every grain is brought.
    voiced = voicing >= VOICED
    voiced_pitch = pitch[voiced]
    own = float(np.median(voiced_pitch)) if len(voiced_pitch) else 0.0
    pitch_or_nan = np.where(voiced, pitch, np.nan)
    grains = []
    for centre in sorted(centres):
        first, last = _grain_frames(level, centre)
        # From the middle of the first frame to the middle of the last, and a quarter of a frame on
        # either side.
        start = first * _HOP + _FRAME / 4
        end = last * _HOP + 3 * _FRAME / 4
        samples = signal[round(start * rate) : round(end * rate)]
        grains.append(Grain(samples, _pitch_offset(pitch_or_nan[first : last + 1], own)))
    return tuple(grains)


def _choose_centres(score: FloatArray) -> list[int]:
    """The frames with the highest scores, apart from each other; -inf marks those that are none."""
    centres: list[int] = []
    for frame in np.argsort(-score, kind="stable"):
        if score[frame] == -np.inf or len(centres) == _MOST_GRAINS:
            break
        if all(abs(int(frame) - centre) * _HOP >= _APART for centre in centres):
            centres.append(int(frame))
    return centres


def _grain_frames(level: FloatArray, centre: int) -> tuple[int, int]:
    """The first and the last frame, inclusive, of the grain around a centre."""
    loud = level >= level[centre] - _EDGE_DB
    reach = round(_REACH / _HOP)
    first = last = centre
    while first > max(0, centre - reach) and loud[first - 1]:
        first -= 1
    while last < min(len(level) - 1, centre + reach) and loud[last + 1]:
        last += 1
    return first, last


def _pitch_offset(pitch: FloatArray, own: float) -> float:
    """Semitones from the median of ``pitch`` (frames,), nan where unvoiced, to ``own`` in Hz."""
    if not own or not np.isfinite(pitch).any():
        return 0.0
    offset = 12 * float(np.log2(own / np.nanmedian(pitch)))
    offset -= 12 * round(offset / 12)  # octaves are the usual mistake of an autocorrelation
    return offset if abs(offset) <= _FARTHEST else 0.0


def shift_pitch(signal: FloatArray, semitones: float) -> FloatArray:
    """Another pitch by resampling, so another length.

    Band-limited interpolation through the Fourier transform of the signal and its mirror image,
    which leaves no jump at the ends.

    Args:
        signal: (samples,).
        semitones: up, or down where negative.

    Returns:
        (about samples / 2 ** (semitones / 12),).
    """
    length = max(1, round(len(signal) / 2 ** (semitones / 12)))
    around = np.concatenate([signal, signal[::-1]])
    out = np.fft.irfft(np.fft.rfft(around), 2 * length)[:length] * (length / len(signal))
    return out.astype(np.float32)


def stretch_time(signal: FloatArray, length: int, rate: int) -> FloatArray:
    """Another length at the same pitch: WSOLA (Verhelst and Roelands, ICASSP 1993).

    Windows of 40 ms or less overlap by half; each is taken near its place where it best continues
    the one before, by normalised cross-correlation.

    Args:
        signal: (samples,).
        length: samples of the result.
        rate: in Hz.

    Returns:
        (length,).
    """
    hop = min(round(_WINDOW / 2 * rate), max(1, len(signal) // 8), max(1, length // 2))
    size, search = 2 * hop, round(_SEARCH * 2 * hop)
    count = -(-length // hop) + 1  # windows, the first and last reaching over the ends by half
    source = np.pad(signal, (hop, size), mode="symmetric")
    window = hann_window(size)

    out = np.zeros((count + 1) * hop, dtype=np.float32)
    end = len(signal)  # where in ``source`` the window begins whose middle is the signal's end
    start = 0
    for index in range(count):
        planned = round(index * end / max(1, count - 1))

        # What would go on seamlessly is what follows the last window in the source.
        if index:
            low = max(0, min(planned - search, end))
            high = max(low, min(planned + search, end))
            continuation = source[start + hop : start + hop + size]
            start = low + _best_match(source[low : high + size], continuation)
        out[index * hop : index * hop + size] += window * source[start : start + size]
    return out[hop : hop + length]


def _best_match(signal: FloatArray, pattern: FloatArray) -> int:
    """Where in ``signal`` (samples,) the piece begins that resembles ``pattern`` most."""
    total = np.cumsum(np.square(np.pad(signal, (1, 0)), dtype=np.float64))
    energy = total[len(pattern) :] - total[: -len(pattern)]
    return int(np.argmax(np.correlate(signal, pattern, "valid") / np.sqrt(energy + 1e-9)))


def breath_noise(signal: FloatArray, seed: int) -> FloatArray:
    """Noise with the spectral envelope of ``signal`` (samples,), at its level.

    The same seed gives the same noise.
    """
    # A power of two, for speed; the noise is cut from its middle, away from the seam.
    size = 1 << (2 * len(signal)).bit_length()
    magnitude = np.abs(np.fft.rfft(signal, size))

    # 1/40 of the band: wider than the distance of most partials, which must not be heard.
    width = max(3, len(magnitude) // 40)
    around = np.pad(np.square(magnitude), width, mode="edge")
    smooth = np.sqrt(np.convolve(around, np.ones(width) / width, mode="same")[width:-width])

    noise = np.random.default_rng(seed).standard_normal(size)
    out = np.fft.irfft(np.fft.rfft(noise) * smooth)[size // 4 :][: len(signal)]
    level = np.sqrt(np.mean(np.square(signal)) / max(1e-12, float(np.mean(np.square(out)))))
    coloured: FloatArray = (out * level).astype(np.float32)
    return coloured


def flatten_envelope(signal: FloatArray, rate: int) -> FloatArray:
    """The same piece (samples,) at a constant level.

    It is divided by its envelope, the RMS over 20 ms, where that is not a pause.
    """
    width = max(1, min(round(0.020 * rate), len(signal)))
    kernel = hann_window(width + 2)[1:-1] if width > 2 else np.ones(width, np.float32)
    weight = np.convolve(np.ones_like(signal), kernel, mode="same")
    power = np.convolve(np.square(signal), kernel, mode="same") / weight
    envelope = np.sqrt(np.maximum(power, 0))
    floor = max(1e-9, 0.15 * float(envelope.max()))
    out: FloatArray = (signal / np.maximum(envelope, floor)).astype(np.float32)
    return out
