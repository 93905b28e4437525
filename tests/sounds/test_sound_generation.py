"""Calls: spectrograms and their phases, the embedded engine, its training, takes and their ranking,
the album and the command.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.signal import chirp, stft

from jungle.config.recipe_table import CALL_RECIPES, find_recipe
from jungle.config.recipes import SampleRecipe
from jungle.diffusion import model as models
from jungle.diffusion.device import Compute
from jungle.diffusion.model import Model
from jungle.errors import BadCheckpoint, BadInput
from jungle.evaluation.classifier import Classifier
from jungle.mastering.loudness import integrated_loudness, true_peak
from jungle.postcards.calls import Wanted, make_album, speak_calls, write_plain
from jungle.records import Species
from jungle.sounds import dataset, rank, spectrogram
from jungle.sounds.batches import CallBatches
from jungle.sounds.classifier import (
    FEATURES,
    SAMPLES,
    WIDTHS,
    AudioClassifier,
    log_mel_levels,
    mel_filters,
    split_windows,
)
from jungle.sounds.dataset import AudioDataset
from jungle.sounds.engine import CallRequest, Take, take_seed
from jungle.sounds.evaluate import ComparisonSet, _splits, class_accuracy, score_calls
from jungle.sounds.fit_length import audible_range, fit_length
from jungle.sounds.generate import SpectrogramEngine
from jungle.sounds.memorisation import COPY, SHADE, MemorisationIndex
from jungle.sounds.plots import HEIGHT, WIDTH, spectrogram_image
from jungle.species.select import voices

Command = Callable[[str], subprocess.CompletedProcess[str]]
RATE = spectrogram.RATE
CPU = Compute(torch.device("cpu"), torch.float32, "test")
FEW = SampleRecipe(steps=3, guidance=2.0, sigma_max=160.0)


def note(pitch: float, seconds: float, seed: int = 0, rate: int = RATE) -> NDArray[np.float32]:
    """A call made in the test: a falling note with partials, breath and a decay; (N,) float32."""
    source = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    bend = pitch * (1 - 0.2 * t / seconds)
    phase = 2 * np.pi * np.cumsum(bend) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 5))
    envelope = np.sin(np.pi * t / seconds) ** 0.5
    return (0.3 * envelope * (tone + 0.1 * source.standard_normal(len(t)))).astype(np.float32)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 made recordings of three classes: low, middle and high notes."""
    folder = tmp_path_factory.mktemp("made") / "recordings"
    for name, pitch in (("cat", 700.0), ("cow", 180.0), ("frog", 1900.0)):
        (folder / name).mkdir(parents=True)
        for index in range(8):
            wave = note(pitch * (1 + 0.07 * index), 0.4 + 0.2 * index, index)
            soundfile.write(folder / name / f"{index}.wav", wave, RATE, subtype="PCM_16")
    return folder


def against(
    clips: AudioDataset, classifier: AudioClassifier, index: MemorisationIndex
) -> ComparisonSet:
    return ComparisonSet(clips=clips, classifier=classifier, index=index, seed=0)


@pytest.fixture(scope="module")
def loaded(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> AudioDataset:
    return dataset.load_audio_dataset(
        recordings, find_recipe("tiny", "recordings"), tmp_path_factory.mktemp("cache")
    )


@pytest.fixture(scope="module")
def tiny(loaded: AudioDataset) -> Model:
    """An untrained tiny model of three classes; its heads are not zero, so that it says
    something.
    """
    recipe = find_recipe("tiny", "recordings")
    denoiser = models.build_model(recipe, 3, CPU)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in denoiser.net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    denoiser.net.eval()
    return Model(denoiser, recipe, loaded.classes, 0, "0" * 16, "", CPU.device)


@pytest.fixture(scope="module")
def ear(loaded: AudioDataset) -> AudioClassifier:
    torch.manual_seed(0)
    return AudioClassifier(Classifier(3, 1, WIDTHS), loaded.classes, "untrained")


# Spectrograms


def test_transform_agrees_with_scipy_and_inverts() -> None:
    wave = note(440, 0.512, 3)[: 64 * spectrogram.HOP]
    ours = spectrogram.stft(torch.from_numpy(wave)[None])[0].numpy()
    window = torch.hann_window(spectrogram.FFT).numpy()
    _, _, theirs = stft(np.pad(wave, 256), RATE, window, 512, 384, boundary=None, padded=False)
    theirs *= window.sum() / (spectrogram.FFT / 4)
    assert np.abs(ours - theirs[:256, : ours.shape[1]]).max() < 1e-5
    back = spectrogram.inverse_stft(torch.from_numpy(ours)[None])[0].numpy()
    assert np.abs(back - wave)[: -spectrogram.FFT].max() < 5e-3  # the Nyquist bin is left out


def test_a_sine_in_the_middle_of_a_bin_has_its_amplitude_as_magnitude() -> None:
    wave = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(8192) / RATE)[None]
    assert float(spectrogram.stft(wave).abs()[0, 32, 10:50].mean()) == pytest.approx(0.5, rel=1e-3)


