"""What a model of calls is compared with: the same network on mel spectrograms with Griffin-Lim,
and synthesis by rule.

The mel baseline swaps the functions of ``jungle.sounds.spectrogram`` while :func:`as_mel` is open,
so that network, recipe, data and training loop are ours to the letter, and only the representation
is another one.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jungle.config.paths import cache_folder
from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import Recipe
from jungle.diffusion.device import choose_device
from jungle.errors import BadInput
from jungle.sounds import classifier, spectrogram
from jungle.sounds.batches import peak_magnitude
from jungle.sounds.dataset import PEAK, AudioDataset, load_audio_dataset
from jungle.sounds.engine import Audio, CallRequest, Take
from jungle.sounds.training import CallRun

RATE = spectrogram.RATE
FFT, HOP, BANDS = 1024, 256, 128  # the sizes of most vocoders: 64 ms, 16 ms
ROUNDS = 60  # of Griffin-Lim
MOMENTUM = 0.99
NNLS_ROUNDS = 100


def mel_recipe(name: str = "call") -> Recipe:
    """Our recipe for pictures of 128 bands and 2.05 s: the patch is half as long, so that the
    network sees a grid as large as ours.
    """
    recipe = find_recipe(name, "recordings")
    return dataclasses.replace(
        recipe, image_size=BANDS, net=dataclasses.replace(recipe.net, patch=recipe.net.patch // 2)
    )


@functools.cache
def filters() -> Tensor:
    """(BANDS, FFT / 2 + 1) mel triangles from 0 Hz to half the rate."""
    with mock.patch.multiple(classifier, FFT=FFT, MELS=BANDS, LOW=0.0, HIGH=RATE / 2):
        return classifier.mel_filters()


def _stft(waves: Tensor) -> Tensor:
    window = torch.hann_window(FFT, device=waves.device)
    spectrum = torch.stft(
        waves, FFT, HOP, window=window, center=True, pad_mode="constant", return_complex=True
    )
    return spectrum[:, :, :-1] / (FFT / 4)


def _istft(spectrum: Tensor) -> Tensor:
    full = torch.nn.functional.pad(spectrum * (FFT / 4), (0, 1))
    return torch.istft(
        full, FFT, HOP, window=torch.hann_window(FFT), center=True, length=spectrum.shape[2] * HOP
    )


def transform(waves: Tensor) -> Tensor:
    """(B, T * HOP) float -> (B, BANDS, T): the mean magnitude in each band."""
    return filters().to(waves.device) @ _stft(waves).abs()


def linear(bands: Tensor) -> Tensor:
    """The magnitudes (B, FFT / 2 + 1, T) >= 0 whose bands come nearest to ``bands`` (B, BANDS, T),
    by least squares.

    Multiplicative updates (Lee and Seung 2001, equation 4, with the filters fixed), which never
    leave what is allowed.
    """
    bank = filters()
    wanted, square = bank.T @ bands, bank.T @ bank
    found = wanted.clone()
    for _ in range(NNLS_ROUNDS):
        found = found * wanted / (square @ found).clamp_min(1e-12)
    return found


def to_waves(images: Tensor) -> Tensor:
    """Calls for mel pictures (B, 1, BANDS, T): (B, T * HOP), by fast Griffin-Lim from random phases
    (Perraudin et al. 2013).
    """
    magnitude = linear(spectrogram.image_magnitudes(images.float().cpu()))
    phases = 2 * torch.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    spectrum = before = torch.polar(magnitude, phases)
    for _ in range(ROUNDS):
        consistent = _stft(_istft(spectrum))
        spectrum = torch.polar(magnitude, (consistent + MOMENTUM * (consistent - before)).angle())
        before = consistent
    return _istft(spectrum)


@contextlib.contextmanager
def as_mel() -> Iterator[None]:
    """Inside, pictures of calls are mel spectrograms, for training and for drawing;
    ``waves_to_images`` is ours here.
    """
    with mock.patch.multiple(
        spectrogram, HOP=HOP, BINS=BANDS, stft=transform, images_to_waves=to_waves
    ):
        yield


def train_mel(recordings: Path, name: str, minutes: float, out: Path) -> str:
    """Train the mel baseline for ``minutes`` (0 = as the recipe ``name`` says) as ``jungle train``
    does; returns its report.
    """
    started = time.monotonic()
    recipe = mel_recipe(name)
    clips = load_audio_dataset(recordings, recipe, cache_folder())
    with as_mel():
        run = CallRun(
            out, clips, recipe, choose_device(""), minutes, time.monotonic, started, cache_folder()
        )
        for _ in run.steps():
            pass
        return run.end().to_text()


# --- synthesis by rule
# ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """How an animal calls, in the terms of a source and a filter (Fant 1960)."""

    pitch: tuple[float, float]  # Hz: where the fundamental of an animal lies
    sweep: tuple[float, ...]  # octaves around it, from the beginning to the end of a call
    seconds: tuple[float, float]  # of one call
    calls: tuple[int, int]  # in a row
    formant: float  # Hz of the one resonance
    slope: float = 5.0  # dB an octave by which partials fall
    noise: float = 0.1  # breath, against the voice
    pulse: float = 0.0  # Hz of the beating of the voice; 0 = none


VOICES = {
    "bird": Voice(
        pitch=(2500, 5000),
        sweep=(0.3, -0.2, 0.4),
        seconds=(0.08, 0.3),
        calls=(3, 8),
        formant=4000,
        slope=18,
        noise=0.03,
    ),
    "cat": Voice(
        pitch=(400, 700),
        sweep=(-0.2, 0.2, 0.1, -0.3),
        seconds=(0.5, 1.2),
        calls=(1, 2),
        formant=1500,
        slope=6,
        noise=0.08,
    ),
    "chicken": Voice(
        pitch=(400, 900),
        sweep=(0, 0.1, -0.2),
        seconds=(0.08, 0.25),
        calls=(3, 7),
        formant=1800,
        noise=0.25,
    ),
    "cow": Voice(
        pitch=(100, 180), sweep=(-0.3, 0.1, 0, -0.2), seconds=(1, 2), calls=(1, 1), formant=500
    ),
    "dog": Voice(
        pitch=(300, 600),
        sweep=(0.1, 0.3, -0.6),
        seconds=(0.12, 0.3),
        calls=(1, 5),
        formant=900,
        slope=6,
        noise=0.3,
    ),
    "donkey": Voice(
        pitch=(250, 600),
        sweep=(0.4, 0.5, -0.7, -0.6),
        seconds=(0.7, 1.2),
        calls=(1, 2),
        formant=1200,
        noise=0.4,
        pulse=30,
    ),
    "frog": Voice(
        pitch=(250, 900),
        sweep=(0, 0.05, 0),
        seconds=(0.1, 0.4),
        calls=(2, 8),
        formant=1200,
        slope=4,
        noise=0.15,
        pulse=60,
    ),
    "lion": Voice(
        pitch=(60, 130),
        sweep=(-0.2, 0.2, -0.3),
        seconds=(1, 2),
        calls=(1, 1),
        formant=450,
        slope=4,
        noise=0.5,
        pulse=25,
    ),
    "monkey": Voice(
        pitch=(500, 1200),
        sweep=(-0.3, 0.4, -0.2),
        seconds=(0.1, 0.4),
        calls=(2, 6),
        formant=1600,
        slope=6,
        noise=0.15,
    ),
    "sheep": Voice(
        pitch=(250, 450),
        sweep=(0, 0.1, -0.1),
        seconds=(0.6, 1.4),
        calls=(1, 2),
        formant=1100,
        noise=0.12,
        pulse=9,
    ),
}


def _one_call(
    voice: Voice, pitch: float, seconds: float, source: np.random.Generator
) -> NDArray[np.float64]:
    """One call (samples,): partials of a moving pitch and noise, through one resonance, with a rise
    and a longer fall.
    """
    count = int(seconds * RATE)
    place, t = np.linspace(0, 1, count), np.arange(count) / RATE
    wobble = np.interp(place, np.linspace(0, 1, 12), source.normal(0, 0.02, 12))
    frequency = pitch * 2 ** (
        np.interp(place, np.linspace(0, 1, len(voice.sweep)), voice.sweep) + wobble
    )
    phase = 2 * np.pi * np.cumsum(frequency) / RATE

    def resonance(hertz: NDArray[Any]) -> NDArray[Any]:
        return 0.1 + 1 / (1 + np.square((hertz - voice.formant) / (0.4 * voice.formant)))

    partials = range(1, max(2, int(0.95 * RATE / 2 / frequency.max())))
    tone = sum(
        k ** (-voice.slope / 6.02) * resonance(k * frequency) * np.sin(k * phase) for k in partials
    )
    breath = np.fft.irfft(
        np.fft.rfft(source.standard_normal(count)) * resonance(np.fft.rfftfreq(count, 1 / RATE)),
        count,
    )
    wave = (1 - voice.noise) * tone / np.abs(tone).max() + voice.noise * breath / np.abs(
        breath
    ).max()
    beating = 1 - 0.8 * (0.5 - 0.5 * np.cos(2 * np.pi * voice.pulse * t)) if voice.pulse else 1.0
    envelope = np.sin(np.pi / 2 * np.minimum(place / 0.15, 1)) * np.sin(
        np.pi / 2 * np.minimum((1 - place) / 0.35, 1)
    )
    finished: NDArray[np.float64] = wave * beating * envelope
    return finished


class ParametricMaker:
    """A :class:`~jungle.sounds.engine.SoundEngine` that computes calls by rule, with numbers from
    general knowledge of ten animals.
    """

    name, rate, model = "parametric", RATE, "rules"

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        """One take a request, of about two seconds; of a mix, the animal with the largest share
        calls.

        Raises:
            BadInput: an animal without rules.
        """
        for index, request in enumerate(requests):
            animal = max(request.mix, key=lambda name: request.mix[name])
            if animal not in VOICES:
                raise BadInput(
                    f"There are no rules for '{animal}': use recordings of {', '.join(VOICES)} "
                    "only."
                )
            yield (
                index,
                Take(
                    self._perform(VOICES[animal], np.random.default_rng([request.seed, 5])),
                    RATE,
                    request.seed,
                ),
            )

    def _perform(self, voice: Voice, source: np.random.Generator) -> Audio:
        pitch = float(np.exp(source.uniform(*np.log(voice.pitch))))
        audio = np.zeros((2 * RATE, 1), dtype=np.float32)
        place = 0
        for _ in range(source.integers(*voice.calls, endpoint=True)):
            call = _one_call(
                voice, pitch * 2 ** source.normal(0, 0.03), source.uniform(*voice.seconds), source
            )
            part = audio[place : place + len(call), 0]
            part += source.uniform(0.6, 0.9) * call[: len(part)]
            place += len(call) + int(source.uniform(0.03, 0.2) * RATE)
        return audio


# --- real recordings, through a representation and back
# --------------------------------------------------------------


def copy_synthesis(clips: AudioDataset, chosen: Sequence[int]) -> list[Audio]:
    """Recordings as pictures and back, by what ``jungle.sounds.spectrogram`` does at the moment:
    the best a model could reach.
    """
    copies = []
    for index in chosen:
        wave = clips.waveform(index)
        wave = np.pad(wave, (0, -len(wave) % spectrogram.HOP))
        images = spectrogram.waves_to_images(torch.from_numpy(wave)[None], peak_magnitude(wave))
        copied = spectrogram.images_to_waves(images)[0].numpy()
        copies.append((copied * np.float32(PEAK / np.abs(copied).max()))[:, None])
    return copies


def set_aside(clips: AudioDataset, count: int, seed: int) -> list[int]:
    """The recordings that ``evaluate.score_calls`` sets aside for its floor, so that none is
    compared with a copy of itself.
    """
    order = np.random.default_rng([seed, 3]).permutation(np.unique(clips.groups))
    sizes = np.cumsum([int((clips.groups == group).sum()) for group in order])
    aside = np.isin(
        clips.groups, order[: int(np.searchsorted(sizes, min(count, len(clips) // 2))) + 1]
    )
    return [int(index) for index in np.flatnonzero(aside)]
