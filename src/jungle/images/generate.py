"""``jungle images``: which pictures to paint, painting them, keeping the best, and saying when they
look wrong.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..config.recipes import SampleRecipe
from ..diffusion.batched_sampling import SampleRequest, batch_size
from ..diffusion.checkpoint import Checkpoint, quantised
from ..diffusion.export import export_diffusers, export_safetensors
from ..diffusion.model import Model, tensors_of
from ..errors import BadInput
from ..records import Picture, Species
from ..storage.atomic import digest, write_bytes
from .classifier import shipped_classifier
from .evaluate import looks_wrong
from .rank import rank
from .sampling import encode_picture, sample_pictures, write_collection


class PictureCache(Protocol):
    """Pieces of earlier work by key."""

    def get(self, key: str) -> bytes | None:
        """The piece, or None."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Remember a piece."""
        ...


UsualLabels = Mapping[str, Mapping[int, float]]
"""What ImageNet labels photos of each kind get, as ``kinds.labels_by_kind`` gives them."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Painted pictures (N, H, W, 3) uint8 with their records, and what is wrong with them ("" =
    nothing).
    """

    pictures: tuple[Picture, ...]
    pixels: np.ndarray
    trouble: str


def paint_animals(  # noqa: PLR0913
    model: Model,
    species: Sequence[Species],
    recipe: SampleRecipe,
    out: Path,
    keep: int = 0,
    progress: Callable[[int], object] = lambda done: None,
    memory: PictureCache | None = None,
    labels: UsualLabels | None = None,
) -> Gallery:
    """Paint one picture of each species and write all (or the ``keep`` best by score) as
    fictional_animal_N.png into ``out``.

    Each picture is written as soon as it is painted, unless the best are to be chosen; the zip and
    the sheet come last. What ``memory`` knows is not painted again. ``labels`` are needed to keep
    the best: see :func:`rank_best`.

    Raises:
        BadInput: an unknown class, or a solver that does not fit the model.
    """
    wishes = [SampleRequest(animal.seed, model.mix(animal.mix)) for animal in species]
    painted: list[np.ndarray] = []

    # Pictures that were painted before are not painted again.
    keys = [_key(model, one, recipe) for one in species] if memory else []
    for index, pixels in _paint_new(model, wishes, recipe, memory, keys):
        painted.append(pixels)
        if not keep:
            write_bytes(
                out / picture_file_name(index),
                encode_picture(pixels, _record(model, species[index], recipe, index, pixels)),
            )
        progress(index + 1)

    chosen = (
        rank_best(model, np.stack(painted), species, keep, labels or {})
        if keep
        else list(range(len(species)))
    )
    kept = np.stack([painted[index] for index in chosen])
    pictures = [
        _record(model, species[index], recipe, number, painted[index])
        for number, index in enumerate(chosen)
    ]

    if keep:
        for picture, pixels in zip(pictures, kept, strict=True):
            write_bytes(out / picture.file, encode_picture(pixels, picture))

    # Contact sheet and zip come last: they exist only when every picture does.
    write_collection(out, list(zip(pictures, kept, strict=True)))

    return Gallery(tuple(pictures), kept, looks_wrong(kept) or "")


def best_of_n(  # noqa: PLR0913
    model: Model,
    species: Sequence[Species],
    seeds: Sequence[Sequence[int]],
    recipe: SampleRecipe,
    memory: PictureCache,
    labels: UsualLabels,
    progress: Callable[[int], object] = lambda done: None,
) -> list[Species]:
    """Each species with the one of its ``seeds`` whose picture shows its parents best, by the score
    of ``rank.rank``.

    ``progress`` is called after each picture. What ``memory`` knows is not painted again.
    """
    tried = [
        dataclasses.replace(one, seed=seed)
        for one, some in zip(species, seeds, strict=True)
        for seed in some
    ]
    wishes = [SampleRequest(item.seed, model.mix(item.mix)) for item in tried]
    painted = []

    for _, pixels in _paint_new(
        model, wishes, recipe, memory, [_key(model, one, recipe) for one in tried]
    ):
        painted.append(pixels)
        progress(1)

    # One score over all sketches, so that the network reads them in large batches.
    score = _scores(model, np.stack(painted), tried, labels)
    starts = np.cumsum([0, *(len(some) for some in seeds)])

    return [tried[start + int(np.argmax(score[start:end]))] for start, end in pairwise(starts)]


