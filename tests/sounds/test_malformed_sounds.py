"""Malformed options, files, models, folders and settings of everything that makes, learns or judges
calls.

As in test_malformed.py every case is one command line in a world of broken files that is built once
and that no case may
change: exit code 2, one sentence that names the mistake, nothing written.
"""

import io
import json
import os
import shutil
import socket
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from conftest import Command, is_refused, listing, refuse, somebody
from PIL import Image
from safetensors.numpy import save as packed

from jungle.config import jungle_toml
from jungle.config.recipe_table import find_recipe
from jungle.config.recipes import SampleRecipe
from jungle.diffusion import checkpoint, device, model
from jungle.errors import BadInput
from jungle.evaluation.classifier import FEATURES
from jungle.records import Species
from jungle.sounds.memorisation import BANDS, SHORTEST_COLUMNS

RATE = 16_000
ANIMALS = ("frog", "lion")
SING = "sounds --model call.pth -n 1 --takes 1 -o steps=1 --out new"
PLAY = "sounds --engine stable-audio --out new"
LEARN = "train recordings --recipe tiny -o steps=1 --out new"
HUGE = str(2**70)


# ----------------------------------------------------------------------------------------------------------------
# the world


def call(seconds: float = 0.3, pitch: float = 400.0) -> Any:
    """A burst of a harmonic tone, (samples,)."""
    t = np.arange(round(seconds * RATE)) / RATE
    return 0.5 * np.exp(-6 * t) * np.sin(2 * np.pi * pitch * t + np.sin(2 * np.pi * 9 * t))


def wav(samples: Any, subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype=subtype)
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def saved(kind: Any, classes: tuple[str, ...], **changes: Any) -> bytes:
    """An untrained tiny model as its file holds it; ``changes`` are made in its description."""
    recipe = find_recipe("tiny", kind)
    net = model.build_model(recipe, len(classes), device.choose_device("cpu:float32")).net
    weights = {
        name: value + 0.05 * torch.ones_like(value) for name, value in net.state_dict().items()
    }
    built = checkpoint.Checkpoint(recipe, classes, 20, "data", weights, {})
    whole = built.about() | {"weights": weights, "ema": {}}
    buffer = io.BytesIO()
    torch.save(whole | {"recipe": json.dumps(json.loads(whole["recipe"]) | changes)}, buffer)
    return buffer.getvalue()


def reference(names: Any = ("a", "b"), **changes: Any) -> bytes:
    """A reference of two recordings as its file holds it, with ``changes``; a value of ... leaves a
    part out.
    """
    frames = 2 * SHORTEST_COLUMNS
    parts: dict[str, Any] = {
        "features": np.zeros((2, FEATURES), np.float16),
        "picture": np.zeros((BANDS, 2 * frames), np.uint8),
        "lengths": np.full(2, frames, np.int32),
    }
    kept = {key: value for key, value in (parts | changes).items() if value is not ...}
    return packed(
        kept,
        None
        if names is None
        else {"names": names if isinstance(names, str) else json.dumps(names)},
    )


