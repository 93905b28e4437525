"""CLAP: the real classes of transformers at toy size, built in code and opened from a folder."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, is_refused

from jungle.errors import BadCheckpoint, BadInput, MissingExtra
from jungle.sounds.classifier import AudioClassifier
from jungle.sounds.engine import Take
from jungle.sounds.rank import rank_takes
from jungle.sounds.stable_audio.clap import Clap

transformers = pytest.importorskip("transformers")
soxr = pytest.importorskip("soxr")

RATE = 8_000  # Hz, of the toy, which hears one second at once
TEXTS = ["a lion roars in a misty forest", "the call of a small frog", "field recording at night"]


def build(folder: Path) -> Path:
    """A CLAP with random weights: 16 mel bands, one second, a byte-level alphabet."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    pairs.train_from_iterator(TEXTS, trainer)
    built = json.loads(pairs.to_str())["model"]
    tokenizer = transformers.RobertaTokenizerFast(
        vocab=built["vocab"], merges=[tuple(pair) for pair in built["merges"]]
    )
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=RATE,
        hop_length=64,
        max_length_s=1,
        fft_window_size=256,
        frequency_max=RATE // 2,
        truncation="rand_trunc",
    )
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 40,
        "projection_dim": 16,
    }
    audio = {
        "num_mel_bins": 16,
        "window_size": 4,
        "spec_size": 64,
        "patch_size": 2,
        "patch_stride": [2, 2],
        "hidden_size": 16,
        "patch_embeds_hidden_size": 8,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "projection_dim": 16,
        "enable_fusion": False,
    }
    torch.manual_seed(3)
    transformers.utils.logging.disable_progress_bar()
    transformers.ClapModel(
        transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    ).save_pretrained(folder)
    transformers.ClapProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("clap") / "toy")


@pytest.fixture(scope="module")
def clap(toy: Path) -> Clap:
    return Clap.open(str(toy))


def call(seconds: float, pitch: float = 500.0, rate: int = RATE, channels: int = 1) -> Any:
    t = np.arange(round(seconds * rate)) / rate
    wave = 0.4 * np.exp(-3 * t) * np.sin(2 * np.pi * pitch * t * (1 + 0.3 * np.sin(5 * t)))
    return np.repeat(wave.astype(np.float32)[:, None], channels, axis=1)


