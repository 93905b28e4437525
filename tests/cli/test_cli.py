"""The command line from end to end, with the smallest recipe on drawn photos."""

import dataclasses
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from conftest import MODEL, REPOSITORY, TRAIN, Jungle, is_refused, tree
from PIL import Image

from jungle.cli import main
from jungle.diffusion import checkpoint
from jungle.errors import MissingExtra
from jungle.species import kinds
from jungle.weights import shipped


def needs(name: str) -> None:
    """Skip where a shipped file is absent."""
    try:
        shipped(name)
    except MissingExtra as error:
        pytest.skip(str(error))


# ------------------------------------------------------------------------------ one walk through it


def test_train(jungle: Jungle) -> None:
    done = jungle(TRAIN)
    assert done.code == 0
    assert "24 photos of 3 classes, recipe tiny, on cpu in float32" in done.err
    assert f"Model: run/{MODEL}" in done.out
    assert Path("run/report.txt").read_text() in done.out
    assert sorted(tree(Path("run"))) == sorted(
        [
            MODEL,
            "animal_diffusion_model.state",
            "preview.png",
            "previews/update_0000020.png",
            "report.txt",
            "stats.jsonl",
        ]
    )
    assert [json.loads(line) for line in Path("run/stats.jsonl").read_text().splitlines()]
    content = torch.load(f"run/{MODEL}", weights_only=True)
    assert content["classes"] == ["bar", "check", "disc"]
    assert content["step"] == 20

    before = Path(f"run/{MODEL}").read_bytes()
    again = jungle(f"{TRAIN} --json --quiet")
    assert (again.code, again.err) == (0, "")
    assert again.json["model"] == f"run/{MODEL}"
    assert Path(f"run/{MODEL}").read_bytes() == before
    other = jungle(f"{TRAIN} -o lr=0.5 --quiet")
    assert other.code == 2
    assert "another recipe" in other.err
    assert Path(f"run/{MODEL}").read_bytes() == before


def test_a_model_without_a_run_is_never_overwritten(jungle: Jungle, trained: Path) -> None:
    shutil.copy(trained / MODEL, MODEL)
    before = Path(MODEL).read_bytes()
    done = jungle("train photos --recipe tiny --quiet")
    assert done.code == 2
    assert MODEL in done.err
    assert Path(MODEL).read_bytes() == before


def test_config_decides_what_the_options_do_not(jungle: Jungle) -> None:
    Path("jungle.toml").write_text(
        "recipe = 'tiny'\nseed = 5\n"
        "[train]\nsteps = 4\nlimit = 12\n"
        "[images]\nsteps = 3\nsolver = 'heun'\n"
    )
    assert jungle("train photos --quiet -o limit=9").code == 0
    recipe = json.loads(torch.load(MODEL, weights_only=True)["recipe"])
    assert (recipe["name"], recipe["seed"], recipe["steps"], recipe["limit"]) == ("tiny", 5, 4, 9)
    picture = jungle("images -n 1 --json --quiet --guidance 2").json["pictures"][0]
    assert (picture["seed"], picture["steps"], picture["solver"], picture["guidance"]) == (
        5,
        3,
        "heun",
        2.0,
    )


def test_the_same_pictures_in_any_batch(jungle: Jungle, trained: Path) -> None:
    trees = []
    for batch in (1, 3, 8):
        done = jungle(
            f"images --model {trained / MODEL} -n 8 -o batch={batch} "
            f"--out b{batch}/pictures --quiet"
        )
        assert (done.code, done.err) == (0, "")
        trees.append(tree(Path(f"b{batch}")))
    assert trees[0] == trees[1] == trees[2]
    names = [f"fictional_animal_{index}.png" for index in range(1, 9)]
    assert sorted(trees[0]) == sorted(
        ["pictures.png", "pictures.zip", *(f"pictures/{name}" for name in names)]
    )
    with zipfile.ZipFile("b1/pictures.zip") as archive:
        assert archive.namelist() == names
        assert all(archive.read(name) == trees[0][f"pictures/{name}"] for name in names)
    assert len({trees[0][f"pictures/{name}"] for name in names}) == 8
    with Image.open("b1/pictures/fictional_animal_7.png") as picture:
        assert picture.size == (16, 16)
        assert "trainedAlgorithmicMedia" in picture.info["Source"]
        assert picture.info["Comment"].startswith("seed 6;")
    jungle(f"images --model {trained / MODEL} -n 1 --seed 6 --out seventh --quiet")
    assert (
        Path("seventh/fictional_animal_1.png").read_bytes()
        == trees[0]["pictures/fictional_animal_7.png"]
    )


