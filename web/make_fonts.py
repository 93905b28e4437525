"""Cut the fonts of the site down to the letters it needs: `npm ci && pip install fonttools brotli && npm run fonts`.

Fraunces and La Belle Aurore lack some letters with a caron (a rising tone); they are built from their own circumflex, upside down.
"""

import shutil
from pathlib import Path

from fontTools import subset
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
OUT = HERE.parent / "src" / "jungle" / "site" / "static" / "fonts"
ASCII = "".join(map(chr, range(32, 127)))
MARKS = "·°×–—‘’“”•…−©½¼\u00a0"
LATIN = "".join(map(chr, range(0xC0, 0x100))) + "¡¿ßŒœ"
TONES = "áéíóúýâêîôûŷǎěǐǒǔÁÉÍÓÚÝÂÊÎÔÛ"  # a high, a falling and a rising tone: segments.TONES
IPA = "ħŋǀǁǃɔəɛɡɢɣɨɬɯɰɲɴɾʀʃʒʔʙˈˌː˥˦˧˨˩ʰʷʲɪʊʌɑ"
FEATURES = ["kern", "liga", "mark", "mkmk", "ccmp", "onum", "lnum", "tnum"]
FRAUNCES = "@fontsource-variable/fraunces/files/fraunces-latin-full-{}.woff2"
NOTO = "@fontsource/noto-serif/files/noto-serif-{}-400-normal.woff2"
AURORE = "@fontsource/la-belle-aurore/files/la-belle-aurore-latin-400-normal.woff2"
FONTS = {  # file: (source, letters, pinned axes, whether tones are built)
    "fraunces-display": (
        FRAUNCES.format("normal"),
        ASCII + MARKS + TONES,
        {"SOFT": 60, "WONK": 1, "wght": 450, "opsz": 110},
        True,
    ),
    "fraunces-text": (
        FRAUNCES.format("normal"),
        ASCII + MARKS + TONES + LATIN,
        {"SOFT": 60, "WONK": 0, "wght": 400, "opsz": 16},
        True,
    ),
    "fraunces-italic": (
        FRAUNCES.format("italic"),
        ASCII + MARKS + TONES,
        {"SOFT": 60, "WONK": 0, "wght": 400, "opsz": 30},
        True,
    ),
    "hand": (AURORE, ASCII + MARKS + TONES, {}, True),
    "ipa-latin": (NOTO.format("latin"), ASCII + "æøœðç", {}, False),
    "ipa": (NOTO.format("latin-ext"), IPA, {}, False),
    "ipa-greek": (NOTO.format("greek"), "θβχ", {}, False),
}


def outline(font: TTFont, name: str) -> DecomposingRecordingPen:
    """What a glyph looks like, its components drawn out."""
    pen = DecomposingRecordingPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(pen)
    return pen


def extent(font: TTFont, name: str) -> tuple[int, int, int, int]:
    """(left, bottom, right, top) of a glyph."""
    glyph = font["glyf"][name]
    return glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax


def add(
    font: TTFont,
    code: int,
    name: str,
    width: int,
    parts: list[tuple[DecomposingRecordingPen, tuple[float, ...]]],
) -> None:
    """A new glyph of outlines, each with an affine transformation."""
    pen = TTGlyphPen(None)
    for part, matrix in parts:
        part.replay(TransformPen(pen, matrix))
    font["glyf"][name] = glyph = pen.glyph()
    glyph.recalcBounds(font["glyf"])
    font["hmtx"][name] = (width, glyph.xMin if glyph.numberOfContours else 0)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[code] = name


def build_tones(font: TTFont) -> None:
    """Letters with a caron, y with a circumflex, and the marks alone, where the font has none."""
    named = font.getBestCmap()
    mark = named[0x2C6]
    left, bottom, right, top = extent(font, mark)
    middle, flip = (left + right) / 2, bottom + top
    drawn = outline(font, mark)
    for base, letter, turned in [
        ("a", "ǎ", True),
        ("e", "ě", True),
        ("ı", "ǐ", True),
        ("o", "ǒ", True),
        ("u", "ǔ", True),
        ("y", "ŷ", False),
    ]:
        if ord(letter) in named:
            continue
        glyph = named.get(ord(base)) or named[ord("i")]  # La Belle Aurore has no dotless i
        low, _, high, crest = extent(font, glyph)
        raised = max(0, crest + 0.04 * font["head"].unitsPerEm - bottom)
        shift = (low + high) / 2 - middle
        matrix = (1, 0, 0, -1, shift, flip + raised) if turned else (1, 0, 0, 1, shift, raised)
        add(
            font,
            ord(letter),
            f"uni{ord(letter):04X}",
            font["hmtx"][glyph][0],
            [(outline(font, glyph), (1, 0, 0, 1, 0, 0)), (drawn, matrix)],
        )
    back = -font["hmtx"][named[ord("y")]][0] / 2 - middle
    if 0x30C not in named:
        add(font, 0x30C, "uni030C", 0, [(drawn, (1, 0, 0, -1, back, flip))])
    if 0x302 not in named:
        add(font, 0x302, "uni0302", 0, [(drawn, (1, 0, 0, 1, back, 0))])


def cut(name: str, source: str, letters: str, axes: dict[str, float], tones: bool) -> None:
    """Write one font of the site."""
    font = TTFont(MODULES / source, recalcTimestamp=False)
    if axes:
        font = instancer.instantiateVariableFont(font, axes)
    if tones:
        build_tones(font)
        font.setGlyphOrder(font["glyf"].glyphOrder)  # forget the index without the new glyphs
    options = subset.Options(
        layout_features=FEATURES, hinting=False, notdef_outline=True, name_IDs=["*"]
    )
    cutter = subset.Subsetter(options)
    cutter.populate(text=letters + ("\u030c\u0302" if tones else ""))
    cutter.subset(font)
    font.flavor = "woff2"
    font.save(OUT / f"{name}.woff2")
    missing = [letter for letter in letters if ord(letter) not in font.getBestCmap()]
    print(
        f"{name}: {(OUT / f'{name}.woff2').stat().st_size / 1000:.1f} kB",
        "missing " + "".join(missing) if missing else "",
    )


def main() -> None:
    """All fonts, and their licences."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name, recipe in FONTS.items():
        cut(name, *recipe)
    for name in (
        "@fontsource-variable/fraunces",
        "@fontsource/la-belle-aurore",
        "@fontsource/noto-serif",
    ):
        shutil.copyfile(MODULES / name / "LICENSE", OUT / f"OFL-{name.split('/')[-1]}.txt")


if __name__ == "__main__":
    main()
