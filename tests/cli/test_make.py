"""A whole jungle: jungle.toml, make, postcards, site, reproduce.

What is skipped, what goes on after a kill, what comes out twice.
"""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import MODEL, Jungle, give_voice, is_refused, tree
from PIL import Image

from jungle.cli.models import open_engines
from jungle.cli.options import CommonOptions
from jungle.config import jungle_toml
from jungle.config.recipes import SampleRecipe
from jungle.diffusion import checkpoint, model
from jungle.diffusion import device as devices
from jungle.language.dialects import make_dialect
from jungle.language.language import Language
from jungle.language.phonology.vocal_tract import voice_named
from jungle.postcards import cost
from jungle.postcards import pipeline as chain
from jungle.records import Picture, Species, postcard_from_json
from jungle.site import credits
from jungle.weights import shipped

CARD = {
    "record.json",
    "manifest.json",
    "picture.png",
    "painted.png",
    "call.flac",
    "call.opus",
    "call.m4a",
    "spectrogram.png",
    "stamp.svg",
}


def made(folder: str) -> dict[str, bytes]:
    """Every file of a jungle but its memory."""
    return {
        name: data for name, data in tree(Path(folder)).items() if not name.startswith(".jungle")
    }


def record(folder: str, slug: str) -> dict[str, Any]:
    return json.loads(Path(folder, "postcards", slug, "record.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_make_twice_is_the_same_and_does_nothing(jungle: Jungle, trained: Path) -> None:
    give_voice()
    line = f"make --model {trained / MODEL} -n 3"
    first = jungle(f"{line} --out one --json --quiet")
    assert first.json["page"] == "one/site/index.html"
    assert len(first.json["postcards"]) == 3
    assert jungle(f"{line} --out two --quiet").code == 0
    assert made("one") == made("two")
    before = {
        path: path.stat().st_mtime_ns
        for path in Path("one").rglob("*")
        if path.is_file() and ".jungle" not in path.parts
    }
    assert jungle(f"{line} --out one --quiet").code == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}

    for slug in first.json["postcards"]:
        here = Path("one/postcards", slug)
        assert {path.name for path in here.iterdir()} == CARD | {
            f"phrase_{index}.opus" for index in range(1, 5)
        }
        card = postcard_from_json(record("one", slug))
        for name, side in (("picture.png", 512), ("painted.png", 16)):
            with Image.open(here / name) as picture:
                assert picture.size == (side, side)
        seconds = soundfile.info(here / "call.flac").duration
        assert abs(seconds - card.call.seconds) < 0.002
        dialect = make_dialect(
            Language(0, voice_named("primate")), card.species.seed, voice_named(card.species.voice)
        ).language
        for phrase in card.phrases:
            assert dialect.say(dialect.parse(phrase.text)).english == phrase.english
        assert card.own_name in card.notes
        assert card.colours[0].name in card.alt
    again = jungle(f"reproduce --out one --quiet --json --model {trained / MODEL}")
    assert again.json["differing"] == {slug: [] for slug in first.json["postcards"]}


@pytest.mark.slow
def test_a_deleted_or_damaged_file_is_made_again(jungle: Jungle, trained: Path) -> None:
    give_voice()
    line = f"make --model {trained / MODEL} -n 2 --out mine --quiet"
    assert jungle(line).code == 0
    whole = made("mine")
    slug = next(Path("mine/postcards").iterdir()).name
    Path("mine/postcards", slug, "picture.png").unlink()
    Path("mine/sounds/animal_sound_1.wav").write_bytes(b"RIFF")
    shutil.rmtree("mine/site")
    assert jungle(line).code == 0
    assert made("mine") == whole


@pytest.mark.slow
def test_only_what_changed_is_made_again(jungle: Jungle, trained: Path) -> None:
    give_voice()
    line = f"make --model {trained / MODEL} -n 2 --out mine --quiet"
    assert jungle(line).code == 0
    first, second = (
        species["slug"]
        for species in tomllib.loads(Path("mine/jungle.toml").read_text())["species"]
    )
    before = Path("mine/postcards", second, "picture.png").stat().st_mtime_ns
    text = (
        Path("mine/jungle.toml")
        .read_text()
        .replace(f'slug = "{first}"', f'slug = "{first}"\nname = "Gr<u>mble & Sons"')
    )
    Path("mine/jungle.toml").write_text(text)
    assert jungle(line).code == 0
    assert record("mine", first)["species"]["name"] == "Gr<u>mble & Sons"
    assert Path("mine/postcards", second, "picture.png").stat().st_mtime_ns == before
    page = Path("mine/site/index.html").read_text(encoding="utf-8")
    assert "Gr&lt;u&gt;mble &amp; Sons" in page
    assert "<u>" not in page


@pytest.mark.slow
def test_make_keeps_what_a_person_wrote(jungle: Jungle, trained: Path) -> None:
    give_voice()
    Path("mine").mkdir()
    written = "# mine\nseed = 3\nphrases = 2\n[images]\nsteps = 4\n"
    Path("mine/jungle.toml").write_text(written)
    assert jungle(f"make --model {trained / MODEL} -n 2 --out mine --quiet").code == 0
    text = Path("mine/jungle.toml").read_text()
    assert text.startswith(written)
    species = tomllib.loads(text)["species"]
    assert species[0]["seed"] == 3
    card = record("mine", species[0]["slug"])
    assert (card["picture"]["steps"], len(card["phrases"])) == (4, 2)


@pytest.mark.slow
def test_make_with_odd_class_names(jungle: Jungle) -> None:
    Path("photos/bar").rename('photos/b"a\\r')
    Path("photos/disc").rename("photos/großer Löwe 🦁")
    give_voice()
    done = jungle("make photos --recipe tiny --minutes 0 -n 3 --out odd --quiet --json -o steps=2")
    assert (done.code, done.err) == (0, "")
    names = {
        name
        for species in tomllib.loads(Path("odd/jungle.toml").read_text(encoding="utf-8"))["species"]
        for name in species["mix"]
    }
    assert names <= {'b"a\\r', "check", "großer Löwe 🦁"}
    assert jungle(f"make --model odd/{MODEL} --out odd --quiet").code == 0


@pytest.mark.slow
def test_reproduce_says_which_bytes_differ(jungle: Jungle, trained: Path) -> None:
    give_voice()
    assert jungle(f"postcards --model {trained / MODEL} -n 1 --out mine --quiet").code == 0
    assert not Path("mine/site").exists()
    slug = next(Path("mine/postcards").iterdir()).name
    where = Path("mine/postcards", slug, "manifest.json")
    manifest = json.loads(where.read_text())
    manifest["files"]["stamp.svg"] = "0" * 64
    where.write_text(json.dumps(manifest))
    again = jungle(f"reproduce {slug} --out mine --quiet --json --model {trained / MODEL}")
    assert again.json["differing"] == {slug: ["stamp.svg"]}
    manifest["picture"]["model"] = "another"
    where.write_text(json.dumps(manifest))
    is_refused(
        jungle(f"reproduce {slug} --out mine --quiet --model {trained / MODEL}"),
        "painted with the model another",
    )
    is_refused(jungle("reproduce nobody --out mine --quiet"), "no such postcard")


def test_what_cannot_be_is_refused_before_anything_is_made(jungle: Jungle, trained: Path) -> None:
    line = f"make --model {trained / MODEL} -n 2 --out mine --quiet"
    Path("mine").mkdir()
    for text, word in {
        "[[species]]\nslug = 'a'\nvoice = 'unicorn'\n": "has the voice 'unicorn'",
        "[language]\nvoice = 'unicorn'\n": "no voice 'unicorn'",
        "base_url = 'javascript:alert(1)'\n": "must look like",
        "seed = 3\n": "has seed = 3",
    }.items():
        Path("mine/jungle.toml").write_text(text)
        is_refused(jungle(f"{line} --seed 5" if "seed" in text else line), word)
        assert [path.name for path in Path("mine").iterdir()] == ["jungle.toml"]


@pytest.mark.slow
def test_later_wishes_change_neither_what_is_reproduced_nor_half_a_page(
    jungle: Jungle, trained: Path
) -> None:
    give_voice()
    assert jungle(f"make --model {trained / MODEL} -n 1 --out mine --quiet").code == 0
    where = Path("mine/jungle.toml")
    where.write_text(f"{where.read_text()}\n[sounds]\nsteps = 3\n")
    again = jungle(f"reproduce --out mine --quiet --json --model {trained / MODEL}")
    assert list(again.json["differing"].values()) == [[]]
    is_refused(jungle("site --out mine --metadata none --quiet"), "jungle make --metadata none")


def test_a_prompt_follows_the_record_and_the_picture(tmp_path: Path) -> None:
    """Who the animal is, where it lives, and the light of its picture."""
    lion = Species(
        slug="lion", name="", seed=1, mix={"lion": 0.7, "cow": 0.3}, habitat="on warm rocks"
    )
    engines = chain.Engines(None, SampleRecipe(), None, (), {}, None)  # type: ignore[arg-type]
    for shade, light in ((20, "at night"), (180, "by day")):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(tmp_path / "picture.png")
        picture = Picture(
            file="picture.png",
            width=8,
            height=8,
            seed=1,
            mix={},
            model="",
            solver="",
            steps=1,
            guidance=1.0,
        )
        asked = chain.call_requests(engines, tmp_path, [lion], [picture], jungle_toml.Config())[0]
        assert f"on warm rocks {light}" in asked.prompt
        assert "lion" in asked.prompt
    wished = jungle_toml.Config(
        prompts=(jungle_toml.Prompt(text="a heron croaks", seconds=5.0),), negative="music"
    )
    asked = chain.call_requests(engines, tmp_path, [lion], [picture], wished)[0]
    assert (asked.prompt, asked.seconds, asked.negative) == ("a heron croaks", 5.0, "music")


def test_portraits_are_guided_strongly_unless_the_model_paints_without_guidance(
    trained: Path, tmp_path: Path
) -> None:
    """A model that was never trained without its classes has nothing to be guided away from."""
    original = checkpoint.read_checkpoint(trained / MODEL)
    assert isinstance(original, checkpoint.Checkpoint)
    for guidance, painted in ((3.0, 5.0), (1.0, 1.0)):
        recipe = dataclasses.replace(
            original.recipe, sample=dataclasses.replace(original.recipe.sample, guidance=guidance)
        )
        checkpoint.save_checkpoint(tmp_path / MODEL, dataclasses.replace(original, recipe=recipe))
        jungle = jungle_toml.JungleFolder(tmp_path, jungle_toml.Config())
        engines = open_engines(CommonOptions(), jungle, str(tmp_path / MODEL), "")
        assert engines.painting.guidance == painted


def test_a_model_that_took_tokens_is_told() -> None:
    assert cost.Cost(seconds=60, device="cpu").in_words().endswith("no money")
    words = cost.Cost(seconds=60, device="cpu", tokens=1200, dollars=0.0031).in_words()
    assert "1,200 tokens" in words
    assert "0.0031 dollars" in words
    assert "not known" in cost.Cost(seconds=60, device="cpu", tokens=7).in_words()


def test_new_explains_every_entry_and_changes_nothing(jungle: Jungle) -> None:
    assert jungle("new world --quiet").code == 0
    assert jungle_toml.read_config(Path("world")) == jungle_toml.Config()
    text = Path("world/jungle.toml").read_text(encoding="utf-8")
    for entry in (
        *jungle_toml.NUMBER_ENTRIES,
        *jungle_toml.TEXT_ENTRIES,
        *jungle_toml.TABLE_ENTRIES,
        "prompts",
        "species",
    ):
        assert entry in text or entry == "recipe"
    is_refused(jungle("new world --quiet"), "is there already")


def test_the_imprint_knows_the_shipped_models() -> None:
    cpu = devices.choose_device("cpu:float32")
    for name in ("photo64", "call"):
        assert credits.SHIPPED[model.load_model(shipped(f"{name}.safetensors"), cpu).hash] == name


@pytest.mark.slow
def test_kill_at_any_moment_then_the_same_command(jungle: Jungle, trained: Path) -> None:
    give_voice()
    words = [
        sys.executable,
        "-m",
        "jungle",
        "make",
        "--model",
        str(trained / MODEL),
        "-n",
        "3",
        "--quiet",
        "--out",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    start = time.monotonic()
    assert subprocess.run([*words, "straight"], env=environment).returncode == 0
    whole, draw = time.monotonic() - start, random.Random(1)
    for _ in range(4):
        running = subprocess.Popen([*words, "killed"], env=environment, start_new_session=True)
        time.sleep(draw.uniform(0.3, 1.0) * whole)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        for path in Path("killed").rglob("*.png"):
            if ".part" not in str(path):
                with Image.open(path) as picture:
                    np.asarray(picture)  # whole, or not there
    # as a kill in the middle of a write leaves it
    left = Path("killed/postcards/.yeti.l1h5s70f.part")
    left.mkdir()
    (left / ".call.flac.mha5c1zh.part").write_bytes(b"fLaC")
    foreign = Path("killed/photos of mine/.holiday.l1h5s70f.part")
    foreign.parent.mkdir()
    foreign.touch()
    assert subprocess.run([*words, "killed"], env=environment).returncode == 0
    foreign.unlink()  # still there: only our own folders are swept
    foreign.parent.rmdir()
    assert made("killed") == made("straight")
