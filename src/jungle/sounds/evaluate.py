"""How good is a model of calls: its calls against real recordings.

Every distance comes with its floor, the distance of real recordings from other real recordings.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import BadInput
from ..evaluation.contact_sheet import contact_sheet
from ..evaluation.metrics import KernelDistance, enough_for_frechet, frechet
from ..species.select import check_numbers
from ..storage.atomic import make_folder, write_atomic, write_bytes
from .classifier import AudioClassifier
from .dataset import RATE, AudioDataset
from .engine import Audio, CallRequest, SoundEngine
from .memorisation import COPY, MemorisationIndex
from .plots import spectrogram_image
from .quality_checks import check_quality

Features = NDArray[np.float32]

_FEWEST = 10  # calls, and twice as many recordings
_SPLITS = 20  # of the recordings in two; the floor of one is off by a quarter (docs/LOG.md)
_LEAST = 4  # recordings on each side, below which there is no distance
_SHOWN = 60  # calls on the sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class CallScores:
    """What :func:`evaluate_calls` measures.

    ``floor`` figures are real recordings against other real recordings, as many of them. Distances
    and their floors are means over 20 ways to part the recordings in two.
    """

    calls: int
    ear: str  # the classifier whose features and classes these are
    kid: float  # kernel distance x 1000
    kid_error: float
    kid_floor: float
    frechet: float | None  # None below twice as many calls as features
    frechet_floor: float | None
    frechet_floor_spread: float | None  # standard deviation between the ways
    agreement: float  # share of calls that the classifier takes for the requested animal
    agreement_mean: float  # the same, mean over the classes
    real_agreement: float  # of real recordings
    real_agreement_mean: float
    flagged: int  # calls with a fault that no mastering mends
    copies: int  # calls that resemble a recording of the training too much

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self))

    def to_text(self) -> str:
        """A few lines for people."""
        distance = (
            f"Kernel distance x 1000: {self.kid:.1f} +- {self.kid_error:.1f} "
            f"(real against real: {self.kid_floor:.1f})."
        )
        if self.frechet is not None:
            floor = f"{self.frechet_floor:.2f} +- {self.frechet_floor_spread:.2f}"
            distance += f" Frechet distance: {self.frechet:.2f} (real against real: {floor})."
        return "\n".join(
            [
                f"{self.calls} calls through {self.ear}.",
                distance,
                f"Taken for the wanted animal: {self.agreement:.1%}, mean of the classes "
                f"{self.agreement_mean:.1%} (real recordings: {self.real_agreement:.1%} and "
                f"{self.real_agreement_mean:.1%}).",
                f"Faulty: {self.flagged}. Copies of recordings: {self.copies}.",
            ]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonSet:
    """The recordings that calls are compared with, and what compares them."""

    clips: AudioDataset
    classifier: AudioClassifier  # knows all classes of the clips, and may know more
    index: MemorisationIndex  # of the same clips
    seed: int  # of the ways to part the recordings


def class_accuracy(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Share of ``answers`` (N,) that equal ``labels`` (N,): of all, and the mean over classes."""
    right = answers == labels
    by_class = [right[labels == label].mean() for label in np.unique(labels)]
    return float(right.mean()), float(np.mean(by_class))


