"""Facts in files, read back by ExifTool and FFprobe: all of them, only the credit, or nothing."""

import contextlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from jungle.encoding import audio_files, xmp
from jungle.encoding.provenance import (
    MOST,
    TRAINED,
    Provenance,
    clean_fact,
    provenance_packet,
    read_provenance,
    select_facts,
    tags,
    write_provenance,
)
from jungle.errors import BadInput
from jungle.mastering.dither import dither

FACTS = Provenance(
    title='The "Löwe" <b>&amp;</b> ]]> \'s 🦁',
    credit="Postcards from Ann's jungle",
    description="A lion & a bird 👩‍👩‍👧 in one",
    source=TRAINED,
    software="jungle 9.8",
    engine="embedded",
    model="0123456789abcdef",
    prompt="a long, low roar, then <script>alert(1)</script>",
    seed="4711",
    mix="lion 0.6, bird 0.4",
    rights="No rights reserved",
    licence="https://creativecommons.org/publicdomain/zero/1.0/",
)
EXIFTOOL = {
    "Title": "title", "Credit": "credit", "Creator": "credit", "Description": "description",
    "AltTextAccessibility": "description", "DigitalSourceType": "source",
    "CreatorTool": "software", "AISystemUsed": "engine", "AISystemVersionUsed": "model",
    "AIPromptInformation": "prompt", "Seed": "seed", "Mix": "mix", "Rights": "rights",
    "WebStatement": "licence",
}  # fmt: skip
PIXELS = (
    np.random.default_rng(5).integers(0, 255, (6, 9, 3)).astype(np.uint8).repeat(5, 0).repeat(5, 1)
)
SOUND = (0.2 * np.sin(np.arange(9600) / 9)).astype(np.float32)[:, None]
PICTURES, SOUNDS = ("PNG", "JPEG", "WEBP", "AVIF"), ("wav", "flac", "opus", "m4a")
needs_exiftool = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="ExifTool is not installed"
)
needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None, reason="FFprobe is not installed"
)


