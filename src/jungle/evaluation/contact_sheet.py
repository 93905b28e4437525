"""Contact sheets: many pictures in one."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def contact_sheet(
    pictures: np.ndarray, columns: int = 10, scale: int = 1, gap: int = 4
) -> Image.Image:
    """All pictures (N, H, W, 3) uint8 in rows of ``columns`` on white, each enlarged ``scale``
    times (Lanczos).
    """
    count, high, wide, _ = pictures.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = Image.new(
        "RGB", (columns * (wide * scale + gap) + gap, rows * (high * scale + gap) + gap), "white"
    )
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, columns)
        tile = Image.fromarray(pixels).resize(
            (wide * scale, high * scale), Image.Resampling.LANCZOS
        )
        sheet.paste(tile, (gap + column * (wide * scale + gap), gap + row * (high * scale + gap)))
    return sheet


def labelled_rows(rows: Mapping[str, np.ndarray], side: int = 96, gap: int = 4) -> Image.Image:
    """One row for each name: the name on the left, then its pictures (N, H, W, 3) uint8, each
    ``side`` pixels wide and high.
    """
    font = ImageFont.load_default(size=14)
    label = gap + max(int(font.getlength(name)) for name in rows) + gap
    most = max(len(pictures) for pictures in rows.values())
    sheet = Image.new("RGB", (label + most * (side + gap), gap + len(rows) * (side + gap)), "white")
    draw = ImageDraw.Draw(sheet)

    for row, (name, pictures) in enumerate(rows.items()):
        top = gap + row * (side + gap)
        draw.text((gap, top + side // 2), name, fill="black", font=font, anchor="lm")
        for column, pixels in enumerate(pictures):
            sheet.paste(_scaled(pixels, side), (label + column * (side + gap), top))
    return sheet


def numbered_page(
    pictures: Sequence[np.ndarray], first: int, columns: int = 10, side: int = 160
) -> Image.Image:
    """Pictures (H, W, 3) uint8 in cells of ``side`` pixels, with the numbers ``first``, ``first`` +
    1 ... below them.
    """
    gap, line = 8, 18
    font = ImageFont.load_default(size=14)
    rows = -(-len(pictures) // columns)
    sheet = Image.new(
        "RGB",
        (gap + min(columns, len(pictures)) * (side + gap), gap + rows * (side + line + gap)),
        "white",
    )
    draw = ImageDraw.Draw(sheet)

    # The number stands below its picture, where it hides nothing.
    for index, pixels in enumerate(pictures):
        left = gap + index % columns * (side + gap)
        top = gap + index // columns * (side + line + gap)
        sheet.paste(_scaled(pixels, side), (left, top))
        draw.text(
            (left + side // 2, top + side + 2),
            str(first + index),
            fill="black",
            font=font,
            anchor="ma",
        )
    return sheet


def _scaled(pixels: np.ndarray, side: int) -> Image.Image:
    """A picture in the middle of a white square: its longer side is ``side`` pixels."""
    high, wide = pixels.shape[:2]
    longer = max(high, wide)
    size = (max(1, wide * side // longer), max(1, high * side // longer))
    square = Image.new("RGB", (side, side), "white")
    square.paste(
        Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS),
        ((side - size[0]) // 2, (side - size[1]) // 2),
    )
    return square