def test_levels_survive_the_picture() -> None:
    wave = torch.from_numpy(note(600, 0.512))[None]
    loudest = float(spectrogram.stft(wave).abs().max())
    images = spectrogram.waves_to_images(wave, loudest)
    assert images.shape == (1, 1, 256, 64)
    assert float(images.max()) == pytest.approx(1.0, abs=1e-5)
    assert float(images.min()) >= -1
    magnitudes = spectrogram.image_magnitudes(images) * loudest
    true = spectrogram.stft(wave).abs()
    audible = true > 1e-3 * loudest
    assert torch.allclose(magnitudes[audible], true[audible], rtol=1e-3)
    assert bool((spectrogram.image_magnitudes(-torch.ones(1, 1, 256, 8)) == 0).all())


def convergence(images: torch.Tensor, waves: torch.Tensor) -> float:
    """Spectral convergence: relative error of the magnitudes of ``waves``."""
    expected = spectrogram.image_magnitudes(images)
    return float((spectrogram.stft(waves).abs() - expected).norm() / expected.norm())


def test_integrated_phases_beat_sixty_rounds_of_griffin_lim_on_a_chirp() -> None:
    """One integration without polish against random phases with 60 rounds, and a sliding tone
    against its true phases.
    """
    t = np.arange(32768) / RATE
    wave = torch.from_numpy((0.5 * chirp(t, 500, 2.05, 3000)).astype(np.float32))[None]
    images = spectrogram.waves_to_images(wave, float(spectrogram.stft(wave).abs().max()))
    plain = convergence(images, spectrogram.images_to_waves(images, polish=0))
    expected = spectrogram.image_magnitudes(images)
    guess = torch.polar(
        expected,
        2 * torch.pi * torch.rand(expected.shape, generator=torch.Generator().manual_seed(0)),
    )
    assert plain < 0.5 * convergence(images, spectrogram.inverse_stft(guess))
    polished = convergence(images, spectrogram.images_to_waves(images))
    assert polished < 0.1
    assert polished < plain


def test_silence_and_noise_have_phases_too() -> None:
    assert bool((spectrogram.images_to_waves(-torch.ones(1, 1, 256, 32)) == 0).all())
    noise = 0.3 * torch.randn((2, 1, 256, 32), generator=torch.Generator().manual_seed(0))
    waves = spectrogram.images_to_waves(noise)
    assert waves.shape == (2, 32 * spectrogram.HOP)
    assert bool(waves.isfinite().all())
    assert torch.equal(waves[1:], spectrogram.images_to_waves(noise[1:]))


# Training


def test_batches_are_a_function_of_the_update(loaded: AudioDataset) -> None:
    feed = CallBatches(loaded, find_recipe("tiny", "recordings"), CPU.device)
    generator = torch.Generator()
    images, mix = feed(4, generator)
    again, _ = feed(4, generator)
    other, _ = feed(5, generator)
    assert images.shape == (8, 1, 256, 256)
    assert torch.equal(images, again)
    assert not torch.equal(images, other)
    assert bool((mix.sum(dim=1) == 1).all())
    assert float(images.amax(dim=(1, 2, 3)).min()) > 0.9  # every window is on the scale of its clip
    assert float((images == -1).float().mean()) > 0.2  # the ends of short calls are silence