def picture(form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> Any:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def sound(form: str, facts: Provenance) -> bytes:
    told, pcm = tags(facts), dither(SOUND)
    written = {
        "wav": lambda: audio_files.wav(pcm, 48_000, None, told, provenance_packet(facts)),
        "flac": lambda: audio_files.flac(pcm, 48_000, None, told),
        "opus": lambda: audio_files.opus(SOUND, 48_000, None, told),
        "m4a": lambda: audio_files.aac(SOUND, 48_000, told, xmp=provenance_packet(facts)),
    }
    return written[form]()


def ffprobe(path: Path) -> dict[str, str]:
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    told = found["format"].get("tags", {}) | found["streams"][0].get("tags", {})
    return {key.lower(): value for key, value in told.items()}


@needs_exiftool
def test_exiftool_reads_all_facts_the_credit_or_nothing(tmp_path: Path) -> None:
    for form in PICTURES:
        for level in ("full", "credit", "none"):
            (tmp_path / f"{level}.{form}").write_bytes(
                write_provenance(picture(form), select_facts(FACTS, level))
            )
    for form in ("wav", "m4a"):
        for level in ("full", "credit", "none"):
            (tmp_path / f"{level}.{form}").write_bytes(sound(form, select_facts(FACTS, level)))
    done = subprocess.run(
        ["exiftool", "-j", "-G1", str(tmp_path)], capture_output=True, text=True, check=False
    )
    found = {Path(one["SourceFile"]).name: one for one in json.loads(done.stdout)}
    assert len(found) == 18
    for name, one in found.items():
        assert not {"ExifTool:Error", "ExifTool:Warning"} & set(one), name
        told = {
            key.split(":")[1]: str(value) for key, value in one.items() if key.startswith("XMP-")
        }
        level = name.split(".")[0]
        wanted = {tag: getattr(FACTS, fact) for tag, fact in EXIFTOOL.items()}
        if level == "credit":
            wanted = dict.fromkeys(("Credit", "Creator"), FACTS.credit)
        assert told == ({} if level == "none" else wanted), name
        everything = json.dumps(one, ensure_ascii=False)
        if level != "full":
            assert not any(
                word in everything
                for word in ("4711", "roar", "jungle 9.8", "0123456789abcdef", "trainedAlgorithmic")
            ), name
        if level == "none":
            assert "jungle" not in everything.replace(str(tmp_path), ""), name


@needs_ffprobe
@pytest.mark.parametrize("form", SOUNDS)
def test_ffprobe_reads_all_facts_the_credit_or_nothing(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    # of M4A
    technical = {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "language",
        "handler_name",
        "vendor_id",
    }
    path.write_bytes(sound(form, FACTS))
    told = ffprobe(path)
    assert told["title"] == FACTS.title
    assert told["artist"] == FACTS.credit
    assert told["copyright"] == FACTS.rights
    if form in ("flac", "opus"):
        assert {
            key: told[key]
            for key in ("seed", "mix", "prompt", "model", "engine", "source", "software")
        } == {
            key: getattr(FACTS, key)
            for key in ("seed", "mix", "prompt", "model", "engine", "source", "software")
        }
        # FFmpeg calls DESCRIPTION a comment
        assert (told["license"], told["comment"]) == (
            FACTS.licence,
            FACTS.description,
        )
    else:
        assert json.loads(told["comment"]) == tags(FACTS)
    path.write_bytes(sound(form, select_facts(FACTS, "credit")))
    assert {key: value for key, value in ffprobe(path).items() if key not in technical} == {
        "artist": FACTS.credit
    }
    path.write_bytes(sound(form, select_facts(FACTS, "none")))
    assert not set(ffprobe(path)) - technical
    assert not re.search(rb"Lavf|Lavc|jungle|ICMT|LIST", path.read_bytes())


@pytest.mark.parametrize("form", PICTURES)
def test_a_stamp_touches_no_pixel_and_can_be_taken_off(form: str) -> None:
    plain = picture(form, quality=60) if form != "PNG" else picture(form)
    once = write_provenance(plain, FACTS)
    assert read_provenance(once) == FACTS
    assert np.array_equal(pixels(once), pixels(plain))
    # again: the same bytes, not a second packet
    assert write_provenance(once, FACTS) == once == write_provenance(plain, FACTS)
    bare = write_provenance(once, Provenance())
    assert bare == write_provenance(plain, Provenance())
    assert read_provenance(bare) == Provenance()
    assert b"xmp" not in bare.lower()
    assert np.array_equal(pixels(bare), pixels(plain))


@pytest.mark.parametrize("form", SOUNDS)
def test_sounds_are_read_back(form: str) -> None:
    for level in ("full", "credit", "none"):
        assert read_provenance(sound(form, select_facts(FACTS, level))) == select_facts(
            FACTS, level
        )
    assert sound(form, FACTS) == sound(form, FACTS)


def test_foreign_metadata_goes_and_the_profile_stays() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a secret place")
    info.add_itxt("XML:com.adobe.xmp", xmp.xmp_packet({"title": "old"}).decode(), zip=True)
    for form in PICTURES:
        more: dict[str, Any] = (
            {"pnginfo": info} if form == "PNG" else {"xmp": xmp.xmp_packet({"title": "old"})}
        )
        told = picture(form, exif=exif, icc_profile=profile, **more)
        assert read_provenance(told).title == "old", form
        new = write_provenance(told, Provenance(credit="new"))
        assert not re.search(b"secret|old<", new), form
        with Image.open(io.BytesIO(new)) as image:
            assert image.info["icc_profile"] == profile
            assert not image.getexif()
        assert np.array_equal(pixels(new), pixels(told))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF"])
def test_transparency_survives(form: str) -> None:
    clear = np.dstack([PIXELS, np.tile(np.arange(45, dtype=np.uint8) * 5, (30, 1))])
    buffer = io.BytesIO()
    Image.fromarray(clear).save(buffer, form, lossless=True)
    for facts in (FACTS, Provenance()):
        with (
            Image.open(io.BytesIO(write_provenance(buffer.getvalue(), facts))) as new,
            Image.open(buffer) as old,
        ):
            assert np.array_equal(np.asarray(new), np.asarray(old))
            assert new.mode == "RGBA"


def test_hostile_words_are_cleaned_once_and_the_same_everywhere() -> None:
    prompt = "\x00\x1b[31mred\r\n\u202eevil\ud800 ￾🦁‍🔥 ]]> <![CDATA[ " + "&🐸" * 5000
    facts = Provenance(
        title="\t a\x85b\u2028c ", credit="&" * 9000, description="\x07", prompt=prompt
    )
    assert (facts.title, facts.description) == ("a b c", "")
    assert facts.prompt.startswith("[31mred evil 🦁‍🔥 ]]> <![CDATA[ &🐸")
    assert facts.prompt.endswith("…")
    assert facts.credit == "&" * ((MOST - 3) // 5) + "…"
    for data in [
        *(write_provenance(picture(form), facts) for form in PICTURES),
        *(sound(form, facts) for form in SOUNDS),
    ]:
        assert read_provenance(data) == facts
    most = Provenance(**dict.fromkeys(Provenance.__dataclass_fields__, "&" * 20_000))
    assert len(provenance_packet(most)) < xmp.LARGEST
    assert read_provenance(write_provenance(picture("JPEG"), most)) == most


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=40))
def test_any_text_survives_in_xml(text: str) -> None:
    facts = Provenance(title=text, prompt=text + text)
    assert read_provenance(write_provenance(picture("WEBP"), facts)) == facts
    assert clean_fact(facts.title) == facts.title


def test_packets_of_others_are_read_and_bombs_are_not() -> None:
    other = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        b'photoshop:Credit="Ann"/></rdf:RDF></x:xmpmeta>'
    )
    assert xmp.facts_in(other) == {"credit": "Ann"}
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    assert xmp.facts_in(bomb) == xmp.facts_in(b"<x") == xmp.facts_in(b"") == {}


@pytest.mark.parametrize("form", PICTURES)
def test_damaged_pictures_are_refused_and_never_crash(form: str) -> None:
    whole = write_provenance(picture(form), FACTS)
    rng = np.random.default_rng(3)
    for _ in range(40):
        broken = bytearray(whole[: int(rng.integers(16, len(whole)))])
        for place in rng.integers(12, len(broken), 3):
            broken[place] = rng.integers(256)
        for action in (read_provenance, lambda data: write_provenance(data, FACTS)):
            with contextlib.suppress(BadInput):  # whatever else is raised is a fault
                action(bytes(broken))
    with pytest.raises(BadInput, match="damaged"):
        write_provenance(whole[: len(whole) // 2], FACTS)


def test_what_is_no_picture_and_no_level_is_refused() -> None:
    with pytest.raises(BadInput, match="none of them"):
        write_provenance(b"GIF89a" + bytes(30), FACTS)
    for other in (
        b"hello",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises(BadInput, match="neither a picture nor a sound"):
            read_provenance(other)
    with pytest.raises(BadInput, match="full, credit or none"):
        select_facts(FACTS, "some")  # type: ignore[arg-type]