def test_the_zip_lies_beside_any_folder(jungle: Jungle, trained: Path) -> None:
    Path("inside").mkdir()
    for out in ("slash/", "."):
        jungle(f"images -C inside --model {trained / MODEL} -n 1 --out {out} --quiet")
        os.chdir("..")
    assert Path("inside/slash.zip").is_file()
    assert Path("inside.zip").is_file()
    assert not list(Path().rglob(".zip"))


def test_mix_and_species(jungle: Jungle, trained: Path) -> None:
    shutil.copy(trained / MODEL, MODEL)
    Path("jungle.toml").write_text(
        "[[species]]\nslug = 'canda'\nseed = 40\nmix = { bar = 0.5, disc = 1.5 }\n"
    )
    mixed = jungle(
        "images -n 2 --mix bar=0.25,disc=0.75 --seed 40 --out mixed --json --quiet"
    ).json["pictures"]
    species = jungle("images -n 2 --species canda --out species --json --quiet").json["pictures"]
    other = jungle("images -n 2 --mix check --seed 40 --out other --json --quiet").json["pictures"]
    assert (
        [picture["seed"] for picture in mixed]
        == [picture["seed"] for picture in species]
        == [picture["seed"] for picture in other]
        == [40, 41]
    )
    assert mixed[0]["mix"] == {"bar": 0.25, "disc": 0.75}
    assert species[0]["species"] == "canda"
    for index in (1, 2):
        pixels = [
            np.asarray(Image.open(f"{name}/fictional_animal_{index}.png"))
            for name in ("mixed", "species", "other")
        ]
        assert (pixels[0] == pixels[1]).all()
        assert (pixels[0] != pixels[2]).any()


def test_keep_the_best(jungle: Jungle, trained: Path) -> None:
    needs("lite0.safetensors")
    every = jungle(f"images --model {trained / MODEL} -n 6 --out every --json --quiet").json[
        "pictures"
    ]
    best = jungle(
        f"images --model {trained / MODEL} --keep 3 --of 6 --out best --json --quiet"
    ).json["pictures"]
    seeds = [picture["seed"] for picture in best]
    assert len(every) == 6
    assert len(seeds) == 3
    assert seeds == sorted(set(seeds))
    assert set(seeds) < set(range(6))
    assert sorted(path.name for path in Path("best").glob("fictional*")) == [
        f"fictional_animal_{index}.png" for index in (1, 2, 3)
    ]
    assert (
        Path("best/fictional_animal_2.png").read_bytes()
        == Path(f"every/fictional_animal_{seeds[1] + 1}.png").read_bytes()
    )


def test_eight_bits_hold_a_model(jungle: Jungle, trained: Path) -> None:
    assert jungle(f"images --model {trained / MODEL} --export int8 --out small --quiet").code == 0
    whole, small = (
        checkpoint.read_checkpoint(path)
        for path in (trained / MODEL, Path("small/animal_diffusion_model.safetensors"))
    )
    assert isinstance(whole, checkpoint.Checkpoint)
    assert isinstance(small, checkpoint.Checkpoint)
    for name, value in whole.best.items():
        largest = float(value.abs().max())
        assert float((small.weights[name] - value).abs().max()) <= max(
            largest / 127 / 2, largest / 128
        ), name