@pytest.mark.slow
def test_what_weighs_nothing_is_never_drawn(loaded: AudioDataset) -> None:
    feed = CallBatches(
        loaded, dataclasses.replace(find_recipe("tiny", "recordings"), batch=32), CPU.device
    )
    feed.set_weights((loaded.labels == 1).astype(np.float64))
    for step in range(4):
        assert (feed(step, torch.Generator())[1].argmax(dim=1) == 1).all()


@pytest.mark.slow
def test_training_resumes_exactly_and_makes_calls(
    jungle_command: Command, recordings: Path
) -> None:
    """Straight, and stopped by SIGTERM and run again: the same file; and the command that uses
    it.
    """
    train = f"train {recordings} --recipe tiny -o steps=6 -o checkpoint_every=2"
    done = jungle_command(f"{train} --out straight")
    assert done.returncode == 0, done.stderr
    assert "Trained on 24 recordings of 3 classes" in done.stdout
    folder = recordings.parent
    names = {
        "animal_diffusion_model.pth",
        "animal_diffusion_model.reference",
        "preview.png",
        "preview.wav",
        "report.txt",
        "stats.jsonl",
    }
    assert names <= {path.name for path in (folder / "straight").iterdir()}
    process = subprocess.Popen(
        [sys.executable, "-m", "jungle", *f"{train} --out stopped".split()], cwd=folder
    )
    while (
        not (folder / "stopped" / "animal_diffusion_model.pth").exists() and process.poll() is None
    ):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert jungle_command(f"{train} --out stopped").returncode == 0
    first, second = (
        torch.load(folder / name / "animal_diffusion_model.pth", weights_only=True)
        for name in ("straight", "stopped")
    )
    assert all(
        torch.equal(value, second["weights"][name]) for name, value in first["weights"].items()
    )
    done = jungle_command(
        "sounds --model straight/animal_diffusion_model.pth -n 2 --takes 2 -o steps=2 --out calls "
        "--json"
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [call["file"] for call in answer["calls"]] == [
        "animal_sound_1.wav",
        "animal_sound_2.wav",
    ]
    assert len(list((folder / "calls" / "takes").glob("*.wav"))) == 4


@pytest.fixture
def jungle_command(recordings: Path) -> Command:
    def run(line: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jungle", *line.split()]
        return subprocess.run(
            command, cwd=recordings.parent, capture_output=True, text=True, check=False, timeout=120
        )

    return run


# The embedded engine


def test_a_take_depends_on_its_seed_alone(tiny: Model) -> None:
    maker = SpectrogramEngine(tiny, FEW)
    wishes = [CallRequest(seed=seed, mix={"cat": 0.5, "cow": 0.5}, takes=2) for seed in range(3)]
    together = list(maker.make(wishes))
    alone = [take for wish in wishes[2:] for _, take in maker.make([wish])]
    assert [index for index, _ in together] == [0, 0, 1, 1, 2, 2]
    assert [take.seed for _, take in together[4:]] == [2, take_seed(2, 1)]
    for item, (_, other) in zip(alone, together[4:], strict=True):
        assert np.array_equal(item.audio, other.audio)
    assert not np.array_equal(together[0][1].audio, together[1][1].audio)
    assert together[0][1].audio.shape == (32768, 1)
    assert together[0][1].audio.dtype == np.float32


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.7, 9.25])
def test_a_wanted_length_is_exact(tiny: Model, seconds: float) -> None:
    [(_, take)] = SpectrogramEngine(tiny, FEW).make(
        [CallRequest(seed=3, mix={"frog": 1.0}, seconds=seconds)]
    )
    assert take.audio.shape == (round(seconds * RATE), 1)
    assert np.abs(take.audio).max() > 0


def test_wrong_wishes_are_refused(tiny: Model) -> None:
    maker = SpectrogramEngine(tiny, FEW)
    for wrong in (
        CallRequest(seed=0, mix={"yeti": 1.0}),
        CallRequest(seed=0, seconds=-1.0),
        CallRequest(seed=0, seconds=float("nan")),
    ):
        with pytest.raises(BadInput):
            list(maker.make([wrong]))
    photos = Model(tiny.denoiser, find_recipe("tiny"), ("cat",), 0, "", "", CPU.device)
    with pytest.raises(BadInput, match="trained on photos"):
        SpectrogramEngine(photos, FEW)


