"""Contact sheets: many pictures in one."""

import numpy as np
from PIL import Image


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
