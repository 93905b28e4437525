"""What pictures are called: is it an animal, surely one, and is it named as photos of its kind are?

Labels are those of ImageNet, as ``imagenet.py`` gives them. A person who sees a picture asks the
same questions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..species.kinds import KindQuality
from .classifier import ImageNetScores
from .efficientnet import LABELS

OFTEN = 0.05
"""Share of a kind's photos that must get a label for it to be one of the kind's."""

COVER = 0.5
"""Share of a kind's photos that its labels should name. ImageNet has 120 breeds of dogs, and few of
them have a twentieth.
"""

Labels = NDArray[np.int64]


def usual_labels(
    top: Labels, kinds: Labels, count: int, cover: float = COVER
) -> list[dict[int, float]]:
    """For each of ``count`` kinds the labels that at least ``OFTEN`` of its photos get, and two of
    them, with their shares.

    Where these name fewer than ``cover`` of the photos, the next most frequent ones follow, as long
    as two photos get them.

    Args:
        top: (M,) the most probable ImageNet label of each photo.
        kinds: (M,) the number of its kind.
        cover: 0 keeps strictly to ``OFTEN``.
    """
    usual = []
    for kind in range(count):
        times = np.bincount(top[kinds == kind], minlength=LABELS)
        total = max(int(times.sum()), 1)

        labels: dict[int, float] = {}
        for label in np.argsort(-times, kind="stable"):
            covered = sum(labels.values()) >= cover
            if times[label] < 2 or (covered and times[label] < OFTEN * total):
                break
            labels[int(label)] = float(times[label] / total)
        usual.append({label: round(labels[label], 4) for label in sorted(labels)})
    return usual


@dataclass(frozen=True, slots=True)
class NamedShares:
    """Shares of a set of pictures, 0 to 1; ``named`` is None where no kind was asked for."""

    animal: float
    sure: float
    named: float | None


def is_named(top: Labels, kinds: Labels, usual: Sequence[dict[int, float]]) -> NDArray[np.bool_]:
    """Whether each most probable label (N,) is usual for its kind (N,); false where the kind is
    -1.
    """
    return np.array(
        [kind >= 0 and int(label) in usual[kind] for label, kind in zip(top, kinds, strict=True)],
        dtype=bool,
    )


def naming(
    look: ImageNetScores, kinds: Labels | None, usual: Sequence[dict[int, float]]
) -> NamedShares:
    """The shares of the pictures of a look, asked for ``kinds`` (N,), -1 where for none."""
    named = None
    if kinds is not None and (kinds >= 0).any():
        asked = kinds >= 0
        named = float(is_named(look.top[asked], kinds[asked], usual).mean())
    return NamedShares(float(look.animal.mean()), float(look.sure.mean()), named)


def kinds_of(
    pictures: ImageNetScores,
    asked: Labels,
    photos: ImageNetScores,
    kinds: Labels,
    classes: Sequence[str],
) -> dict[str, KindQuality]:
    """The table of kinds: how often pictures and photos of each are animals, and are named as
    photos of the kind are.

    Args:
        asked: (N,) which of ``classes`` each picture was asked for, -1 where none.
        kinds: (M,) which of ``classes`` each photo shows.
    """
    usual = usual_labels(photos.top, kinds, len(classes))
    picture_named = is_named(pictures.top, asked, usual)
    photo_named = is_named(photos.top, kinds, usual)

    def share(values: NDArray[np.bool_]) -> float:
        return round(float(values.mean()), 4) if len(values) else 0.0

    table = {}
    for index, name in enumerate(classes):
        # Photos of the same kind give each figure what it can reach at best.
        ours, real = asked == index, kinds == index
        table[name] = KindQuality(
            labels=usual[index],
            photos=int(real.sum()),
            photos_named=share(photo_named[real]),
            photos_animal=share(photos.animal[real]),
            pictures=int(ours.sum()),
            named=share(picture_named[ours]),
            animal=share(pictures.animal[ours]),
        )
    return table


def table_of_kinds(kinds: dict[str, KindQuality]) -> list[str]:
    """The table of kinds in lines of text, the best named first; kinds without pictures are left
    out.
    """
    shown = sorted(
        (name for name in kinds if kinds[name].pictures),
        key=lambda name: (-kinds[name].named, -kinds[name].animal, name),
    )
    percent: Callable[[float], str] = lambda share: f"{100 * share:.0f}"  # noqa: E731
    lines = [f"{'kind':20}{'pictures':>9}{'named %':>9}{'animal %':>10}{'photos named %':>16}"]
    for name in shown:
        kind = kinds[name]
        row = (
            f"{name:20}{kind.pictures:>9}{percent(kind.named):>9}{percent(kind.animal):>10}"
            f"{percent(kind.photos_named):>16}"
        )
        lines.append(row)
    return lines