def test_long_calls_repeat_themselves_but_never_exactly() -> None:
    call = np.concatenate([np.zeros(3000), note(500, 0.5), np.zeros(4000)]).astype(np.float32)[
        :, None
    ]
    begin, end = audible_range(call, RATE)
    assert begin == pytest.approx(3000, abs=700)
    assert end == pytest.approx(11000, abs=700)
    long = fit_length(call, RATE, 6.0, 1)
    loud = np.flatnonzero(np.abs(long[:, 0]) > 0.02)
    starts = loud[np.diff(loud, prepend=-RATE) > 0.1 * RATE]
    assert 5 <= len(starts) <= 12
    gaps = np.diff(starts)
    assert gaps.std() > 0.01 * RATE  # jittered
    first, second = long[starts[0] : starts[0] + 4000, 0], long[starts[1] : starts[1] + 4000, 0]
    assert np.abs(first - second).max() > 0.05
    assert np.array_equal(long, fit_length(call, RATE, 6.0, 1))


# The ear, the reference, the ranking


def test_mel_filters_are_triangles_of_area_one() -> None:
    filters = mel_filters()
    assert torch.allclose(filters.sum(dim=1), torch.ones(64), atol=1e-5)
    centres = filters.argmax(dim=1)
    assert bool((centres.diff() >= 0).all())
    assert centres[0] < 5
    assert centres[-1] > 220


def test_the_ear_hears_no_level_and_any_length(ear: AudioClassifier) -> None:
    wave = note(500, 3.0)[:, None]
    soft, loud = (
        log_mel_levels(torch.from_numpy(split_windows(0.01 * wave, RATE))),
        log_mel_levels(torch.from_numpy(split_windows(wave, RATE))),
    )
    assert torch.allclose(soft, loud, atol=2e-2)
    assert split_windows(note(500, 0.1)[:, None], RATE).shape == (1, SAMPLES)
    assert split_windows(note(500, 60.0)[:, None], RATE).shape == (9, SAMPLES)
    features, heard = ear.classify([wave, wave[:4000]], RATE)
    assert features.shape == (2, FEATURES)
    assert np.allclose(heard.sum(axis=1), 1, atol=1e-5)


def test_agreement_is_the_overlap_of_shares() -> None:
    heard = np.array([0.5, 0.3, 0.2], np.float32)
    assert rank.mix_overlap({"cat": 1.0}, ("cat", "cow", "frog"), heard) == pytest.approx(0.5)
    assert rank.mix_overlap(
        {"cat": 1.0, "cow": 1.0}, ("cat", "cow", "frog"), heard
    ) == pytest.approx(0.8)
    assert rank.mix_overlap({"yeti": 1.0}, ("cat", "cow", "frog"), heard) is None
    assert rank.mix_overlap({}, ("cat", "cow", "frog"), heard) is None
    assert class_accuracy(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])) == (
        0.75,
        pytest.approx((2 / 3 + 1) / 2),
    )


@pytest.fixture(scope="module")
def reference(loaded: AudioDataset, ear: AudioClassifier) -> MemorisationIndex:
    return MemorisationIndex.from_dataset(loaded, ear)


def test_copies_are_found_at_any_level_speed_and_shift(
    loaded: AudioDataset, reference: MemorisationIndex
) -> None:
    name = loaded.paths[12]
    wave = loaded.waveform(12)
    noisy = 0.2 * wave + 1e-4 * np.random.default_rng(0).standard_normal(len(wave)).astype(
        np.float32
    )
    for spoilt in (noisy, np.concatenate([np.zeros(4000, np.float32), wave])):
        likeness, result = reference.nearest_recording(spoilt[:, None], RATE)
        assert likeness > COPY
        assert result == name
    fresh = (
        np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
        * np.linspace(0, 1, RATE, dtype=np.float32) ** 2
    )
    assert reference.nearest_recording(fresh[:, None], RATE)[0] < COPY


def test_typical_is_the_share_of_recordings_that_are_less_so(
    loaded: AudioDataset, reference: MemorisationIndex
) -> None:
    shares = reference.typicality(reference.features)
    assert (
        sorted(shares.round(3))
        == sorted(np.arange(len(loaded)).round(3)[::-1] / len(loaded).__float__())
        or 0.3 < shares.mean() < 0.7
    )
    assert reference.typicality(reference.features.mean(axis=0)[None] + 100)[0] == 0.0