def test_two_models_in_one_file(jungle: Jungle, trained: Path) -> None:
    """What --weak packs with --export paints as --weak does, and says which networks it has."""
    original = checkpoint.read_checkpoint(trained / MODEL)
    assert isinstance(original, checkpoint.Checkpoint)
    early = {name: 0.5 * value for name, value in original.best.items()}
    checkpoint.save_checkpoint(
        Path("early.pth"), dataclasses.replace(original, weights=early, ema={})
    )
    options = "-n 2 --device cpu:float32 --quiet -o steps=6 -o guidance=2 -o weak_mix=0.5"
    assert (
        jungle(
            f"images --model {trained / MODEL} --weak early.pth --export safetensors "
            "--out both --quiet"
        ).code
        == 0
    )
    assert (
        jungle(
            f"images --model both/animal_diffusion_model.safetensors {options} --out packed"
        ).code
        == 0
    )
    assert (
        jungle(f"images --model {trained / MODEL} --weak early.pth {options} --out apart").code == 0
    )
    assert jungle(f"images --model {trained / MODEL} {options} --out alone").code == 0
    packed, apart, alone = (
        np.asarray(Image.open(f"{name}/fictional_animal_1.png"), dtype=float)
        for name in ("packed", "apart", "alone")
    )
    # bfloat16 keeps 8 bits
    assert np.abs(packed - apart).mean() < 0.1 * np.abs(alone - apart).mean()
    assert "weaker network" in jungle("inspect both/animal_diffusion_model.safetensors --quiet").out
    assert "weaker network" not in jungle(f"inspect {trained / MODEL} --quiet").out
    refused = jungle(
        f"images --model {trained / MODEL} --weak early.pth --export diffusers --out no --quiet"
    )
    assert refused.code == 2
    assert "weaker" in refused.err


def test_quantised_rows_keep_their_own_scale() -> None:
    rows = torch.randn(64, 256) * torch.logspace(-4, 2, 64)[:, None]
    weights = {"filters": rows[:, :, None, None], "matrix": rows, "odd.scale": torch.ones(3)}
    packed = checkpoint.quantised(weights)
    back = checkpoint.unquantised(packed)
    assert set(back) == set(weights)
    for name in ("filters", "matrix"):
        assert packed[name].dtype == torch.int8
        error = (back[name] - weights[name]).flatten(1).pow(2).mean(dim=1).sqrt() / rows.abs().amax(
            dim=1
        )
        assert 0.5 * 0.0023 < float(error.mean()) < 1.2 * 0.0023


def test_export_paints_the_same_kind_of_pictures(jungle: Jungle, trained: Path) -> None:
    done = jungle(
        f"images --model {trained / MODEL} --export safetensors --out exported --json --quiet"
    )
    file = Path(done.json["file"])
    assert file == Path("exported/animal_diffusion_model.safetensors")
    assert 2 * file.stat().st_size < (trained / MODEL).stat().st_size
    for name, path in (("own", trained / MODEL), ("theirs", file)):
        painted = jungle(
            f"images --model {path} -n 4 --out {name} --device cpu:float32 --quiet -o steps=12"
        )
        assert painted.code == 0
    for index in range(1, 5):
        own, theirs = (
            np.asarray(Image.open(f"{name}/fictional_animal_{index}.png"), dtype=float)
            for name in ("own", "theirs")
        )
        assert np.abs(own - theirs).mean() < 0.1 * own.std()  # bfloat16 keeps 8 bits


def test_inspect(jungle: Jungle, trained: Path) -> None:
    folder = jungle("inspect photos --json --quiet -o image_size=16")
    assert folder.err == ""
    assert "24" in folder.out
    assert "24 photos" in jungle("inspect photos").out
    model = jungle(f"inspect {trained / MODEL} --json --quiet")
    assert (model.json["kind"], model.json["classes"], model.json["updates"]) == (
        "model",
        ["bar", "check", "disc"],
        20,
    )
    assert "tiny" in jungle(f"inspect {trained / MODEL}").out
    jungle(f"images --model {trained / MODEL} -n 1 --out pictures --quiet")
    picture = jungle("inspect pictures/fictional_animal_1.png --json --quiet")
    assert (picture.json["kind"], picture.json["width"], picture.json["height"]) == (
        "picture",
        16,
        16,
    )
    assert model.json["hash"] in picture.json["notes"]["Comment"]
    assert "trainedAlgorithmicMedia" in jungle("inspect pictures/fictional_animal_1.png").out


