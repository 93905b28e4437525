"""From a recipe or a file to a model that can be sampled or trained: the one place where networks
are built.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..config.recipe_table import find_recipe
from ..config.recipes import Recipe, override, parse_whole_number
from ..errors import BadCheckpoint, BadInput
from . import checkpoint
from .denoiser import OBJECTIVES, EdmDenoiser, OwnDenoiser, Trainable
from .device import Compute
from .diffusers_compat import state_dict
from .expert_denoisers import NoiseLevelExperts
from .train import seed_of
from .unet import UNet

WEAK = "weak."  # before the names of the weights of a weaker model
LOAD_OPTIONS: dict[str, tuple[str, ...]] = {
    "image_size": (),
    "timesteps": (),
    "head_dim": (),
    "betas": ("linear", "scaled_linear", "squaredcos_cap_v2"),
    "prediction": ("epsilon", "v_prediction", "sample"),
}


def load_option(key: str, hints: Mapping[str, str]) -> Any:
    """The choice for ``key``, the first one by default.

    Raises:
        BadInput: there is no such choice.
    """
    choice = hints.get(key, LOAD_OPTIONS[key][0])
    if choice not in LOAD_OPTIONS[key]:
        raise BadInput(f"{key}={choice}: choose one of {', '.join(LOAD_OPTIONS[key])}.")
    return choice


@dataclass(frozen=True, slots=True)
class Model:
    """A network behind the denoiser contract, and what is known about it."""

    denoiser: Trainable
    recipe: Recipe
    classes: tuple[str, ...]
    step: int
    hash: str  # of the weights
    data: str  # fingerprint of the photos, "" where it is not known
    device: torch.device
    note: str = ""  # what was inferred, for somebody else's file
    origin: state_dict.ForeignModel | None = None  # what somebody else's file is
    shrunk: int = 1  # 2: saved in the first part of its training, paints at half size
    weak: Trainable | None = None  # one that learned less, which guidance leads away from

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the pictures it paints."""
        high, wide = self.recipe.size
        return high // self.shrunk, wide // self.shrunk

    def mix(self, shares: dict[str, float]) -> Tensor:
        """Class weights (K,) that sum to 1; an empty mix means any animal (all zeros).

        Raises:
            BadInput: a class that the model does not know, a negative share, or shares that sum to
                nothing.
        """
        weights = torch.zeros(len(self.classes))

        for name, share in shares.items():
            if name not in self.classes:
                known = (
                    ", ".join(self.classes)
                    if self.classes
                    else "none: it was trained without classes"
                )
                raise BadInput(f"This model knows no '{name}'; its animals are {known}.")
            weights[self.classes.index(name)] = share

        if not shares:
            return weights

        if bool((weights < 0).any()) or not 0 < float(weights.sum()) < float("inf"):
            raise BadInput(
                "The shares of a mix must not be negative and must not sum to 0, for example "
                "cat=0.6,panda=0.4."
            )

        return weights / weights.sum()


