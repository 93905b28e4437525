"""The recordings that a model learned from, in short: enough to find copies of them.

And to tell how natural a call is. The index lies beside the model: ``weights/call.reference`` for
the shipped one, ``animal_diffusion_model.reference`` in a run folder. It holds no sound, only
coarse spectrograms (32 bands, 32 ms) and the classifier's features.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..errors import BadCheckpoint
from ..evaluation.classifier import FEATURES
from ..storage.atomic import write_atomic
from .classifier import FFT, HOP, MELS, RATE, AudioClassifier, mel_filters
from .dataset import AudioDataset
from .engine import Audio

INDEX_FILE = "animal_diffusion_model.reference"
COPY = 0.7  # similarity from which a call counts as a copy (docs/LOG.md)
SHADE = 17  # of 255: a file keeps 16 levels, 4.7 dB apart, two bands a byte
BANDS = 32

# A shorter call is compared together with the silence after it. As many part two recordings.
SHORTEST_COLUMNS = 16

_STEP = 2 * HOP  # samples of a column: 32 ms
_WINDOW = 64  # columns that are compared at once

_RANGE_DB = 70.0

# Of that range: columns that are so far under the loudest are silence around a call.
_ACTIVE = 0.6
_FLOOR = 0.002  # variance of a stretch, below which it is too empty to resemble anything

# Of the unit variance of the features, so that the Gaussian of few recordings can be inverted.
_RIDGE = 0.05


def mel_band_levels(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log mel levels of a wave (samples,) at 16 kHz: (32, T), a column each 32 ms.

    1 at its loudest, 0 at 70 dB under it and below.
    """
    count = max(1, -(-len(wave) // _STEP))
    padded = torch.nn.functional.pad(torch.from_numpy(wave), (0, count * _STEP - len(wave)))
    spectrum = torch.stft(
        padded[None],
        FFT,
        HOP,
        window=torch.hann_window(FFT),
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.abs() ** 2
    level = 10 * (mel_filters() @ power[:, :, : 2 * count]).clamp_min(1e-10).log10()

    # Pooled after the logarithm: a loud band must not hide its neighbour.
    scaled = ((level - level.max()) / _RANGE_DB + 1).clamp_min(0)
    pooled: NDArray[np.float32] = torch.nn.functional.avg_pool2d(
        scaled[:, None], (MELS // BANDS, 2)
    )[0, 0].numpy()
    return pooled


def _spectral_shape(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levels (BANDS, T) without their envelope.

    What is left is which bands stand out when, whatever the loudness.
    """
    shape: NDArray[np.float32] = levels - levels.mean(axis=0, keepdims=True)
    return shape


class _Transformed(NamedTuple):
    """The shapes of all recordings, F columns, prepared for correlation."""

    size: int  # of the transform
    spectrum: NDArray[np.complex64]  # of the shapes, (BANDS, size / 2 + 1)
    sums: NDArray[np.float64]  # running, of the shapes, (BANDS, F + 1)
    squares: NDArray[np.float64]  # running, of their squares, (F + 1,)


class MemorisationIndex:
    """N recordings, in short.

    Args:
        names: of the files, N.
        features: the classifier's, (N, 128).
        levels: the levels of all recordings one after the other, each followed by 16 silent
            columns, (32, F) uint8.
        lengths: columns of each recording and its silence, (N,), which sum to F.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        features: NDArray[np.float32],
        levels: NDArray[np.uint8],
        lengths: NDArray[np.int32],
    ) -> None:
        self.names, self.features, self.levels, self.lengths = names, features, levels, lengths

        # A Gaussian through the features: typical is what lies near its centre.
        size = features.shape[1]
        spread = np.cov(features.T) if len(names) > 1 else np.zeros((size, size))
        self._centre = features.mean(axis=0)
        self._inverse = np.linalg.inv(spread + _RIDGE * np.eye(size))
        self._distances = np.sort(self._distance(features))

    @cached_property
    def _transformed(self) -> _Transformed:
        shape = _spectral_shape(self.levels.astype(np.float32) / np.float32(255))
        size = next_fast_len(shape.shape[1] + _WINDOW)
        sums = np.cumsum(np.pad(shape, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
        squares = np.cumsum(np.pad(np.square(shape).sum(axis=0), (1, 0)), dtype=np.float64)
        return _Transformed(size, rfft(shape, size, axis=1), sums, squares)

    def _distance(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mahalanobis distance (M,) of features (M, 128) from the recordings."""
        away = features - self._centre
        distance: NDArray[np.float64] = np.sqrt(np.einsum("md,de,me->m", away, self._inverse, away))
        return distance

    def typicality(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """For features (M, 128) of calls: the share of the recordings that are less typical.

        (M,), 0 to 1.
        """
        rank = np.searchsorted(self._distances, self._distance(features))
        share: NDArray[np.float64] = 1 - rank / len(self._distances)
        return share

    def nearest_recording(self, audio: Audio, rate: int) -> tuple[float, str]:
        """How much a call resembles the recording that it resembles most, and its name.

        The largest correlation at any offset, 0 to 1. What is correlated are the shapes of 64
        columns, 2 s, each band without its mean (normalised cross-correlation, Lewis 1995): 0 where
        nothing but loudness and tone colour are alike, over :data:`COPY` for a copy that is noisier
        or some per cent faster.

        Args:
            audio: (samples, channels).
            rate: in Hz.
        """
        import soxr

        mono = audio.mean(axis=1)
        levels = mel_band_levels(mono if rate == RATE else soxr.resample(mono, rate, RATE))

        # Silence around the call would resemble any silence.
        loud = np.flatnonzero(levels.max(axis=0) > levels.max(initial=0.0) - _ACTIVE)
        levels = levels[:, loud[0] : loud[-1] + 1]
        levels = np.pad(levels, ((0, 0), (0, max(0, SHORTEST_COLUMNS - levels.shape[1]))))

        best, offset = 0.0, 0
        for start in range(0, max(1, levels.shape[1] - SHORTEST_COLUMNS + 1), _WINDOW):
            correlations = self._correlations(levels[:, start : start + _WINDOW])
            if correlations.max() > best:
                best, offset = float(correlations.max()), int(correlations.argmax())
        recording = int(np.searchsorted(np.cumsum(self.lengths), offset, side="right"))
        return min(best, 1.0), self.names[recording]

    def _correlations(self, part: NDArray[np.float32]) -> NDArray[np.float64]:
        """The normalised cross-correlation of ``part`` with every stretch of as many columns.

        Args:
            part: levels (BANDS, T).

        Returns:
            (F - T,), -1 to 1; 0 where a stretch is too empty.
        """
        size, spectrum, sums, squares = self._transformed
        width, count = part.shape[1], self.levels.shape[1] - part.shape[1]
        shape = _spectral_shape(part)
        shape = shape - shape.mean(axis=1, keepdims=True)
        shared = irfft((spectrum * rfft(shape, size, axis=1).conj()).sum(axis=0), size)[:count]

        # The variance of each stretch, band by band, from running sums.
        band_sums = sums[:, width : width + count] - sums[:, :count]
        variance = (
            squares[width : width + count]
            - squares[:count]
            - np.square(band_sums).sum(axis=0) / width
        )
        floor = _FLOOR * width * BANDS
        length = np.sqrt(np.maximum(variance, floor) * max(float(np.square(shape).sum()), floor))
        correlations: NDArray[np.float64] = shared / length
        return correlations

    @classmethod
    def from_dataset(cls, clips: AudioDataset, classifier: AudioClassifier) -> Self:
        """The index of a set of recordings."""
        waves = [clips.waveform(index) for index in range(len(clips))]
        features, _ = classifier.classify([wave[:, None] for wave in waves], RATE)
        levels = [
            np.pad(
                (mel_band_levels(wave) * 255).round().astype(np.uint8),
                ((0, 0), (0, SHORTEST_COLUMNS)),
            )
            for wave in waves
        ]
        lengths = np.array([columns.shape[1] for columns in levels], dtype=np.int32)
        return cls(tuple(clips.paths), features, np.concatenate(levels, axis=1), lengths)

    def save(self, path: Path) -> None:
        """Write it as safetensors, the levels in 16 shades, two bands a byte."""
        from safetensors.numpy import save_file

        shades = (self.levels.astype(np.uint16) + SHADE // 2) // SHADE
        packed = (shades[::2] << 4 | shades[1::2]).astype(np.uint8)
        tensors: dict[str, NDArray[Any]] = {
            "features": self.features.astype(np.float16),
            "shades": packed,
            "lengths": self.lengths,
        }
        metadata = {"names": json.dumps(self.names)}
        write_atomic(path, lambda file: save_file(tensors, file, metadata=metadata))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read it; None where there is no such file.

        Files of 0.1.0 keep 256 levels, one band a byte, under the name ``picture``.

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
                if "picture" in set(file.keys()):
                    levels = file.get_tensor("picture")
                else:
                    levels = unpack_levels(file.get_tensor("shades"))
            _check_parts(names, features, levels, lengths)

        # A damaged file can hold anything, names that are no list included.
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadCheckpoint(
                f"{path} is damaged ({error}): delete it, and copies of recordings are not looked "
                "for."
            ) from None
        return cls(names, features.astype(np.float32), levels, lengths)


def unpack_levels(shades: NDArray[Any]) -> NDArray[np.uint8]:
    """Two bands a byte (BANDS / 2, F) to levels (BANDS, F) from 0 to 255.

    Raises:
        ValueError: ``shades`` is not a matrix of bytes.
    """
    if shades.ndim != 2 or shades.dtype != np.uint8:
        raise ValueError(f"the spectrograms are {shades.dtype} {shades.shape}")
    nibbles = np.stack([shades >> 4, shades & 15], axis=1)
    levels: NDArray[np.uint8] = (nibbles * np.uint8(SHADE)).reshape(
        2 * shades.shape[0], shades.shape[1]
    )
    return levels


def _check_parts(
    names: tuple[Any, ...], features: NDArray[Any], levels: NDArray[Any], lengths: NDArray[Any]
) -> None:
    """Raises ValueError where the parts of a file are no :class:`MemorisationIndex` together."""
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("no names of recordings")
    if (
        features.shape != (len(names), FEATURES)
        or features.dtype.kind != "f"
        or not np.isfinite(features).all()
    ):
        raise ValueError(f"the features are {features.dtype} {features.shape}")
    if levels.ndim != 2 or levels.shape[0] != BANDS or levels.dtype != np.uint8:
        raise ValueError(f"the spectrograms are {levels.dtype} {levels.shape}")

    # Each recording has its silence, and together they are the spectrograms.
    if (
        lengths.shape != (len(names),)
        or lengths.dtype.kind != "i"
        or lengths.min() < SHORTEST_COLUMNS
        or lengths.sum() != levels.shape[1]
    ):
        raise ValueError("the lengths do not fit the spectrograms")