def test_evaluate(jungle: Jungle, trained: Path) -> None:
    needs("lite0.safetensors")
    done = jungle(
        f"evaluate {trained / MODEL} --data photos -n 12 --out scores --kinds own.kinds.json "
        "--json --quiet -o steps=2"
    )
    assert (done.code, done.err) == (0, "")
    assert done.json == json.loads(Path("scores/scores.json").read_text())
    sheets = ["blind_1.png", "closest_pairs.png", "pictures.png"]
    assert sorted(tree(Path("scores"))) == sorted(
        [*sheets, "blind_answers.json", "blind_form.csv", "report.txt", "scores.json"]
    )
    for name in sheets:
        with Image.open(f"scores/{name}") as picture:
            picture.load()
    assert {"animal", "sure", "named", "colour", "kinds"} <= done.json.keys()

    report = kinds.read_report(Path("own.kinds.json"))
    assert report.model == jungle(f"inspect {trained / MODEL} --json --quiet").json["hash"]
    assert set(report.kinds) == {"bar", "check", "disc"}
    assert all(kind.pictures >= 10 and kind.photos == 8 for kind in report.kinds.values())


def test_a_report_on_kinds_decides_what_is_invented_from(
    jungle: Jungle, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run := Path("run")).mkdir()
    (run / MODEL).write_bytes((trained / MODEL).read_bytes())
    model = jungle(f"inspect {run / MODEL} --json --quiet").json["hash"]
    shares = {"bar": 1.0, "check": 0.0, "disc": 0.9}
    measured = {
        name: kinds.KindQuality({1: 1.0}, 8, 1.0, 1.0, 10, share, 1.0)
        for name, share in shares.items()
    }
    monkeypatch.setattr(kinds, "FEWEST", 2)

    def parents(hash_in_report: str) -> set[str]:
        kinds.path_beside(run / MODEL).write_text(
            kinds.ClassQualityReport(hash_in_report, "lite0", measured).to_json()
        )
        painted = jungle(
            f"images --model {run / MODEL} -n 12 --out out --json --quiet -o steps=2"
        ).json["pictures"]
        return {name for picture in painted for name in picture["mix"]}

    assert parents(model) == {"bar", "disc"}
    assert parents("of other weights") == {"bar", "check", "disc"}
    kinds.path_beside(run / MODEL).write_text("broken")
    refused = jungle(f"images --model {run / MODEL} -n 1 --out out --quiet")
    assert refused.code == 2
    assert "evaluate --kinds" in refused.err


def test_doctor(jungle: Jungle) -> None:
    done = jungle("doctor --json --quiet")
    assert done.err == ""
    topics = {finding["topic"]: finding["ok"] for finding in done.json["findings"]}
    assert topics["jungle"] is True
    assert {"device", "memory", "disk"} <= topics.keys()
    assert jungle("doctor").out.count("\n") == len(topics)


def test_help_and_version(jungle: Jungle) -> None:
    assert "make" in jungle("").out
    assert jungle("--version").out.startswith("jungle ")
    for name in main.cli.commands:
        done = jungle(f"{name} -h")
        assert (done.code, done.err) == (0, "")
        assert f"jungle {name}" in done.out


def test_the_list_of_commands_says_what_their_help_says() -> None:
    """The list is printed without importing a command, so its first sentence is in two places."""
    for name, command in main.cli.commands.items():
        paragraph = inspect.cleandoc(command.help or "").split("\n\n")[0]
        assert main.SUMMARIES[name] == " ".join(paragraph.split()), name
    assert list(main.SUMMARIES) == sorted(main.SUMMARIES)


def test_debug_shows_the_traceback_and_the_sentence(jungle: Jungle) -> None:
    done = jungle("images --model nothing.pth --debug --quiet")
    assert done.code == 2
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("jungle: There is no model file nothing.pth")


def test_debug_is_an_option_and_not_a_word(jungle: Jungle) -> None:
    done = jungle("images --quiet --model --debug")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "There is no model file --debug" in done.err
    refused = jungle("images -o nonsense --debug --quiet")
    assert "Traceback" in refused.err
    assert refused.err.splitlines()[-1].startswith("jungle: -o nonsense: write key=value")


# ------------------------------------------------------------------------ what is written about it