def build_model(recipe: Recipe, classes: int, compute: Compute) -> Trainable:
    """A new network with the weights that ``recipe.seed`` decides, on the device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(recipe.seed, 0))

        # diffusers is an optional library and slow to import.
        if recipe.network == "unet2d":
            from .diffusers_compat import ddpm

            denoiser: Trainable = ddpm.DdpmDenoiser(
                ddpm.build_unet2d(recipe.image_size), dtype=compute.dtype
            )
        else:
            kind = OBJECTIVES.get(recipe.objective, EdmDenoiser)
            net = (
                NoiseLevelExperts(recipe.net, recipe.fine, recipe.fine_below, classes)
                if recipe.fine
                else UNet(recipe.net, classes)
            )
            denoiser = kind(net, recipe, compute.dtype)
    return _placed(denoiser, compute)


def inherit(denoiser: Trainable, recipe: Recipe, classes: Sequence[str], start: Model) -> None:
    """Give a new network the weights of ``start``. A class that it does not know begins as the mean
    of those that it knows.

    Raises:
        BadInput: it has another network, or learned something else.
    """
    same = ("network", "net", "fine", "fine_below", "objective")
    if any(getattr(start.recipe, key) != getattr(recipe, key) for key in same):
        raise BadInput(
            f"<--start>: that model has the network of the recipe '{start.recipe.name}', which is "
            f"not that of '{recipe.name}': "
            "give a model and a recipe that fit together."
        )

    weights = {name: value.clone() for name, value in start.denoiser.net.state_dict().items()}

    # A class embedding has a column for each class, in the order of the photos' folders.
    for name, value in weights.items():
        if name.endswith("classes.weight"):  # (width, classes)
            known = {one: value[:, number] for number, one in enumerate(start.classes)}
            weights[name] = torch.stack(
                [known.get(one, value.mean(dim=1)) for one in classes], dim=1
            )

    denoiser.net.load_state_dict(weights)


def with_guide(model: Model, weak: Model) -> Model:
    """``model``, guided away from ``weak`` (autoguidance, arXiv 2406.02507), as it is painted with
    and exported.

    Its network is in the recipe, and so can be exported, if it is of the same kind.

    Raises:
        BadInput: ``weak`` knows other classes or paints another size.
    """
    if (weak.classes, weak.size) != (model.classes, model.size):
        raise BadInput(
            "<--weak>: that model knows other animals or paints another size; take a copy of the "
            "same model that was trained less."
        )

    # Both fit into one file only if the weaker one is described by its network alone.
    net = None if weak.recipe.fine else weak.recipe.net
    mine, other = (
        (item.network, item.objective, item.sigma_data) for item in (model.recipe, weak.recipe)
    )
    made = dataclasses.replace(
        model,
        weak=weak.denoiser,
        recipe=dataclasses.replace(model.recipe, weak=net if mine == other else None),
    )

    return dataclasses.replace(made, hash=fingerprint(tensors_of(made)))


def tensors_of(model: Model) -> dict[str, Tensor]:
    """All weights by name; those of a weaker model begin with WEAK."""
    weak = model.weak.net.state_dict() if model.weak else {}
    return model.denoiser.net.state_dict() | {WEAK + name: value for name, value in weak.items()}


def _placed(denoiser: Trainable, compute: Compute) -> Trainable:
    denoiser.net.to(compute.device)
    for parameter in denoiser.net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return denoiser


def fingerprint(weights: dict[str, Tensor]) -> str:
    """16 hexadecimal digits that name the weights, whatever file they lie in."""
    hasher = hashlib.blake2b(digest_size=8)
    for name in sorted(weights):
        hasher.update(
            name.encode() + weights[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return hasher.hexdigest()


def load_model(
    path: Path, compute: Compute, hints: Mapping[str, str] | None = None, weights: str = "best"
) -> Model:
    """Open any model file: ours, safetensors, or a bare ``UNet2DModel`` state dict.

    Args:
        hints: what other people's files do not say: image_size, betas (linear, scaled_linear,
            squaredcos_cap_v2), timesteps, prediction (epsilon, v_prediction, sample) and head_dim;
            see HINTS.
        weights: "best" (averaged where there are averages) or "raw".

    Raises:
        BadCheckpoint: the file cannot be used, or was trained at another size than ``image_size``.
    """
    hints = hints or {}
    image_size = parse_whole_number("image_size", hints.get("image_size", "0"))

    result = checkpoint.read_checkpoint(path)
    if isinstance(result, checkpoint.Checkpoint):
        if image_size and image_size != result.recipe.image_size:
            raise BadCheckpoint(
                f"{path} was trained at image_size={result.recipe.image_size} and paints noise at "
                f"{image_size}: leave image_size out, "
                "and enlarge the pictures afterwards."
            )

        tensors = dict(result.best if weights == "best" else result.weights)

        try:
            denoiser, weak = _networks(result.recipe, len(result.classes), tensors, compute)
        except (
            RuntimeError,
            ValueError,
            TypeError,
            LookupError,
            ArithmeticError,
        ) as error:
            # what torch says to shapes that do not fit
            reason = (str(error).splitlines() or [""])[-1].strip(" .")[:200]
            raise BadCheckpoint(
                f"{path} does not hold the network that its description promises ({reason}): train "
                "again."
            ) from None

        # Said once, because the size of the pictures surprises otherwise.
        note = (
            "It was saved in the first part of its training, which works at half size, so it "
            "paints small pictures."
            if result.shrunk > 1
            else ""
        )

        for one in (denoiser, weak):
            if isinstance(one, OwnDenoiser):
                one.shrink(result.shrunk)

        name = fingerprint(tensors)
        # the faithful network does not know them
        classes = result.classes if result.recipe.network == "unet" else ()
        return Model(
            denoiser,
            result.recipe,
            classes,
            result.step,
            name,
            result.data,
            compute.device,
            note,
            shrunk=result.shrunk,
            weak=weak,
        )

    return _load_foreign(path, result, compute, hints)


def _networks(
    recipe: Recipe, classes: int, tensors: Mapping[str, Tensor], compute: Compute
) -> tuple[Trainable, Trainable | None]:
    """The network of a recipe and its weaker one, if it has one, with their weights."""
    kinds = {"": recipe} | (
        {WEAK: dataclasses.replace(recipe, net=recipe.weak, fine=None, fine_below=0.0)}
        if recipe.weak
        else {}
    )
    made: list[Trainable] = []

    # The weaker network lies in the same file, its names behind a prefix.
    for prefix, kind in kinds.items():
        own = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(WEAK) == bool(prefix)
        }
        denoiser = build_model(kind, classes, compute)
        denoiser.net.load_state_dict(own)
        denoiser.net.eval()
        made.append(denoiser)

    return made[0], made[1] if recipe.weak else None


def _load_foreign(
    path: Path, state: dict[str, Tensor], compute: Compute, hints: Mapping[str, str]
) -> Model:
    recipe = override(find_recipe("faithful"), {"image_size": hints.get("image_size", "64")})

    known = state_dict.recognise(
        state,
        size=recipe.image_size,
        betas=load_option("betas", hints),
        steps=parse_whole_number("timesteps", hints.get("timesteps", "0")),
        prediction=load_option("prediction", hints),
        head_dim=parse_whole_number("head_dim", hints.get("head_dim", "8")),
    )
    if known is None:
        raise BadCheckpoint(
            f"{path} holds no network that jungle knows: it opens its own models and state dicts "
            "of diffusers' UNet2DModel."
        )

    denoiser = _placed(known.denoiser(compute.dtype), compute)
    denoiser.net.eval()
    recipe = dataclasses.replace(recipe, name="imported")
    classes = tuple(str(index) for index in range(known.config.get("num_class_embeds") or 0))

    return Model(
        denoiser,
        recipe,
        classes,
        0,
        fingerprint(known.state),
        "",
        compute.device,
        known.summary,
        known,
    )
