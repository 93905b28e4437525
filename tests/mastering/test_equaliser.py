"""The equaliser against FFmpeg's, and on voices whose colour is known."""

from typing import Any

import numpy as np
import pytest
from scipy import signal

from jungle.mastering.chain import master_clips
from jungle.mastering.clean import Cleaning, clean_clip
from jungle.mastering.equaliser import (
    CENTRES,
    TARGET,
    TOLERANCE,
    Q,
    band_corrections,
    equalise,
    equaliser_sections,
    octave_levels,
    peaking_section,
)

av = pytest.importorskip("av")

RATE = 48_000
FAR = TOLERANCE + 9  # dB from the target
DULL = np.array([0, 0, 0, 0, 0, -12, -FAR, -FAR])
HARSH = np.array([0, 0, 0, 0, 0, 12, FAR, FAR])
BOOMY = np.array([TOLERANCE + 12, TOLERANCE + 5, 10, 0, 0, 0, 0, 0])


def voice(colour: Any, seconds: float = 2.4, pause: float = 0.2) -> Any:
    """Noise (samples, 1) in bursts of 0.4 s with nothing between, whose octave bands lie about
    ``colour`` (8,) dB from the target.
    """
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    # a wider band holds more of the same density
    density = TARGET + colour - 10 * np.log10(CENTRES)
    density = np.interp(np.log2(np.maximum(hertz, 1)), np.log2(CENTRES), density)
    shaped = np.fft.irfft(
        spectrum * 10 ** (density / 20) * ((hertz > 44) & (hertz < 11_300)), count
    )
    position = np.arange(count) / RATE % (0.4 + pause)
    shaped *= np.sin(np.pi * np.minimum(position / 0.4, 1)) ** 2
    return (0.3 * shaped / np.abs(shaped).max()).astype(np.float32)[:, None]


def band_levels(audio: Any) -> Any:
    result = octave_levels(audio, RATE)
    assert result is not None
    return result[0]


