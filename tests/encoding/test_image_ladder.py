"""Pictures for the web: the measure against SSIMULACRA 2, the search against trying everything, and
what comes out against Pillow.
"""

import base64
import io
from typing import Any

import numpy as np
import pytest
from conftest import DATA
from PIL import Image, features

from jungle.encoding import colours, image_ladder
from jungle.encoding.image_ladder import decode_rgb, encode_ladder, ladder_widths, version
from jungle.encoding.quality_search import smallest
from jungle.encoding.ssimulacra2 import TERMS, Fidelity
from jungle.errors import BadInput

PHOTOS = DATA / "photos"


def scene(wide: int, high: int, seed: int = 1) -> Any:
    """Soft spots of colour with fine grain: as hard to compress as a photo."""
    rng = np.random.default_rng(seed)
    out = np.zeros((high, wide, 3))
    for size, strength in ((4, 90), (16, 50), (64, 25), (0, 6)):
        shape = (high, wide) if size == 0 else (size, size)
        noise = [
            Image.fromarray(rng.standard_normal(shape).astype(np.float32)).resize(
                (wide, high), Image.Resampling.BICUBIC
            )
            for _ in "rgb"
        ]
        out += strength * np.stack([np.asarray(one) for one in noise], axis=2)
    return np.clip(out + np.array((120, 110, 90)), 0, 255).astype(np.uint8)


