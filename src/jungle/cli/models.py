"""Which models a command opens, and how they are drawn from."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.jungle_toml import JungleFolder, apply_config
from ..config.paths import MODEL_FILE, SHIPPED_MODELS
from ..config.recipes import Medium, SampleRecipe, override
from ..diffusion import device as devices
from ..diffusion import model
from ..diffusion.model import Model
from ..errors import BadInput
from ..postcards.pipeline import Engines, portrait
from ..sounds.generate import SpectrogramEngine
from ..sounds.memorisation import MemorisationIndex
from ..sounds.stable_audio.engine import StableAudioEngine, StableAudioSampling
from ..sounds.stable_audio.hub_access import STABLE_AUDIO, find_token
from ..species import kinds
from ..weights import shipped
from .options import CommonOptions, log


def model_file(path: str, jungle: JungleFolder, media: Medium) -> Path:
    """The first there is: ``path``, the model of jungle.toml, one in its folder, one here, ours.

    A model of recordings is looked for in the sub-folder ``sounds``, because one of photos may lie
    beside it.
    """
    photos = media == "photos"
    configured = jungle.config.model if photos else jungle.config.sound_model
    if path or configured:
        return Path(path) if path else jungle.path / configured

    # A run's folder is named by --out; without one, the model of this folder is meant.
    folders = [folder if photos else folder / "sounds" for folder in (jungle.path, Path())]
    files = [folder / MODEL_FILE for folder in folders]
    return next((file for file in files if file.is_file()), None) or shipped(SHIPPED_MODELS[media])


def open_model(
    common: CommonOptions,
    file: Path,
    *,
    media: Medium | None = "photos",
    device: str = "",
    load_options: dict[str, str] | None = None,
) -> Model:
    """Load a model and log which it is.

    Args:
        media: what it must have been trained on; None takes either.
        device: where ``--device`` says nothing.
        load_options: what a file of another project does not say of itself.

    Raises:
        BadInput: it was trained on the other kind of data.
    """
    compute = devices.choose_device(common.device or device)
    loaded = model.load_model(file, compute, load_options)
    if media and loaded.recipe.media != media:
        other = "jungle sounds" if media == "photos" else "jungle images"
        raise BadInput(
            f"{file} was trained on {loaded.recipe.media}, not on {media}: "
            f"use it with  {other}, or give another --model."
        )
    log(f"Model {file.name} on {compute}. {loaded.note}".strip(), common.quiet)
    return loaded


def sample_recipe(
    loaded: Model,
    jungle: JungleFolder,
    options: Mapping[str, str],
    *,
    defaults: Mapping[str, str] | None = None,
    **given: Any,
) -> SampleRecipe:
    """How to draw from a model: its own way, changed by each of these in turn.

    Args:
        defaults: of the command; jungle.toml wins over them.
        options: of ``-o``, which win over jungle.toml.
        given: options of the command by field of the recipe; None changes nothing.
    """
    named = {key: str(value) for key, value in given.items() if value is not None}
    photos = loaded.recipe.media == "photos"
    configured = jungle.config.images if photos else jungle.config.sounds
    recipe = override(loaded.recipe.sample, defaults or {})
    return apply_config(recipe, configured, jungle.path, {**options, **named})


def open_sound_engine(
    common: CommonOptions,
    path: str,
    jungle: JungleFolder,
    options: Mapping[str, str] | None = None,
    **given: Any,
) -> tuple[SpectrogramEngine, MemorisationIndex | None]:
    """The embedded engine of calls, and the recordings it learned from, if they are known.

    The model is that of :func:`model_file`; ``options`` and ``given`` as in :func:`sample_recipe`.
    """
    file = model_file(path, jungle, "recordings")
    loaded = open_model(common, file, media="recordings")
    recipe = sample_recipe(loaded, jungle, options or {}, **given)
    try:
        engine = SpectrogramEngine(loaded, recipe)
    except BadInput as error:
        raise BadInput(f"{file}: {error.sentence}") from None
    return engine, MemorisationIndex.load(file.with_suffix(".reference"))


def open_stable_audio(
    common: CommonOptions, name: str, *, faithful: bool = False, **given: Any
) -> StableAudioEngine:
    """Stable Audio Open.

    Args:
        name: a folder or a hub name; "" for the usual one.
        faithful: as in the original recipe.
        given: its ``steps`` and ``guidance``; None leaves its own.

    Raises:
        BadInput: ``-o`` was given, or there is no access to the model.
    """
    if common.options:
        raise BadInput(
            f"-o {next(iter(common.options))}: stable-audio takes --steps and --guidance; "
            "leave -o out."
        )
    token = find_token(os.environ, Path.home(), Path())
    settings = {key: value for key, value in given.items() if value is not None}
    engine = StableAudioEngine.open(
        name or STABLE_AUDIO,
        common.device,
        token=token,
        faithful=faithful,
        sampling=StableAudioSampling(**settings),
    )
    log(f"Model {engine.model} on {engine.about}.", common.quiet)
    return engine


def open_engines(
    common: CommonOptions, jungle: JungleFolder, path: str, sound_path: str
) -> Engines:
    """Everything that makes the animals of a jungle.

    Args:
        path: of the model of pictures; "" for that of :func:`model_file`.
        sound_path: of the model of calls, likewise; for Stable Audio a folder or a hub name.
    """
    file = model_file(path, jungle, "photos")
    painter = open_model(common, file)
    report = kinds.of_model(file, painter.hash)
    painting = sample_recipe(painter, jungle, common.options, defaults=portrait(painter))
    if jungle.config.calls == "embedded":
        engine, reference = open_sound_engine(common, sound_path, jungle)
        drawing = dataclasses.asdict(engine.recipe)
        return Engines(painter, painting, engine, engine.classes, drawing, reference, report)

    # It follows prompts: it knows no classes, and none of our recordings.
    stable_audio = open_stable_audio(common, sound_path or jungle.config.sound_model)
    return Engines(painter, painting, stable_audio, (), {}, None, report)
