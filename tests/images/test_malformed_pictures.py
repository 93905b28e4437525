"""Malformed options, files, models and photos: exit code 2, one sentence that names the mistake,
and nothing written.

Every case is one command line in a world of broken files that is built once. Because no case may
change that world,
all share it: after each command the listing of the world and of the cache must be what it was.
"""

import io
import json
import os
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, is_refused, listing, refuse, somebody
from PIL import Image
from safetensors.torch import save_file

from jungle.config.recipe_table import find_recipe
from jungle.diffusion import checkpoint, device, model

CLASSES = ("bar", "check", "disc")
PAINT = "images --model ok.pth -n 1 -o steps=1 --out new"
TRAIN = "train photos --recipe tiny -o steps=1 --out new"
LONG = "9" * 30


# ----------------------------------------------------------------------------------------------------------------
# the world


class Evil:
    """A pickle of this makes a file called EXECUTED."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("EXECUTED",)


def content(**changes: Any) -> dict[str, Any]:
    """A tiny model as its file holds it, with ``changes``; a value of ... removes the key."""
    recipe = find_recipe("tiny")
    net = model.build_model(recipe, len(CLASSES), device.choose_device("cpu:float32")).net
    made = checkpoint.Checkpoint(recipe, CLASSES, 20, "data", net.state_dict(), {})
    whole = made.about() | {"weights": dict(made.weights), "ema": {}} | changes
    return {key: value for key, value in whole.items() if value is not ...}


def recipe_json(**changes: Any) -> str:
    return json.dumps(json.loads(find_recipe("tiny").to_json()) | changes)


def net_json(**changes: Any) -> str:
    plain = json.loads(find_recipe("tiny").to_json())
    return json.dumps(plain | {"net": plain["net"] | changes})


def altered(change: Any) -> dict[str, Any]:
    weights = content()["weights"]
    return {name: change(value) for name, value in weights.items()}


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def models(folder: Path) -> dict[str, bytes]:
    """Broken model files by name."""
    good = saved(content())
    first = sorted(content()["weights"])[0]
    whole = content()["weights"]
    noise = np.random.default_rng(0).bytes(5000)
    safe = folder / "good.safetensors"
    save_file({"a": torch.zeros(2)}, safe)
    plain = safe.read_bytes()
    described = {}
    for name, about in {
        "list": "[1]",
        "broken": "{",
        "number": "7",
        "empty": "{}",
        "wrong": json.dumps(
            {"jungle": "9", "recipe": recipe_json(), "classes": ["a"], "step": 1, "data": ""}
        ),
    }.items():
        save_file({"a": torch.zeros(2)}, safe, {"jungle": about})
        described[f"described-{name}.safetensors"] = safe.read_bytes()
    safe.unlink()
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    return described | {
        "empty.pth": b"",
        "one-byte.pth": b"\x80",
        "cut-half.pth": good[: len(good) // 2],
        "cut-end.pth": good[:-10],
        "cut-head.pth": good[100:],
        "flipped.pth": good[:2000] + bytes(255 - one for one in good[2000:2400]) + good[2400:],
        "noise.pth": noise,
        "noise.pt": noise[1:],
        "noise.ckpt": noise[2:],
        "noise-zip.pth": b"PK\x03\x04" + noise,
        "noise-pickle.pth": b"\x80\x02" + noise,
        "noise.safetensors": noise,
        "empty.safetensors": b"",
        "cut.safetensors": plain[:-3],
        "undescribed.safetensors": plain,
        "huge-header.safetensors": b"\xff" * 8 + b"{",
        "negative.safetensors": b"\x00" * 8,
        "pickled.safetensors": good,
        "safe-but.pth": plain,
        "page.pth": b"<!DOCTYPE html><html><body>Sign in</body></html>",
        "page2.pth": b"\n <html>",
        "xml.bin": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        "pointer.pth": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n",
        "text.pth": b"hello",
        "json.pth": b'{"a": 1}',
        "picture.pth": picture.getvalue(),
        "evil.pth": saved({"weights": Evil()}),
        "evil-raw.pth": pickle.dumps(Evil()),
        "evil-inside.pth": saved(content(data=Evil())),
        "list.pth": saved([1, 2]),
        "tensor.pth": saved(torch.zeros(3)),
        "number.pth": saved(3),
        "nothing.pth": saved({}),
        "strange.pth": saved({"a": 1, "b": torch.zeros(2)}),
        "numbers-as-names.pth": saved({1: torch.zeros(2)}),
        "half-unet2d.pth": saved(
            {"conv_in.weight": torch.zeros(8, 3, 3, 3), "down_blocks.0.x": torch.zeros(2)}
        ),
        "grey-unet2d.pth": saved(
            {"conv_in.weight": torch.zeros(8, 1, 3, 3), "down_blocks.0.x": torch.zeros(2)}
        ),
        "flat-unet2d.pth": saved(
            {"conv_in.weight": torch.zeros(8), "down_blocks.0.x": torch.zeros(2)}
        ),
        "zip.pth": zipped({"a.txt": b"hello"}),
        "no-recipe.pth": saved(content(recipe=...)),
        "no-classes.pth": saved(content(classes=...)),
        "no-step.pth": saved(content(step=...)),
        "no-weights.pth": saved(content(weights=...)),
        "recipe-broken.pth": saved(content(recipe="{")),
        "recipe-none.pth": saved(content(recipe=None)),
        "recipe-list.pth": saved(content(recipe="[1]")),
        "recipe-text.pth": saved(content(recipe='"tiny"')),
        "recipe-dict.pth": saved(content(recipe={"name": "tiny"})),
        "recipe-unknown.pth": saved(content(recipe=recipe_json(colour="red"))),
        "recipe-size-text.pth": saved(content(recipe=recipe_json(image_size="16"))),
        "recipe-size-17.pth": saved(content(recipe=recipe_json(image_size=17))),
        "recipe-size-nan.pth": saved(content(recipe=recipe_json(image_size=float("nan")))),
        "recipe-aspect.pth": saved(content(recipe=recipe_json(aspect="wide"))),
        "recipe-network.pth": saved(content(recipe=recipe_json(network="transformer"))),
        "recipe-net-list.pth": saved(content(recipe=recipe_json(net=[1]))),
        "recipe-net-unknown.pth": saved(content(recipe=net_json(heads=3))),
        "recipe-net-text.pth": saved(content(recipe=net_json(widths="wide"))),
        "recipe-net-zero.pth": saved(content(recipe=net_json(patch=0))),
        "recipe-net-negative.pth": saved(content(recipe=net_json(widths=[-8, 16]))),
        "recipe-net-empty.pth": saved(content(recipe=net_json(widths=[], blocks=[]))),
        "recipe-net-uneven.pth": saved(content(recipe=net_json(blocks=[1]))),
        "recipe-fine-number.pth": saved(content(recipe=recipe_json(fine=3))),
        "recipe-fine-alone.pth": saved(content(recipe=recipe_json(fine={}))),
        "recipe-fine-below.pth": saved(content(recipe=recipe_json(fine_below=0.5))),
        "recipe-weak-number.pth": saved(content(recipe=recipe_json(weak=3))),
        "recipe-weak-alone.pth": saved(content(recipe=recipe_json(weak={}))),
        "recipe-weak-mix.pth": saved(content(recipe=recipe_json(sample={"weak_mix": 2}))),
        "recipe-sample.pth": saved(content(recipe=recipe_json(sample={"steps": "many"}))),
        "recipe-sample-range.pth": saved(content(recipe=recipe_json(sample={"steps": 0}))),
        "step-text.pth": saved(content(step="many")),
        "classes-number.pth": saved(content(classes=3)),
        "classes-numbers.pth": saved(content(classes=[1, 2, 3])),
        "classes-few.pth": saved(content(classes=["bar"])),
        "weights-text.pth": saved(content(weights="heavy")),
        "weights-none.pth": saved(content(weights=None)),
        "weights-list.pth": saved(content(weights=[1])),
        "weights-empty.pth": saved(content(weights={})),
        "weights-numbers.pth": saved(content(weights=dict.fromkeys(whole, 1.0))),
        "weights-missing.pth": saved(
            content(weights={k: v for k, v in whole.items() if k != first})
        ),
        "weights-more.pth": saved(content(weights=whole | {"more": torch.zeros(1)})),
        "weights-shape.pth": saved(content(weights=whole | {first: torch.zeros(3, 5, 7)})),
        "weights-flat.pth": saved(content(weights=altered(lambda value: value.reshape(-1)))),
        "weights-nan.pth": saved(content(weights=altered(lambda value: value * float("nan")))),
        "weights-inf.pth": saved(
            content(weights=whole | {first: torch.full_like(whole[first], float("inf"))})
        ),
        "ema-nan.pth": saved(content(ema=altered(lambda value: value * float("nan")))),
        "ema-text.pth": saved(content(ema="average")),
    }


TOMLS: dict[str, tuple[bytes, str]] = {  # name: what the file holds, and a word of the sentence
    "syntax": (b"seed = ", "toml"),
    "unclosed": (b"[images", "toml"),
    "quote": (b'recipe = "quick', "toml"),
    "twice": (b"seed = 1\nseed = 2", "toml"),
    "latin": ("recipe = 'caf\xe9'".encode("latin-1"), "toml"),
    "utf16": ("seed = 1".encode("utf-16"), "toml"),
    "noise": (np.random.default_rng(1).bytes(900), "toml"),
    "nested": (b"species = " + b"[" * 100_000, "toml"),
    "huge": (b"# " + b"x" * 3_000_000 + b"\nseed = x", "toml"),
    "digits": (b"seed = " + b"9" * 5000, "toml"),
    "unknown": (b"colour = 1", "colour"),
    "unknown-table": (b"[paint]\nsteps = 1", "paint"),
    "seed-text": (b"seed = '1'", "seed"),
    "seed-real": (b"seed = 1.5", "seed"),
    "seed-bool": (b"seed = true", "seed"),
    "seed-negative": (b"seed = -1", "seed"),
    "seed-big": (b"seed = 99999999999999999999", "seed"),
    "seed-nan": (b"seed = nan", "seed"),
    "seed-date": (b"seed = 2020-01-01", "seed"),
    "recipe-number": (b"recipe = 1", "recipe"),
    "model-list": (b"model = []", "model"),
    "images-text": (b"images = 'many'", "images"),
    "images-list": (b"[[images]]\nsteps = 1", "images"),
    "images-bool": (b"[images]\nsteps = true", "steps"),
    "images-array": (b"[images]\nsteps = [1]", "steps"),
    "images-unknown": (b"[images]\nstep = 1", "steps"),
    "images-range": (b"[images]\nguidance = 51", "guidance"),
    "images-nan": (b"[images]\nguidance = nan", "guidance"),
    "images-inf": (b"[images]\nrho = inf", "rho"),
    "images-solver": (b"[images]\nsolver = 'euler'", "euler"),
    "species-text": (b"species = 'cat'", "species"),
    "species-table": (b"[species]\nslug = 'cat'", "species"),
    "species-numbers": (b"species = [1, 2]", "species"),
    "slug-none": (b"[[species]]\nname = 'Cat'", "slug"),
    "slug-number": (b"[[species]]\nslug = 7", "slug"),
    "slug-empty": (b"[[species]]\nslug = ''", "slug"),
    "slug-path": (b"[[species]]\nslug = '../cat'", "slug"),
    "slug-upper": (b"[[species]]\nslug = 'Cat'", "slug"),
    "slug-unicode": ("[[species]]\nslug = 'c\xe4t'".encode(), "slug"),
    "slug-twice": (b"[[species]]\nslug = 'a'\n[[species]]\nslug = 'a'", "2 times"),
    "name-number": (b"[[species]]\nslug = 'a'\nname = 7", "name"),
    "mix-text": (b"[[species]]\nslug = 'a'\nmix = 'bar'", "mix"),
    "mix-list": (b"[[species]]\nslug = 'a'\nmix = ['bar']", "mix"),
    "mix-share": (b"[[species]]\nslug = 'a'\nmix = { bar = 'much' }", "bar"),
    "mix-negative": (b"[[species]]\nslug = 'a'\nmix = { bar = -1 }", "bar"),
    "mix-nan": (b"[[species]]\nslug = 'a'\nmix = { bar = nan }", "bar"),
    "mix-inf": (b"[[species]]\nslug = 'a'\nmix = { bar = inf }", "bar"),
    "mix-bool": (b"[[species]]\nslug = 'a'\nmix = { bar = true }", "bar"),
    "mix-googol": (b"[[species]]\nslug = 'a'\nmix = { bar = 1" + b"0" * 400 + b" }", "bar"),
    "species-seed-negative": (b"[[species]]\nslug = 'a'\nseed = -5", "seed"),
    "species-seed-big": (b"[[species]]\nslug = 'a'\nseed = 99999999999999999999", "seed"),
    "species-seed-text": (b"[[species]]\nslug = 'a'\nseed = 'x'", "seed"),
}  # fmt: skip

TRAIN_TOMLS: dict[str, tuple[bytes, str]] = {
    "train-text": (b"train = 'long'", "train"),
    "train-unknown": (b"[train]\nlimits = 5", "limit"),
    "train-range": (b"[train]\nimage_size = 17", "image_size"),
    "train-recipe": (b"recipe = 'fast'", "fast"),
    "train-seed": (b"[train]\nseed = -3", "seed"),
}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def build(world: Path) -> None:
    """All broken things of this file, and the few whole ones they need."""
    drawn = io.BytesIO()
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
        drawn, "PNG"
    )
    photo = drawn.getvalue()
    files: dict[str, bytes] = {
        "ok.pth": saved(content()),
        "file.txt": b"hello",
        "photo.png": photo,
        "cut.png": photo[:200],
    }
    files |= {f"photos/{name}/{number}.png": photo for name in CLASSES for number in range(2)}
    files |= {f"toml/{name}/jungle.toml": data for name, (data, _) in (TOMLS | TRAIN_TOMLS).items()}
    files |= {
        "mine/jungle.toml": b"[[species]]\nslug = 'good'\nmix = { bar = 1 }\n[[species]]\nslug = 'odd'\nmix = { unicorn = 1 }\n"
    }
    files |= {
        "mine/late.toml": b"",
        "zero/jungle.toml": b"[[species]]\nslug = 'nought'\nmix = { bar = 0 }\n",
    }
    files |= {
        "one/photo.png": photo,
        "flat/readme.txt": b"hello",
        "unreadable/a/1.jpg": b"",
        "unreadable/a/2.jpg": b"noise",
    }
    files |= {
        "unreadable/b/3.png": photo[:50],
        "almost/a/1.png": photo,
        "almost/a/2.png": photo[:80],
        "page.zip": b"<html>",
    }
    files |= {
        "cut.zip": zipped({"a/1.png": photo, "a/2.png": photo})[:-40],
        "slip.zip": zipped({"../1.png": photo, "a/2.png": photo}),
    }
    files |= {
        "root.zip": zipped({"/tmp/1.png": photo}),
        "none.zip": zipped({"a.txt": b"x"}),
        "nothing.zip": zipped({}),
        "empty.zip": b"",
    }
    files |= {
        "bomb.zip": zipped({"a/1.png": bytes(80 << 20)}),
        "single.zip": zipped({"a/1.png": photo}),
    }
    corrupt = zipped({"a/1.png": photo, "a/2.png": photo})
    files |= {
        "corrupt.zip": corrupt[:100] + bytes(255 - one for one in corrupt[100:130]) + corrupt[130:]
    }
    other = saved({"key": "another run"})
    files |= {
        "run-cut/animal_diffusion_model.state": other[:300],
        "run-text/animal_diffusion_model.state": b"hello",
    }
    files |= {
        "run-other/animal_diffusion_model.state": other,
        "run-other/animal_diffusion_model.pth": b"a model of mine",
    }
    files |= {
        "run-page/animal_diffusion_model.state": b"<html>",
        "theirs/animal_diffusion_model.pth": b"somebody's model",
    }
    files |= {"beside.pth": saved({"conv_in.weight": torch.zeros(2)}), "beside.json": b"{"}
    for name, data in files.items():
        (world / name).parent.mkdir(parents=True, exist_ok=True)
        (world / name).write_bytes(data)
    (world / "bad").mkdir()
    for name, data in models(world).items():
        (world / "bad" / name).write_bytes(data)
    for folder in (
        "nobody",
        "hidden/.git",
        "toml/folder/jungle.toml",
        "folder.pth",
        "folder.safetensors",
    ):
        (world / folder).mkdir(parents=True)
    (world / "hidden" / ".git" / "a.png").write_bytes(photo)
    (world / "loop").symlink_to("loop")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    build(folder)
    return folder


# ----------------------------------------------------------------------------------------------------------------
# the cases

TRAIN_OPTIONS = {
    "limit": "key=value", "=5": "key=value", "=": "key=value", "": "key=value",
    "limit:5": "key=value", "limit=": "limit", "limit=x": "whole number",
    "limit=1.5": "whole number", "limit=-1": "limit", "limit=nan": "whole number",
    "limit=1": "photo", "limits=5": "did you mean 'limit'", "LIMIT=5": "LIMIT", "größe=5": "größe",
    "🦁=1": "🦁", "name=x": "name", "net=1": "net", "sample=1": "sample", "__class__=x": "__class__",
    "image_size=17": "image_size", "image_size=0": "image_size", "image_size=-16": "image_size",
    "image_size=2048": "image_size", "image_size=1e2": "whole number",
    f"image_size={LONG}": "image_size", f"seed={'9' * 5000}": "seed",
    "image_size=٦٤x": "whole number", "order=random": "balanced", "order=": "balanced",
    "aspect=16:9": "4:3", "aspect=1": "1:1", "crop=yes": "squash", "augment=all": "flip",
    "network=vit": "unet", "objective=gan": "flow", "decay=cosine": "wsd", "epochs=0": "epochs",
    "epochs=-2": "epochs", "epochs=nan": "finite", "epochs=inf": "finite",
    "epochs=1e300": "epochs", "epochs=ten": "number", "steps=-1": "steps",
    "steps=2.5": "whole number", "batch=0": "batch", "batch=-8": "batch",
    "batch=99999999": "batch", "micro_batch=9": "micro_batch", "micro_batch=-1": "micro_batch",
    "lr=0": "lr", "lr=-1": "lr", "lr=nan": "finite", "lr=2": "lr", "lr=1e999": "finite",
    "lr=0,001": "number", "balance=2": "balance", "balance=-0.1": "balance", "ema=0.5": "ema",
    "ema=-1": "ema", "drop_mix=1": "drop_mix", "drop_mix=-1": "drop_mix",
    "small_share=1": "small_share", "warmup=-1": "warmup", "clip=-1": "clip",
    "checkpoint_every=-1": "checkpoint_every", "checkpoint_every=often": "whole number",
    "beta2=1": "beta2", "beta2=2": "beta2", "beta2=-1": "beta2", "weight_decay=-1": "weight_decay",
    "weight_decay=1e9": "weight_decay", "sigma_data=0": "sigma_data",
    "sigma_data=-1": "sigma_data", "p_std=-1": "p_std", "p_std=0": "p_std", "p_mean=1e9": "p_mean",
    "seed=-1": "seed", "seed=1.5": "whole number", "seed=99999999999999999999999": "seed",
    "guidance=2": "guidance",
}  # fmt: skip

PAINT_OPTIONS = {
    "steps": "key=value", "=1": "key=value", "step=1": "did you mean 'steps'", "limit=5": "limit",
    "steps=0": "steps", "steps=-1": "steps", "steps=x": "whole number", "steps=99999": "steps",
    "steps=nan": "whole number", "steps=": "whole number", "solver=": "heun",
    "solver=euler": "heun", "solver=HEUN": "heun", "guidance=nan": "finite",
    "guidance=-1": "guidance", "guidance=1e9": "guidance", "guidance=inf": "finite",
    "guidance=much": "number", "sigma_min=0": "sigma_min", "sigma_min=100": "sigma_min",
    "sigma_max=0": "sigma_max", "sigma_max=inf": "finite", "sigma_min=nan": "finite",
    "rho=0": "rho", "rho=-7": "rho", "rho=1e300": "rho", "rho=1e-300": "rho",
    "sigma_max=1e300": "sigma_max", "sigma_min=1e-300": "sigma_min", "batch=-1": "batch",
    "batch=1.5": "whole number", "batch=9999999": "batch", "image_size=32": "image_size",
    "image_size=x": "image_size", "image_size=-1": "image_size", "solver=ddpm": "ddpm",
    "guidance_low=nan": "finite", "größe=1": "größe",
}  # fmt: skip

FLAGS = {
    "-n 0": "--count", "-n -5": "--count", "-n 1000000": "--count", "-n x": "x", "-n 1.5": "1.5",
    "-n nan": "nan", f"-n {LONG}": "--count", "--seed -1": "--seed", "--seed x": "x",
    f"--seed {LONG}": "--seed", "--seed 1.5": "1.5", "--steps 0": "steps", "--steps x": "x",
    "--steps 1e3": "1e3", "--steps -3": "steps", "--solver euler": "euler",
    "--solver ddpm": "ddpm", "--guidance nan": "guidance", "--guidance inf": "guidance",
    "--guidance -1": "guidance", "--guidance x": "x", "--guidance 51": "guidance",
    "--mix unicorn": "unicorn", "--mix bar=x": "x", "--mix bar=nan": "--mix",
    "--mix bar=inf": "--mix", "--mix bar=-1": "share", "--mix bar=0": "share", "--mix =1": "--mix",
    "--mix bar,": "--mix", "--mix ,": "--mix", "--mix bar=1=2": "--mix",
    "--mix bar=1e-300": "share", "--mix bar=1,bar=2": "bar", "--mix BAR": "BAR",
    "--mix bar;check": "bar;check", "--mix bär=1": "bär", "--mix bar=1e999": "--mix",
    "--species cat": "cat", "--species good": "jungle.toml",
    "--mix bar --species good": "--species", "--keep 2": "--of", "--of 2": "--keep",
    "--keep 3 --of 2": "--keep", "--keep -1 --of 2": "--keep", "--keep 0 --of 2": "--keep",
    "--keep x --of 2": "x", "--keep 1 --of 1000000": "--of", "--export onnx": "onnx",
    "--export diffusers": "diffusers", "--export ../x": "../x", "--device gpu": "gpu",
    "--device cuda": "cuda", "--device mps": "mps", "--device cpu:int8": "int8",
    "--device :": "--device", "--device cpu:": "--device", "--device CPU": "CPU",
    "--faithful": "ddpm", "--colour red": "--colour", "--model": "--model", "more": "more",
    "-C nowhere": "nowhere", "-C file.txt": "file.txt", "-C loop": "loop",
    "--device cuda:0": "--device",
}  # fmt: skip

COMMANDS = {
    "paint": "paint", "images --model nothing.pth --out new": "nothing.pth",
    "images --model photos --out new": "photos",
    "images --model folder.pth --out new": "folder.pth",
    "images --model folder.safetensors --out new": "folder.safetensors",
    "images --model missing.safetensors --out new": "missing.safetensors",
    "images --model photo.png --out new": "photo.png",
    "images --model page.zip --out new": "page.zip", "images --model photos/ --out new": "photos",
    "images --model beside.pth --out new": "beside.json", "images --model loop --out new": "loop",
    f"images --model {'x' * 300} --out new": "xxx",
    "images --model ok.pth -n 1 --out file.txt": "file.txt",
    "images --model ok.pth -n 1 --out file.txt/new": "file.txt",
    "images --model ok.pth -n 1 --out /proc/new": "/proc/new",
    f"images --model ok.pth -n 1 --out {'x' * 300}": "xxx",
    "images --model ok.pth --export safetensors --out file.txt": "file.txt",
    "images --model ok.pth -n 1 --out loop": "loop", "train": "SOURCE", "train nowhere": "nowhere",
    "train file.txt": "file.txt", "train photo.png": "photo.png",
    "train nobody --out new": "no photos", "train hidden --out new": "no photos",
    "train flat --out new": "no photos", "train one --out new": "1 usable photo",
    "train unreadable --out new": "unreadable", "train almost --out new": "2.png",
    "train page.zip --out new": "page.zip", "train cut.zip --out new": "cut.zip",
    "train slip.zip --out new": "outside", "train root.zip --out new": "outside",
    "train none.zip --out new": "no photos", "train nothing.zip --out new": "no photos",
    "train empty.zip --out new": "empty.zip", "train bomb.zip --out new": "bomb",
    "train single.zip --out new": "1 usable photo", "train corrupt.zip --out new": "corrupt.zip",
    "train loop": "loop", "train ~nosuchperson/photos": "~nosuchperson",
    f"train {'x' * 300}": "xxx", "train https://example.org/x.zip": "web address",
    "train kaggle:": "OWNER/NAME", "train kaggle:cats": "OWNER/NAME",
    "train kaggle:a/b/c": "OWNER/NAME", "train kaggle:a/b/versions/x": "OWNER/NAME",
    "train kaggle:../..": "OWNER/NAME", "train kaggle:a/..": "OWNER/NAME",
    "train hf:": "OWNER/NAME", "train hf:cats": "OWNER/NAME", "train hf:a/b/c": "OWNER/NAME",
    "train hf:../..": "OWNER/NAME", "train hf:https://huggingface.co/a/b": "OWNER/NAME",
    "train hf:a/b@main": "OWNER/NAME", "train photos --recipe fast --out new": "fast",
    "train photos --recipe TINY --out new": "TINY", "train photos --minutes 0 --recipe x": "x",
    "train photos --minutes -1 --out new": "--minutes",
    "train photos --minutes nan --out new": "--minutes",
    "train photos --minutes inf --out new": "--minutes", "train photos --minutes x": "x",
    "train photos --minutes 1e9 --out new": "--minutes",
    "train photos --seed -1 --out new": "seed", "train photos --seed x": "x",
    f"{TRAIN} --out file.txt": "file.txt", f"{TRAIN} --out photos/bar/0.png": "0.png",
    f"{TRAIN} --out /proc/new": "/proc/new", f"{TRAIN} --out run-cut": "run-cut",
    f"{TRAIN} --out run-text": "run-text", f"{TRAIN} --out run-page": "run-page",
    f"{TRAIN} --out run-other": "another recipe", f"{TRAIN} --out theirs": "theirs",
    f"{TRAIN} --device cuda": "cuda", "make --model ok.pth --out new -n 0": "--count",
    "make --model ok.pth --out new -n -1": "--count",
    "make --model ok.pth --out new --seed -1": "--seed",
    "make --model ok.pth --out new -o steps=0": "steps",
    "make --model ok.pth --out file.txt": "file.txt", "make --model ok.pth --out mine": "unicorn",
    "make --model ok.pth --out zero": "share",
    "make --model ok.pth --out toml/slug-twice": "2 times",
    "make --model ok.pth --out toml/folder": "jungle.toml",
    "make --model bad/empty.pth --out new": "empty", "make nowhere --out new": "nowhere",
    "make photos --out new -n 0": "--count", "make photos --out new --seed -1": "--seed",
    "make photos --out new --minutes -1": "--minutes",
    "make photos --out new -o guidance=99": "guidance",
    "make photos --out new -o colour=red": "colour", "make photos --out new --recipe fast": "fast",
    "make photos --out toml/syntax --recipe tiny": "toml", "evaluate ok.pth": "--data",
    "evaluate nothing.pth --data photos --out new": "nothing.pth",
    "evaluate ok.pth --data nowhere --out new": "nowhere",
    "evaluate ok.pth --data photos -n 5 --out new": "--count",
    "evaluate ok.pth --data photos -n 100 --out new": "photos",
    "evaluate ok.pth --data photos -n x": "x",
    "evaluate ok.pth --data one --out new": "1 usable photo",
    "evaluate ok.pth --data photos -o steps=0 --out new": "steps",
    "evaluate bad/nothing.pth --data photos --out new": "nothing.pth", "inspect": "FILE",
    "inspect nowhere": "nowhere", "inspect nothing.png": "nothing.png",
    "inspect file.txt": "file.txt", "inspect cut.png": "cut.png", "inspect page.zip": "page.zip",
    "inspect folder.pth": "folder.pth", "inspect kaggle:cats": "OWNER/NAME",
    "inspect photos -o limits=3": "limit", "inspect photos --device gpu": "gpu",
    "inspect loop": "loop", "doctor --device gpu": "gpu", "doctor more": "more",
}  # fmt: skip

CASES = (
    [pytest.param([*TRAIN.split(), "-o", text], word, id=f"train -o {text[:30]}") for text, word in TRAIN_OPTIONS.items()]
    + [pytest.param([*PAINT.split(), "-o", text], word, id=f"images -o {text[:30]}") for text, word in PAINT_OPTIONS.items()]
    + [pytest.param([*PAINT.split(), *text.split()], word, id=f"images {text[:40]}") for text, word in FLAGS.items()]
    + [pytest.param(text.split(), word, id=text[:60]) for text, word in COMMANDS.items()]
    + [
        pytest.param(["images", "-C", f"toml/{name}", "--model", "../../ok.pth", "--out", "new"], word, id=f"toml {name}")
        for name, (_, word) in TOMLS.items()
    ]
    + [
        pytest.param(["train", "../../photos", "-C", f"toml/{name}", "--out", "new"], word, id=f"toml {name}")
        for name, (_, word) in TRAIN_TOMLS.items()
    ]
    + [
        pytest.param(["images", "-C", "mine", "--model", "../ok.pth", "--out", "new", "--species", name], word, id=f"species {name}")
        for name, word in {"cat": "good, odd", "odd": "unicorn", "": "good, odd", "Good": "good, odd", "../x": "good, odd"}.items()
    ]
    + [pytest.param([*PAINT.split(), "--mix", text], "--mix", id=f"mix {text!r}") for text in ("", " ", "bar=1 check=2", "bar = ,")]
    + [
        pytest.param(["train", text, "--out", "new"], word, id=f"source {text!r}")
        for text, word in {"": "no folder", " ": "no folder", "\n": "no folder", "🦁": "🦁", "photos\x00": "no folder"}.items()
    ]
)  # fmt: skip


@pytest.mark.parametrize(("arguments", "word"), CASES)
def test_one_sentence(
    world: Path, arguments: list[str], word: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(world, arguments, word, command, monkeypatch)


def broken_models() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return sorted(models(Path(folder)))


@pytest.mark.parametrize("verb", ["images", "inspect"])
@pytest.mark.parametrize("name", broken_models())
def test_broken_model(
    world: Path, name: str, verb: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = (
        ["images", "--model", f"bad/{name}", "--out", "new", "-n", "1"]
        if verb == "images"
        else ["inspect", f"bad/{name}"]
    )
    refuse(world, told, "", command, monkeypatch)
    assert not (world / "EXECUTED").exists()


def test_enough_cases() -> None:
    """The issue asks for 200 malformed inputs."""
    assert len(CASES) + 2 * len(broken_models()) >= 200


@pytest.mark.parametrize(
    "line",
    [
        PAINT,
        f"{TRAIN} -o seed=1",
        "inspect ok.pth",
        "inspect photo.png",
        "inspect photos",
        "doctor",
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
    assert (done.code, done.err) == (0, "")
    assert done.out


def test_without_quiet_the_sentence_comes_last(
    world: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    done = command(["train", "almost", "--recipe", "tiny", "--out", "new"])
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("jungle: The folder 'almost' has 1 usable photo")


def test_json_and_a_mistake(world: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(world, [*PAINT.split(), "-n", "0", "--json"], "--count", command, monkeypatch)


@pytest.mark.skipif(not hasattr(os, "setresuid"), reason="no such rights here")
@pytest.mark.parametrize(
    ("line", "word"),
    {
        "images --model secret.pth -n 1 --out new": "secret.pth",
        "images --model ok.pth -n 1 --out locked/new": "locked",
        "images --model ok.pth -n 1 --out locked": "locked",
        "images --model ok.pth --export safetensors --out locked": "locked",
        "images -C closed --model ok.pth -n 1": "closed",
        "train closed --recipe tiny": "no photos",
        "train photos --recipe tiny -o steps=1 --out locked/run": "locked",
        "train photos --recipe tiny -o steps=1 --out locked": "locked",
        "train unread --recipe tiny": "permission",
        "make --model ok.pth -n 1 --out locked/new": "locked",
        "make --model ok.pth -n 1 --out locked": "locked",
        "inspect secret.pth": "secret.pth",
        "inspect secret.png": "secret.png",
    }.items(),
)
def test_no_permission(
    line: str, word: str, world: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        shutil.copy(world / "ok.pth", folder)
        shutil.copytree(world / "photos", folder / "photos")
        shutil.copytree(world / "photos", folder / "unread")
        for name in ("secret.pth", "secret.png", "unread/bar/0.png"):
            shutil.copy(world / "photo.png", folder / name)
        for path in [
            folder / "secret.pth",
            folder / "secret.png",
            *(folder / "unread").rglob("*.png"),
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
