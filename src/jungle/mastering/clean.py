"""Cleaning: from any clip to mono at 48 kHz without rumble, steady noise or dead air.

Every step is gentle, has one number in :class:`Cleaning`, and leaves alone what it cannot tell
from the call itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from .equaliser import equalise

RATE = 48_000  # Hz: what browsers play without resampling

_SILENT_DB = -80.0  # dBFS: a clip whose loudest sample lies below it is silent
_SHORTEST = 0.02  # seconds

Audio = NDArray[np.float32]
"""(samples, channels), nominal range [-1, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaning:
    """What is taken from a clip; 0 switches a step off."""

    rumble: float = 40.0  # Hz: half the amplitude there, 24 dB less for each octave below
    noise: float = 10.0  # dB taken from a steady background at most
    # dB by which an octave band is raised or lowered at most, in a clip far duller or harsher
    # than real calls
    colour: float = 3.0
    dead_air: float = 45.0  # dB below the loudest 10 ms: quieter ends are cut
    margin: float = 0.02  # seconds of the ends that stay
    fade: float = 0.005  # seconds of fade at both ends

    def __post_init__(self) -> None:
        steps = 0 <= self.rumble <= 500 and 0 <= self.noise <= 40 and 0 <= self.colour <= 12
        if not (steps and self.dead_air >= 0 and self.margin >= 0 and 0 <= self.fade <= 1):
            raise BadInput(
                f"These settings of cleaning make no sense: {self}; take rumble 0 to 500 Hz, noise "
                "0 to 40 dB, colour 0 to 12 dB, fade 0 to 1 s, the rest >= 0."
            )


def clean_clip(audio: Audio, rate: int, settings: Cleaning) -> tuple[Audio, list[str]]:
    """Bring a clip to mono at 48 kHz and take away what is not the call.

    In this order: mix to mono, resample, take away DC, rumble and steady noise, mend the colour,
    trim dead air, fade both ends.

    Args:
        audio: float32 (samples, channels), nominal range [-1, 1].
        rate: its sample rate in Hz.
        settings: how much each step may do.

    Returns:
        float32 (samples, 1) at 48 kHz, and what was done, in plain words.

    Raises:
        BadInput: not such an array, NaN or infinity, silent, or shorter than 20 ms.
    """
    check_clip(audio, rate)
    notes = []
    if audio.shape[1] > 1:
        audio, note = to_mono(audio)
        notes.append(note)
    if rate != RATE:
        audio = resample(audio, rate)
        notes.append(f"resampled from {rate} Hz")

    audio = remove_rumble(audio, RATE, settings.rumble)
    audio, lowered = reduce_noise(audio, RATE, settings.noise)
    if lowered >= 1:
        notes.append(f"background noise lowered by {lowered:.0f} dB")

    # The equaliser needs the pauses, which tell noise from the call: so it comes before trimming.
    audio, note = equalise(audio, RATE, settings.colour)
    if note:
        notes.append(note)

    audio, seconds = trim_dead_air(audio, RATE, settings.dead_air, settings.margin)
    if seconds >= 0.1:
        notes.append(f"{seconds:.1f} s of dead air trimmed")
    elif seconds >= 0.05:
        notes.append("a little dead air trimmed")
    audio = fade_ends(audio, RATE, settings.fade)

    # What was below 40 Hz only is silent now.
    check_clip(audio, RATE)
    return audio, notes


def check_clip(audio: Audio, rate: int) -> None:
    """Refuse what cannot be mastered.

    Raises:
        BadInput: not float (samples, 1 to 8 channels), NaN or infinity, silent (nothing above
            -80 dBFS), shorter than 20 ms, or a rate outside 4 to 384 kHz.
    """
    if not 4_000 <= rate <= 384_000:
        raise BadInput(f"A sample rate of {rate} Hz cannot be mastered: use 4000 to 384000 Hz.")
    if audio.ndim != 2 or not 1 <= audio.shape[1] <= 8 or audio.dtype.kind != "f":
        raise BadInput(
            f"A clip must be float (samples, 1 to 8 channels), and this one is {audio.dtype} "
            f"{audio.shape}: convert it first."
        )
    if len(audio) < _SHORTEST * rate:
        raise BadInput(
            f"A clip of {len(audio)} samples at {rate} Hz is shorter than "
            f"{1000 * _SHORTEST:.0f} ms: nothing to master, leave it out."
        )

    # NaN first: the comparison with the level of silence would let it pass.
    if not np.isfinite(audio).all():
        raise BadInput(
            "A clip holds NaN or infinity: make it again, with another seed or in float32."
        )
    if amplitude_to_db(float(np.abs(audio).max())) < _SILENT_DB:
        raise BadInput(
            f"A clip is silent (nothing above {_SILENT_DB:.0f} dBFS): leave it out, or make it "
            "again with another seed."
        )


def amplitude_to_db(amplitude: float) -> float:
    """20 log10 of an amplitude (1 is 0 dBFS), and -200 for zero: never minus infinity."""
    return 20 * float(np.log10(max(amplitude, 1e-10)))


def to_mono(audio: Audio) -> tuple[Audio, str]:
    """Mix (samples, channels) to (samples, 1), and say how.

    The mean of the channels, or the loudest channel where the mean loses 6 dB against it: because
    they are out of phase, or one side is empty.
    """
    mixed = audio.mean(axis=1, keepdims=True)
    powers = np.square(audio, dtype=np.float64).mean(axis=0)
    loudest = int(powers.argmax())
    loss = powers[loudest] / max(float(np.square(mixed, dtype=np.float64).mean()), 1e-30)
    if loss <= 10**0.6:
        return mixed, f"{audio.shape[1]} channels mixed to mono"

    channel = audio[:, loudest : loudest + 1]
    lost_db = min(10 * np.log10(loss), 99)
    return channel, f"channel {loudest + 1} taken: the mix would lose {lost_db:.0f} dB"


def resample(audio: Audio, rate: int) -> Audio:
    """Resample (samples, channels) from ``rate`` to 48 kHz with SoX, in high quality.

    Its filter has linear phase and over 100 dB of rejection.
    """
    import soxr

    return np.asarray(soxr.resample(audio, rate, RATE, quality="HQ"), dtype=np.float32)


def remove_rumble(audio: Audio, rate: int, frequency: float) -> Audio:
    """Take away DC and what lies below ``frequency`` Hz.

    By a Butterworth filter of order 2, run forwards and backwards. Zero phase, because a causal
    filter would turn the phase of a roar's lowest partials: the wave changes shape and its peaks
    grow, which costs loudness later. The price, ringing ahead of an onset, lies 25 ms before it
    at most and is masked.

    Args:
        audio: float32 (samples, channels).
        rate: in Hz.
        frequency: in Hz, where half of the amplitude is left; 0 takes away DC only.
    """
    centred = audio - audio.mean(axis=0, keepdims=True, dtype=np.float64)
    if frequency > 0:
        from scipy import signal

        # Three periods: the odd extension of the signal hides the start of the filter.
        settle = min(len(audio) - 1, int(3 * rate / frequency))
        sections = signal.butter(2, frequency, "highpass", fs=rate, output="sos")
        centred = signal.sosfiltfilt(sections, centred, axis=0, padlen=settle)
    return np.asarray(centred, dtype=np.float32)


def reduce_noise(audio: Audio, rate: int, most: float) -> tuple[Audio, float]:
    """Lower a steady background where nothing but it is heard.

    Spectral gating (Boll 1979, "Suppression of acoustic noise in speech using spectral
    subtraction") with a high floor: power and gain are averaged over neighbouring bands and
    frames, and the floor stays, so that there is no musical noise.

    The noise profile is the mean spectrum of the quietest tenth of the frames. A clip is left
    untouched where they are no background: nothing to hear (60 dB below the loud frames), no
    pause (within 15 dB of them), or not steady (a call that dies away).

    Args:
        audio: float32 (samples, 1).
        rate: in Hz.
        most: dB by which the background is lowered at most; 0 switches the gate off.

    Returns:
        The same shape, and by how many dB the background fell (0 = untouched, the same array).
    """
    width = 2 ** round(np.log2(0.043 * rate))  # samples: about 43 ms
    if most <= 0 or len(audio) < 8 * width:  # too few frames to know a background
        return audio, 0.0
    from scipy import ndimage, signal

    transform = signal.ShortTimeFFT(signal.windows.hann(width, sym=False), width // 4, rate)
    padded = np.pad(audio[:, 0].astype(np.float64), width, mode="reflect")
    spectrum = transform.stft(padded)  # (bands, frames)
    power = np.square(np.abs(spectrum))
    mean_square = power.sum(axis=0) / (width * np.square(transform.win).sum() / 2)
    levels = 10 * np.log10(mean_square + 1e-20)  # dBFS

    # A background is quiet for 0.1 s, and not only between two clicks of a trill.
    lasting = ndimage.maximum_filter1d(levels, 9)
    quiet = np.argsort(lasting)[: max(6, len(levels) // 10)]
    floor = float(np.median(levels[quiet]))
    loud = float(np.percentile(levels, 95))
    if not (loud - 60 < floor < loud - 15 and np.ptp(lasting[quiet]) < 4):
        return audio, 0.0

    # Running sums round below zero: hence the maxima with 0.
    profile = ndimage.uniform_filter1d(power[:, quiet].mean(axis=1), 5)[:, None]
    around = np.maximum(ndimage.uniform_filter(power, (5, 5)), 0)
    above = 10 * np.log10((around + 1e-20) / (np.maximum(profile, 0) + 1e-20))  # dB

    # All of the cut up to 3 dB above the profile, nothing from 9 dB on.
    cut = -most * np.clip((9 - above) / 6, 0, 1)
    spectrum *= 10 ** (ndimage.uniform_filter(cut, (3, 5)) / 20)
    cleaned = transform.istft(spectrum, k1=len(audio) + 2 * width)[width : width + len(audio), None]
    return cleaned.astype(np.float32), -float(cut[:, quiet].mean())


def trim_dead_air(audio: Audio, rate: int, below: float, margin: float) -> tuple[Audio, float]:
    """Cut the quiet ends; pauses inside are rhythm and stay.

    Args:
        audio: float32 (samples, channels).
        rate: in Hz.
        below: dB under the loudest 10 ms that an end must stay; 0 cuts nothing.
        margin: seconds of each end that stay.

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

    # Sound up to the last whole frame: keep the rest of a frame behind it too.
    if active[-1] == count - 1:
        last = len(audio)
    return audio[first:last], (len(audio) - (last - first)) / rate


def fade_ends(audio: Audio, rate: int, seconds: float) -> Audio:
    """Fade both ends with half a period of a raised cosine; the outermost samples become 0.

    Args:
        audio: float32 (samples, channels).
        rate: in Hz.
        seconds: of each fade; at most half of the clip.
    """
    length = min(round(seconds * rate), len(audio) // 2)
    if length < 1:
        return audio
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)[:, None]
    out = audio.copy()
    out[:length] *= ramp
    out[-length:] *= ramp[::-1]
    return out
