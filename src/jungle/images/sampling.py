"""From a model and seeds to pictures: PNG files, a zip and a contact sheet."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ..config.recipes import SampleRecipe
from ..diffusion.batched_sampling import SampleRequest, draw_samples
from ..diffusion.model import Model
from ..evaluation.contact_sheet import contact_sheet
from ..records import Picture
from ..storage.atomic import write_atomic

ZIP_DATE = (2020, 1, 1, 0, 0, 0)  # the same archive bytes on any day


def to_uint8(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) float in [-1, 1], clamped -> (B, H, W, 3) uint8."""
    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def sample_pictures(
    model: Model, wishes: Sequence[SampleRequest], recipe: SampleRecipe
) -> Iterator[tuple[int, np.ndarray]]:
    """Paint every wish, yielding (its index, picture (H, W, 3) uint8); see
    :func:`~jungle.diffusion.lots.draw`.
    """
    for index, item in draw_samples(model, wishes, recipe, (3, *model.size)):
        yield index, to_uint8(item[None])[0]


def encode_picture(pixels: np.ndarray, picture: Picture) -> bytes:
    """PNG bytes with what made the picture as text, the AI disclosure first; the same pixels give
    the same bytes.
    """
    info = PngInfo()
    info.add_text(
        "Source", "trainedAlgorithmicMedia: painted by a diffusion model, not a photograph"
    )
    info.add_text("Software", "jungle")
    mix = ",".join(f"{name}={share:g}" for name, share in picture.mix.items()) or "any animal"
    info.add_text(
        "Comment",
        f"seed {picture.seed}; {mix}; model {picture.model}; {picture.solver}, {picture.steps} "
        f"steps, guidance {picture.guidance:g}",
    )
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info, optimize=True)
    return buffer.getvalue()


def write_zip(path: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """A zip of ``files`` with stable names and dates: the same pictures give the same bytes."""

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, data in files:
                archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), data)

    write_atomic(path, write)


def write_collection(out: Path, pictures: Sequence[tuple[Picture, np.ndarray]]) -> None:
    """Beside the folder ``out``, which holds these pictures: ``out``.zip and ``out``.png, a contact
    sheet.

    Pictures of the same name pattern and a higher number, left by an earlier and longer call, are
    removed.
    """
    for old in out.glob("fictional_animal_*.png"):
        if old.name not in {picture.file for picture, _ in pictures}:
            old.unlink()
    place = out.absolute() if out.name else out.resolve()  # the current folder has a name too
    sheet = contact_sheet(np.stack([pixels for _, pixels in pictures]))
    write_atomic(place.parent / f"{place.name}.png", lambda file: sheet.save(file, "PNG"))
    write_zip(
        place.parent / f"{place.name}.zip",
        [(picture.file, (out / picture.file).read_bytes()) for picture, _ in pictures],
    )