def test_a_reference_survives_its_file(reference: MemorisationIndex, tmp_path: Path) -> None:
    assert MemorisationIndex.load(tmp_path / "none") is None
    reference.save(tmp_path / "some.reference")
    again = MemorisationIndex.load(tmp_path / "some.reference")
    assert again
    assert again.names == reference.names
    assert np.abs(again.levels.astype(int) - reference.levels).max() <= SHADE // 2
    again.save(tmp_path / "again.reference")
    assert (tmp_path / "again.reference").read_bytes() == (tmp_path / "some.reference").read_bytes()
    (tmp_path / "some.reference").write_bytes(b"no")
    with pytest.raises(BadCheckpoint, match="damaged"):
        MemorisationIndex.load(tmp_path / "some.reference")


def test_a_reference_of_the_first_version_opens(
    reference: MemorisationIndex, tmp_path: Path
) -> None:
    """It had 256 levels instead of 16; both find the same copies."""
    tensors = {
        "features": reference.features.astype(np.float16),
        "picture": reference.levels,
        "lengths": reference.lengths,
    }
    save_file(tensors, tmp_path / "old.reference", metadata={"names": json.dumps(reference.names)})
    reference.save(tmp_path / "new.reference")
    old, new = (MemorisationIndex.load(tmp_path / f"{age}.reference") for age in ("old", "new"))
    assert old
    assert new
    assert np.array_equal(old.levels, reference.levels)
    assert (tmp_path / "new.reference").stat().st_size < 0.7 * (
        tmp_path / "old.reference"
    ).stat().st_size
    heard = note(420, 1.1, 5)[:, None]
    assert abs(old.nearest_recording(heard, RATE)[0] - new.nearest_recording(heard, RATE)[0]) < 0.02


def test_faulty_takes_and_copies_come_last_and_say_why(
    loaded: AudioDataset, ear: AudioClassifier, reference: MemorisationIndex
) -> None:
    good = Take(note(420, 1.1, 5)[:, None], RATE, 1)
    silent = Take(np.zeros((RATE, 1), np.float32), RATE, 2)
    broken = Take(np.full((RATE, 1), np.nan, np.float32), RATE, 3)
    copy = Take(loaded.waveform(3)[:, None], RATE, 4)
    judged = rank.rank_takes([silent, copy, broken, good], {"cat": 1.0}, ear, reference)
    assert judged[0].take.seed == 1
    assert not judged[0].flags
    flags = {item.take.seed: " ".join(item.flags) for item in judged[1:]}
    assert "copy of" in flags[4]
    assert flags[2]
    assert flags[3]
    assert "sounds" in judged[0].why


def test_scores_tell_real_recordings_from_noise(
    loaded: AudioDataset, ear: AudioClassifier, reference: MemorisationIndex
) -> None:
    labels = loaded.labels[:20]
    real = score_calls(
        [loaded.waveform(i)[:, None] for i in range(20)],
        RATE,
        labels,
        against(loaded, ear, reference),
    )
    source = np.random.default_rng(0)
    noise = score_calls(
        [source.standard_normal((RATE, 1)).astype(np.float32) for _ in range(20)],
        RATE,
        labels,
        against(loaded, ear, reference),
    )
    assert noise.kid > 2 * real.kid
    assert real.copies == 20
    assert noise.copies == 0
    assert noise.flagged > 10  # noise hisses
    assert real.frechet is None  # too few
    assert "Kernel distance" in real.to_text()


def test_an_ear_that_knows_more_animals_names_the_same(
    loaded: AudioDataset, ear: AudioClassifier, reference: MemorisationIndex
) -> None:
    """Its answers are compared by name, not by the number of the class."""
    wider = AudioClassifier(
        Classifier(5, 1, WIDTHS), ("aardvark", *loaded.classes, "zebu"), "wider"
    )
    head = wider._net.head[1]
    assert isinstance(head, torch.nn.Linear)
    weights = {
        name: value
        for name, value in ear._net.state_dict().items()
        if not name.startswith("head.1.")
    }
    own = ear._net.head[1]
    assert isinstance(own, torch.nn.Linear)
    wider._net.load_state_dict(weights, strict=False)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(-1e4)
        head.weight[1:4], head.bias[1:4] = own.weight, own.bias
    calls = [loaded.waveform(i)[:, None] for i in range(20)]
    first, second = (
        score_calls(calls, RATE, loaded.labels[:20], against(loaded, item, reference))
        for item in (ear, wider)
    )
    assert dataclasses.replace(second, ear=first.ear) == first


