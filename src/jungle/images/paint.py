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
from ..diffusion.device import out_of_memory
from ..diffusion.model import Model
from ..diffusion.sampler import sample
from ..recipes import SampleRecipe
from ..records import Picture
from ..store import write_atomic

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


def lot(device: torch.device, recipe: SampleRecipe) -> int:
    """How many items the network always sees at once: ``batch`` pictures at most, and copies in the empty places.

    The last bits of a picture depend on the number of items that a convolution or matrix product sees (measured on CPUs:
    docs/LOG.md), so that number is fixed by the device. The original loop is always one picture at a time.
    """
    if recipe.solver == "ddpm" and recipe.batch == 1:
        return 1
    return max(4, torch.get_num_threads()) if device.type == "cpu" else 64


def paint(model: Model, wishes: Sequence[Wish], recipe: SampleRecipe, weak: Denoiser | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Paint every wish, yielding (its index, picture (H, W, 3) uint8) as batches finish.

    On one device with one number of threads, the bytes of a picture depend on its wish alone. Only when memory runs out is
    the lot halved, and the last bits may change.
    """
    size = lot(model.device, recipe)
    shape = (3, *model.size)
    done = 0
    while done < len(wishes):
        part = wishes[done : done + min(recipe.batch or size, size)]
        mix = torch.stack([wish.mix for wish in part]).to(model.device)
        try:
            *_, last = sample(model.denoiser, [wish.seed for wish in part], mix, shape, recipe, weak, size)
        except RuntimeError as error:
            if size == 1 or not out_of_memory(error):
                raise
            size //= 2
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


def collect(out: Path, pictures: Sequence[tuple[Picture, np.ndarray]]) -> None:
    """Beside the folder ``out``, which holds these pictures: ``out``.zip and ``out``.png, a contact sheet.

    Pictures of the same name pattern and a higher number, left by an earlier and longer call, are removed.
    """
    for old in out.glob("fictional_animal_*.png"):
        if old.name not in {picture.file for picture, _ in pictures}:
            old.unlink()
    place = out.absolute() if out.name else out.resolve()  # the current folder has a name too
    sheet = contact_sheet(np.stack([pixels for _, pixels in pictures]))
    write_atomic(place.parent / f"{place.name}.png", lambda file: sheet.save(file, "PNG"))
    write_zip(place.parent / f"{place.name}.zip", [(picture.file, (out / picture.file).read_bytes()) for picture, _ in pictures])
