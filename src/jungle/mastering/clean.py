"""Cleaning: from any clip to mono at 48 kHz without rumble, steady noise or dead air, and of a natural colour.

Every step is gentle, has one number in :class:`Cleaning`, and leaves alone what it cannot tell from the call itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .equaliser import equalised

RATE = 48_000  # Hz: what browsers play without resampling
QUIETEST = -80.0  # dBFS: a clip whose loudest sample lies below it is silent
SHORTEST = 0.02  # seconds

Audio = NDArray[np.float32]  # (samples, channels), nominal range [-1, 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaning:
    """What is taken from a clip; 0 switches a step off."""

    rumble: float = 40.0  # Hz: half the amplitude there, 24 dB less for each octave below
    noise: float = 10.0  # dB taken from a steady background at most
    colour: float = 3.0  # dB by which an octave band is raised or lowered at most, in a clip far duller or harsher than real calls
    dead_air: float = 45.0  # dB below the loudest 10 ms: quieter ends are cut
    margin: float = 0.02  # seconds of the ends that stay
    fade: float = 0.005  # seconds of fade at both ends

    def __post_init__(self) -> None:
        steps = 0 <= self.rumble <= 500 and 0 <= self.noise <= 40 and 0 <= self.colour <= 12
        if not (steps and self.dead_air >= 0 and self.margin >= 0 and 0 <= self.fade <= 1):
            raise BadInput(
                f"These settings of cleaning make no sense: {self}; take rumble 0 to 500 Hz, noise 0 to 40 dB, colour 0 to 12 dB, "
                "fade 0 to 1 s, the rest >= 0."
            )


def clean(audio: Audio, rate: int, settings: Cleaning) -> tuple[Audio, list[str]]:
    """Mix to mono, resample to 48 kHz, take away DC, rumble and steady noise, mend the colour, trim dead air, fade both ends.

    Args:
        audio: float32 (samples, channels).
        rate: its sample rate in Hz.

    Returns:
        float32 (samples, 1) at 48 kHz, and what was done, in plain words.

    Raises:
        BadInput: not such an array, NaN or infinity, silent, or shorter than 20 ms.
    """
    check(audio, rate)
    notes = []
    if audio.shape[1] > 1:
        audio, how = to_mono(audio)
        notes.append(how)
    if rate != RATE:
        audio = to_rate(audio, rate)
        notes.append(f"resampled from {rate} Hz")
    audio = without_rumble(audio, RATE, settings.rumble)
    audio, lowered = without_noise(audio, RATE, settings.noise)
    if lowered >= 1:
        notes.append(f"background noise lowered by {lowered:.0f} dB")
    audio, how = equalised(
        audio, RATE, settings.colour
    )  # while there are pauses that tell noise from the call
    if how:
        notes.append(how)
    audio, seconds = without_dead_air(audio, RATE, settings.dead_air, settings.margin)
    if seconds >= 0.05:
        notes.append(
            f"{seconds:.1f} s of dead air trimmed"
            if seconds >= 0.1
            else "a little dead air trimmed"
        )
    audio = faded(audio, RATE, settings.fade)
    check(audio, RATE)  # what was below 40 Hz only is silent now
    return audio, notes


def check(audio: Audio, rate: int) -> None:
    """Refuse what cannot be mastered.

    Raises:
        BadInput: not float (samples, channels), NaN or infinity, silent, shorter than 20 ms, or a rate outside 4 to 384 kHz.
    """
    if not 4_000 <= rate <= 384_000:
        raise BadInput(f"A sample rate of {rate} Hz cannot be mastered: use 4000 to 384000 Hz.")
    if audio.ndim != 2 or not 1 <= audio.shape[1] <= 8 or audio.dtype.kind != "f":
        raise BadInput(
            f"A clip must be float (samples, 1 to 8 channels), and this one is {audio.dtype} {audio.shape}: convert it first."
        )
    if len(audio) < SHORTEST * rate:
        raise BadInput(
            f"A clip of {len(audio)} samples at {rate} Hz is shorter than {1000 * SHORTEST:.0f} ms: nothing to master, leave it out."
        )
    if not np.isfinite(audio).all():
        raise BadInput(
            "A clip holds NaN or infinity: make it again, with another seed or in float32."
        )
    if decibels(float(np.abs(audio).max())) < QUIETEST:
        raise BadInput(
            f"A clip is silent (nothing above {QUIETEST:.0f} dBFS): leave it out, or make it again with another seed."
        )


def decibels(amplitude: float) -> float:
    """20 log10, and -200 for zero: never minus infinity."""
    return 20 * float(np.log10(max(amplitude, 1e-10)))


def to_mono(audio: Audio) -> tuple[Audio, str]:
    """The mean of the channels, or the loudest channel where the mean loses 6 dB against it (out of phase, one side empty)."""
    mixed = audio.mean(axis=1, keepdims=True)
    powers = np.square(audio, dtype=np.float64).mean(axis=0)
    loudest = int(powers.argmax())
    loss = powers[loudest] / max(float(np.square(mixed, dtype=np.float64).mean()), 1e-30)
    if loss > 10**0.6:
        return audio[
            :, loudest : loudest + 1
        ], f"channel {loudest + 1} taken: the mix would lose {min(10 * np.log10(loss), 99):.0f} dB"
    return mixed, f"{audio.shape[1]} channels mixed to mono"


def to_rate(audio: Audio, rate: int) -> Audio:
    """Resample to 48 kHz with the SoX resampler (linear phase, over 100 dB of rejection)."""
    import soxr

    return np.asarray(soxr.resample(audio, rate, RATE, quality="HQ"), dtype=np.float32)


def without_rumble(audio: Audio, rate: int, frequency: float) -> Audio:
    """Take away DC and what lies below ``frequency`` (Hz) with a Butterworth filter of order 2, run forwards and backwards.

    Zero phase, because a causal filter would turn the phase of a roar's lowest partials: the wave changes shape and its peaks grow,
    which costs loudness later. The price, ringing ahead of an onset, lies 25 ms before it at most and is masked.
    """
    centred = audio - audio.mean(axis=0, keepdims=True, dtype=np.float64)
    if frequency > 0:
        from scipy import signal

        sections = signal.butter(2, frequency, "highpass", fs=rate, output="sos")
        settle = min(
            len(audio) - 1, int(3 * rate / frequency)
        )  # three periods: the odd extension hides the start of the filter
        centred = signal.sosfiltfilt(sections, centred, axis=0, padlen=settle)
    return np.asarray(centred, dtype=np.float32)


def without_noise(audio: Audio, rate: int, most: float) -> tuple[Audio, float]:
    """Lower a steady background by ``most`` dB where nothing but it is heard (spectral gating, Boll 1979, with a high floor).

    The noise profile is the mean spectrum of the quietest tenth of the frames. A clip is left untouched where they are no background:
    nothing to hear (60 dB below the loud frames), no pause (within 15 dB of them), or not steady (a call that dies away).
    Power and gain are averaged over neighbouring bands and frames, and the floor stays: no musical noise.

    Args:
        audio: float32 (samples, 1).

    Returns:
        The same shape, and by how many dB the background fell (0 = untouched, the same array).
    """
    width = 2 ** round(np.log2(0.043 * rate))
    if most <= 0 or len(audio) < 8 * width:  # too few frames to know a background
        return audio, 0.0
    from scipy import ndimage, signal

    transform = signal.ShortTimeFFT(signal.windows.hann(width, sym=False), width // 4, rate)
    spectrum = transform.stft(
        np.pad(audio[:, 0].astype(np.float64), width, mode="reflect")
    )  # (bands, frames)
    power = np.square(np.abs(spectrum))
    levels = 10 * np.log10(
        power.sum(axis=0) / (width * np.square(transform.win).sum() / 2) + 1e-20
    )  # dBFS, of the mean square
    lasting = ndimage.maximum_filter1d(
        levels, 9
    )  # quiet for 0.1 s, not between two clicks of a trill
    quiet = np.argsort(lasting)[: max(6, len(levels) // 10)]
    floor, loud = float(np.median(levels[quiet])), float(np.percentile(levels, 95))
    if not (loud - 60 < floor < loud - 15 and np.ptp(lasting[quiet]) < 4):
        return audio, 0.0
    profile = ndimage.uniform_filter1d(power[:, quiet].mean(axis=1), 5)[:, None]
    around = np.maximum(ndimage.uniform_filter(power, (5, 5)), 0)  # running sums round below zero
    above = 10 * np.log10((around + 1e-20) / (np.maximum(profile, 0) + 1e-20))
    cut = -most * np.clip(
        (9 - above) / 6, 0, 1
    )  # all of it up to 3 dB above the profile, nothing from 9 dB on
    spectrum *= 10 ** (ndimage.uniform_filter(cut, (3, 5)) / 20)
    cleaned = transform.istft(spectrum, k1=len(audio) + 2 * width)[width : width + len(audio), None]
    return cleaned.astype(np.float32), -float(cut[:, quiet].mean())


def without_dead_air(audio: Audio, rate: int, below: float, margin: float) -> tuple[Audio, float]:
    """Cut the ends that stay ``below`` dB under the loudest 10 ms, but for ``margin`` seconds; pauses inside are rhythm and stay.

    Returns:
        The part that stays, and how many seconds went.
    """
    frame = rate // 100
    count = len(audio) // frame
    if below <= 0 or count < 3:
        return audio, 0.0
    power = np.square(audio[: count * frame], dtype=np.float64).reshape(count, -1).mean(axis=1)
    active = np.flatnonzero(power >= power.max() * 10 ** (-below / 10))
    first = max(0, int(active[0] * frame - margin * rate))
    last = min(len(audio), int((active[-1] + 1) * frame + margin * rate))
    if active[-1] == count - 1:  # sound up to the last whole frame: keep the rest of a frame too
        last = len(audio)
    return audio[first:last], (len(audio) - (last - first)) / rate


def faded(audio: Audio, rate: int, seconds: float) -> Audio:
    """Fade both ends with half a period of a raised cosine; the first and the last sample become 0."""
    length = min(round(seconds * rate), len(audio) // 2)
    if length < 1:
        return audio
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)[:, None]
    out = audio.copy()
    out[:length] *= ramp
    out[-length:] *= ramp[::-1]
    return out
