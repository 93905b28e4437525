"""``jungle images``: which pictures to paint, painting them, keeping the best, and saying when they look wrong."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..diffusion.checkpoint import Checkpoint
from ..diffusion.export import export_diffusers, export_safetensors
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
        name = name.strip()
        if name in shares:
            raise BadInput(f"--mix {text}: {name} is there twice; write each class once, for example --mix cat=0.6,panda=0.4.")
        try:
            shares[name] = float(share) if share else 1.0
        except ValueError:
            raise BadInput(f"--mix {text}: '{share}' is not a number; write for example --mix cat=0.6,panda=0.4.") from None
        if not name or not np.isfinite(shares[name]):
            raise BadInput(f"--mix {text}: write a class and its share, for example --mix cat=0.6,panda=0.4.")
    return shares


def check_numbers(count: int, seed: int, name: str = "--count") -> None:
    """Refuse a number of pictures, called ``name`` by the user, or a seed that is out of range.

    Raises:
        BadInput: it is.
    """
    if not 1 <= count <= MOST:
        raise BadInput(f"{name} {count}: use 1 to {MOST} pictures.")
    if not 0 <= seed <= HIGHEST_SEED - MOST:
        raise BadInput(f"--seed {seed}: use a whole number from 0 to {HIGHEST_SEED - MOST}.")


def choose(
    model: Model,
    count: int,
    seed: int,
    mix: str | None = None,
    slug: str | None = None,
    known: Sequence[Species] = (),
    keep: int = 0,
    of: int = 0,
) -> list[Species]:
    """Which animals to paint: ``count`` seeds from ``seed`` on, of one mix, of one known species, or each of its own mix.

    Raises:
        BadInput: a number out of range, an unknown species, or options that contradict each other.
    """
    check_numbers(count, seed, "--of" if of else "--count")
    if (keep or of) and not 1 <= keep <= of:
        raise BadInput(
            f"--keep {keep} --of {of}: give both, and keep at least 1 and at most as many as are painted, for example --keep 50 --of 200."
        )
    if slug is None:
        shares = None if mix is None else parse_mix(mix)
        model.mix(shares or {})  # refuses classes that the model does not know
        return [
            Species(slug="", name="", seed=one, mix=parents(model.classes, one) if shares is None else shares)
            for one in range(seed, seed + count)
        ]
    if mix is not None:
        raise BadInput("--mix and --species contradict each other: a species of jungle.toml has its own mix; give one of the two.")
    for one in known:
        if one.slug == slug:
            return [dataclasses.replace(one, seed=one.seed + number) for number in range(count)]
    names = ", ".join(one.slug for one in known) or "none: there is no jungle.toml with species in this folder"
    raise BadInput(f"--species {slug}: there is no such species; jungle.toml knows {names}.")


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
        chosen = best_of(model, np.stack(painted), species, keep)
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


def best_of(model: Model, pixels: np.ndarray, species: Sequence[Species], keep: int) -> list[int]:
    """Indices of the ``keep`` pictures (N, H, W, 3) with the best score of ``evaluate.rank``, in their own order."""
    mixes = np.stack([model.mix(one.mix).numpy() for one in species])
    score = rank(pixels, mixes, model.classes, Judge.shipped())
    return sorted(int(index) for index in np.argsort(-score, kind="stable")[:keep])


def export(model: Model, form: str, out: Path) -> Path:
    """Write the model as ``safetensors`` (bfloat16 for our network, with its description) or as a ``diffusers`` folder.

    Returns:
        The file or folder written, inside ``out``.

    Raises:
        BadInput: an unknown form, or diffusers asked of a network that it does not know.
    """
    if form == "safetensors":
        state = {name: value.detach().cpu().contiguous() for name, value in model.denoiser.net.state_dict().items()}
        if model.recipe.network == "unet":
            state = {name: value.bfloat16() for name, value in state.items()}
        described = Checkpoint(model.recipe, model.classes, model.step, model.data, state, {})
        export_safetensors(state, out / "animal_diffusion_model.safetensors", {"jungle": json.dumps(described.about(), sort_keys=True)})
        return out / "animal_diffusion_model.safetensors"
    if form != "diffusers":
        raise BadInput(f"--export {form}: choose safetensors or diffusers.")
    if model.recipe.network != "unet2d":
        raise BadInput("--export diffusers: diffusers has no class for this network, only for the faithful one; use --export safetensors.")
    export_diffusers(model.denoiser.net.state_dict(), out / "animal_diffusion_model", model.recipe.image_size)
    return out / "animal_diffusion_model"