def _splits(clips: AudioDataset, count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which recordings stand in for ``count`` calls, 20 times (N,).

    Whole groups, at most about half of all recordings. A way that leaves too few on one side,
    because one group holds nearly everything, is left out.
    """
    groups, sizes = np.unique(clips.groups, return_counts=True)
    for split in range(_SPLITS):
        order = np.random.default_rng([seed, 3, split]).permutation(len(groups))
        enough = int(np.searchsorted(np.cumsum(sizes[order]), min(count, len(clips) // 2))) + 1
        part = np.isin(clips.groups, groups[order[:enough]])
        if _LEAST <= part.sum() <= len(clips) - _LEAST:
            yield part


def _distances(
    generated: Features, real: Features, part: NDArray[np.bool_], seed: int
) -> tuple[float, float, float, float, float]:
    """Kernel distance, its error and its floor; Frechet distance and its floor, or nan.

    Args:
        generated: features (C, D) of calls.
        real: features (N, D) of recordings.
        part: the recordings (N,) that stand in for the calls.
        seed: of the kernel distance's subsets.
    """
    kernel = KernelDistance(real[~part], seed)
    enough = enough_for_frechet(generated) and enough_for_frechet(real[part])
    distances = [
        frechet(rows, real[~part]) if enough else float("nan") for rows in (generated, real[part])
    ]
    return *kernel(generated), kernel(real[part])[0], distances[0], distances[1]


def score_calls(
    calls: Sequence[Audio], rate: int, labels: NDArray[np.int64], against: ComparisonSet
) -> CallScores:
    """Score calls against the recordings they were learned from.

    Calls are compared with one part of the recordings, and so is the other part, as many as there
    are calls: that is the floor. Groups of near-duplicates stay together, so that no recording is
    compared with itself.

    Args:
        calls: (samples, channels) each.
        rate: their sample rate in Hz.
        labels: the requested class of each, (N,), index into the classes of the clips.
        against: the recordings.

    Raises:
        BadInput: the recordings cannot be parted, because nearly all are copies of each other.
    """
    clips, classifier = against.clips, against.classifier
    recordings = [clips.waveform(index)[:, None] for index in range(len(clips))]
    real, real_probabilities = classifier.classify(recordings, RATE)
    generated, probabilities = classifier.classify(calls, rate)

    splits = list(_splits(clips, len(calls), against.seed))
    if len(splits) < 2:
        raise BadInput(
            "Nearly all recordings are copies of each other, so there is nothing to compare calls "
            "with: give other recordings."
        )
    table = np.array([_distances(generated, real, part, against.seed) for part in splits])
    kid, kid_error, kid_floor, distance, floor = (float(mean) for mean in table.mean(axis=0))

    # One split with too few recordings for a Frechet distance, nan, takes it from the whole.
    enough = bool(np.isfinite(table).all())
    spread = float(table[:, -1].std(ddof=1))

    # Labels count the classes of the clips, the classifier has its own order.
    own_labels = np.array([classifier.classes.index(name) for name in clips.classes])
    agreement, agreement_mean = class_accuracy(probabilities.argmax(axis=1), own_labels[labels])
    real_agreement, real_agreement_mean = class_accuracy(
        real_probabilities.argmax(axis=1), own_labels[clips.labels]
    )
    return CallScores(
        calls=len(calls),
        ear=classifier.name,
        kid=1000 * kid,
        kid_error=1000 * kid_error,
        kid_floor=1000 * kid_floor,
        frechet=distance if enough else None,
        frechet_floor=floor if enough else None,
        frechet_floor_spread=spread if enough else None,
        agreement=agreement,
        agreement_mean=agreement_mean,
        real_agreement=real_agreement,
        real_agreement_mean=real_agreement_mean,
        flagged=sum(any(finding.fatal for finding in check_quality(call, rate)) for call in calls),
        copies=sum(against.index.nearest_recording(call, rate)[0] >= COPY for call in calls),
    )


def evaluate_calls(
    engine: SoundEngine,
    clips: AudioDataset,
    count: int,
    seed: int,
    *,
    out: Path,
    progress: Callable[[int], object] = lambda calls: None,
) -> CallScores:
    """Make calls, each of the class of a recording drawn at random, and score them.

    By the shipped classifier. Writes ``scores.json``, ``report.txt`` and ``calls.png`` into
    ``out``.

    Args:
        engine: makes the calls.
        clips: real recordings.
        count: of calls.
        seed: of the calls, and of what is drawn here.
        out: a folder, made if need be.
        progress: called with 1 after each call.

    Raises:
        BadInput: too few calls or recordings, or recordings of animals that the classifier does
            not know.
    """
    classifier = AudioClassifier.shipped()
    check_numbers(count, seed, what="calls")
    if count < _FEWEST or len(clips) < 2 * _FEWEST:
        raise BadInput(
            f"<--count> {count}: judging needs at least {_FEWEST} calls and {2 * _FEWEST} "
            f"recordings; there are {len(clips)}."
        )
    unknown = sorted(set(clips.classes) - set(classifier.classes))
    if unknown:
        raise BadInput(
            f"The recordings are of {', '.join(unknown)} too, and the ear knows "
            f"{', '.join(classifier.classes)}: give recordings of these animals with <--data>."
        )

    # Drawn as the recordings are, so that rare animals weigh as little on both sides.
    labels = np.random.default_rng([seed, 7]).choice(clips.labels, count)
    requests = [
        CallRequest(seed=seed + index, mix={clips.classes[label]: 1.0})
        for index, label in enumerate(labels)
    ]
    calls: list[Audio] = []
    for _, take in engine.make(requests):
        calls.append(take.audio)
        progress(1)

    index = MemorisationIndex.from_dataset(clips, classifier)
    against = ComparisonSet(clips=clips, classifier=classifier, index=index, seed=seed)
    scores = score_calls(calls, engine.rate, labels, against)

    make_folder(out)
    write_bytes(out / "scores.json", scores.to_json().encode())
    write_bytes(out / "report.txt", (scores.to_text() + "\n").encode())
    images = np.stack([spectrogram_image(call, engine.rate) for call in calls[:_SHOWN]])
    sheet = contact_sheet(images)
    write_atomic(out / "calls.png", lambda file: sheet.save(file, "PNG"))
    return scores
