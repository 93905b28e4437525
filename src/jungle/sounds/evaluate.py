"""How good is a model of calls: its calls against real recordings, every distance with its real-against-real floor."""

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
from .classifier import Ear
from .dataset import RATE, ClipSet
from .engine import Audio, CallMaker, CallRequest
from .memorisation import COPY, Reference
from .plots import picture
from .quality_checks import examine

Features = NDArray[np.float32]

FEWEST = 10
DRAWS = (
    20  # ways to part the recordings in two; the floor of one way is off by a quarter (docs/LOG.md)
)
LEAST = 4  # recordings on each side, below which there is no distance
SHOWN = 60  # calls on the sheet


@dataclass(frozen=True, slots=True)
class CallScores:
    """What :func:`evaluate` measures. ``floor`` figures are real recordings against other real recordings, as many of them.

    Distances and their floors are means over :data:`DRAWS` ways to part the recordings in two.
    """

    calls: int
    ear: str  # whose features and classes
    kid: float  # kernel distance x 1000
    kid_error: float
    kid_floor: float
    frechet: float | None  # None below twice as many calls as features
    frechet_floor: float | None
    frechet_floor_spread: float | None  # standard deviation between the ways
    agreement: float  # share of calls that the ear takes for the animal that was wanted
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
        distance = f"Kernel distance x 1000: {self.kid:.1f} +- {self.kid_error:.1f} (real against real: {self.kid_floor:.1f})."
        if self.frechet is not None:
            floor = f"{self.frechet_floor:.2f} +- {self.frechet_floor_spread:.2f}"
            distance += f" Frechet distance: {self.frechet:.2f} (real against real: {floor})."
        return "\n".join(
            [
                f"{self.calls} calls through {self.ear}.",
                distance,
                f"Taken for the wanted animal: {self.agreement:.1%}, mean of the classes {self.agreement_mean:.1%} "
                f"(real recordings: {self.real_agreement:.1%} and {self.real_agreement_mean:.1%}).",
                f"Faulty: {self.flagged}. Copies of recordings: {self.copies}.",
            ]
        )


def agreement(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Share of ``answers`` (N,) that are right, of all and as the mean over the classes."""
    right = answers == labels
    return float(right.mean()), float(
        np.mean([right[labels == label].mean() for label in np.unique(labels)])
    )


def _parts(clips: ClipSet, count: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which recordings stand in for ``count`` calls, :data:`DRAWS` times (N,): whole groups, at most about half of all.

    A way that leaves too few on one side, because one group holds nearly everything, is left out.
    """
    groups, sizes = np.unique(clips.groups, return_counts=True)
    for draw in range(DRAWS):
        order = np.random.default_rng([seed, 3, draw]).permutation(len(groups))
        enough = int(np.searchsorted(np.cumsum(sizes[order]), min(count, len(clips) // 2))) + 1
        part = np.isin(clips.groups, groups[order[:enough]])
        if LEAST <= part.sum() <= len(clips) - LEAST:
            yield part


def _distances(
    made: Features, real: Features, part: NDArray[np.bool_], seed: int
) -> tuple[float, float, float, float, float]:
    """Kernel distance, its error and its floor, Frechet distance and its floor (nan where there are too few)."""
    kernel = KernelDistance(real[~part], seed)
    enough = enough_for_frechet(made) and enough_for_frechet(real[part])
    distances = [
        frechet(rows, real[~part]) if enough else float("nan") for rows in (made, real[part])
    ]
    return *kernel(made), kernel(real[part])[0], distances[0], distances[1]


def compare(
    calls: Sequence[Audio],
    rate: int,
    wanted: NDArray[np.int64],
    clips: ClipSet,
    ear: Ear,
    reference: Reference,
    seed: int,
) -> CallScores:
    """Score calls whose wanted classes are ``wanted`` (N,) against the recordings they were learned from.

    The ear must know all classes of the clips, and may know more. Calls are compared with one part of the recordings, and so is
    the other part, as many as there are calls: that is the floor. Groups of near-duplicates stay together, so that no recording is
    compared with itself.

    Raises:
        BadInput: the recordings cannot be parted, because nearly all are copies of each other.
    """
    real, heard_real = ear.listen([clips.sound(i)[:, None] for i in range(len(clips))], RATE)
    made, heard = ear.listen(calls, rate)
    as_heard = np.array([ear.classes.index(name) for name in clips.classes])
    parts = list(_parts(clips, len(calls), seed))
    if len(parts) < 2:
        raise BadInput(
            "Nearly all recordings are copies of each other, so there is nothing to compare calls with: give other recordings."
        )
    table = np.array([_distances(made, real, part, seed) for part in parts])
    kid, kid_error, kid_floor, distance, floor = (float(mean) for mean in table.mean(axis=0))
    enough, spread = bool(np.isfinite(table).all()), float(table[:, -1].std(ddof=1))
    flagged = sum(any(finding.fatal for finding in examine(call, rate)) for call in calls)
    copies = sum(reference.nearest(call, rate)[0] >= COPY for call in calls)
    return CallScores(
        len(calls), ear.name, 1000 * kid, 1000 * kid_error, 1000 * kid_floor,
        distance if enough else None, floor if enough else None, spread if enough else None,
        *agreement(heard.argmax(axis=1), as_heard[wanted]), *agreement(heard_real.argmax(axis=1), as_heard[clips.labels]),
        flagged, copies,
    )  # fmt: skip


def evaluate(
    maker: CallMaker,
    clips: ClipSet,
    ear: Ear,
    count: int,
    seed: int,
    out: Path,
    progress: Callable[[int], object] = lambda calls: None,
) -> CallScores:
    """Make ``count`` calls, each asked for the class of a recording drawn at random, and score them against the recordings.

    Writes ``scores.json``, ``report.txt`` and ``calls.png`` into ``out``.

    Raises:
        BadInput: too few calls or recordings, or recordings of animals that the ear does not know.
    """
    check_numbers(count, seed, what="calls")
    if count < FEWEST or len(clips) < 2 * FEWEST:
        raise BadInput(
            f"--count {count}: judging needs at least {FEWEST} calls and {2 * FEWEST} recordings; there are {len(clips)}."
        )
    if unknown := sorted(set(clips.classes) - set(ear.classes)):
        raise BadInput(
            f"The recordings are of {', '.join(unknown)} too, and the ear knows {', '.join(ear.classes)}: "
            "give recordings of these animals with --data."
        )
    labels = np.random.default_rng([seed, 7]).choice(clips.labels, count)
    calls: list[Audio] = []
    for _, take in maker.make(
        [
            CallRequest(seed=seed + i, mix={clips.classes[label]: 1.0})
            for i, label in enumerate(labels)
        ]
    ):
        calls.append(take.audio)
        progress(1)
    scores = compare(calls, maker.rate, labels, clips, ear, Reference.of(clips, ear), seed)
    make_folder(out)
    write_bytes(out / "scores.json", scores.to_json().encode())
    write_bytes(out / "report.txt", (scores.to_text() + "\n").encode())
    sheet = contact_sheet(np.stack([picture(call, maker.rate) for call in calls[:SHOWN]]))
    write_atomic(out / "calls.png", lambda file: sheet.save(file, "PNG"))
    return scores
