"""The recordings that a model learned from, in short: enough to find copies of them, and to tell how natural a call is.

It lies beside the model: ``weights/call.reference`` for the shipped one, ``animal_diffusion_model.reference`` in a
run folder. It holds no sound, only coarse spectrograms (32 bands, 32 ms) and the ear's features.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..errors import BadCheckpoint
from ..evaluation.classifier import FEATURES
from ..storage.atomic import write_atomic
from .classifier import FFT, HOP, MELS, RATE, Ear, mel_filters
from .dataset import ClipSet
from .engine import Audio

BANDS = 32
STEP = 2 * HOP  # samples of a column: 32 ms
WINDOW = 64  # columns that are compared at once
SHORTEST = 16  # columns; a shorter call is compared together with the silence after it. As many part two recordings
RANGE = 70.0  # dB
ACTIVE = 0.6  # of the range: columns that are so far under the loudest are silence around a call
COPY = 0.7  # similarity from which a call counts as a copy (docs/LOG.md)
FLOOR = 0.002  # variance of a stretch, below which it is too empty to resemble anything
NAME = "animal_diffusion_model.reference"
SHADE = 17  # of 255: a file keeps 16 levels, 4.7 dB apart, two bands a byte
RIDGE = 0.05  # of the unit variance of the features, so that the Gaussian of few recordings can be inverted


def levels(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """A wave (N,) at RATE -> (BANDS, T): log mel levels, 1 at its loudest, 0 at RANGE dB under it and below."""
    count = max(1, -(-len(wave) // STEP))
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (0, count * STEP - len(wave)))
    power = (
        torch.stft(
            padded[None],
            FFT,
            HOP,
            window=torch.hann_window(FFT),
            pad_mode="constant",
            return_complex=True,
        ).abs()
        ** 2
    )
    level = 10 * (mel_filters() @ power[:, :, : 2 * count]).clamp_min(1e-10).log10()
    scaled = ((level - level.max()) / RANGE + 1).clamp_min(0)
    pooled: NDArray[np.float32] = torch.nn.functional.avg_pool2d(
        scaled[:, None], (MELS // BANDS, 2)
    )[0, 0].numpy()
    return pooled


def _shape(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without its envelope: what is left is which bands stand out when, whatever the loudness."""
    shape: NDArray[np.float32] = picture - picture.mean(axis=0, keepdims=True)
    return shape


