"""How well a model shows each kind of animal, as ``jungle evaluate --kinds`` measured it, and which
kinds are worth inventing from.

The file lies beside a model's file under its name: ``photo64.kinds.json`` beside
``photo64.safetensors``.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..weights import shipped

FORMAT = 1
SHIPPED = "photo64.kinds.json"
SUFFIX = ".kinds.json"

LEAST_NAMED = 0.2
"""Share of a kind's pictures that must be named rightly for it to be invented from, where enough
kinds reach it.
"""

FEWEST = 8
"""Kinds that are invented from at least, the best named ones, where a model knows so many."""


@dataclass(frozen=True, slots=True)
class KindQuality:
    """One kind of animal: what ImageNet labels its photos get, and how often a model's pictures of
    it get one of them.

    A picture is *named* as photos of its kind are where its most probable label is in ``labels``.
    Shares are 0 to 1.
    """

    labels: Mapping[int, float]
    """The labels that its photos usually get (``images.labels.usual_labels``), each with the share
    of photos that get it.
    """

    photos: int
    photos_named: float
    photos_animal: float
    """Share of photos whose most probable label is any animal."""

    pictures: int
    named: float
    animal: float


@dataclass(frozen=True, slots=True)
class ClassQualityReport:
    """The kinds of one model; ``model`` is the hash of its weights, ``judge`` the name of what saw
    photos and pictures.
    """

    model: str = ""
    judge: str = ""
    kinds: Mapping[str, KindQuality] = field(default_factory=dict)

    def to_json(self) -> str:
        """The file's text; the same report gives the same text."""
        values = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def path_beside(model_file: Path) -> Path:
    """Where the report on a model's file lies: ``model.pth`` -> ``model.kinds.json``."""
    return model_file.with_suffix(SUFFIX)


def read_report(path: Path) -> ClassQualityReport:
    """Read a file that ``jungle evaluate --kinds`` wrote.

    Raises:
        BadInput: it cannot be read, or is something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise BadInput(
                f"{path} has the format {values['format']}, not {FORMAT}: write it again with  "
                "jungle evaluate --kinds."
            )
        kinds = {name: _kind(fields) for name, fields in values["kinds"].items()}
        return ClassQualityReport(str(values["model"]), str(values["judge"]), kinds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(
            f"{path} is no report on kinds: remove it, or write it again with  jungle evaluate "
            "--kinds."
        ) from None


def _kind(fields: dict[str, Any]) -> KindQuality:
    labels = {int(label): float(share) for label, share in fields["labels"].items()}
    return KindQuality(
        labels=labels,
        photos=int(fields["photos"]),
        photos_named=float(fields["photos_named"]),
        photos_animal=float(fields["photos_animal"]),
        pictures=int(fields["pictures"]),
        named=float(fields["named"]),
        animal=float(fields["animal"]),
    )


def of_model(model_file: Path, model_hash: str) -> ClassQualityReport:
    """The report beside a model's file; an empty one where there is none, or where it is of other
    weights.

    Raises:
        BadInput: the file there is no report.
    """
    path = path_beside(model_file)
    report = read_report(path) if path.is_file() else ClassQualityReport()
    return report if report.model == model_hash else ClassQualityReport()


def labels_by_kind(report: ClassQualityReport) -> dict[str, Mapping[int, float]]:
    """What labels photos of each kind get: of the report, and of the shipped one for kinds that it
    does not tell of.

    Labels are a matter of the photos, not of a model, so that they serve every model with a kind of
    that name.
    """
    known = {**read_report(shipped(SHIPPED)).kinds, **report.kinds}
    return {name: kind.labels for name, kind in known.items()}


def to_invent_from(
    classes: Sequence[str], report: ClassQualityReport, count: int = 1
) -> tuple[str, ...]:
    """Those of a model's classes that ``count`` animals are invented from, in the order of
    ``classes``.

    Of the kinds in the report, those are taken that are in its better half by the share of pictures
    named and reach ``LEAST_NAMED``; if these are fewer than ``FEWEST``, or too few for ``count``
    different pairs, the next best follow. All classes are taken where the report tells of fewer
    than two.
    """
    measured = [name for name in classes if name in report.kinds and report.kinds[name].pictures]
    if len(measured) < 2:
        return tuple(classes)

    ranked = sorted(
        measured, key=lambda name: (-report.kinds[name].named, -report.kinds[name].animal, name)
    )
    better_half = ranked[: (len(ranked) + 1) // 2]

    # The better half, without those that are hardly ever named, but never so few that animals
    # repeat.
    enough = sum(report.kinds[name].named >= LEAST_NAMED for name in better_half)

    number = max(enough, FEWEST)
    while number < len(ranked) and number * (number - 1) // 2 < count:
        number += 1
    chosen = set(ranked[:number])
    return tuple(name for name in classes if name in chosen)
