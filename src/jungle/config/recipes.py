"""Typed recipes. A run is fully described by one ``Recipe``, which travels inside every checkpoint.

``-o key=value`` changes one scalar field (:func:`override`); a wrong key or value is one sentence.
The recipes that have a name are in ``recipe_table.py``.
"""

import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, Self, TypeVar

from ..errors import BadInput

Medium = Literal["photos", "recordings"]
LimitOrder = Literal["balanced", "path", "shuffled"]
Aspect = Literal["1:1", "3:2", "4:3"]
Crop = Literal["crop", "animal", "squash"]
Corners = Literal["skip", "keep"]
Curate = Literal["yes", "no"]
Augment = Literal["safe", "flip", "original", "none"]
NetworkName = Literal["unet", "unet2d"]
Objective = Literal["edm", "flow", "epsilon", "ddpm"]
Solver = Literal["heun", "dpm2m", "ddim", "ancestral", "consistency", "ddpm"]

SIZE_STEP = 16
"""Sides of pictures are multiples of this, so that every shipped network can halve them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRecipe:
    """How pictures are drawn from a model.

    ``steps`` counts noise levels; Heun evaluates the network twice a level.
    """

    steps: int = 25
    solver: Solver = "dpm2m"
    guidance: float = 3.0  # 1.0 means none
    guidance_low: float = 0.0  # guidance acts only where low < sigma <= high (arXiv 2404.07724)
    guidance_high: float = 1e9
    weak_mix: float = 1.0  # share of the class weights that a weaker, guiding network is told
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0  # spacing of the noise levels (EDM, equation 5)
    batch: int = 0  # pictures at once; 0 = chosen for the device

    def __post_init__(self) -> None:
        low, high = self.sigma_min, self.sigma_max
        _check(
            self,
            (
                "steps",
                1 <= self.steps <= 10_000,
                "sampling takes 1 to 10000 steps (25 is a good start).",
            ),
            (
                "guidance",
                0 <= self.guidance <= 50,
                "use a number from 0 to 50 (1 means none, 1.5 to 3 is usual).",
            ),
            ("weak_mix", 0 <= self.weak_mix <= 1, "use a share from 0 (no classes) to 1 (all)."),
        )

        # Levels fall from sigma_max to sigma_min: this is about two fields, not the range of one.
        if not 0 < low < high:
            raise BadInput(f"sigma_min={low} must be above 0 and below sigma_max={high}.")
        _check(
            self,
            ("sigma_min", low >= 1e-6, "use at least 0.000001 (0.002 is usual)."),
            ("sigma_max", high <= 1e6, "use at most 1000000 (80 is usual)."),
            ("rho", 0.1 <= self.rho <= 100, "use a number from 0.1 to 100 (7 is usual)."),
            (
                "batch",
                0 <= self.batch <= 65_536,
                "use 1 to 65536 pictures at once, or 0 for a good choice.",
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NetRecipe:
    """The shape of a ``UNet`` (``diffusion/unet.py``).

    A level is one resolution: level 0 works on pictures shrunk ``patch`` times, each next level on
    half of that. Of the ``blocks`` of a level on the way down, every level but the last has as many
    on the way up.
    """

    image_channels: int = 3
    extra_channels: int = 0  # input only: the small picture when enlarging
    patch: int = 4  # side of the squares of pixels that become channels (space to depth)
    widths: tuple[int, ...] = (128, 384)  # channels a level; multiples of 64 where attention is
    blocks: tuple[int, ...] = (1, 3)  # residual blocks a level
    attention: tuple[int, ...] = (1,)  # levels whose blocks are followed by self-attention
    embedding: int = 256  # width of the vector of noise level and classes; a multiple of 32
    dropout: float = 0.0  # in the last level only, where a small photo set overfits first


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialRecipe:
    """The second part of a training run (``diffusion/adversarial.py``)."""

    batch: int = 32  # generated pictures an update, and as many photos
    photo_share: float = 0.25  # of the batch: noisy photos, whose answer is compared with the photo
    lr: float = 2e-4  # of the generator
    head_lr: float = 4e-4  # of the discriminator
    beta2: float = 0.99
    warmup: int = 100  # updates
    fall: float = 0.3  # of the updates, the last ones, in which both rates fall to zero
    ema: float = 0.05  # relative width of the power-function average
    sizes: tuple[int, ...] = tuple(range(128, 225, 16))  # short sides the frozen net sees, drawn
    noise_share: float = 0.5  # of the updates: the frozen network sees everything with noise
    noise: float = 0.2  # its largest sigma, in pixels from -1 to 1
    mixed: float = 0.15  # share of pictures asked for as a mix of two classes
    pixel_weight: float = 2.0  # of the discriminator of pixels, against each of those of maps
    class_weight: float = 0.2  # of the cross-entropy of the class asked for
    drift_weight: float = 3.0  # of the pull of each feature to near ones of photos; 0 = none
    gap_weight: float = 20.0  # of the pull of a class to the mean feature of its photos
    contrast: float = 1.5  # how much further that pull goes, away from the mean of all classes
    moment_weight: float = 50.0  # of the pull of all pictures to the mean feature of photos
    confidence_weight: float = 5.0  # of the pull to photos in how sure the frozen network is
    colour_weight: float = 1.0  # of the pull to the colours of photos, their means and spreads
    repeat_weight: float = 0.3  # against detail that repeats with the network's lattice
    photo_weight: float = 10.0  # of the squared error to photos


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Everything that decides a training run, apart from the photos and the device."""

    name: str
    media: Medium = "photos"

    # data
    image_size: int = 64  # short side in pixels; of recordings, the number of frequencies
    aspect: Aspect = "1:1"  # width:height
    crop: Crop = "crop"  # the middle, a window that follows the animal, or all of it squeezed
    curate: Curate = "yes"  # leave out photos in which a pretrained network sees no animal
    corners: Corners = "skip"  # photos with dark, empty corners: generated ones would have them too
    limit: int = 0  # at most so many photos; 0 = all
    order: LimitOrder = "balanced"  # which photos a limit keeps
    augment: Augment = "safe"
    balance: float = 0.5  # a class of n photos is drawn in proportion to n ** (1 - balance)

    # model
    network: NetworkName = "unet"
    net: NetRecipe = field(default_factory=NetRecipe)
    fine: NetRecipe | None = (
        None  # a network for the lowest noise levels, where only detail is left
    )
    fine_below: float = 0.0  # the sigma below which it works
    weak: NetRecipe | None = None  # learned less, for guidance to lead away from; trained no more
    objective: Objective = "flow"
    # log-normal density of sigma in training (EDM, table 1; for flow: of t / (1 - t))
    p_mean: float = 0.4
    p_std: float = 1.4
    sigma_data: float = 0.5

    # training
    seed: int = 0
    steps: int = 0  # updates; 0 = from epochs
    epochs: float = 30.0
    small_share: float = 0.5  # of the updates, the first ones, at half size: four times faster
    batch: int = 32  # photos an update
    micro_batch: int = 0  # photos at once; 0 = the whole batch
    lr: float = 3e-3
    warmup: int = 300  # updates
    decay: Literal["constant", "rsqrt", "wsd"] = "wsd"
    beta2: float = 0.99
    weight_decay: float = 0.01
    clip: float = 1.0  # gradient norm; 0 = off
    ema: float = 0.05  # relative width of the power-function EMA (EDM2, section 3.1); 0 = off
    drop_mix: float = 0.1  # share of photos trained without their class, for guidance
    checkpoint_every: int = 0  # updates, beside every two minutes; 0 = only the two minutes
    # of the minutes, or of the updates: the last ones, which make it a sampler of few evaluations
    adversarial_share: float = 0.0
    adversarial: AdversarialRecipe = field(default_factory=AdversarialRecipe)
    sample: SampleRecipe = field(default_factory=SampleRecipe)

    def __post_init__(self) -> None:
        _check(
            self,
            (
                "image_size",
                SIZE_STEP <= self.image_size <= 1024 and self.image_size % SIZE_STEP == 0,
                f"use a multiple of {SIZE_STEP} from {SIZE_STEP} to 1024 (64 is usual).",
            ),
            (
                "limit",
                self.limit >= 0 and self.limit != 1,
                "use the number of photos or recordings to keep, 2 or more, or 0 for all.",
            ),
            ("steps", self.steps >= 0, "use the number of updates, or 0 to count in epochs."),
            ("epochs", 0 < self.epochs <= 1e6, "use a number above 0."),
            ("batch", 1 <= self.batch <= 65_536, "use 1 to 65536 photos an update."),
            (
                "micro_batch",
                0 <= self.micro_batch <= self.batch,
                f"use 1 to batch={self.batch}, or 0 for the whole batch.",
            ),
            ("seed", 0 <= self.seed < 2**63, "use a whole number from 0 to 2^63 - 1."),
            ("p_mean", -10 <= self.p_mean <= 10, "use a number from -10 to 10 (0.4 is usual)."),
            ("p_std", 0 < self.p_std <= 10, "use a number above 0 and at most 10 (1.4 is usual)."),
            # a second network and the level below which it works: both or neither
            (
                "fine_below",
                (self.fine is None) == (self.fine_below == 0) and self.fine_below >= 0,
                "use a sigma above 0 with a network for detail, and 0 without.",
            ),
            (
                "sigma_data",
                0 < self.sigma_data <= 100,
                "use the deviation of the pictures, above 0 (0.5 is usual).",
            ),
            ("beta2", 0 <= self.beta2 < 1, "use a share from 0 to below 1 (0.99 is usual)."),
            (
                "weight_decay",
                0 <= self.weight_decay <= 10,
                "use a number from 0 to 10 (0.01 is usual).",
            ),
            ("lr", 0 < self.lr <= 1, "use a learning rate above 0 and at most 1 (0.001 is usual)."),
            (
                "balance",
                0 <= self.balance <= 1,
                "use 0 (as found) to 1 (every class equally often).",
            ),
        )

        # The power function of EDM2 (algorithm 2) is 0.2887 wide where its exponent is 0.
        _check(
            self,
            (
                "ema",
                0 <= self.ema < 0.29,
                "use 0 (off) to 0.28 (relative width of the average; 0.1 is usual).",
            ),
            ("drop_mix", 0 <= self.drop_mix < 1, "use a share from 0 to below 1."),
            ("small_share", 0 <= self.small_share <= 0.9, "use a share from 0 to 0.9."),
            ("warmup", self.warmup >= 0, "use the number of updates, 0 for none."),
            ("clip", self.clip >= 0, "use a gradient norm, or 0 for none."),
            ("checkpoint_every", self.checkpoint_every >= 0, "use a number of updates, or 0."),
            (
                "adversarial_share",
                0 <= self.adversarial_share <= 1,
                "use a share from 0 (diffusion only) to 1 (adversarial training only).",
            ),
            (
                "adversarial_share",
                self.adversarial_share == 0 or (self.media, self.network) == ("photos", "unet"),
                "adversarial training is for our own network and photos only; leave it out.",
            ),
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a picture in pixels; the short side is ``image_size``."""
        wide, high = (int(part) for part in self.aspect.split(":"))
        return self.image_size, round(self.image_size * wide / high / SIZE_STEP) * SIZE_STEP

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads back.

        A recipe without curation or adversarial training is written as before there was any, so
        that a run begun then goes on.
        """
        values = dataclasses.asdict(self)
        if self.curate == "no":
            del values["curate"]
        if self.adversarial_share == 0:
            del values["adversarial_share"], values["adversarial"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a recipe written by this or an older version; missing fields keep their default.

        Raises:
            BadInput: a value is not of the type of its field, or out of range.
            TypeError: an unknown field.
            ValueError: ``text`` is not JSON.
        """
        values = {"curate": "no"} | json.loads(text)
        for part in ("net", "fine", "weak"):
            if values.get(part) is not None:
                values[part] = NetRecipe(**_with_tuples(values[part]))
        values["sample"] = SampleRecipe(**values.get("sample", {}))
        values["adversarial"] = AdversarialRecipe(**_with_tuples(values.get("adversarial", {})))
        recipe = cls(**values)

        # Dataclasses take any type: damage is found here, not in the middle of a run.
        nets = [net for net in (recipe.net, recipe.fine, recipe.weak) if net]
        parts: list[AnyRecipe] = [recipe, recipe.sample, recipe.adversarial, *nets]
        for item in parts:
            _check_types(item)
        return recipe


AnyRecipe = Recipe | NetRecipe | SampleRecipe | AdversarialRecipe
R = TypeVar("R", Recipe, SampleRecipe)


def _check(recipe: AnyRecipe, *rules: tuple[str, bool, str]) -> None:
    """Refuse the first field whose rule (its name, whether it holds, what to do) does not hold."""
    for key, holds, remedy in rules:
        if not holds:
            raise BadInput(f"{key}={getattr(recipe, key)}: {remedy}")


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }


def _check_types(recipe: AnyRecipe) -> None:
    """Refuse values of another type than their field, as a damaged description may hold."""
    for name, kind in typing.get_type_hints(type(recipe)).items():
        value = getattr(recipe, name)
        if typing.get_origin(kind) is Literal:
            ok = value in typing.get_args(kind)
        elif typing.get_origin(kind) is tuple:
            ok = isinstance(value, tuple) and all(isinstance(item, int) for item in value)

        # JSON has one type of numbers, so 3 stands for 3.0; it also has NaN and Infinity.
        elif kind is float:
            ok = isinstance(value, int | float) and math.isfinite(value)
        else:
            ok = isinstance(value, kind)
        if not ok:
            raise BadInput(f"{name} is {value!r}")


def parse_whole_number(key: str, text: str) -> int:
    """The whole number of ``-o key=text``.

    Raises:
        BadInput: ``text`` is not a whole number.
    """
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"{key}={text}: '{text}' is not a whole number.") from None


def override(recipe: R, options: Mapping[str, str]) -> R:
    """Change scalar fields by name; values are text, as they come from ``-o key=value``.

    Raises:
        BadInput: an unknown key, or a value of the wrong type or out of range.
    """
    fixed = {"name", "media", "net", "fine", "fine_below", "weak", "adversarial", "sample"}
    keys = [entry.name for entry in dataclasses.fields(recipe) if entry.name not in fixed]

    changes: dict[str, Any] = {}
    for key, text in options.items():
        # A slip of the finger deserves the one key that was meant, anything else all of them.
        if key not in keys:
            near = get_close_matches(key, keys, n=1)
            remedy = f"did you mean '{near[0]}'?" if near else f"the options are {', '.join(keys)}."
            raise BadInput(f"There is no option '{key}'; {remedy}")
        changes[key] = _parse_value(recipe, key, text)
    return dataclasses.replace(recipe, **changes)


def _parse_value(recipe: R, key: str, text: str) -> Any:
    kind = typing.get_type_hints(type(recipe))[key]
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if text not in choices:
            raise BadInput(f"{key}={text}: choose one of {', '.join(choices)}.")
        return text

    try:
        value = kind(text)
    except ValueError:
        wanted_kind = "a whole number" if kind is int else "a number"
        raise BadInput(f"{key}={text:.60}: '{text:.60}' is not {wanted_kind}.") from None

    # float() also reads "nan" and "inf", which pass range checks or end a run hours later.
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{key}={text}: use a finite number.")
    return value
