"""The front door: ``import jungle`` is light, typed, exact, and agrees with the command line."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Command, draw, give_voice, tree
from PIL import Image

import jungle
from jungle.diffusion.sampler import SOLVERS, Move

STUB = Path(jungle.__file__).with_suffix(".pyi")
TINY = "animal_diffusion_model.pth"


@pytest.fixture(scope="module")
def painter(trained: Path) -> jungle.ImageModel:
    return jungle.ImageModel.load(trained, device="cpu:float32")


@pytest.fixture
def singer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> jungle.SoundModel:
    """A tiny untrained model of calls that knows cat and cow, in the folder ``sounds``."""
    (tmp_path / "sounds").mkdir()
    monkeypatch.chdir(tmp_path)
    give_voice()
    return jungle.SoundModel.load(tmp_path / "sounds", device="cpu:float32")


# ------------------------------------------------------------------------------------------ import


def test_import_is_light_and_silent() -> None:
    code = (
        "import sys, jungle; names = jungle.__all__, dir(jungle); jungle.JungleError;"
        "heavy = {'torch', 'numpy', 'PIL', 'click'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_language_needs_no_torch() -> None:
    code = (
        "import sys, jungle; jungle.Language(1, 'frog').phrase(0); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stub_has_the_names_that_are_handed_out() -> None:
    nodes = ast.parse(STUB.read_text()).body
    imported = {
        name.asname for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert imported | {"__version__"} == set(jungle.__all__) == set(dir(jungle))
    listed = next(node.value for node in nodes if isinstance(node, ast.Assign))
    assert ast.literal_eval(listed) == jungle.__all__


def test_every_public_name_is_documented() -> None:
    for name in set(jungle.__all__) - {"__version__"}:
        assert getattr(jungle, name).__doc__, name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'unicorn'"):
        jungle.unicorn  # type: ignore[attr-defined]  # noqa: B018


# ---------------------------------------------------------------------------------------- pictures


def test_a_picture_is_the_one_of_the_command_line(
    painter: jungle.ImageModel,
    trained: Path,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = (
        f"images --model {trained / TINY} -n 2 --seed 5 --mix bar=0.6,disc=0.4 --device cpu:float32"
    )
    assert command(line.split()).code == 0
    for index, seed in enumerate((5, 6), 1):
        with Image.open(f"generated_images/fictional_animal_{index}.png") as written:
            assert written.tobytes() == painter({"bar": 0.6, "disc": 0.4}, seed=seed).tobytes()


def test_many_pictures_equal_single_ones(painter: jungle.ImageModel) -> None:
    many = list(painter.generate({"check": 1.0}, range(6), steps=3))
    assert [picture.tobytes() for picture in many] == [
        painter({"check": 1.0}, seed, steps=3).tobytes() for seed in range(6)
    ]
    assert len({picture.tobytes() for picture in many}) == 6


def test_steps_end_with_the_picture(painter: jungle.ImageModel) -> None:
    steps = list(jungle.sample(painter, {"bar": 1.0}, seed=3, steps=5, solver="heun"))
    assert [(step.index, step.total) for step in steps] == [(index, 5) for index in range(1, 6)]
    assert steps[-1].sigma == 0
    assert steps[-1].image.tobytes() == painter({"bar": 1.0}, 3, steps=5, solver="heun").tobytes()
    assert steps[0].estimate.size == steps[0].image.size == painter.size[::-1]


def test_a_solver_of_ones_own(painter: jungle.ImageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def euler(move: Move) -> object:
        return move.x + (move.t - move.s) * (move.x - move.clean) / move.s

    monkeypatch.setitem(SOLVERS, "euler", euler)  # DDIM in other words
    own, ours = (
        np.asarray(painter({"bar": 1.0}, 1, solver=name), dtype=int) for name in ("euler", "ddim")
    )
    assert abs(own - ours).max() <= 1


# ------------------------------------------------------------------------------------------ sounds


def test_a_call_is_a_take_of_the_command_line(singer: jungle.SoundModel, command: Command) -> None:
    assert singer.classes == ("cat", "cow")
    samples, rate = singer({"cat": 0.5, "cow": 0.5}, seed=3)
    assert samples.dtype == np.float32
    assert (
        command(
            [
                "sounds",
                "-n",
                "1",
                "--seed",
                "3",
                "--mix",
                "cat=0.5,cow=0.5",
                "--device",
                "cpu:float32",
            ]
        ).code
        == 0
    )
    written, written_rate = soundfile.read("sounds/takes/animal_sound_1_take_1.wav", always_2d=True)
    assert (written_rate, written.shape) == (rate, samples.shape)
    assert abs(written - samples).max() <= 1 / 32768


def test_the_best_of_several_takes_is_one_of_them(singer: jungle.SoundModel) -> None:
    best = singer({"cat": 1.0}, seed=4, takes=3, steps=2, seconds=0.5)
    assert best.samples.shape == (best.rate // 2, 1)


def test_mastering_takes_one_channel_or_many() -> None:
    rate = 16_000
    wave = (0.1 * np.sin(np.arange(3 * rate) * 0.2)).astype(np.float32)
    flat, column = jungle.master((wave, rate)), jungle.master((wave[:, None], rate))
    assert np.array_equal(flat.pcm, column.pcm)
    assert flat.rate == 48_000
    assert flat.after == pytest.approx(-16, abs=0.5)


# ---------------------------------------------------------------------------------------- language


def test_a_language_is_the_one_of_the_command_line(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["language", "--seed", "1", "-n", "8", "--voice", "frog"]).code == 0
    frog = jungle.Language(seed=1, voice="frog")
    phrases = list(frog.phrases(8))
    assert ast.literal_eval(Path("language/animal_language.txt").read_text()) == [
        phrase.text for phrase in phrases
    ]
    assert all(frog.parse(phrase.text) == phrase.meaning for phrase in phrases)
    words = frog.dictionary()
    assert all(entry["english"] and entry["ipa"] for entry in words.values())


# --------------------------------------------------------------------------------------- postcards


@pytest.mark.slow
def test_a_postcard_is_the_one_of_the_command_line(
    painter: jungle.ImageModel, singer: jungle.SoundModel, trained: Path, command: Command
) -> None:
    mix = {"bar": 0.6, "disc": 0.4}
    card = jungle.make_postcard(
        "Bardisc", mix=mix, seed=7, image_model=painter, sound_model=singer, sketches=2, phrases=2
    )
    Path("jungle.toml").write_text(
        f'sketches = 2\nphrases = 2\nmodel = "{trained / TINY}"\n'
        '[[species]]\nslug = "bardisc"\nname = "Bardisc"\nseed = 7\n'
        "mix = { bar = 0.6, disc = 0.4 }\n"
    )
    assert command(["postcards", "--out", ".", "--device", "cpu:float32", "--quiet"]).code == 0
    assert tree(Path("postcards/bardisc")) == card.files

    assert tree(card.save("mine")) == tree(card.save("mine")) == card.files
    assert card.image.size[0] >= 512 - 15
    assert card.call.rate == card.speech(1).rate == 48_000
    assert [phrase.text for phrase in card.phrases] == [
        phrase.text for phrase in card.record.phrases
    ]

    Path("full").mkdir()
    Path("full/letter.txt").touch()
    with pytest.raises(jungle.JungleError, match="no postcard"):
        card.save("full")
    assert Path("full/letter.txt").exists()


# ---------------------------------------------------------------------------------------- training


def test_training_goes_on_and_ends_as_the_command_line_does(trained: Path, tmp_path: Path) -> None:
    draw(tmp_path / "photos")
    run = tmp_path / "run"
    for step in jungle.train(tmp_path / "photos", run, recipe="tiny", device="cpu:float32"):
        if step.update == 7:
            break
    assert step.model == run / TINY
    assert step.model.is_file()

    steps = list(jungle.train(tmp_path / "photos", run, recipe="tiny", device="cpu:float32"))
    assert [step.update for step in steps] == list(range(8, 21))
    assert steps[-1].done == 1
    hashes = [jungle.ImageModel.load(folder, device="cpu").model.hash for folder in (run, trained)]
    assert hashes[0] == hashes[1]
    assert (run / "report.txt").is_file()


@pytest.mark.slow
def test_evaluation_is_that_of_the_command_line(
    painter: jungle.ImageModel,
    trained: Path,
    drawn_photos: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(drawn_photos.parent)
    scores = jungle.evaluate(painter, drawn_photos, count=10, out="mine")
    line = f"evaluate {trained / TINY} --data photos -n 10 --device cpu:float32"
    assert command(line.split()).code == 0
    written = [Path(folder, "scores.json").read_text() for folder in ("mine", "evaluation")]
    assert written[0] == written[1] == scores.to_json()


# ------------------------------------------------------------------------------------------ errors


def test_an_unknown_setting_is_a_type_error(
    painter: jungle.ImageModel, singer: jungle.SoundModel
) -> None:
    with pytest.raises(TypeError, match="no setting 'title'"):
        jungle.make_postcard("x", image_model=painter, sound_model=singer, title="y")  # type: ignore[call-arg]


@pytest.fixture
def refusals(painter: jungle.ImageModel, singer: jungle.SoundModel, tmp_path: Path) -> list[str]:
    """The sentences of many mistakes, none of which leaves a run behind."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "jungle.toml").write_text("this is no toml")  # nobody reads the working folder
    draw(tmp_path / "photos")
    attempts = [
        lambda: jungle.ImageModel.load("no-such-model"),
        lambda: jungle.ImageModel.load(tmp_path / "sounds"),
        lambda: jungle.SoundModel.load("photo64"),
        lambda: jungle.ImageModel.load("photo64", device="abacus"),
        lambda: painter({"unicorn": 1.0}),
        lambda: painter({"bar": -1.0}),
        lambda: painter(seed=-1),
        lambda: painter(steps=0),
        lambda: painter(solver="guess"),
        lambda: painter(guidance=1e9),
        lambda: list(jungle.sample(painter, seed=-1)),
        lambda: singer({"unicorn": 1.0}),
        lambda: singer(seconds=-1),
        lambda: singer(takes=0),
        lambda: jungle.master((np.zeros(16_000, np.float32), 16_000)),
        lambda: jungle.Language(voice="stone"),
        lambda: jungle.Language(kind="nice"),
        lambda: jungle.make_postcard("...", image_model=painter, sound_model=singer),
        lambda: jungle.make_postcard(
            "x", mix={"unicorn": 1.0}, image_model=painter, sound_model=singer
        ),
        lambda: jungle.make_postcard("x", image_model=painter, sound_model=singer, sketches=0),
        lambda: jungle.make_postcard(
            "x", image_model=painter, sound_model=singer, language={"kind": "nice"}
        ),
        lambda: list(jungle.train(tmp_path / "empty", tmp_path / "run")),
        lambda: list(jungle.train(tmp_path / "nothing", tmp_path / "run")),
        lambda: list(jungle.train(tmp_path / "photos", tmp_path / "run", recipe="soup")),
        lambda: list(jungle.train(tmp_path / "photos", tmp_path / "run", recipe="adversarial")),
        lambda: list(jungle.train(tmp_path / "photos", tmp_path / "run", minutes=-1)),
        lambda: list(jungle.train(tmp_path / "photos", tmp_path / "run", options={"colour": 1})),
        lambda: list(jungle.train(tmp_path / "photos", tmp_path / "sounds", recipe="tiny")),
        lambda: jungle.evaluate(painter, tmp_path / "photos", count=3),
        lambda: jungle.evaluate(painter, tmp_path / "photos", count=10, seed=-1),
    ]
    sentences = []
    for attempt in attempts:
        with pytest.raises(jungle.JungleError) as refused:
            attempt()
        sentences.append(str(refused.value))
    assert not (tmp_path / "run").exists()
    return sentences


def test_mistakes_are_one_sentence(refusals: list[str]) -> None:
    assert all(sentence.endswith((".", "?")) and "\n" not in sentence for sentence in refusals)


def test_errors_name_arguments_and_no_flags(refusals: list[str]) -> None:
    # Whole command lines, quoted between two blanks, stay as they are.
    bare = [re.sub(r"  jungle .*?(  |$)", "", sentence) for sentence in refusals]
    assert not [sentence for sentence in bare if re.search(r"(?<!\w)--[a-z]", sentence)]
