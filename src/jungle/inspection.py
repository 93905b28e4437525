"""``jungle inspect``: what a photo folder, a model or a picture is, in plain words."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from . import sources
from .diffusion import model
from .diffusion.device import Compute
from .diffusion.run import trial
from .errors import BadInput
from .images import photos, preflight
from .images.opening import Unreadable
from .recipes import Recipe

MODELS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors"}


def inspect(
    file: str,
    cache: Path,
    compute: Compute,
    recipe: Recipe,
    clock: Callable[[], float],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The report on ``file`` as text and as plain values.

    Args:
        recipe: what a photo folder would be trained with; a few updates on noise tell the time and memory of that.

    Raises:
        BadInput: there is no such file or it is none of the things that jungle knows.
    """
    path = Path(file)
    if path.suffix.lower() in MODELS:
        return _model(path, compute)
    if path.is_file() and path.suffix.lower() != ".zip":
        return _picture(path)
    folder = sources.resolve(file, cache)
    classes = len({photo.name for photo in photos.scan(folder).photos})
    speed, memory = trial(recipe, classes, compute, clock) if classes else (None, None)
    report = preflight.inspect(folder, recipe, cache, speed, memory, progress)
    return report.to_text(), json.loads(report.to_json())


def _model(path: Path, compute: Compute) -> tuple[str, dict[str, Any]]:
    found = model.load(path, compute)
    parameters = sum(p.numel() for p in found.denoiser.net.parameters())
    high, wide = found.size
    facts = {
        "file": str(path), "kind": "model", "recipe": found.recipe.name, "width": wide, "height": high, "classes": list(found.classes),
        "updates": found.step, "parameters": parameters, "hash": found.hash, "note": found.note,
    }  # fmt: skip
    text = f"A model of the recipe '{found.recipe.name}': paints {wide}x{high}, {parameters / 1e6:.1f} million parameters, "
    text += f"{found.step:,} updates, weights {found.hash}.\n" if found.step else f"weights {found.hash}.\n"
    text += f"Its animals: {', '.join(found.classes)}." if found.classes else "It was trained without classes."
    return f"{text}\n{found.note}".strip(), facts


def _picture(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        photos.open_photo(path, (64, 64))
        with Image.open(path) as picture:
            facts = {"file": str(path), "kind": "picture", "format": picture.format, "width": picture.width, "height": picture.height}
            notes = {str(key): str(value) for key, value in picture.info.items() if isinstance(value, str)}
    except Unreadable as error:
        raise BadInput(f"{path} is neither a picture, a model nor a folder of photos ({error.reason}).") from None
    lines = [f"A picture: {facts['format']}, {facts['width']}x{facts['height']}."] + [
        f"{key}: {value}" for key, value in sorted(notes.items())
    ]
    return "\n".join(lines), json.loads(json.dumps(facts | {"notes": notes}))