def test_generated_pages_are_fresh() -> None:
    for script in ("make_cli.py", "make_schema.py"):
        done = subprocess.run(
            [sys.executable, REPOSITORY / "docs" / script, "--check"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_the_command_line_page_is_what_the_program_prints(
    jungle: Jungle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    page = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)
    lines = ["--help", *(f"{name} --help" for name in sorted(main.cli.commands))]
    printed = [jungle(line).out for line in lines]

    # click names the program that runs, which is pytest here.
    texts = [re.sub(r"^Usage: python -m \S+", "Usage: jungle", text) for text in printed]
    for block, text in zip(blocks, texts, strict=True):
        assert block == text


def written_commands() -> list[str]:
    """Every ``jungle ...`` line inside a code block of the README and the pages of docs."""
    shown = []
    for page in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]:
        if page.name in {"cli.md", "LOG.md"} or not page.is_file():
            continue
        for block in re.findall(
            r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S
        ):
            lines = block.replace("\\\n", " ").splitlines()
            shown += [
                f"{page.name}: {line.strip()}"
                for line in lines
                if re.match(r"\s*(\$ )?(\.venv/bin/)?jungle\b", line)
            ]
    return shown


def parse(line: str) -> None:
    """Let click parse a command line without running it."""
    words = shlex.split(line, comments=True)
    words = words[words.index(next(word for word in words if word.endswith("jungle"))) + 1 :]
    if not words or words[0].startswith("-"):
        return
    command = main.cli.commands[words[0]]
    command.make_context(
        words[0],
        words[1:],
        parent=click.Context(main.cli, info_name="jungle"),
        resilient_parsing=False,
    )


@pytest.mark.parametrize("line", written_commands() or ["none: jungle"])
def test_written_commands_exist(line: str) -> None:
    command = line.partition(": ")[2].removeprefix("$ ")
    command = re.split(r"\s+(?:&&|\||>|\(|->)", command)[0]
    if "--help" not in command and "--version" not in command:
        parse(command)


@pytest.mark.parametrize(
    "line", ["jungle train", "jungle paint", "jungle images --colour red", "jungle make -n many"]
)
def test_a_wrong_written_command_is_found(line: str) -> None:
    with pytest.raises((click.UsageError, KeyError)):
        parse(line)


# --------------------------------------------------------------------------------- signals and time


def start(folder: Path, line: str) -> subprocess.Popen[str]:
    environment = os.environ | {"JUNGLE_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "jungle", *line.split()]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
    """Wait until ``path`` exists or the process has ended."""
    end = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    content = torch.load(folder / MODEL, weights_only=True)
    return {
        f"{part}.{name}": value
        for part in ("weights", "ema")
        for name, value in content[part].items()
    }


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda signum: signum.name)
def test_asked_to_stop(drawn_photos: Path, signum: signal.Signals) -> None:
    folder = drawn_photos.parent
    line = "train photos --recipe tiny --out run -o steps=400 -o checkpoint_every=20"
    process = start(folder, line)
    wait_for(folder / "run" / MODEL, process)
    process.send_signal(signum)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == f"Stopped; the model so far: run/{MODEL}\n"
    assert "Traceback" not in err
    stopped = re.search(
        r"Stopped at update (\d+); the model is in run. The same command goes on from here.", err
    )
    assert stopped, err
    assert int(stopped[1]) < 400
    assert torch.load(folder / "run" / MODEL, weights_only=True)["step"] == int(stopped[1])
    assert not list((folder / "run").glob(".*.part"))

    out, err = start(folder, line).communicate(timeout=120)
    assert f"going on at update {stopped[1]}." in err
    assert "Model: run" in out
    assert torch.load(folder / "run" / MODEL, weights_only=True)["step"] == 400


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        "-o steps=60 -o checkpoint_every=5",
        "-o steps=8 -o checkpoint_every=1 -o adversarial_share=0.5",
    ],
)
def test_killed_five_times(drawn_photos: Path, how: str) -> None:
    """kill -9 at random moments; the weights at the end are those of a run that nobody touched."""
    folder = drawn_photos.parent
    line = f"train photos --recipe tiny --device cpu:float32 {how} --quiet --out"
    process = start(folder, f"{line} straight")
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    chance = np.random.default_rng()  # another moment in each run of the tests
    killed, reached = 0, []
    state = folder / "killed" / "animal_diffusion_model.state"
    for attempt in range(5):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(folder, f"{line} killed")
        end = time.monotonic() + 120
        while (
            process.poll() is None
            and time.monotonic() < end
            and (state.stat().st_mtime_ns if state.exists() else 0) == before
        ):
            time.sleep(0.002)  # at least one save each time, so that the run goes forward
        time.sleep(float(chance.uniform(0, 0.05)))
        process.kill()
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
        reached.append(
            torch.load(folder / "killed" / MODEL, weights_only=True)["step"]
            if (folder / "killed" / MODEL).exists()
            else 0
        )
        assert reached == sorted(reached), attempt
    process = start(folder, f"{line} killed")
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert killed >= 3, f"most runs ended before they were killed: {reached}"
    assert same(weights(folder / "straight"), weights(folder / "killed"))
    assert not list((folder / "killed").glob(".*.part"))


