"""``jungle images``: which pictures to paint, painting them, keeping the best, and saying when they look wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..diffusion.model import Model
from ..errors import BadInput
from ..recipes import SampleRecipe
from ..records import Picture, Species
from ..species import parents
from .evaluate import looks_wrong, rank
from .judge import Judge
from .paint import Wish, paint, write_pictures

MOST = 100_000  # pictures in one command
HIGHEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Gallery:
    """Painted pictures (N, H, W, 3) uint8 with their records, and what is wrong with them ("" = nothing)."""

    pictures: tuple[Picture, ...]
    pixels: np.ndarray
    trouble: str


def parse_mix(text: str) -> dict[str, float]:
    """``cat=0.6,panda=0.4`` -> shares; a name alone counts 1.

    Raises:
        BadInput: a share that is not a number.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            shares[name.strip()] = float(share) if share else 1.0
        except ValueError:
            raise BadInput(f"--mix {text}: '{share}' is not a number; write for example --mix cat=0.6,panda=0.4.") from None
        if not name or not np.isfinite(shares[name.strip()]):
            raise BadInput(f"--mix {text}: write a class and its share, for example --mix cat=0.6,panda=0.4.")
    return shares


def animals(model: Model, count: int, seed: int, mix: dict[str, float] | None) -> list[Species]:
    """``count`` nameless animals of the seeds from ``seed`` on; without a ``mix`` each seed decides its own.

    Raises:
        BadInput: a count or seed out of range.
    """
    if not 1 <= count <= MOST:
        raise BadInput(f"--count {count}: use 1 to {MOST} pictures.")
    if not 0 <= seed <= HIGHEST_SEED - MOST:
        raise BadInput(f"--seed {seed}: use a whole number from 0 to {HIGHEST_SEED - MOST}.")
    seeds = range(seed, seed + count)
    return [Species(slug="", name="", seed=one, mix=parents(model.classes, one) if mix is None else mix) for one in seeds]


def paint_animals(
    model: Model,
    species: Sequence[Species],
    recipe: SampleRecipe,
    out: Path,
    keep: int = 0,
    progress: Callable[[int], object] = lambda done: None,
) -> Gallery:
    """Paint one picture of each species and write all (or the ``keep`` best by score) as fictional_animal_N.png into ``out``.

    Raises:
        BadInput: an unknown class, or a solver that does not fit the model.
    """
    wishes = [Wish(one.seed, model.mix(one.mix)) for one in species]
    painted = []
    for index, pixels in paint(model, wishes, recipe):
        painted.append(pixels)
        progress(index + 1)
    chosen = list(range(len(species)))
    if keep:
        chosen = best_of(np.stack(painted), [one.mix for one in species], keep)
    pictures = []
    for number, index in enumerate(chosen, start=1):
        one, pixels = species[index], painted[index]
        record = Picture(
            file=f"fictional_animal_{number}.png", width=pixels.shape[1], height=pixels.shape[0], seed=one.seed, mix=one.mix,
            model=model.hash, solver=recipe.solver, steps=recipe.steps, guidance=recipe.guidance, species=one.slug,
        )  # fmt: skip
        pictures.append(record)
    kept = np.stack([painted[index] for index in chosen])
    write_pictures(out, list(zip(pictures, kept, strict=True)))
    return Gallery(tuple(pictures), kept, looks_wrong(kept) or "")


def best_of(pixels: np.ndarray, mixes: Sequence[dict[str, float]], keep: int) -> list[int]:
    """Indices of the ``keep`` pictures (N, H, W, 3) with the best score, in their own order.

    Raises:
        BadInput: more are to be kept than there are.
    """
    if not 1 <= keep <= len(pixels):
        raise BadInput(f"--keep {keep}: keep at least 1 and at most the {len(pixels)} pictures that --of paints.")
    judge = Judge.shipped()
    score = rank(pixels, list(mixes), judge)
    return sorted(int(index) for index in np.argsort(-score, kind="stable")[:keep])


