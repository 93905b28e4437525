"""The recordings that a model learned from, in short: enough to find copies of them, and to tell how natural a call is.

It lies beside the model: ``weights/call_reference.safetensors`` for the shipped one, ``animal_diffusion_model.reference`` in a
run folder. It holds no sound, only thumbnails of spectrograms (16 bands, 32 ms) and the ear's features.
"""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import BadCheckpoint
from ..store import write_atomic
from .clips import ClipSet
from .ear import FRAMES, RATE, SAMPLES, Ear, hear
from .maker import Audio

BANDS, STEPS = 16, FRAMES // 2  # of a thumbnail: 2.05 s
COPY = 0.9  # similarity from which a call counts as a copy (docs/LOG.md)
NAME = "animal_diffusion_model.reference"
RIDGE = 0.05  # of the unit variance of the features, so that the Gaussian of few recordings can be inverted


def thumbnails(wave: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A wave (N,) at RATE as windows (W, BANDS, STEPS) uint8: log mel levels, silence 0, the loudest of a window 255."""
    count = max(1, -(-len(wave) // SAMPLES))
    padded = np.zeros(count * SAMPLES, dtype=np.float32)
    padded[: len(wave)] = wave
    heard = hear(torch.from_numpy(padded.reshape(count, SAMPLES)))
    small = torch.nn.functional.avg_pool2d(heard, (heard.shape[2] // BANDS, heard.shape[3] // STEPS))[:, 0]
    return ((small + 1) * 127.5).round().to(torch.uint8).numpy()


def _unit(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(W, BANDS, STEPS) without their mean and of length 1, with silence after them so that they can be shifted."""
    centred = pictures.astype(np.float32) - pictures.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=(1, 2), keepdims=True))
    padded = np.zeros((len(pictures), BANDS, 2 * STEPS), dtype=np.float32)
    padded[:, :, :STEPS] = centred / np.maximum(length, 1e-6)
    return padded


class Reference:
    """N recordings, in short.

    Args:
        names: of the files, N.
        features: the ear's, (N, 128).
        pictures: all thumbnails, (W, BANDS, STEPS) uint8.
        owner: which recording each thumbnail shows, (W,).
    """

    def __init__(
        self, names: tuple[str, ...], features: NDArray[np.float32], pictures: NDArray[np.uint8], owner: NDArray[np.int32]
    ) -> None:
        self.names, self.features, self.pictures, self.owner = names, features, pictures, owner
        self._spectra = np.fft.rfft(_unit(pictures), axis=2).conj().astype(np.complex64)
        self._centre = features.mean(axis=0)
        spread = np.cov(features.T) if len(names) > 1 else np.zeros((features.shape[1], features.shape[1]))
        self._inverse = np.linalg.inv(spread + RIDGE * np.eye(features.shape[1]))
        self._distances = np.sort(self._distance(features))

    def _distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mahalanobis distance (M,) of features (M, 128) from the recordings."""
        away = features - self._centre
        distance: NDArray[np.float64] = np.sqrt(np.einsum("md,de,me->m", away, self._inverse, away))
        return distance

    def typical(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """For features (M, 128) of calls: the share of the recordings that are less typical, 0 to 1."""
        share: NDArray[np.float64] = 1 - np.searchsorted(self._distances, self._distance(features)) / len(self._distances)
        return share

    def nearest(self, audio: Audio, rate: int) -> tuple[float, str]:
        """The recording that a call (N, C) resembles most, and how much: the largest correlation of thumbnails at any shift, 0 to 1."""
        import soxr

        mono = audio.mean(axis=1)
        pictures = thumbnails(mono if rate == RATE else soxr.resample(mono, rate, RATE))
        best, owner = 0.0, 0
        for one in np.fft.rfft(_unit(pictures), axis=2):
            shared = np.fft.irfft((self._spectra * one).sum(axis=1), axis=1)
            highest = shared.max(axis=1)
            place = int(highest.argmax())
            if highest[place] > best:
                best, owner = float(highest[place]), int(self.owner[place])
        return best, self.names[owner]

    @classmethod
    def of(cls, clips: ClipSet, ear: Ear) -> Self:
        """The reference of a set of recordings."""
        waves = [np.asarray(clips.clip(i), dtype=np.float32) / np.float32(32768) for i in range(len(clips))]
        features, _ = ear.listen([wave[:, None] for wave in waves], RATE)
        pictures = [thumbnails(wave) for wave in waves]
        owner = np.repeat(np.arange(len(pictures), dtype=np.int32), [len(one) for one in pictures])
        return cls(tuple(clips.paths), features, np.concatenate(pictures), owner)

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        from safetensors.numpy import save_file

        tensors: dict[str, NDArray[Any]] = {"features": self.features.astype(np.float16), "pictures": self.pictures, "owner": self.owner}
        write_atomic(path, lambda file: save_file(tensors, file, metadata={"names": json.dumps(self.names)}))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read it; None where there is no such file.

        Raises:
            BadCheckpoint: the file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            return None
        try:
            with safe_open(str(path), framework="numpy") as file:
                names = tuple(json.loads(file.metadata()["names"]))
                features, pictures, owner = (file.get_tensor(key) for key in ("features", "pictures", "owner"))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadCheckpoint(f"{path} is damaged ({error}): delete it, and copies of recordings are not looked for.") from None
        return cls(names, features.astype(np.float32), pictures, owner)