def test_the_floor_is_a_mean_over_ways_to_part_the_recordings(
    loaded: AudioDataset, ear: AudioClassifier, reference: MemorisationIndex
) -> None:
    """Recordings drawn from the recordings are as far from them as the floor says; near-duplicates
    are never on both sides.
    """
    chosen = np.random.default_rng(1).permutation(len(loaded))[: len(loaded) // 2]
    scores = score_calls(
        [loaded.waveform(i)[:, None] for i in chosen],
        RATE,
        loaded.labels[chosen],
        against(loaded, ear, reference),
    )
    assert abs(scores.kid - scores.kid_floor) < 2 * scores.kid_error
    twins = dataclasses.replace(loaded, groups=np.arange(len(loaded)) // 4)
    parts = list(_splits(twins, 10, 0))
    assert len({part.tobytes() for part in parts}) > 10
    for part in parts:
        assert 10 <= part.sum() <= 13
        assert all(len(set(part[twins.groups == group])) == 1 for group in np.unique(twins.groups))
    most = np.where(np.arange(len(loaded)) < len(loaded) - 4, 0, np.arange(len(loaded)))
    sizes = [part.sum() for part in _splits(dataclasses.replace(loaded, groups=most), 10, 0)]
    assert 0 < len(sizes) < 20
    assert all(4 <= size <= len(loaded) - 4 for size in sizes)
    copies = dataclasses.replace(loaded, groups=np.zeros(len(loaded), np.int64))
    with pytest.raises(BadInput, match="copies of each other"):
        score_calls(
            [loaded.waveform(i)[:, None] for i in chosen],
            RATE,
            loaded.labels[chosen],
            against(copies, ear, reference),
        )


# The album


def test_an_album_is_mastered_tagged_and_complete(
    tiny: Model, ear: AudioClassifier, reference: MemorisationIndex, tmp_path: Path
) -> None:
    expected = [
        Wanted(
            Species(slug=f"one-{seed}", name=f"One {seed}", seed=seed),
            CallRequest(seed=seed, mix={"cow": 1.0}, takes=2, seconds=1.5),
        )
        for seed in range(2)
    ]
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "animal_sound_9.wav").write_bytes(b"old")
    done: list[int] = []
    calls = make_album(
        SpectrogramEngine(tiny, FEW), expected, tmp_path / "album", ear, reference, done.append
    )
    assert sum(done) == 4
    stems = {path.name for path in (tmp_path / "album").iterdir()}
    assert stems == {
        f"animal_sound_{n}.{form}" for n in (1, 2) for form in ("wav", "flac", "opus", "m4a")
    } | {
        "takes",
        "takes.png",
        "sounds.json",
    }
    for call in calls:
        wav, rate = soundfile.read(tmp_path / "album" / call.file, dtype="int16", always_2d=True)
        flac, _ = soundfile.read(
            (tmp_path / "album" / call.file).with_suffix(".flac"), dtype="int16", always_2d=True
        )
        assert rate == call.rate == 48_000
        assert np.array_equal(wav, flac)
        audio = wav.astype(np.float32) / 32768
        assert true_peak(audio) <= -0.95
        assert integrated_loudness(audio, rate)[0] == pytest.approx(call.loudness, abs=0.1)
        with av.open((tmp_path / "album" / call.file).with_suffix(".opus")) as file:
            comment = {
                key.lower(): value
                for key, value in (file.metadata | file.streams.audio[0].metadata).items()
            }
        assert comment["seed"] == str(call.seed)
        assert comment["source"].startswith("trainedAlgorithmicMedia")
        assert comment["model"] == "0" * 16
    again = make_album(SpectrogramEngine(tiny, FEW), expected, tmp_path / "again", ear, reference)
    assert [call.to_json() for call in again] == [call.to_json() for call in calls]
    for name in ("animal_sound_1.wav", "animal_sound_2.opus", "takes.png", "sounds.json"):
        assert (tmp_path / "album" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_wanted_length_survives_mastering(
    tiny: Model, ear: AudioClassifier, tmp_path: Path
) -> None:
    expected = [Wanted(Species(slug="", name="", seed=1), CallRequest(seed=1, seconds=2.25))]
    [call] = make_album(SpectrogramEngine(tiny, FEW), expected, tmp_path, ear, None)
    assert soundfile.info(tmp_path / call.file).frames == round(2.25 * 48_000)
    assert call.loop[1] <= round(2.25 * 48_000)


class Stereo:
    """An engine that answers with noise in stereo at 44.1 kHz, too loud by half."""

    name, rate, model = "stereo", 44_100, "none"

    def make(self, requests: Sequence[CallRequest]) -> Iterator[tuple[int, Take]]:
        for index, item in enumerate(requests):
            audio = np.random.default_rng(item.seed).uniform(
                -1.5, 1.5, (round(item.seconds * 44_100), 2)
            )
            yield index, Take(audio.astype(np.float32), 44_100, item.seed, "made for a test")


def test_the_faithful_recipe_is_written_as_it_is(tmp_path: Path) -> None:
    requests = [
        CallRequest(seed=seed, prompt="p", seconds=seconds)
        for seed, seconds in enumerate((0.5, 1.25))
    ]
    expected = [Wanted(Species(slug="", name="", seed=item.seed), item) for item in requests]
    calls = write_plain(Stereo(), expected, tmp_path, lambda done: None)
    assert [call.file for call in calls] == ["animal_sound_1.wav", "animal_sound_2.wav"]
    for call, item in zip(calls, expected, strict=True):
        info = soundfile.info(tmp_path / call.file)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (
            round(item.request.seconds * 44_100),
            44_100,
            2,
            "PCM_16",
        )
        assert np.abs(soundfile.read(tmp_path / call.file)[0]).max() <= 1.0
        assert call.notes == ("made for a test",)
    assert len(json.loads((tmp_path / "sounds.json").read_text())["calls"]) == 2


def test_creatures_speak_with_their_own_voice(
    tiny: Model, ear: AudioClassifier, tmp_path: Path
) -> None:
    expected = [
        Wanted(Species(slug="", name="", seed=seed), CallRequest(seed=seed)) for seed in range(2)
    ]
    calls = make_album(SpectrogramEngine(tiny, FEW), expected, tmp_path, ear, None)
    files = speak_calls(tmp_path, calls)
    assert files == ["animal_speech_1.wav", "animal_speech_2.wav"]
    first, second = (soundfile.read(tmp_path / file)[0] for file in files)
    assert 0.5 < len(first) / 48_000 < 4.5
    assert len(first) != len(second) or np.abs(first - second).max() > 0.05


def test_every_animal_of_the_photos_has_a_voice() -> None:
    voiced = ("bird", "cat", "chicken", "cow", "dog", "donkey", "frog", "lion", "monkey", "sheep")
    assert voices({"panda": 0.7, "cat": 0.3}, voiced) == pytest.approx({"sheep": 0.7, "cat": 0.3})
    assert voices({"lion": 0.5, "leopard": 0.5}, voiced) == pytest.approx({"lion": 1.0})
    assert voices({"yeti": 1.0}, voiced) == {}


def test_spectrogram_pictures_put_low_notes_at_the_bottom() -> None:
    for rate in (RATE, 44_100, 48_000):  # at any rate the same heights: 8 kHz is the top
        t = np.arange(rate) / rate
        for hertz in (500, 2_000, 6_000):
            view = spectrogram_image(
                np.sin(2 * np.pi * hertz * t).astype(np.float32)[:, None], rate
            )
            assert view.shape == (HEIGHT, WIDTH, 3)
            assert int(view.sum(axis=(1, 2)).argmax()) == pytest.approx(
                HEIGHT * (1 - hertz / 8_000), abs=2
            )


def test_recipes_of_recordings_are_found_by_name() -> None:
    assert all(
        recipe.media == "recordings" and recipe.net.image_channels == 1
        for recipe in CALL_RECIPES.values()
    )
    with pytest.raises(BadInput, match="for recordings"):
        find_recipe("photo64", "recordings")