@pytest.mark.parametrize(("centre", "gain"), [(63, 3.0), (1000, -6.0), (8000, 2.5)])
def test_a_peak_is_that_of_ffmpeg(centre: float, gain: float) -> None:
    """FFmpeg's filter ``equalizer`` is the same recipe of the Audio EQ Cookbook."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4800)
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer", f"time_base=1/{RATE}:sample_rate={RATE}:sample_fmt=dbl:channel_layout=mono"
    )
    middle, sink = (
        graph.add("equalizer", f"f={centre}:t=q:w={Q}:g={gain}:r=f64"),
        graph.add("abuffersink"),
    )
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(noise[None], format="dbl", layout="mono")
    frame.sample_rate, frame.pts = RATE, 0
    graph.push(frame)
    theirs = graph.pull().to_ndarray()[0]
    np.testing.assert_allclose(
        signal.sosfilt(peaking_section(centre, gain, RATE)[None], noise), theirs, atol=1e-6
    )


def test_overlapping_peaks_add_up_to_what_is_wanted() -> None:
    for expected in (
        np.array([3, 3, 3, 0, 0, -3, -3, -3.0]),
        np.array([0, 0, 3, -3, 3, -3, 0, 0.0]),
        np.full(8, 3.0),
    ):
        _, response = signal.sosfreqz(equaliser_sections(expected, RATE), CENTRES, fs=RATE)
        np.testing.assert_allclose(2 * 20 * np.log10(np.abs(response)), expected, atol=0.15)
    _, response = signal.sosfreqz(
        equaliser_sections(np.full(8, 3.0), RATE), np.geomspace(20, 20_000, 500), fs=RATE
    )
    assert 40 * np.log10(np.abs(response)).max() < 3.3  # nor is there a hump between the centres


@pytest.mark.parametrize(
    ("colour", "words"),
    [(DULL, "treble raised by"), (HARSH, "treble lowered by"), (BOOMY, "bass lowered by")],
    ids=["dull", "harsh", "boomy"],
)
def test_what_is_far_from_a_real_call_comes_a_little_nearer(colour: Any, words: str) -> None:
    """By half of what is beyond the tolerance, at most 3 dB; towards the edges of a band its filter
    does a little less.
    """
    audio = voice(colour)
    mended, text = equalise(audio, RATE, 3.0)
    assert mended.dtype == np.float32
    assert mended.shape == audio.shape
    away = band_levels(audio) - TARGET - np.median(band_levels(audio) - TARGET)
    np.testing.assert_allclose(away, colour, atol=6)
    expected = -np.sign(away) * np.minimum((np.abs(away) - TOLERANCE).clip(0) / 2, 3)
    assert 1.5 < np.abs(expected).max() <= 3
    np.testing.assert_allclose(band_levels(mended) - band_levels(audio), expected, atol=0.9)
    assert text.startswith(words)
    assert float(text.split()[-2]) == pytest.approx(np.abs(expected).max(), abs=0.5)
    assert any(note.startswith(words) for note in master_clips([audio], RATE)[0].notes)


def test_a_balanced_voice_is_not_touched() -> None:
    for colour in (np.zeros(8), 0.6 * DULL, 0.6 * HARSH):
        audio = voice(colour)
        mended, text = equalise(audio, RATE, 3.0)
        assert mended is audio
        assert text == ""


def test_a_band_of_noise_is_never_raised() -> None:
    """Without treble of its own, the steady hiss of a recorder there stays as it is; the call's
    treble below it is raised.
    """
    audio = voice(np.array([0, 0, 0, 0, 0, -12, -FAR, -60]))
    hiss = np.random.default_rng(2).standard_normal(len(audio))
    hiss = signal.sosfiltfilt(signal.butter(4, 6_000, "highpass", fs=RATE, output="sos"), hiss)[
        :, None
    ]
    noisy = (audio + 1e-3 * hiss).astype(np.float32)
    expected = band_corrections(noisy, RATE, 3.0)
    assert expected[6] > 1
    assert expected[7] == 0
    mended, _ = equalise(noisy, RATE, 3.0)
    assert abs((band_levels(mended) - band_levels(noisy))[7]) < 0.4


def test_nothing_is_raised_under_a_high_voice() -> None:
    """A bird has no bass to raise, only the echo of the wood."""
    expected = band_corrections(
        voice(np.array([-30, -30, -30, -30, -30, 0, 12, -9 - TOLERANCE])), RATE, 3.0
    )
    assert np.all(expected[:6] <= 0)
    assert np.all(
        band_corrections(voice(np.array([-40, -40, -40, -25, 0, 0, 0, 0])), RATE, 3.0) == 0
    )


def test_what_cannot_be_judged_is_left_alone() -> None:
    t = np.arange(RATE)[:, None] / RATE
    whistle = (0.5 * np.sin(2 * np.pi * 6_000 * t) * np.sin(np.pi * t) ** 2).astype(np.float32)
    for audio in (whistle, voice(DULL, seconds=0.3), 0 * voice(DULL)):
        assert equalise(audio, RATE, 3.0)[0] is audio
    dull = voice(DULL)
    assert equalise(dull, RATE, 0.0)[0] is dull


def test_no_phase_is_turned() -> None:
    click = np.zeros((RATE, 1), np.float32)
    click[RATE // 2] = 1
    out = signal.sosfiltfilt(
        equaliser_sections(np.array([3, 0, 0, 0, 0, 0, -3, -3.0]), RATE), click, axis=0
    )
    np.testing.assert_allclose(
        out[RATE // 2 - 5000 : RATE // 2, 0], out[RATE // 2 + 5000 : RATE // 2 : -1, 0], atol=1e-9
    )


def test_cleaning_uses_it_and_can_do_without() -> None:
    dull = voice(DULL)
    with_it, notes = clean_clip(dull, RATE, Cleaning())
    without, fewer = clean_clip(dull, RATE, Cleaning(colour=0))
    assert set(notes) - set(fewer) == {note for note in notes if note.startswith("treble raised")}
    assert len(notes) == len(fewer) + 1
    assert 1 < (band_levels(with_it) - band_levels(without))[7] < 3.1
