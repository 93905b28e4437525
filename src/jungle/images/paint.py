"""From a model and seeds to pictures: PNG files, a zip and a contact sheet."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ..diffusion.denoiser import Denoiser
from ..diffusion.model import Model
from ..diffusion.sampler import sample
from ..recipes import SampleRecipe
from ..records import Picture
from ..store import write_atomic, write_bytes

ZIP_DATE = (2020, 1, 1, 0, 0, 0)  # the same archive bytes on any day


@dataclass(frozen=True, slots=True)
class Wish:
    """One picture to paint: its seed and its class weights (K,), all zeros for any animal."""

    seed: int
    mix: Tensor


def to_uint8(x: Tensor) -> np.ndarray:
    """(B, 3, H, W) float in [-1, 1], clamped -> (B, H, W, 3) uint8."""
    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def lot(device: torch.device, recipe: SampleRecipe) -> tuple[int, int]:
    """How many pictures to paint at once, and how many items the network must see at least.

    On a CPU the last bits of a picture depend on the number of items that oneDNN sees (measured: docs/LOG.md), so the number
    is always the same there, and short batches are filled up with copies. The original loop is always one picture at a time.
    """
    if recipe.solver == "ddpm" and recipe.batch == 1:
        return 1, 1
    if device.type != "cpu":
        return recipe.batch or 64, 1
    fixed = max(4, torch.get_num_threads())
    return min(recipe.batch or fixed, fixed), fixed


def paint(model: Model, wishes: Sequence[Wish], recipe: SampleRecipe, weak: Denoiser | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Paint every wish, yielding (its index, picture (H, W, 3) uint8) as batches finish.

    When memory runs out the batch is halved and painted again; the bytes of a picture depend on its wish alone.
    """
    batch, least = lot(model.device, recipe)
    shape = (3, *model.size)
    done = 0
    while done < len(wishes):
        part = wishes[done : done + batch]
        mix = torch.stack([wish.mix for wish in part]).to(model.device)
        try:
            *_, last = sample(model.denoiser, [wish.seed for wish in part], mix, shape, recipe, weak, least)
        except RuntimeError as error:
            if batch == 1 or not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
                raise
            batch = max(1, batch // 2)
            continue
        for offset, picture in enumerate(to_uint8(last.x)):
            yield done + offset, picture
        done += len(part)


def contact_sheet(pictures: np.ndarray, columns: int = 10, scale: int = 1, gap: int = 4) -> Image.Image:
    """All pictures (N, H, W, 3) uint8 in rows of ``columns`` on white, each enlarged ``scale`` times (Lanczos)."""
    count, high, wide, _ = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (wide * scale + gap) + gap, rows * (high * scale + gap) + gap), "white")
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, columns)
        tile = Image.fromarray(pixels).resize((wide * scale, high * scale), Image.Resampling.LANCZOS)
        sheet.paste(tile, (gap + column * (wide * scale + gap), gap + row * (high * scale + gap)))
    return sheet


def png(pixels: np.ndarray, picture: Picture) -> bytes:
    """PNG bytes with what made the picture as text, the AI disclosure first; the same pixels give the same bytes."""
    info = PngInfo()
    info.add_text("Source", "trainedAlgorithmicMedia: painted by a diffusion model, not a photograph")
    info.add_text("Software", "jungle")
    mix = ",".join(f"{name}={share:g}" for name, share in picture.mix.items()) or "any animal"
    info.add_text(
        "Comment",
        f"seed {picture.seed}; {mix}; model {picture.model}; {picture.solver}, {picture.steps} steps, guidance {picture.guidance:g}",
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


def write_pictures(out: Path, pictures: Sequence[tuple[Picture, np.ndarray]]) -> None:
    """Write ``pictures`` under their file names into ``out``, ``out``.zip beside it, and ``out``/contact_sheet.png."""
    files = [(picture.file, png(pixels, picture)) for picture, pixels in pictures]
    for name, data in files:
        write_bytes(out / name, data)
    sheet = contact_sheet(np.stack([pixels for _, pixels in pictures]))
    write_atomic(out / "contact_sheet.png", lambda file: sheet.save(file, "PNG"))
    place = out.absolute() if out.name else out.resolve()  # the current folder has a name too
    write_zip(place.parent / f"{place.name}.zip", files)
