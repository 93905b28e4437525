"""Named, typed recipes. A run is fully described by one ``Recipe``; it travels inside every checkpoint.

``-o key=value`` changes one scalar field (:func:`override`); a wrong key or value is one sentence.
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

Media = Literal["photos", "recordings"]
Order = Literal["balanced", "path", "shuffled"]
Aspect = Literal["1:1", "3:2", "4:3"]
Crop = Literal["crop", "animal", "squash"]
Corners = Literal["skip", "keep"]
Curate = Literal["yes", "no"]
Augment = Literal["safe", "flip", "original", "none"]
Network = Literal["unet", "unet2d"]
Objective = Literal["edm", "flow", "epsilon", "ddpm"]
Solver = Literal["heun", "dpm2m", "ddim", "ancestral", "consistency", "ddpm"]

SIZE_STEP = 16  # picture sides are multiples of this, so that every shipped network can halve them


def _require(ok: bool, sentence: str) -> None:
    if not ok:
        raise BadInput(sentence)


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleRecipe:
    """How pictures are drawn from a model. ``steps`` counts noise levels; Heun evaluates twice a level."""

    steps: int = 25
    solver: Solver = "dpm2m"
    guidance: float = 3.0  # 1.0 means none
    guidance_low: float = 0.0  # guidance acts only where low < sigma <= high (arXiv 2404.07724)
    guidance_high: float = 1e9
    weak_mix: float = (
        1.0  # how much of the classes a weaker model is told, where there is one; 0 = none
    )
    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0  # spacing of the noise levels (EDM, equation 5)
    batch: int = 0  # pictures at once; 0 = chosen for the device

    def __post_init__(self) -> None:
        _require(
            1 <= self.steps <= 10_000,
            f"steps={self.steps}: sampling takes 1 to 10000 steps (25 is a good start).",
        )
        _require(
            0 <= self.guidance <= 50,
            f"guidance={self.guidance}: use a number from 0 to 50 (1 means none, 1.5 to 3 is usual).",
        )
        _require(
            0 <= self.weak_mix <= 1,
            f"weak_mix={self.weak_mix}: use a share from 0 (no classes) to 1 (all).",
        )
        _require(
            0 < self.sigma_min < self.sigma_max,
            f"sigma_min={self.sigma_min} must be above 0 and below sigma_max={self.sigma_max}.",
        )
        _require(
            self.sigma_min >= 1e-6,
            f"sigma_min={self.sigma_min}: use at least 0.000001 (0.002 is usual).",
        )
        _require(
            self.sigma_max <= 1e6, f"sigma_max={self.sigma_max}: use at most 1000000 (80 is usual)."
        )
        _require(
            0.1 <= self.rho <= 100, f"rho={self.rho}: use a number from 0.1 to 100 (7 is usual)."
        )
        _require(
            0 <= self.batch <= 65_536,
            f"batch={self.batch}: use 1 to 65536 pictures at once, or 0 for a good choice.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NetRecipe:
    """The shape of a ``UNet`` (``diffusion/unet.py``).

    A level is one resolution: level 0 works on pictures shrunk ``patch`` times, each next level on half of that.
    """

    image_channels: int = 3
    extra_channels: int = 0  # input only: the small picture when enlarging
    patch: int = 4  # side of the squares of pixels that become channels (space to depth)
    widths: tuple[int, ...] = (
        128,
        384,
    )  # channels a level; multiples of 64 where there is attention
    blocks: tuple[int, ...] = (
        1,
        3,
    )  # residual blocks on the way down; every level but the last has as many on the way up
    attention: tuple[int, ...] = (1,)  # levels whose blocks are followed by self-attention
    embedding: int = (
        256  # width of the vector that describes noise level and classes; a multiple of 32
    )
    dropout: float = (
        0.0  # inside the blocks of the last level only, where a small photo set overfits first
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialRecipe:
    """The second part of a training run (``diffusion/adversarial.py``)."""

    batch: int = 32  # generated pictures an update, and as many photos
    photo_share: float = (
        0.25  # of the batch: photos with noise, whose answer is compared with the photo
    )
    lr: float = 2e-4  # of the generator
    head_lr: float = 4e-4  # of the discriminator
    beta2: float = 0.99
    warmup: int = 100  # updates
    fall: float = 0.3  # of the updates, the last ones, in which both rates fall to zero
    ema: float = 0.05  # relative width of the power-function average
    sizes: tuple[int, ...] = tuple(
        range(128, 225, 16)
    )  # short sides the frozen network sees, at random
    noise_share: float = 0.5  # of the updates: the frozen network sees everything with noise
    noise: float = 0.2  # its largest sigma, in pixels from -1 to 1
    mixed: float = 0.15  # share of pictures asked for as a mix of two classes
    pixel_weight: float = 2.0  # of the discriminator of pixels, against each of those of maps
    class_weight: float = 0.2  # of the cross-entropy of the class asked for
    drift_weight: float = (
        3.0  # of the pull of each feature to near ones of photos; 0 = no pull at all
    )
    gap_weight: float = 20.0  # of the pull of a class to the mean feature of its photos
    contrast: float = 1.5  # how much further that pull goes, away from the mean of all classes
    moment_weight: float = 50.0  # of the pull of all pictures to the mean feature of photos
    confidence_weight: float = (
        5.0  # of the pull to photos in how sure the frozen network is of a label
    )
    colour_weight: float = 1.0  # of the pull to the colours of photos, their means and spreads
    repeat_weight: float = 0.3  # against detail that repeats with the network's lattice
    photo_weight: float = 10.0  # of the squared error to photos


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Everything that decides a training run, apart from the photos and the device."""

    name: str
    media: Media = "photos"
    # data
    image_size: int = 64  # short side in pixels; of recordings, the number of frequencies
    aspect: Aspect = "1:1"  # width:height
    crop: Crop = (
        "crop"  # the middle of a photo, a window that follows the animal, or all of it squeezed
    )
    curate: Curate = "yes"  # leave out photos in which a pretrained network sees no animal
    corners: Corners = (
        "skip"  # photos with dark, empty corners; generated pictures would have them too
    )
    limit: int = 0  # at most so many photos; 0 = all
    order: Order = "balanced"  # which photos a limit keeps
    augment: Augment = "safe"
    balance: float = 0.5  # a class of n photos is drawn in proportion to n ** (1 - balance)
    # model
    network: Network = "unet"
    net: NetRecipe = field(default_factory=NetRecipe)
    fine: NetRecipe | None = (
        None  # a second network for the lowest noise levels, where only detail is left to be drawn
    )
    fine_below: float = 0.0  # the sigma below which it works
    weak: NetRecipe | None = (
        None  # a network that learned less, for guidance to lead away from; not trained any more
    )
    objective: Objective = "flow"
    p_mean: float = (
        0.4  # log-normal density of sigma in training (EDM, table 1; for flow: of t / (1 - t))
    )
    p_std: float = 1.4
    sigma_data: float = 0.5
    # training
    seed: int = 0
    steps: int = 0  # updates; 0 = from epochs
    epochs: float = 30.0
    small_share: float = (
        0.5  # of the updates, the first ones, see photos at half size: four times faster
    )
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
        _require(
            SIZE_STEP <= self.image_size <= 1024 and self.image_size % SIZE_STEP == 0,
            f"image_size={self.image_size}: use a multiple of {SIZE_STEP} from {SIZE_STEP} to 1024 (64 is usual).",
        )
        _require(
            self.limit >= 0 and self.limit != 1,
            f"limit={self.limit}: use the number of photos or recordings to keep, 2 or more, or 0 for all.",
        )
        _require(
            self.steps >= 0,
            f"steps={self.steps}: use the number of updates, or 0 to count in epochs.",
        )
        _require(0 < self.epochs <= 1e6, f"epochs={self.epochs}: use a number above 0.")
        _require(1 <= self.batch <= 65_536, f"batch={self.batch}: use 1 to 65536 photos an update.")
        _require(
            0 <= self.micro_batch <= self.batch,
            f"micro_batch={self.micro_batch}: use 1 to batch={self.batch}, or 0 for the whole batch.",
        )
        _require(
            0 <= self.seed < 2**63, f"seed={self.seed}: use a whole number from 0 to 2^63 - 1."
        )
        _require(
            -10 <= self.p_mean <= 10,
            f"p_mean={self.p_mean}: use a number from -10 to 10 (0.4 is usual).",
        )
        _require(
            0 < self.p_std <= 10,
            f"p_std={self.p_std}: use a number above 0 and at most 10 (1.4 is usual).",
        )
        _require(
            (self.fine is None) == (self.fine_below == 0) and self.fine_below >= 0,
            f"fine_below={self.fine_below}: use a sigma above 0 with a network for detail, and 0 without.",
        )
        _require(
            0 < self.sigma_data <= 100,
            f"sigma_data={self.sigma_data}: use the deviation of the pictures, above 0 (0.5 is usual).",
        )
        _require(
            0 <= self.beta2 < 1,
            f"beta2={self.beta2}: use a share from 0 to below 1 (0.99 is usual).",
        )
        _require(
            0 <= self.weight_decay <= 10,
            f"weight_decay={self.weight_decay}: use a number from 0 to 10 (0.01 is usual).",
        )
        _require(
            0 < self.lr <= 1,
            f"lr={self.lr}: use a learning rate above 0 and at most 1 (0.001 is usual).",
        )
        _require(
            0 <= self.balance <= 1,
            f"balance={self.balance}: use 0 (as found) to 1 (every class equally often).",
        )
        _require(
            0 <= self.ema < 0.29,
            f"ema={self.ema}: use 0 (off) to 0.28 (relative width of the average; 0.1 is usual).",
        )
        _require(
            0 <= self.drop_mix < 1, f"drop_mix={self.drop_mix}: use a share from 0 to below 1."
        )
        _require(
            0 <= self.small_share <= 0.9,
            f"small_share={self.small_share}: use a share from 0 to 0.9.",
        )
        _require(self.warmup >= 0, f"warmup={self.warmup}: use the number of updates, 0 for none.")
        _require(self.clip >= 0, f"clip={self.clip}: use a gradient norm, or 0 for none.")
        _require(
            self.checkpoint_every >= 0,
            f"checkpoint_every={self.checkpoint_every}: use a number of updates, or 0.",
        )
        _require(
            0 <= self.adversarial_share <= 1,
            f"adversarial_share={self.adversarial_share}: use a share from 0 (diffusion only) to 1 (adversarial training only).",
        )
        _require(
            self.adversarial_share == 0 or (self.media, self.network) == ("photos", "unet"),
            f"adversarial_share={self.adversarial_share}: adversarial training is for our own network and photos only; leave it out.",
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a picture in pixels; the short side is ``image_size``."""
        wide, high = (int(part) for part in self.aspect.split(":"))
        return self.image_size, round(self.image_size * wide / high / SIZE_STEP) * SIZE_STEP

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads back.

        A recipe without curation or adversarial training is written as before there was any, so that a run begun then goes on.
        """
        values = dataclasses.asdict(self)
        if self.curate == "no":
            del values["curate"]
        if self.adversarial_share == 0:
            del values["adversarial_share"], values["adversarial"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a recipe written by this or an older version; unknown fields are an error, missing ones keep their default."""
        values = {"curate": "no"} | json.loads(text)
        for part in ("net", "fine", "weak"):
            if values.get(part) is not None:
                values[part] = NetRecipe(**_with_tuples(values[part]))
        values["sample"] = SampleRecipe(**values.get("sample", {}))
        values["adversarial"] = AdversarialRecipe(**_with_tuples(values.get("adversarial", {})))
        made = cls(**values)
        nets = [net for net in (made.net, made.fine, made.weak) if net]
        parts: list[Recipe | NetRecipe | SampleRecipe | AdversarialRecipe] = [
            made,
            made.sample,
            made.adversarial,
            *nets,
        ]
        for one in parts:
            _check_kinds(one)
        return made


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }


def _check_kinds(recipe: "Recipe | NetRecipe | SampleRecipe | AdversarialRecipe") -> None:
    """Refuse values of another kind than their field, as a damaged description may hold."""
    for name, kind in typing.get_type_hints(type(recipe)).items():
        value = getattr(recipe, name)
        if typing.get_origin(kind) is Literal:
            ok = value in typing.get_args(kind)
        elif typing.get_origin(kind) is tuple:
            ok = isinstance(value, tuple) and all(isinstance(one, int) for one in value)
        elif kind is float:
            ok = isinstance(value, int | float) and math.isfinite(value)
        else:
            ok = isinstance(value, kind)
        _require(ok, f"{name} is {value!r}")


R = TypeVar("R", Recipe, SampleRecipe)


def _convert(recipe: R, key: str, text: str) -> Any:
    kind = typing.get_type_hints(type(recipe))[key]
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        _require(text in choices, f"{key}={text}: choose one of {', '.join(choices)}.")
        return text
    try:
        value = kind(text)
    except ValueError:
        raise BadInput(
            f"{key}={text:.60}: '{text:.60}' is not {'a whole number' if kind is int else 'a number'}."
        ) from None
    _require(
        not isinstance(value, float) or math.isfinite(value), f"{key}={text}: use a finite number."
    )
    return value


def whole(key: str, text: str) -> int:
    """The whole number of ``-o key=text``.

    Raises:
        BadInput: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"{key}={text}: '{text}' is not a whole number.") from None


def override(recipe: R, options: Mapping[str, str]) -> R:
    """Change scalar fields by name; values are text, as they come from ``-o key=value`` or ``jungle.toml``.

    Raises:
        BadInput: an unknown key, or a value of the wrong kind or out of range.
    """
    fixed = {"name", "media", "net", "fine", "fine_below", "weak", "adversarial", "sample"}
    known = [f.name for f in dataclasses.fields(recipe) if f.name not in fixed]
    changes: dict[str, Any] = {}
    for key, text in options.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            raise BadInput(
                f"There is no option '{key}'"
                + (
                    f"; did you mean '{near[0]}'?"
                    if near
                    else f"; the options are {', '.join(known)}."
                )
            )
        changes[key] = _convert(recipe, key, text)
    return dataclasses.replace(recipe, **changes)


CONSISTENCY = SampleRecipe(
    steps=4, solver="consistency", sigma_max=20.0, sigma_min=2.2, rho=100.0, guidance=1.0
)
"""How a model is drawn from after adversarial training: noise levels of about 20, 9.6, 4.6 and 2.2.

The lowest is high on purpose: anatomy is decided between 0.7 and 4, and lower levels add grain (docs/LOG.md).
"""

ADVERSARIAL_LEVELS = dataclasses.replace(CONSISTENCY, sigma_min=1.8)
"""What adversarial training asks for, 20, 9, 4 and 1.8: a little lower than what is drawn with, which measured best."""


# Recordings become pictures of 256 frequencies and 2.05 s (sounds/spectrogram.py). A patch of 8 x 8 is 250 Hz and 64 ms.
CALL = Recipe(
    name="call", media="recordings", curate="no", image_size=256, epochs=120, p_mean=1.0, lr=2e-3, warmup=100,
    net=NetRecipe(image_channels=1, patch=8, widths=(128, 256, 384), blocks=(1, 2, 3), attention=(2,)),
    sample=SampleRecipe(guidance=2.0, sigma_max=160.0),
)  # fmt: skip

RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        # Seconds on any machine; the recipe of the tests. Not curated, because the network would take longer than the training.
        Recipe(
            name="tiny", image_size=16, curate="no", net=NetRecipe(widths=(8, 16), blocks=(1, 1), attention=(), embedding=32),
            batch=8, steps=20, warmup=5, sample=SampleRecipe(steps=6),
        ),
        # An hour on a laptop: half of it diffusion, half of it adversarial.
        Recipe(name="quick", adversarial_share=0.5),
        # From a diffusion model to a sampler of four evaluations.
        Recipe(name="adversarial", adversarial_share=1.0),
        # What the shipped model began with.
        Recipe(
            name="photo64", augment="flip", epochs=65, adversarial_share=0.5,
            sample=SampleRecipe(steps=16, guidance=4.0, guidance_low=0.3, guidance_high=3.0),
        ),
        # The original recipe of this project, figure by figure: DDPM, 63 M parameters, lr 2e-5, no EMA.
        Recipe(
            name="faithful", crop="squash", corners="keep", curate="no", limit=1024, order="path", augment="original", balance=0.0,
            network="unet2d", objective="ddpm", small_share=0.0, batch=16, epochs=30, lr=2e-5, warmup=0, decay="constant",
            beta2=0.999, weight_decay=0.01, clip=0.0, ema=0.0, drop_mix=0.0,
            sample=SampleRecipe(guidance=1.0),
        ),
    )
}  # fmt: skip


CALL_RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        dataclasses.replace(
            CALL, name="tiny", batch=8, steps=20, warmup=5, sample=SampleRecipe(steps=6),
            net=NetRecipe(image_channels=1, patch=16, widths=(16, 32), blocks=(1, 1), attention=(), embedding=32),
        ),
        dataclasses.replace(CALL, name="quick"),
        CALL,
    )
}  # fmt: skip


def find(name: str, media: Media = "photos") -> Recipe:
    """The recipe of that name for photos or for recordings.

    Raises:
        BadInput: there is none; the sentence lists what there is.
    """
    known = RECIPES if media == "photos" else CALL_RECIPES
    if name not in known:
        raise BadInput(
            f"There is no recipe '{name}' for {media}; choose one of {', '.join(known)}."
        )
    return known[name]