def _key(model: Model, one: Species, recipe: SampleRecipe) -> str:
    """All that decides the pixels of a picture."""
    return digest(
        "picture",
        model.hash,
        repr(recipe),
        one.seed,
        one.mix,
        str(model.device),
        batch_size(model.device, recipe),
    )


def _paint_new(
    model: Model,
    wishes: Sequence[SampleRequest],
    recipe: SampleRecipe,
    memory: PictureCache | None,
    keys: Sequence[str],
) -> Iterator[tuple[int, np.ndarray]]:
    """As ``sample_pictures``, but only what ``memory`` does not know by its key."""
    if memory is None:
        yield from sample_pictures(model, wishes, recipe)
        return
    known = [memory.get(key) for key in keys]
    new = sample_pictures(
        model, [wish for wish, packed in zip(wishes, known, strict=True) if packed is None], recipe
    )
    for index, packed in enumerate(known):
        if packed is None:
            pixels = next(new)[1]
            memory.put(keys[index], pixels.tobytes())
            yield index, pixels
        else:
            yield index, np.frombuffer(packed, np.uint8).reshape(*model.size, 3)


def picture_file_name(index: int) -> str:
    """File name of the picture with this index; people count from 1."""
    return f"fictional_animal_{index + 1}.png"


def _record(
    model: Model, one: Species, recipe: SampleRecipe, index: int, pixels: np.ndarray
) -> Picture:
    return Picture(
        file=picture_file_name(index),
        width=pixels.shape[1],
        height=pixels.shape[0],
        seed=one.seed,
        mix=one.mix,
        model=model.hash,
        solver=recipe.solver,
        steps=recipe.steps,
        guidance=recipe.guidance,
        species=one.slug,
    )


def _scores(
    model: Model, pixels: np.ndarray, species: Sequence[Species], labels: UsualLabels
) -> NDArray[np.float64]:
    mixes = np.stack([model.mix(one.mix).numpy() for one in species])
    return rank(pixels, mixes, model.classes, labels, shipped_classifier())


def rank_best(
    model: Model, pixels: np.ndarray, species: Sequence[Species], keep: int, labels: UsualLabels
) -> list[int]:
    """Indices of the ``keep`` pictures (N, H, W, 3) with the best score of ``rank.rank``, in their
    own order.
    """
    score = _scores(model, pixels, species, labels)
    return sorted(int(index) for index in np.argsort(-score, kind="stable")[:keep])


def export(model: Model, form: str, out: Path) -> Path:
    """Write the model as ``safetensors`` (bfloat16 for our network; ``int8``: half of that), with
    its description, or for ``diffusers``.

    Returns:
        The file or folder written, inside ``out``.

    Raises:
        BadInput: an unknown form, or diffusers asked of a network that it does not know.
    """
    if model.weak and (form == "diffusers" or model.recipe.weak is None):
        raise BadInput(
            "<--export> with a weaker model: only as safetensors or int8, and only one of the same "
            "kind."
        )

    if model.origin is not None and (
        form != "diffusers" or "num_class_embeds" in model.origin.config
    ):
        raise BadInput(
            "<--export> of somebody else's model: only <--export> diffusers, and only of a network "
            "without classes."
        )

    if form in ("safetensors", "int8"):
        state = {
            name: value.detach().cpu().contiguous() for name, value in tensors_of(model).items()
        }

        # bfloat16 keeps the range of float32 in half the size; the faithful network stays exact,
        # as others will load it.
        if form == "int8":
            state = quantised(state)
        elif model.recipe.network == "unet":
            state = {name: value.bfloat16() for name, value in state.items()}

        described = Checkpoint(
            model.recipe, model.classes, model.step, model.data, state, {}, model.shrunk
        )
        export_safetensors(
            state,
            out / "animal_diffusion_model.safetensors",
            {"jungle": json.dumps(described.about(), sort_keys=True)},
        )
        return out / "animal_diffusion_model.safetensors"

    if form != "diffusers":
        raise BadInput(f"<--export> {form}: choose safetensors, int8 or diffusers.")

    if model.recipe.network != "unet2d":
        raise BadInput(
            "<--export> diffusers: diffusers has no class for this network, only for the faithful "
            "one; use <--export> safetensors."
        )

    state, folder, size = (
        model.denoiser.net.state_dict(),
        out / "animal_diffusion_model",
        model.recipe.image_size,
    )

    if model.origin is None:
        export_diffusers(state, folder, size)
    else:
        export_diffusers(
            state, folder, size, model.origin.betas, model.origin.steps, model.origin.prediction
        )

    return folder