REFERENCES: dict[str, bytes] = {
    "empty": b"", "text": b"hello", "page": b"<html>", "noise": np.random.default_rng(0).bytes(900), "huge": b"\xff" * 8 + b"{",
    "cut": reference()[:-9], "nameless": reference(None), "names-broken": reference("["), "names-number": reference("7"),
    "names-few": reference(["a"]), "names-none": reference([]), "names-numbers": reference([1, 2]),
    "no-features": reference(features=...), "no-lengths": reference(lengths=...), "no-picture": reference(picture=...),
    "features-narrow": reference(features=np.zeros((2, 5), np.float16)), "features-flat": reference(features=np.zeros(2, np.float16)),
    "features-nan": reference(features=np.full((2, FEATURES), np.nan, np.float16)),
    "picture-float": reference(picture=np.zeros((BANDS, 4 * SHORTEST_COLUMNS), np.float32)),
    "picture-flat": reference(picture=np.zeros(99, np.uint8)),
    "shades-flat": reference(picture=..., shades=np.zeros(99, np.uint8)),
    "shades-float": reference(picture=..., shades=np.zeros((BANDS // 2, 4 * SHORTEST_COLUMNS), np.float32)),
    "shades-few": reference(picture=..., shades=np.zeros((BANDS // 4, 4 * SHORTEST_COLUMNS), np.uint8)),
    "lengths-long": reference(lengths=np.full(2, 999, np.int32)),
    "lengths-negative": reference(lengths=np.array([-4, 4 + 4 * SHORTEST_COLUMNS], np.int32)),
    "lengths-real": reference(lengths=np.full(2, 2.0 * SHORTEST_COLUMNS, np.float32)),
}  # fmt: skip

TOMLS: dict[str, tuple[bytes, str]] = {  # name: what the file holds, and a word of the sentence
    "table-text": (b"sounds = 'loud'", "[sounds] must be a table"), "table-list": (b"[[sounds]]\nsteps "
                                                                                   b"= 1", "[sounds]"),
    "bool": (b"[sounds]\nsteps = true", "steps in [sounds]"), "array": (b"[sounds]\nsteps = [1]", "steps in [sounds]"),
    "unknown": (b"[sounds]\nstep = 1", "jungle.toml: There is no option 'step'"), "zero": (b"[sounds]\nsteps = 0", "jungle.toml: steps=0"),
    "range": (b"[sounds]\nguidance = 51", "jungle.toml: guidance=51"), "nan": (b"[sounds]\nguidance "
                                                                               b"= nan", "jungle.toml: guidance"),
    "text": (b"[sounds]\nsteps = 'many'", "jungle.toml: steps=many"), "solver": (b"[sounds]\nsolver "
                                                                                 b"= 'euler'", "jungle.toml: solver"),
    "together": (b"[sounds]\nsigma_min = 500", "jungle.toml: sigma_min"), "media": (b"[sounds]\nmedia "
                                                                                    b"= 'photos'", "jungle.toml"),
    "mix": (b"[[species]]\nslug = 'a'\nmix = { frog = -1 }", "frog"), "syntax": (b"[sounds", "jungle.toml"),
    "model-number": (b"sound_model = 7", "sound_model"), "model-table": (b"[sound_model]\nfile = "
                                                                         b"'x'", "sound_model"),
}  # fmt: skip

OWN_MODELS: dict[str, tuple[bytes, str]] = {  # the same, where sound_model is used
    "own-missing": (b"sound_model = 'nothing.pth'", "nothing.pth"), "own-photos": (b"sound_model = "
                                                                                   b"'../../photo.pth'", "on photos"),
    "own-text": (b"sound_model = '../../words.wav'", "words.wav"), "own-folder": (b"sound_model = "
                                                                                  b"'../../many'", "many"),
}  # fmt: skip

LEARNING_TOMLS: dict[str, tuple[bytes, str]] = {
    "learn-one": (b"[train]\nlimit = 1", "jungle.toml: limit=1"), "learn-unknown": (b"[train]\nlimits "
                                                                                    b"= 5", "jungle.toml: There is no"),
    "learn-media": (b"[train]\nmedia = 'photos'", "jungle.toml: There is no option 'media'"),
    "learn-recipe": (b"recipe = 'photo64'", "photo64"), "learn-seed": (b"[train]\nseed = -3", "jungle.toml: seed=-3"),
}  # fmt: skip


def build(world: Path) -> None:
    """All broken things of this file, and the few whole ones they need."""
    good, drawn = wav(call()), io.BytesIO()
    Image.new("RGB", (20, 20), "green").save(drawn, "PNG")
    photo = drawn.getvalue()
    files: dict[str, bytes] = {
        "call.pth": saved("recordings", ANIMALS),
        "photo.png": photo,
        "file.txt": b"hello",
        "good.wav": good,
        "words.wav": b"hello",
        "photo.pth": saved("photos", ANIMALS),
        "empty.wav": b"",
        "header.wav": good[:30],
        "noise.flac": np.random.default_rng(1).bytes(400),
        "nan.wav": wav(np.full(RATE, np.nan), "FLOAT"),
        "page.mp3": b"<html>",
        "single.zip": zipped({"a/1.wav": good}),
        "one/a/1.wav": good,
        "almost/a/1.wav": good,
        "almost/a/2.wav": good[:30],
        "mixed/a/1.wav": good,
        "mixed/b/1.png": photo,
        "words.zip": zipped({"a/read me.txt": b"hello", "b/notes.md": b"x"}),
        "liars.zip": zipped({"a/1.wav": b"hello", "a/2.wav": b"x"}),
        "cut.zip": zipped({"a/1.wav": good, "a/2.wav": good})[:-30],
        "slip.zip": zipped({"../1.wav": good, "a/2.wav": good}),
        "taken/takes": b"mine",
        "smells.pth": saved("recordings", ANIMALS, media="smells"),
        "small.pth": saved("recordings", ANIMALS, image_size=64),
        "wide.pth": saved("recordings", ANIMALS, aspect="4:3"),
    }
    bad = {
        "silent": wav(np.zeros(RATE)),
        "short": wav(call(0.02)),
        "nan": files["nan.wav"],
        "words": b"hello",
        "empty": b"",
        "cut": good[:30],
        "clipped": wav(np.sign(call(1.0))),
    }
    files |= {f"{name}/a/{index}.wav": data for name, data in bad.items() for index in range(2)}
    files |= {
        f"recordings/{name}/{index}.wav": wav(call(pitch=300 + 90 * index))
        for name in ANIMALS
        for index in range(2)
    }
    files |= {
        f"many/{name}/{index}.wav": wav(call(0.2, 200 + 40 * index))
        for name in ANIMALS
        for index in range(10)
    }
    files |= {
        f"strangers/{name}/{index}.wav": files[f"many/frog/{index}.wav"]
        for name in ("frog", "yeti")
        for index in range(10)
    }
    files |= {f"photos/{name}/{index}.png": photo for name in ANIMALS for index in range(2)}
    files |= {
        f"toml/{name}/jungle.toml": data
        for name, (data, _) in (TOMLS | OWN_MODELS | LEARNING_TOMLS).items()
    }
    files |= {
        "tiny/jungle.toml": b"recipe = 'tiny'",
        "mine/jungle.toml": b"[[species]]\nslug = 'good'\nmix = { frog = 1 }\n",
    }
    files |= {"taken/animal_sound_1.wav": b"mine"}
    files |= {f"beside/{name}/call.reference": data for name, data in REFERENCES.items()}
    files |= {f"beside/{name}/call.pth": files["call.pth"] for name in REFERENCES}
    for name, data in files.items():
        (world / name).parent.mkdir(parents=True, exist_ok=True)
        (world / name).write_bytes(data)
    for folder in (
        "nobody",
        "a-folder.wav",
        "stands/animal_sound_1.wav",
        "lies/sounds.json",
        "hidden/.git",
    ):
        (world / folder).mkdir(parents=True)
    (world / "hidden" / ".git" / "a.wav").write_bytes(good)
    (world / "loop").symlink_to("loop")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("den")
    build(folder)
    return folder


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token, and no name server: a case that asked the hub would hear nothing."""

    def unknown(host: Any, *_: Any, **__: Any) -> None:
        raise socket.gaierror(f"tests do not look for {host}")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.environ["JUNGLE_CACHE"])


# ----------------------------------------------------------------------------------------------------------------
# the cases

SINGING = {
    "-n 0": "--count", "-n -5": "--count", "-n 1000000": "--count", "-n x": "x", "-n 1.5": "1.5", "--seed -1": "--seed",
    f"--seed {HUGE}": "--seed", f"--seed {2**63}": "--seed", "--seed x": "x", "--seconds nan": "--seconds", "--seconds inf": "--seconds",
    "--seconds -inf": "--seconds", "--seconds -1": "--seconds", "--seconds 1e9": "--seconds", "--seconds 0.01": "0.1", "--seconds x": "x",
    "--seconds 5s": "5s", "--takes 0": "--takes", "--takes -1": "--takes", "--takes 1000": "--takes", "--takes 1.5": "1.5",
    "--takes x": "x", "--steps 0": "steps", "--steps -3": "steps", "--steps x": "x", "--steps 1e3": "1e3", "--guidance nan": "guidance",
    "--guidance inf": "guidance", "--guidance -1": "guidance", "--guidance 51": "guidance", "--mix unicorn": "unicorn",
    "--mix frog=x": "x", "--mix frog=nan": "--mix", "--mix frog=inf": "--mix", "--mix frog=-1": "share", "--mix frog=0": "share",
    "--mix =1": "--mix", "--mix frog,": "--mix", "--mix frog=1,frog=2": "twice", "--mix FROG": "FROG", "--species cat": "cat",
    "--species good": "jungle.toml", "--mix frog --species good": "--species", "--faithful": "stable-audio",
    "--prompt roar": "stable-audio", "--negative hum": "stable-audio", "--prompt roar --mix frog": "stable-audio",
    "--engine openai": "openai", "--engine EMBEDDED": "EMBEDDED", "--engine": "--engine", "--solver heun": "--solver",
    "--device gpu": "gpu", "--device cuda": "cuda", "--keep 1": "--keep", "--clap many": "stable-audio", "--speak yes": "yes",
    "-C nowhere": "nowhere",
    "--model photo.pth": "on photos", "--model nothing.pth": "nothing.pth", "--model words.wav": "words.wav",
    "--model good.wav": "good.wav",
    "--model many": "many", "--model loop": "loop", "--model smells.pth": "smells.pth", "--model small.pth": "small.pth",
    "--model wide.pth": "wide.pth", "--out file.txt": "file.txt", "--out file.txt/new": "file.txt", "--out loop": "loop",
    "--out taken": "takes", "--out stands": "animal_sound_1.wav", "--out lies": "sounds.json", "--out /proc/new": "/proc/new",
    f"--out {'x' * 300}": "xxx", "-o steps": "key=value", "-o steps=0": "steps=0", "-o steps=x": "whole number", "-o steps=": "steps",
    "-o step=1": "did you mean 'steps'", "-o limit=5": "limit", "-o media=photos": "media", "-o guidance=much": "number",
    "-o solver=euler": "heun", "-o sigma_max=inf": "finite", "-o sigma_min=100 -o sigma_max=1": "sigma_min", "-o rho=0": "rho",
    "-o solver=ddpm": "ddpm", "-o batch=-1": "batch", "-o seconds=3": "seconds", "-o image_size=32": "image_size",
}  # fmt: skip

PLAYING = {
    "-n 0": "--count", "--seconds nan": "--seconds", "--takes 0": "--takes", "--seed -1": "--seed", "--steps 0": "steps=0",
    "--steps -1": "steps=-1", "--guidance nan": "guidance", "--guidance 0.5": "guidance", "--guidance inf": "guidance",
    "-o steps=3": "--steps", "--model nothing": "nothing", "--model ./nothing": "./nothing", "--model call.pth": "call.pth",
    "--model many": "many", "--model a/b/c": "a/b/c", "--prompt roar --mix frog": "--mix", "--species cat": "cat",
    "--mix lion=-1": "share", "--mix lion=0": "share", "--mix =1": "--mix", "--mix lion --species good": "--species",
    "--faithful --prompt roar": "--prompt", "--faithful --mix lion": "--mix", "--faithful -n 3": "--count",
    "--faithful --seconds 3": "--seconds", "--faithful --negative hum": "--negative", "--faithful --steps 9": "--steps",
    "--faithful --guidance 2": "--guidance", "--faithful --species good": "--species", "--device gpu": "gpu", "": "needs a token",
    "--model nobody/nothing": "check the network", "--clap nothing": "a CLAP model", "--clap many": "no CLAP model",
    "--clap call.pth": "call.pth", "--clap nobody/nothing": "check the network", "--faithful --clap many": "--clap",
    "--model ~nosuchperson/x": "~nosuchperson", "--clap ~nosuchperson/x": "~nosuchperson", "--out file.txt": "file.txt",
}  # fmt: skip

LEARNING = {
    "": "SOURCE", "nobody": "no photos and no recordings", "hidden": "no recordings", "one": "1 usable recording",
    "almost": "2.wav: damaged", "silent": "silent", "short": "shorter than", "nan": "not numbers", "words": "not a recording",
    "empty": "empty file", "cut": "damaged", "clipped": "clipping", "mixed": "1 usable photo", "words.zip": "no photos and no recordings",
    "liars.zip": "not a recording", "cut.zip": "cut.zip", "slip.zip": "outside", "single.zip": "1 usable recording",
    "good.wav": "good.wav", "call.pth": "call.pth", "a-folder.wav": "no recordings", "recordings --recipe photo64": "photo64",
    "recordings --recipe faithful": "for recordings", "photos --recipe call": "for photos", "recordings --recipe CALL": "CALL",
    "recordings --minutes nan": "--minutes", "recordings --minutes -1": "--minutes", "recordings --seed -1": "seed=-1",
    f"recordings --seed {HUGE}": "seed", "recordings --recipe tiny --out file.txt": "file.txt",
    "recordings --recipe tiny --device gpu": "gpu",
}  # fmt: skip

LEARNING_OPTIONS = {
    "limit=1": "limit=1", "limit=-1": "limit", "limit=x": "whole number", "limits=5": "did you mean 'limit'", "media=photos": "media",
    "image_size=64": "image_size", "image_size=17": "image_size", "aspect=4:3": "aspect", "network=unet2d": "network",
    "objective=gan": "flow", "batch=0": "batch", "lr=nan": "finite", "epochs=0": "epochs", "order=random": "balanced",
    "seconds=3": "seconds", "rate=44100": "rate", "name=x": "name",
}  # fmt: skip

JUDGING = {
    "-n 5": "--count", "-n 0": "--count", "-n x": "x", f"-n {10**9}": "--count", "-n 10 --seed -1": "--seed",
    f"-n 10 --seed {HUGE}": "--seed", "--data strangers -n 10": "of yeti too",
    "-o steps=0": "steps=0", "-o limit=5": "limit", "--data one": "1 usable",
    "--data recordings -n 10": "recordings", "--data photos": "on recordings", "--data nobody": "no photos", "--data silent": "silent",
    "--data words.zip": "no photos and no recordings", "--data good.wav": "good.wav", "--data nowhere": "nowhere",
    "--out file.txt": "file.txt",
    "--device gpu": "gpu",
}  # fmt: skip

OTHERS = {
    "inspect nobody": "no photos and no recordings", "inspect a-folder.wav": "no recordings", "inspect hidden": "no recordings",
    "inspect words.wav": "not a recording", "inspect empty.wav": "empty file", "inspect header.wav": "damaged",
    "inspect nan.wav": "not numbers", "inspect noise.flac": "noise.flac", "inspect page.mp3": "page.mp3",
    "inspect nothing.wav": "nothing.wav",
    "inspect words.zip": "no photos and no recordings", "inspect slip.zip": "outside", "inspect smells.pth": "smells.pth",
    "inspect recordings -o limits=3": "limit", "inspect recordings -o limit=1": "limit=1",
    "inspect recordings -o image_size=64": "image_size",
    "inspect beside/text/call.reference": "call.reference", "images --model call.pth -n 1 --out new": "jungle sounds",
    "images --model good.wav -n 1 --out new": "good.wav", "evaluate photo.pth --data many -n 10 --out new": "on photos",
    "evaluate nothing.pth --data many --out new": "nothing.pth", "evaluate words.wav --data many --out new": "words.wav",
    "make --model call.pth --out new": "jungle sounds", "make recordings --recipe photo64 --out new": "photo64",
    "make --model photo.pth -n 1 -o steps=1 --out toml/own-missing": "nothing.pth",
    "make --model photo.pth -n 1 -o steps=1 --out toml/own-photos": "on photos",
    "make --model photo.pth -n 1 -o steps=1 --out toml/zero": "jungle.toml: steps=0",
    "sounds -C mine --model ../call.pth --species bad --out new": "good",
    "sounds -C mine --model ../call.pth --mix frog --species good": "--mix",
}  # fmt: skip


CASES = (
    [pytest.param([*SING.split(), *text.split()], word, id=f"sounds {text[:40]}") for text, word in SINGING.items()]
    + [pytest.param([*PLAY.split(), *text.split()], word, id=f"stable-audio {text[:40]}") for text, word in PLAYING.items()]
    + [pytest.param(["train", "--out", "new", *text.split()], word, id=f"train {text[:40]}") for text, word in LEARNING.items()]
    + [pytest.param([*LEARN.split(), "-o", text], word, id=f"train -o {text}") for text, word in LEARNING_OPTIONS.items()]
    + [
        pytest.param(["evaluate", "call.pth", "--data", "many", "--out", "new", *text.split()], word, id=f"evaluate {text[:40]}")
        for text, word in JUDGING.items()
    ]
    + [pytest.param(text.split(), word, id=text[:60]) for text, word in OTHERS.items()]
    + [
        pytest.param(["sounds", "-C", f"toml/{name}", "--model", "../../call.pth", "--out", "new"], word, id=f"toml {name}")
        for name, (_, word) in TOMLS.items()
    ]
    + [
        pytest.param(["sounds", "-C", f"toml/{name}", "-n", "1", "--out", "new"], word, id=f"toml {name}")
        for name, (_, word) in OWN_MODELS.items()
    ]
    + [
        pytest.param(["train", "../../recordings", "-C", f"toml/{name}", "--out", "new"], word, id=f"toml {name}")
        for name, (_, word) in LEARNING_TOMLS.items()
    ]
    + [
        pytest.param(["sounds", "--model", f"beside/{name}/call.pth", "-n", "1", "--out", "new"], "call.reference", id=f"reference {name}")
        for name in REFERENCES
    ]
    + [
        pytest.param([*SING.split(), option, text], option, id=f"{option} {text!r}")
        for option, text in (("--mix", ""), ("--mix", " "), ("--mix", "frog=1 lion=2"), ("--seconds", ""), ("--species", ""))
    ]
)  # fmt: skip


@pytest.mark.parametrize(("arguments", "word"), CASES)
def test_one_sentence(
    world: Path, arguments: list[str], word: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(world, arguments, word, command, monkeypatch)


@pytest.mark.parametrize("library", ["diffusers", "transformers"])
def test_stable_audio_without_its_libraries(
    world: Path, library: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    refuse(world, PLAY.split(), "pip install", command, monkeypatch)


@pytest.mark.parametrize(
    "line",
    [
        SING,
        f"{SING} --mix frog=2,lion=1 --seconds 1",
        LEARN,
        "inspect good.wav",
        "inspect ../recordings -C tiny",
    ],
)
def test_without_the_mistake_it_works(
    world: Path, line: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the commands that the cases above break are whole."""
    copy = tmp_path / "world"
    shutil.copytree(world, copy, symlinks=True)
    monkeypatch.chdir(copy)
    done = command([*line.split(), "--quiet"])
    assert (
        done.code,
        [text for text in done.err.splitlines() if not text.startswith("animal_sound_1.wav: ")],
    ) == (0, [])
    assert done.out


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="no such rights here")
@pytest.mark.parametrize(
    ("line", "word"),
    {
        f"{SING} --out locked": "locked",
        f"{SING} --out locked/new": "locked",
        f"{SING} --model secret.pth": "secret.pth",
        f"{SING} --model beside/call.pth": "call.reference",
        f"{SING} -C closed": "closed",
        f"{LEARN} --out locked": "locked",
        f"{LEARN} --out locked/run": "locked",
        "train unread --recipe tiny --out new": "permission",
        "evaluate call.pth --data recordings -n 10 --out locked/new": "locked",
        "inspect secret.wav": "secret.wav",
    }.items(),
)
def test_no_permission(
    line: str, word: str, world: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        for name in ("recordings", "unread"):
            shutil.copytree(world / "recordings", folder / name)
        for name in (
            "call.pth",
            "secret.pth",
            "secret.wav",
            "beside/call.pth",
            "beside/call.reference",
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(world / "call.pth", folder / name)
        for path in [
            *folder.glob("secret.*"),
            folder / "beside" / "call.reference",
            *(folder / "unread").rglob("*.wav"),
        ]:
            path.chmod(0)
        for name, mode in (("locked", 0o555), ("closed", 0), ("cache", 0o777)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)
        folder.chmod(0o777)
        monkeypatch.setenv("JUNGLE_CACHE", str(folder / "cache"))
        monkeypatch.chdir(folder)
        before = [name for name in listing(folder) if "cache" not in name]
        with somebody():
            done = command([*line.split(), "--quiet"])
        is_refused(done, word)
        assert [name for name in listing(folder) if "cache" not in name] == before
    finally:
        monkeypatch.undo()
        shutil.rmtree(folder)


# ----------------------------------------------------------------------------------------------------------------
# jungle.toml


def test_the_file_is_named_where_it_is_to_blame() -> None:
    folder = Path("here")
    with pytest.raises(BadInput, match=r"^here/jungle\.toml: steps=0"):
        jungle_toml.apply_config(SampleRecipe(), {"steps": "0"}, folder, {"guidance": "2"})
    with pytest.raises(BadInput, match=r"^steps=0"):
        jungle_toml.apply_config(SampleRecipe(), {"guidance": "2"}, folder, {"steps": "0"})
    with pytest.raises(BadInput, match=r"^steps=0"):
        jungle_toml.apply_config(SampleRecipe(), {"guidance": "99"}, folder, {"steps": "0"})
    assert (
        jungle_toml.apply_config(SampleRecipe(), {"steps": "0"}, folder, {"steps": "3"}).steps == 3
    )


@pytest.mark.parametrize(
    "line",
    [
        "species = []",
        "species=[ ]  # none yet",
        '"species" = []',
        "  species = [\n  # to come\n]",
        "'species' = [\n]",
        "species = []\n[sounds]\nsteps = 9",
    ],
)
def test_an_empty_list_of_species_makes_room_for_species(tmp_path: Path, line: str) -> None:
    """TOML forbids [[species]] after ``species = []``."""
    where = tmp_path / jungle_toml.CONFIG_FILE
    where.write_text(f"# mine\nseed = 4\n{line}\n")
    before = jungle_toml.read_config(tmp_path)
    assert before.species == ()
    species = (Species(slug="frog-lion", name="Frolion", seed=7, mix={"frog": 0.5, "lion": 0.5}),)
    jungle_toml.write_species(tmp_path, 0, species)
    after = jungle_toml.read_config(tmp_path)
    assert after.species == species
    assert (
        (after.seed, after.sounds)
        == (before.seed, before.sounds)
        == (4, {"steps": "9"} if "[sounds]" in line else {})
    )
    assert where.read_text().startswith("# mine\nseed = 4\n")