def test_agreement_is_that_of_the_classes_called_directly(toy: Path, clap: Clap) -> None:
    model, processor = (
        kind.from_pretrained(toy) for kind in (transformers.ClapModel, transformers.ClapProcessor)
    )
    audio = call(0.8)
    words = processor.tokenizer([TEXTS[0]], return_tensors="pt")
    heard = processor.feature_extractor([audio[:, 0]], sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        answer = model.eval()(**words, **heard)
    cosine = float(answer.logits_per_audio[0, 0] / model.logit_scale_a.detach().exp())
    assert clap.cosine(TEXTS[0], audio, RATE) == pytest.approx(cosine, abs=1e-5)
    assert clap.prompt_similarity(TEXTS[0], audio, RATE) == pytest.approx(
        (1 + cosine) / 2, abs=1e-5
    )


def test_prompt_and_call_both_count(clap: Clap) -> None:
    result = {
        clap.cosine(text, audio, RATE) for text in TEXTS for audio in (call(0.8), call(0.8, 1500))
    }
    assert len(result) == 6
    assert all(-1 <= item <= 1 for item in result)


def test_a_call_is_brought_to_the_models_rate_and_to_mono(clap: Clap) -> None:
    wide = call(0.8, rate=44_100, channels=2)
    [piece] = clap.pieces(wide, 44_100)
    np.testing.assert_allclose(piece, soxr.resample(wide[:, 0], 44_100, RATE), atol=1e-6)
    assert piece.dtype == np.float32
    assert clap.cosine(TEXTS[0], wide, 44_100) == pytest.approx(
        clap.cosine(TEXTS[0], call(0.8), RATE), abs=0.02
    )


def test_a_long_call_is_heard_to_its_end_and_always_alike(clap: Clap) -> None:
    """The extractor would draw one second of it at random."""
    parts = [call(1.0), call(1.0, 900), call(0.5, 1500)]
    whole = np.concatenate(parts)
    assert [len(piece) for piece in clap.pieces(whole, RATE)] == [8000, 8000, 4000]
    alone = [clap.cosine(TEXTS[1], part, RATE) for part in parts]
    assert clap.cosine(TEXTS[1], whole, RATE) == pytest.approx(np.mean(alone), abs=1e-5)
    assert len({clap.cosine(TEXTS[1], whole, RATE) for _ in range(3)}) == 1
    # a crumb at the end is no piece
    assert len(clap.pieces(np.concatenate([parts[0], call(0.05)]), RATE)) == 1


def test_an_endless_prompt_is_cut(clap: Clap) -> None:
    assert np.isfinite(clap.cosine("lion " * 100, call(0.5), RATE))


def test_takes_are_ranked_by_their_prompt(clap: Clap) -> None:
    takes = [
        Take(call(0.8, pitch), RATE, seed) for seed, pitch in enumerate((300, 700, 1100, 1900))
    ]
    fits = [clap.prompt_similarity(TEXTS[0], take.audio, RATE) for take in takes]
    judged = rank_takes(takes, {}, AudioClassifier.shipped(), None, TEXTS[0], clap)
    sound = [item for item in judged if not item.flags]
    assert len(sound) > 1
    assert [item.fit for item in sound] == pytest.approx([fits[item.take.seed] for item in sound])
    blemishes = {len(item.findings) for item in sound}
    assert blemishes == {len(sound[0].findings)}  # so that nothing but the prompt decides
    assert [item.fit for item in sound] == sorted(
        (item.fit for item in sound if item.fit is not None), reverse=True
    )
    assert f"fits its prompt by {sound[0].fit:.2f}" in sound[0].why
    without = rank_takes(takes, {}, AudioClassifier.shipped(), None, TEXTS[0])
    assert all(item.fit is None and "prompt" not in item.why for item in without)
    assert all(
        item.fit is None
        for item in rank_takes(takes, {}, AudioClassifier.shipped(), None, "", clap)
    )


@pytest.mark.parametrize("damage", ["cut", "text", "other model", "no tokenizer", "nan", "empty"])
def test_what_is_no_clap_is_refused_when_it_is_opened(
    toy: Path, tmp_path: Path, damage: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "bad"
    shutil.copytree(toy, folder)
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-500])
    elif damage == "text":
        (folder / "config.json").write_text("hello")
    elif damage == "other model":
        save_file({"encoder.weight": torch.zeros(3)}, weights, {"format": "pt"})
    elif damage == "no tokenizer":
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
            (folder / name).unlink(missing_ok=True)
    elif damage == "nan":
        broken = {
            name: value * float("nan") if value.is_floating_point() else value
            for name, value in load_file(weights).items()
        }
        save_file(broken, weights, {"format": "pt"})
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    with pytest.raises(BadCheckpoint, match="is no CLAP model that can be opened"):
        Clap.open(str(folder))


def test_without_transformers_or_a_folder_the_sentence_says_so(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="There is no folder 'nothing here'"):
        Clap.open("nothing here")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"transformers.*\[stable-audio\]"):
        Clap.open(str(toy))


def test_a_folder_needs_no_network(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("asked for an address"))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("went out"))
    assert Clap.open(str(toy)).rate == RATE


def test_the_command_line_hands_it_to_the_ranking(
    toy: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an engine of noise in the place of Stable Audio."""

    class Noise:
        name, rate, model, about = "stable-audio", RATE, "noise", "cpu"

        def make(self, requests: Any) -> Any:
            for index, item in enumerate(requests):
                for number in range(item.takes):
                    audio = call(0.8, 400 + 300 * number)
                    yield index, Take(audio, RATE, item.seed + number)

    monkeypatch.setattr(
        "jungle.sounds.stable_audio.engine.StableAudioEngine.open", lambda *_, **__: Noise()
    )
    monkeypatch.chdir(tmp_path)
    line = [
        "sounds",
        "--engine",
        "stable-audio",
        "-n",
        "1",
        "--takes",
        "3",
        "--prompt",
        TEXTS[0],
        "--clap",
        str(toy),
        "--quiet",
        "--json",
    ]
    done = command(line)
    assert done.code == 0, done.err
    assert "fits its prompt by" in done.json["calls"][0]["why"]
    is_refused(command(["sounds", "--clap", str(toy), "--quiet", "--out", "new"]), "stable-audio")