@pytest.mark.slow
def test_minutes(drawn_photos: Path) -> None:
    folder = drawn_photos.parent
    began = time.monotonic()
    process = start(
        folder, "train photos --recipe tiny --minutes 0.2 -o steps=0 --out run --json --quiet"
    )
    out, err = process.communicate(timeout=180)
    seconds = time.monotonic() - began
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["model"] == f"run/{MODEL}"
    assert torch.load(folder / "run" / MODEL, weights_only=True)["step"] > 0

    # The start of Python on a busy machine aside.
    assert seconds < 12 * 1.1 + 30, f"0.2 minutes took {seconds:.0f} seconds"
    assert Path(folder / "run" / "preview.png").is_file()


@pytest.mark.slow
def test_training_can_begin_with_a_model(jungle: Jungle, trained: Path) -> None:
    """Weights are those of the model, columns of classes by name; a new class is their mean."""
    Path("photos/bar").rename("photos/zebra")
    options = "--device cpu:float32 --quiet -o steps=1"
    begin = f"train photos --start {trained / MODEL} {options}"
    assert jungle(f"{begin} --recipe tiny --out more -o lr=1e-9").code == 0
    before, after = (
        checkpoint.read_checkpoint(trained / MODEL),
        checkpoint.read_checkpoint(Path("more") / MODEL),
    )
    assert isinstance(before, checkpoint.Checkpoint)
    assert isinstance(after, checkpoint.Checkpoint)
    assert (before.classes, after.classes) == (("bar", "check", "disc"), ("check", "disc", "zebra"))
    for name, value in before.best.items():
        if name.endswith("classes.weight"):
            value = torch.stack([value[:, 1], value[:, 2], value.mean(dim=1)], dim=1)
        assert torch.allclose(after.weights[name], value, atol=1e-6), name
    assert jungle(f"{begin} --out other").code == 0
    quick = checkpoint.read_checkpoint(Path("other") / MODEL)
    assert isinstance(quick, checkpoint.Checkpoint)
    # the network is the model's, not the recipe's
    assert (quick.recipe.name, quick.recipe.net) == (
        "quick",
        before.recipe.net,
    )
    refused = jungle(
        f"train photos --start {trained / MODEL} --out third --quiet -o steps=1 -o objective=edm"
    )
    assert refused.code == 2
    assert "not that of" in refused.err


@pytest.mark.slow
def test_training_on_two_folders_without_a_list_of_photos(jungle: Jungle, tmp_path: Path) -> None:
    Path("held.txt").write_text("photos/bar/0.png\ndisc/3.png\n")
    more = Path("more")
    (more / "owl").mkdir(parents=True)
    (more / "disc").mkdir()
    for index in range(3):
        (more / "owl" / f"{index}.png").write_bytes(Path(f"photos/bar/{index}.png").read_bytes())
        (more / "disc" / f"{index}.png").write_bytes(Path(f"photos/disc/{index}.png").read_bytes())
    done = jungle(f"{TRAIN.replace('photos', 'photos more', 1)} --exclude held.txt")
    assert done.code == 0, done.err
    assert "28 photos of 4 classes" in done.err
    assert "Skipped 2 (photos/bar/0.png, photos/disc/3.png)" in done.err
    assert "held.txt" in Path("run/skipped.txt").read_text()


def test_a_list_that_fits_nothing_is_refused(jungle: Jungle) -> None:
    Path("held.txt").write_text("nothing.png\n")
    is_refused(jungle(f"{TRAIN} --exclude held.txt"), "held.txt")
    is_refused(jungle(f"{TRAIN} --exclude missing.txt"), "missing.txt")


@pytest.mark.slow
def test_a_run_goes_on_with_the_curation_it_began_with(jungle: Jungle) -> None:
    line = "train photos --recipe tiny --out run --device cpu:float32"
    assert jungle(f"{line} -o curate=yes").code == 0
    again = jungle(line)  # the recipe alone would say no
    assert again.code == 0, again.err
    assert "going on at update 20" in again.err