def saved(pixels: Any, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def test_the_measure_agrees_with_ssimulacra2() -> None:
    true = pytest.importorskip(
        "ssimulacra2", reason="ssimulacra2 is not installed"
    ).compute_ssimulacra2
    pairs = []
    for seed, form, qualities in ((1, "JPEG", (40, 85)), (2, "WEBP", (60,)), (3, "JPEG", (65,))):
        original = scene(256, 256, seed)
        meter = Fidelity(original)
        for quality in qualities:
            data = saved(original, form, quality=quality)
            pairs.append(
                (
                    meter(decode_rgb(data)),
                    true(io.BytesIO(saved(original, "PNG")), io.BytesIO(data)),
                )
            )
    ours, theirs = np.array(pairs).T
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert np.abs(ours - theirs).max() < 3  # pictures that the weights were not fitted to


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no photos here")
def test_the_measure_falls_with_every_harm_to_a_photo() -> None:
    with Image.open(sorted(PHOTOS.glob("dog/*"))[0]) as photo:
        original = np.asarray(photo.convert("RGB"))
    meter = Fidelity(original)
    assert meter(original) > 99.99
    scores = [
        meter(decode_rgb(saved(original, "JPEG", quality=quality)))
        for quality in (95, 80, 60, 40, 20, 5)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 30
    grey = np.repeat(original.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert meter(grey) < 60  # colour counts


def test_the_measure_takes_any_size_and_refuses_another_shape() -> None:
    for high, wide in ((1, 1), (9, 200), (130, 131)):
        original = scene(wide, high)
        assert Fidelity(original)(original) > 99.99
        assert len(Fidelity(original).terms(255 - original)) == len(TERMS)
    with pytest.raises(BadInput, match="another shape"):
        Fidelity(scene(20, 20))(scene(21, 20))
    with pytest.raises(BadInput, match="uint8"):
        Fidelity(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("target", [5.0, 20.3, 41.7, 55.0, 79.9])
@pytest.mark.parametrize("guess", [20, 55, 100])
def test_the_search_finds_what_trying_everything_finds(target: float, guess: int) -> None:
    levels = range(20, 101)

    def score(data: bytes) -> float:
        return 85 * (1 - float(np.exp(-(len(data) - 19) / 25)))

    tried: list[int] = []

    def encode(level: int) -> bytes:
        tried.append(level)
        return bytes(level)

    found = smallest(encode, score, levels, target, guess, slack=0.0)
    assert found.level == min(level for level in levels if score(bytes(level)) >= target)
    assert len(tried) <= 12  # five guesses, then halving
    assert len(set(tried)) == len(tried)


def test_the_search_says_what_is_best_where_nothing_is_good_enough_and_trusts_no_order() -> None:
    assert smallest(bytes, len, range(10), 99.0, 3).level == 9
    bumpy = {1: 50.0, 2: 71.0, 3: 60.0, 4: 80.0, 5: 79.0}
    found = smallest(bytes, lambda data: bumpy[len(data)], range(1, 6), 70.0, 4)
    assert found.score >= 70
    assert found.score == bumpy[found.level]


def test_a_ladder_keeps_the_smallest_files_that_meet_their_targets() -> None:
    master = scene(330, 220)
    made = encode_ladder(master, (80, 200, 640))
    assert [(one.form, one.width, one.height) for one in made.renditions] == [
        *(("avif", *size) for size in ((80, 53), (200, 133), (330, 220))),
        *(("webp", *size) for size in ((80, 53), (200, 133), (330, 220))),
        ("jpeg", 330, 220),
    ]
    for one in made.renditions:
        with Image.open(io.BytesIO(one.data)) as decoded:
            assert (decoded.format or "").lower() == one.form
            assert decoded.size == (one.width, one.height)
            assert not set(decoded.info) & {"exif", "xmp", "icc_profile", "comment"}
            small = Image.fromarray(master).resize(decoded.size, Image.Resampling.LANCZOS)
            assert Fidelity(np.asarray(small))(np.asarray(decoded.convert("RGB"))) == pytest.approx(
                one.score, abs=0.01
            )
        assert one.score >= (70 if one.width == 330 else 60)
    assert sum(len(one.data) for one in made.of("avif")) < sum(
        len(one.data) for one in made.of("webp")
    )
    jpeg = made.fallback
    smaller = (
        saved(master, "JPEG", quality=quality, progressive=True, optimize=True, subsampling="4:2:0")
        for quality in range(20, 98, 4)
    )
    meter = Fidelity(master)
    assert not [
        data
        for data in smaller
        if len(data) < 0.98 * len(jpeg.data) and meter(decode_rgb(data)) >= 70 + image_ladder.MARGIN
    ]


def test_the_same_pixels_give_the_same_bytes_as_an_array_and_as_a_file() -> None:
    master = scene(96, 64)
    assert encode_ladder(master, (48, 96)) == encode_ladder(saved(master, "PNG"), (48, 96))
    assert str(features.version("webp")) in version()


def test_pixel_art_stays_exact_where_that_is_smaller() -> None:
    few = np.array([(250, 240, 220), (30, 30, 40), (180, 60, 20)], np.uint8)
    art = few[np.random.default_rng(2).integers(0, 3, (16, 16))].repeat(12, 0).repeat(12, 1)
    made = encode_ladder(art, (96, 192), crisp=True)
    assert not made.of("avif")  # larger than lossless WebP
    for one in (*made.of("webp"), made.fallback):
        with Image.open(io.BytesIO(one.data)) as decoded:
            assert np.array_equal(
                np.asarray(decoded.convert("RGB")), art[:: 192 // one.width, :: 192 // one.width]
            )
        assert one.score == 100
    assert made.fallback.form == "png"


def test_nothing_is_enlarged() -> None:
    assert ladder_widths(512) == [160, 320, 512]
    assert ladder_widths(1024) == [160, 320, 512, 1024]
    assert ladder_widths(600) == [160, 320, 512]
    assert ladder_widths(900) == [160, 320, 512, 900]
    assert ladder_widths(64) == [64]
    assert ladder_widths(2048) == [160, 320, 512, 1024]
    with pytest.raises(BadInput, match="widths"):
        ladder_widths(64, ())


def test_masters_that_are_none_are_refused() -> None:
    for wrong in (
        b"no picture",
        np.zeros((3, 3), np.uint8),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((3, 3, 3), np.float32),
    ):
        with pytest.raises(BadInput, match="picture"):
            encode_ladder(wrong)
    clear = np.zeros((2, 2, 4), np.uint8)
    assert (decode_rgb(saved(clear, "PNG")) == 255).all()


def test_the_placeholder_is_a_tiny_picture_of_the_whole() -> None:
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 40:] = (200, 30, 30)
    text = image_ladder.placeholder(pixels)
    assert len(text) < 300
    with Image.open(
        io.BytesIO(base64.b64decode(text.removeprefix("data:image/webp;base64,")))
    ) as small:
        assert small.size == (16, 8)
        left, right = small.convert("RGB").getpixel((2, 4)), small.convert("RGB").getpixel((13, 4))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] < 60 < 140 < right[0]


def test_oklab_is_that_of_css() -> None:
    """CSS Color 4, section 9.2 and its sample code: red, lime and white."""
    wanted = {
        (255, 0, 0): (0.62796, 0.22486, 0.12585),
        (0, 255, 0): (0.86644, -0.23389, 0.1795),
        (255, 255, 255): (1, 0, 0),
    }
    for rgb, lab in wanted.items():
        assert colours.srgb_to_oklab(np.array(rgb, np.uint8)) == pytest.approx(lab, abs=2e-4)
        assert tuple(colours.oklab_to_srgb(np.array(lab))) == rgb


def test_colours_have_names_that_a_person_would_give() -> None:
    assert [
        colours.colour_name(one)
        for one in ("#000000", "#ffffff", "#c08428", "#60769a", "#d02028", "#2c5cc0")
    ] == [
        "black",
        "white",
        "ochre",
        "slate blue",
        "red",
        "blue",
    ]
    assert all(colours.colour_name(value) == name for name, value in colours.NAMES.items())


def test_the_animal_comes_ahead_of_its_background() -> None:
    pixels = np.full((100, 120, 3), (80, 145, 70), np.uint8)  # a meadow
    pixels[35:70, 40:85] = (190, 130, 40)
    first, second = colours.dominant_colours(pixels)
    assert (first.name, second.name) == ("ochre", "fern green")
    assert first.share == pytest.approx(35 * 45 / 12_000, abs=0.02)
    assert first.share + second.share == pytest.approx(1, abs=0.02)
    assert (
        np.abs(
            np.frombuffer(bytes.fromhex(first.hex[1:]), np.uint8).astype(int) - (190, 130, 40)
        ).max()
        < 12
    )
