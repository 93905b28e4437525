"""A creature speaks: planned against heard onsets and pitches, one sound for each syllable, plans
that are refused.
"""

import json
import math

import numpy as np
import pytest
import soundfile
from conftest import DATA
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from jungle.errors import BadInput
from jungle.prosody import Plan, Syllable
from jungle.sounds import granular, speech
from jungle.sounds.frames import frames
from jungle.sounds.speech import babble_plan, render_speech

CALLS = DATA / "calls"
RATE = 16_000
TOLERANCE = 0.050  # seconds, as mir_eval.onset has it
Audio = NDArray[np.float32]


def column(samples: NDArray[np.floating]) -> Audio:
    return (0.7 * samples / np.abs(samples).max()).astype(np.float32)[:, None]


def sung(
    pitch: float = 220.0,
    seconds: float = 1.2,
    partials: int = 12,
    glide: float = 0.3,
    rate: int = RATE,
) -> Audio:
    """A voiced call that swells, glides and trembles."""
    t = np.arange(round(seconds * rate)) / rate
    phase = (
        2
        * np.pi
        * np.cumsum(
            pitch * (1 + glide * (t / seconds - 0.5)) * (1 + 0.01 * np.sin(2 * np.pi * 6 * t))
        )
        / rate
    )
    return column(
        sum(np.sin(k * phase) / k for k in range(1, partials + 1)) * np.hanning(len(t)) ** 0.5
    )


def croak(seed: int = 0) -> Audio:
    """Noise in 25 pulses a second."""
    t = np.arange(RATE) / RATE
    return column(
        np.random.default_rng(seed).standard_normal(RATE)
        * np.clip(np.sin(2 * np.pi * 25 * t), 0.05, 1)
        * np.hanning(RATE)
    )