class Reference:
    """N recordings, in short.

    Args:
        names: of the files, N.
        features: the ear's, (N, 128).
        picture: the levels of all recordings one after the other, each followed by SHORTEST silent columns, (BANDS, F) uint8.
        lengths: columns of each recording and its silence, (N,), which sum to F.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        features: NDArray[np.float32],
        picture: NDArray[np.uint8],
        lengths: NDArray[np.int32],
    ) -> None:
        self.names, self.features, self.picture, self.lengths = names, features, picture, lengths
        self._centre = features.mean(axis=0)
        spread = (
            np.cov(features.T)
            if len(names) > 1
            else np.zeros((features.shape[1], features.shape[1]))
        )
        self._inverse = np.linalg.inv(spread + RIDGE * np.eye(features.shape[1]))
        self._distances = np.sort(self._distance(features))

    @cached_property
    def _searched(
        self,
    ) -> tuple[int, NDArray[np.complex64], NDArray[np.float64], NDArray[np.float64]]:
        """The size of the transform, the transformed shapes, and the running sums of them (BANDS, F + 1) and of their squares (F + 1,)."""
        shape = _shape(self.picture.astype(np.float32) / np.float32(255))
        size = next_fast_len(shape.shape[1] + WINDOW)
        sums = np.cumsum(np.pad(shape, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        squares = np.cumsum(np.pad(np.square(shape).sum(axis=0), (1, 0)), dtype=np.float64)
        return size, rfft(shape, size, axis=1), sums, squares

    def _distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mahalanobis distance (M,) of features (M, 128) from the recordings."""
        away = features - self._centre
        distance: NDArray[np.float64] = np.sqrt(np.einsum("md,de,me->m", away, self._inverse, away))
        return distance

    def typical(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """For features (M, 128) of calls: the share of the recordings that are less typical, 0 to 1."""
        share: NDArray[np.float64] = 1 - np.searchsorted(
            self._distances, self._distance(features)
        ) / len(self._distances)
        return share

    def nearest(self, audio: Audio, rate: int) -> tuple[float, str]:
        """The recording that a call (N, C) resembles most, and how much: the largest correlation at any place, at most 1.

        What is correlated are the shapes of WINDOW columns, each band without its mean (normalised cross-correlation, Lewis
        1995): 0 where nothing but loudness and tone colour are alike, over COPY for a copy that is noisier or some per cent
        faster.
        """
        import soxr

        mono = audio.mean(axis=1)
        seen = levels(mono if rate == RATE else soxr.resample(mono, rate, RATE))
        loud = np.flatnonzero(seen.max(axis=0) > seen.max(initial=0.0) - ACTIVE)
        seen = seen[:, loud[0] : loud[-1] + 1]
        seen = np.pad(seen, ((0, 0), (0, max(0, SHORTEST - seen.shape[1]))))
        best, place = 0.0, 0
        for start in range(0, max(1, seen.shape[1] - SHORTEST + 1), WINDOW):
            alike = self._correlations(seen[:, start : start + WINDOW])
            if alike.max() > best:
                best, place = float(alike.max()), int(alike.argmax())
        return min(best, 1.0), self.names[
            int(np.searchsorted(np.cumsum(self.lengths), place, side="right"))
        ]

    def _correlations(self, part: NDArray[np.float32]) -> NDArray[np.float64]:
        """The normalised cross-correlation of ``part`` (BANDS, T) with every stretch of T columns, (F - T,)."""
        size, transformed, sums, squares = self._searched
        wide, count = part.shape[1], self.picture.shape[1] - part.shape[1]
        shape = _shape(part)
        shape = shape - shape.mean(axis=1, keepdims=True)
        shared = irfft((transformed * rfft(shape, size, axis=1).conj()).sum(axis=0), size)[:count]
        band_sums = sums[:, wide : wide + count] - sums[:, :count]
        variance = (
            squares[wide : wide + count] - squares[:count] - np.square(band_sums).sum(axis=0) / wide
        )
        length = np.sqrt(
            np.maximum(variance, FLOOR * wide * BANDS)
            * max(float(np.square(shape).sum()), FLOOR * wide * BANDS)
        )
        alike: NDArray[np.float64] = shared / length
        return alike

    @classmethod
    def of(cls, clips: ClipSet, ear: Ear) -> Self:
        """The reference of a set of recordings."""
        waves = [clips.sound(i) for i in range(len(clips))]
        features, _ = ear.listen([wave[:, None] for wave in waves], RATE)
        pictures = [
            np.pad((levels(wave) * 255).round().astype(np.uint8), ((0, 0), (0, SHORTEST)))
            for wave in waves
        ]
        lengths = np.array([one.shape[1] for one in pictures], dtype=np.int32)
        return cls(tuple(clips.paths), features, np.concatenate(pictures, axis=1), lengths)

    def save(self, path: Path) -> None:
        """Write it as safetensors."""
        from safetensors.numpy import save_file

        shades = (self.picture.astype(np.uint16) + SHADE // 2) // SHADE
        packed = (shades[::2] << 4 | shades[1::2]).astype(np.uint8)
        tensors: dict[str, NDArray[Any]] = {
            "features": self.features.astype(np.float16),
            "shades": packed,
            "lengths": self.lengths,
        }
        write_atomic(
            path, lambda file: save_file(tensors, file, metadata={"names": json.dumps(self.names)})
        )

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read it; None where there is no such file. Files of 0.1.0 keep 256 levels, one band a byte.

        Raises:
            BadCheckpoint: the file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            return None
        try:
            with safe_open(str(path), framework="numpy") as file:
                names = tuple(json.loads((file.metadata() or {}).get("names", "[]")))
                features, lengths = file.get_tensor("features"), file.get_tensor("lengths")
                picture = (
                    file.get_tensor("picture")
                    if "picture" in file.keys()
                    else unpacked(file.get_tensor("shades"))
                )  # noqa: SIM118
            _check(names, features, picture, lengths)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadCheckpoint(
                f"{path} is damaged ({error}): delete it, and copies of recordings are not looked for."
            ) from None
        return cls(names, features.astype(np.float32), picture, lengths)


def unpacked(shades: NDArray[Any]) -> NDArray[np.uint8]:
    """Two bands a byte (BANDS / 2, F) -> levels (BANDS, F) from 0 to 255.

    Raises:
        ValueError: they are not such bytes.
    """
    if shades.ndim != 2 or shades.dtype != np.uint8:
        raise ValueError(f"the spectrograms are {shades.dtype} {shades.shape}")
    both = np.stack([shades >> 4, shades & 15], axis=1)
    levels: NDArray[np.uint8] = (both * np.uint8(SHADE)).reshape(
        2 * shades.shape[0], shades.shape[1]
    )
    return levels


def _check(
    names: tuple[Any, ...], features: NDArray[Any], picture: NDArray[Any], lengths: NDArray[Any]
) -> None:
    """Raises ValueError where the parts of a file cannot be a :class:`Reference` together."""
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("no names of recordings")
    if (
        features.shape != (len(names), FEATURES)
        or features.dtype.kind != "f"
        or not np.isfinite(features).all()
    ):
        raise ValueError(f"the features are {features.dtype} {features.shape}")
    if picture.ndim != 2 or picture.shape[0] != BANDS or picture.dtype != np.uint8:
        raise ValueError(f"the spectrograms are {picture.dtype} {picture.shape}")
    if (
        lengths.shape != (len(names),)
        or lengths.dtype.kind != "i"
        or lengths.min() < SHORTEST
        or lengths.sum() != picture.shape[1]
    ):
        raise ValueError("the lengths do not fit the spectrograms")