def barks(seed: int = 0) -> Audio:
    """Three short rough sounds with pauses."""
    t = np.arange(round(0.15 * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    item = (np.sign(np.sin(2 * np.pi * 450 * t)) + 0.3 * noise) * np.exp(-18 * t)
    return column(np.concatenate([np.concatenate([item, np.zeros(RATE // 5)])] * 3))


def chirps() -> Audio:
    t = np.arange(RATE // 10) / RATE
    item = np.sin(2 * np.pi * (2500 + 12_000 * t) * t) * np.hanning(len(t))
    return column(np.concatenate([np.concatenate([item, np.zeros(RATE // 20)])] * 6))


SYNTHETIC = {"sung": sung(), "croak": croak(), "barks": barks(), "chirps": chirps()}


def random_plan(seed: int) -> Plan:
    """A phrase of 3 to 12 syllables out of a stock of 8, as a language makes them."""
    draw = np.random.default_rng(seed)
    at, out = 0.0, []
    for _ in range(int(draw.integers(3, 13))):
        duration = float(draw.uniform(0.08, 0.4))
        if at + duration > speech.LONGEST:
            break
        pitch, noise, level = (float(draw.uniform(*ends)) for ends in ((-5, 5), (0, 0.5), (-6, 0)))
        out.append(
            Syllable(
                f"k{draw.integers(8)}", at, duration, pitch, bool(draw.random() < 0.3), noise, level
            )
        )
        at += duration + float(draw.uniform(0.02, 0.2))
    return Plan(tuple(out))


def strongest(samples: Audio, rate: int = RATE) -> float:
    """The frequency in Hz of the strongest partial."""
    return float(
        np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16)).argmax() * rate / (1 << 16)
    )


def detect_onsets(audio: Audio, rate: int) -> NDArray[np.float64]:
    """Seconds at which something begins, by spectral flux (Bello et al. 2005, section III-B.3) with
    peaks picked as in Dixon 2006.

    The flux is taken over 10 ms, from maxima over three bins, so that vibrato is no onset (Boeck
    and Widmer 2013).
    """
    hop, size = round(0.005 * rate), round(0.046 * rate)
    framed = frames(np.pad(audio[:, 0], (size // 2, 0)), size, hop)
    spectra = np.abs(np.fft.rfft(framed * np.hanning(size)))
    compressed = np.log1p(100 * spectra / spectra.max())
    wide = np.maximum(
        compressed, np.maximum(np.roll(compressed, 1, axis=1), np.roll(compressed, -1, axis=1))
    )
    flux = np.maximum(compressed[2:] - wide[:-2], 0).sum(axis=1)
    flux = np.pad(flux, (4, 2))
    flux = (flux - flux.mean()) / flux.std()
    peaks = []
    for n in np.flatnonzero(flux > 0):
        around, before = flux[max(0, n - 6) : n + 7], flux[max(0, n - 20) : n + 7]
        if (
            flux[n] == around.max()
            and flux[n] >= before.mean() + 1
            and (not peaks or n - peaks[-1] > 6)
        ):
            peaks.append(n)
    return (np.array(peaks) - 2) * hop / rate


def matches(planned: NDArray[np.float64], heard: NDArray[np.float64]) -> int:
    """Pairs within the tolerance; both in order, so taking the first that fits is a largest
    matching.
    """
    count = i = j = 0
    while i < len(planned) and j < len(heard):
        if abs(planned[i] - heard[j]) <= TOLERANCE:
            count, i, j = count + 1, i + 1, j + 1
        elif planned[i] < heard[j]:
            i += 1
        else:
            j += 1
    return count


def onset_f1(calls: list[tuple[Audio, int]], plans: list[Plan]) -> float:
    """F-measure over all plans, the calls taken in turn."""
    result = planned_count = heard_count = 0
    for index, plan in enumerate(plans):
        call, rate = calls[index % len(calls)]
        planned = np.array([syllable.onset for syllable in plan.syllables])
        heard = detect_onsets(render_speech(plan, call, rate, voice_seed=index), rate)
        result, planned_count, heard_count = (
            result + matches(planned, heard),
            planned_count + len(planned),
            heard_count + len(heard),
        )
    return 2 * result / (planned_count + heard_count)


# What is heard is what was planned


@pytest.mark.parametrize("name", SYNTHETIC)
def test_onsets_are_heard_where_they_were_planned(name: str) -> None:
    assert onset_f1([(SYNTHETIC[name], RATE)], [random_plan(seed) for seed in range(20)]) >= 0.9


def test_onsets_are_heard_in_the_voices_of_real_animals() -> None:
    if not CALLS.is_dir():
        pytest.skip("no real calls here")
    files = [sorted(folder.glob("*.flac"))[0] for folder in sorted(CALLS.iterdir())]
    calls = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    assert onset_f1(calls, [random_plan(1000 + seed) for seed in range(20)]) >= 0.9


def test_the_detector_hears_clicks_and_not_a_steady_tone() -> None:
    """Else the tests above would prove nothing."""
    clicks = np.zeros((RATE, 1), np.float32)
    clicks[[2000, 6000, 12_000]] = 1
    assert (
        matches(np.array([2000, 6000, 12_000]) / RATE, detect_onsets(clicks, RATE))
        == len(detect_onsets(clicks, RATE))
        == 3
    )
    shifted = render_speech(random_plan(0), sung(), RATE, 0)[1600:]
    planned = np.array([s.onset for s in random_plan(0).syllables])
    assert matches(planned, detect_onsets(shifted, RATE)) < len(planned) / 2


def test_a_phrase_lasts_as_long_as_planned() -> None:
    for seed in range(20):
        plan = random_plan(seed)
        audio = render_speech(plan, sung(), RATE, seed)
        assert (audio.shape, audio.dtype) == ((len(audio), 1), np.float32)
        heard = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
        assert (heard[-1] - heard[0]) / RATE == pytest.approx(plan.seconds, rel=0.05)
        assert len(audio) / RATE == pytest.approx(plan.seconds, abs=1e-3)


def test_the_planned_pitch_is_sung() -> None:
    planned = [-7.0, -3.0, 0.0, 2.0, 5.0, 9.0]
    plan = Plan(
        tuple(Syllable(f"s{i}", 0.5 * i, 0.4, pitch, False, 0.0) for i, pitch in enumerate(planned))
    )
    call = sung(300.0, partials=1, glide=0.0)
    audio = render_speech(plan, call, RATE, 3)[:, 0]
    heard = [
        12 * math.log2(strongest(audio[8000 * i : 8000 * i + 6400]) / 300)
        for i in range(len(planned))
    ]
    assert heard == pytest.approx(planned, abs=0.4)


def test_grains_of_a_gliding_call_are_brought_to_one_pitch() -> None:
    """A plan's melody must not depend on where in the call a grain was found."""
    plan = Plan(tuple(Syllable(f"s{i}", 0.3 * i, 0.25, 0.0, False, 0.0) for i in range(8)))
    audio = render_speech(plan, sung(200.0, partials=1, glide=0.6), RATE, 1)[:, 0]
    assert (
        np.ptp([12 * math.log2(strongest(audio[4800 * i : 4800 * i + 4000])) for i in range(8)])
        < 2.0
    )


def test_noise_and_stress_are_heard() -> None:
    plan = Plan(
        (
            Syllable("a", 0, 0.4, 0, False, 0.0),
            Syllable("a", 0.5, 0.4, 0, False, 0.9),
            Syllable("a", 1.0, 0.4, 0, True, 0.0),
        )
    )
    audio = render_speech(plan, sung(partials=3), RATE, 0)[:, 0]
    clear, rough, stressed = (
        audio[round(start * RATE) :][: round(0.4 * RATE)] for start in (0, 0.5, 1.0)
    )
    flatness = [
        np.exp(np.mean(np.log(p))) / np.mean(p)
        for p in (scipy_signal.welch(x, RATE, nperseg=512)[1] for x in (clear, rough))
    ]
    assert flatness[1] > 2 * flatness[0]
    assert np.std(stressed) / np.std(clear) == pytest.approx(
        10 ** (speech.STRESS_DB / 20), rel=1e-3
    )


# One syllable, one sound


def test_the_same_syllable_has_the_same_samples_wherever_it_stands() -> None:
    def three(texts: str, offset: float = 0.0) -> Plan:
        return Plan(
            tuple(Syllable(t, offset + 0.3 * i, 0.2, 1.5, False, 0.2) for i, t in enumerate(texts))
        )

    def cut(audio: Audio, index: int, offset: float = 0.0) -> Audio:
        start = round((offset + 0.3 * index) * RATE)
        return audio[start : start + round(0.2 * RATE)]

    call = sung(glide=0.8)
    item, other = (
        render_speech(three("aba"), call, RATE, 5),
        render_speech(three("cca", 0.123), call, RATE, 5),
    )
    assert np.array_equal(cut(item, 0), cut(item, 2))
    assert np.array_equal(cut(item, 0), cut(other, 2, 0.123))
    assert not np.array_equal(cut(item, 0), cut(item, 1))
    assert np.array_equal(item, render_speech(three("aba"), call, RATE, 5))
    assert not np.array_equal(item, render_speech(three("aba"), call, RATE, 6))


def test_loud_calls_and_stress_never_leave_full_scale() -> None:
    plan = Plan(
        tuple(
            Syllable(t, 0.2 * i, 0.15, -12 + 4 * i, True, 0.5, 3.0) for i, t in enumerate("abcdefg")
        )
    )
    for call in SYNTHETIC.values():
        assert np.abs(render_speech(plan, 30 * call, RATE, 0)).max() <= 1


def test_any_rate_and_number_of_channels() -> None:
    for rate in (8000, 11_025, 48_000):
        call = sung(rate=rate)
        audio = render_speech(random_plan(1), np.concatenate([0.1 * call, -call], axis=1), rate, 0)
        assert np.array_equal(audio, render_speech(random_plan(1), -call, rate, 0))


# The parts


def test_the_pitch_of_a_saw_tooth_is_found() -> None:
    for pitch in (80.0, 220.0, 1000.0):
        wave = scipy_signal.sawtooth(2 * np.pi * pitch * np.arange(RATE) / RATE).astype(np.float32)
        result, voicing = granular.estimate_pitches(frames(wave, 640, 160)[:50], RATE)
        assert np.median(result) == pytest.approx(pitch, rel=0.01)
        assert voicing.min() > 0.8
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert np.median(granular.estimate_pitches(frames(noise, 640, 160), RATE)[1]) < granular.VOICED


def test_resampling_agrees_with_scipy() -> None:
    call = sung()[:8000, 0]
    ours, theirs = granular.shift_pitch(call, 12.0), scipy_signal.resample_poly(call, 1, 2)
    assert np.corrcoef(ours[50:-50], theirs[50:-50])[0, 1] > 0.999
    assert len(ours) == 4000


def test_stretching_keeps_the_pitch_and_at_the_same_length_everything() -> None:
    call = sung(glide=0.0, partials=1)[:3200, 0]
    assert np.allclose(granular.stretch_time(call, 3200, RATE), call, atol=1e-3)
    for length in (900, 6400):
        longer = granular.stretch_time(call, length, RATE)
        assert (len(longer), strongest(longer)) == (length, pytest.approx(220, rel=0.02))


# Plans


def test_a_plan_survives_json() -> None:
    plan = random_plan(4)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    bare = {"text": "a", "onset": 0, "duration": 0.1, "pitch": 0, "stress": False, "noise": 0}
    assert Plan.from_json({"syllables": [bare]}).syllables[0].level == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"duration": 0.0}, "duration 0.0: give a number from 0.03"),
        ({"pitch": float("nan")}, "pitch nan"),
        ({"noise": 1.5}, "noise 1.5"),
        ({"onset": True}, "onset True"),
        ({"stress": 1}, "give true or false"),
        ({"text": " "}, "has no text"),
        ({"level": 9}, "level 9"),
        ({"volume": 1}, "unknown fields: volume"),
    ],
)
def test_a_wrong_syllable_is_refused_with_a_sentence(change: dict[str, object], words: str) -> None:
    good = {"text": "a", "onset": 0.0, "duration": 0.1, "pitch": 0.0, "stress": False, "noise": 0.0}
    with pytest.raises(BadInput, match=words):
        Plan.from_json({"syllables": [good | change]})


def test_a_wrong_plan_is_refused_with_a_sentence() -> None:
    for value in (None, [], {"syllables": "ab"}, {"syllables": [1]}):
        with pytest.raises(BadInput, match="must be"):
            Plan.from_json(value)
    with pytest.raises(BadInput, match="at least one"):
        Plan(())
    with pytest.raises(BadInput, match="one syllable at a time"):
        Plan((Syllable("a", 0.0, 0.3, 0, False, 0), Syllable("b", 0.2, 0.3, 0, False, 0)))
    with pytest.raises(BadInput, match="too long for one breath"):
        Plan((Syllable("a", 3.9, 0.3, 0, False, 0),))


def test_a_call_that_cannot_speak_is_refused() -> None:
    silent = np.zeros((RATE, 1), np.float32)
    for call, words in (
        (silent, "silent"),
        (silent + np.nan, "broken"),
        (silent[:100], "under 50 ms"),
    ):
        with pytest.raises(BadInput, match=words):
            render_speech(random_plan(0), call, RATE, 0)


def test_babble_is_a_plan_of_the_length_asked_for() -> None:
    for seed in range(50):
        seconds = (0.2, 1.0, 2.0, 4.0)[seed % 4]
        plan = babble_plan(seed, seconds)
        assert plan == babble_plan(seed, seconds)
        assert 0 <= seconds - plan.seconds < 0.45
    assert babble_plan(1) != babble_plan(2)
    with pytest.raises(BadInput):
        babble_plan(0, 9.0)
