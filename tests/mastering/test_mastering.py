"""Mastering against foreign meters: FFmpeg's ebur128 filter, soundfile, and closed forms."""

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from conftest import DATA

from jungle.encoding.audio_files import aac, flac, opus, wav
from jungle.errors import BadInput
from jungle.mastering import clean as cleaning
from jungle.mastering.chain import MasterSettings, master_clips
from jungle.mastering.clean import Audio, Cleaning, clean_clip
from jungle.mastering.dither import dither
from jungle.mastering.loop import Loop, Looping, bake_crossfade, find_loop, seam_steps
from jungle.mastering.loudness import (
    REPEATED,
    STANDARD,
    Levels,
    integrated_loudness,
    level_clip,
    limit_peaks,
    peak_envelope,
    true_peak,
)

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")

RATE = 48_000
CALLS = DATA / "calls"
TAGS = {
    "title": "Löwe „Ö“",
    "artist": "a jungle",
    "software": "jungle 1",
    "seed": "7",
    "engine": "embedded",
    "digital_source_type": "trainedAlgorithmicMedia",
}


def tone(
    frequency: float, seconds: float, amplitude: float = 0.5, phase: float = 0.0, rate: int = RATE
) -> Audio:
    t = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * t + phase)).astype(np.float32)[:, None]


def bark(seconds: float = 0.4, seed: int = 0) -> Audio:
    """A burst that dies away at once."""
    t = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return (
        0.4
        * np.exp(-t / 0.06)
        * np.minimum(t / 0.003, 1)
        * (np.sin(2 * np.pi * 500 * t) + 0.3 * noise)
    ).astype(np.float32)[:, None]


def moo(seconds: float = 3.0, pitch: float = 110.0) -> Audio:
    """A steady harmonic call with a slow vibrato."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * pitch * t + 1.5 * np.sin(2 * np.pi * 3 * t)
    wave = sum(np.sin(k * phase) / k for k in range(1, 12)) * np.minimum(
        1, np.minimum(t, seconds - t) / 0.1
    )
    return (0.2 * np.asarray(wave)).astype(np.float32)[:, None]


def trill(seconds: float = 2.5) -> Audio:
    """A bird: chirps up and down around 4 kHz, twelve a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * 4000 * t + 60 * np.sin(2 * np.pi * 12 * t)
    return (0.3 * np.sin(phase) * (0.6 - 0.4 * np.cos(2 * np.pi * 12 * t))).astype(np.float32)[
        :, None
    ]


def hiss(seconds: float, amplitude: float, seed: int = 5) -> Audio:
    return (
        amplitude * np.random.default_rng(seed).standard_normal((round(seconds * RATE), 1))
    ).astype(np.float32)


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def ebur128(audio: Audio, rate: int = RATE) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP) by FFmpeg."""
    layout = {1: "mono", 2: "stereo"}[audio.shape[1]]
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer", f"time_base=1/{rate}:sample_rate={rate}:sample_fmt=flt:channel_layout={layout}"
    )
    meter, sink = graph.add("ebur128", "peak=true:metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(audio.reshape(1, -1), dtype=np.float32), format="flt", layout=layout
    )
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    seen: dict[str, str] = {}
    peak = 0.0
    while True:
        try:
            seen |= graph.pull().metadata
        except (av.error.EOFError, av.error.BlockingIOError):
            return float(seen["lavfi.r128.I"]), 20 * float(np.log10(max(peak, 1e-10)))
        peak = max(peak, float(seen["lavfi.r128.true_peak"]))


def decoded(content: bytes) -> tuple[Any, dict[str, str]]:
    """Samples (n, 1) and tags, keys in small letters, by FFmpeg."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        samples = np.concatenate(
            [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
        )
        tags = dict(container.metadata) | dict(stream.metadata)
    return samples[:, None], {key.lower(): value for key, value in tags.items()}


def chunks(content: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF file; fails where lengths do not add up."""
    assert content[:4] == b"RIFF"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    result, position = {}, 12
    while position < len(content):
        name, length = (
            content[position : position + 4],
            struct.unpack("<I", content[position + 4 : position + 8])[0],
        )
        result[name] = content[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
    assert position == len(content)
    return result


# Loudness and true peak


def test_a_calibrated_tone_reads_as_the_standard_says() -> None:
    """EBU Tech 3341: 997 Hz at -23 dBFS in two channels is -23 LUFS; in one channel 3.01 LU less.
    FFmpeg agrees.
    """
    item = tone(997, 4, 10 ** (-23 / 20))
    for audio, expected in ((np.repeat(item, 2, axis=1), -23.0), (item, -26.01)):
        assert integrated_loudness(audio, RATE) == (pytest.approx(expected, abs=0.02), STANDARD)
        assert ebur128(audio)[0] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("rate", [44_100, RATE])
def test_loudness_and_true_peak_agree_with_ffmpeg(rate: int) -> None:
    pauses = np.concatenate([moo(1), np.zeros((RATE, 1), np.float32), 0.1 * trill(1.33)])
    for clip in (
        moo(),
        trill(),
        bark(0.73),
        hiss(1.25, 0.1),
        pauses,
        np.concatenate([trill(), -0.5 * trill()], axis=1),
    ):
        integrated, peak = ebur128(clip, rate)
        assert integrated_loudness(clip, rate)[0] == pytest.approx(integrated, abs=0.05)
        assert true_peak(clip) - peak > -0.1


def test_a_peak_between_the_samples_is_seen() -> None:
    """A quarter of the rate sampled 45 degrees beside its crests: samples at -3.01 dBFS, the wave
    at 0 dBTP.
    """
    wave = cleaning.fade_ends(tone(RATE / 4, 0.5, 1.0, np.pi / 4), RATE, 0.05)
    assert 20 * np.log10(np.abs(wave).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(wave) == pytest.approx(0.0, abs=0.05)
    assert ebur128(wave)[1] == pytest.approx(0.0, abs=0.1)


def test_short_clips_are_repeated_and_say_so() -> None:
    short = bark(0.15)
    measured, method = integrated_loudness(short, RATE)
    assert method == REPEATED
    assert measured == pytest.approx(ebur128(np.tile(short, (20, 1)))[0], abs=0.05)
    assert integrated_loudness(bark(0.4), RATE)[1] == STANDARD


def test_quiet_clips_have_a_loudness_too() -> None:
    """Under the standard's gate of -70 LUFS, and with all sound in the last, incomplete block:
    never minus infinity.
    """
    assert integrated_loudness(moo() * np.float32(1e-3), RATE)[0] == pytest.approx(
        integrated_loudness(moo(), RATE)[0] - 60, abs=0.05
    )
    late = np.concatenate([np.zeros((RATE, 1), np.float32), bark(0.05)])
    assert -60 < integrated_loudness(late, RATE)[0] < 0


def test_a_set_comes_to_one_loudness_by_the_foreign_meter() -> None:
    clips = [
        moo(),
        0.01 * trill(),
        np.tile(bark(0.2), (6, 1)),
        hiss(1.5, 0.5),
        0.2 * tone(60, 1),
        3 * moo(0.5),
    ]
    for done in (level_clip(clip, RATE, Levels()) for clip in clips):
        integrated, peak = ebur128(done.audio)
        assert integrated == pytest.approx(-16, abs=0.3)
        assert done.after == pytest.approx(integrated, abs=0.05)
        assert peak <= -1
        assert done.true_peak == pytest.approx(peak, abs=0.1)
        assert done.audio.dtype == np.float32


def test_a_clip_that_would_be_crushed_stays_quieter_and_is_reported() -> None:
    clicks = hiss(2, 0.0005)
    clicks[[9_000, 50_000, 80_000]] = 0.9
    done = level_clip(clicks, RATE, Levels(most=6))
    assert done.limited == pytest.approx(6, abs=0.01)
    assert ebur128(done.audio)[1] <= -1
    assert done.after < -20
    (mastered,) = master_clips([clicks], RATE)
    assert any("LU quieter than the set" in note for note in mastered.notes)


def test_the_limiter_moves_smoothly_and_never_clips() -> None:
    loud = 2 * trill() + 3 * np.concatenate([np.zeros((RATE, 1), np.float32), bark(1.5)])
    limited = limit_peaks(loud, peak_envelope(loud), RATE, -1.0)
    assert true_peak(limited) < -1 + 0.1
    heard = np.abs(loud[:, 0]) > 0.05
    gain = limited[heard, 0] / loud[heard, 0]
    assert 0.05 < gain.min() < gain.max() <= 1 + 1e-6
    places = np.flatnonzero(heard)
    slope = np.abs(np.diff(20 * np.log10(gain))) / np.diff(places)
    assert slope.max() < 0.1  # dB a sample; clipping would jump
    quiet = 0.1 * trill()
    assert limit_peaks(quiet, peak_envelope(quiet), RATE, -1.0) is quiet


# Cleaning


def test_rumble_and_dc_go_and_the_call_keeps_its_phase() -> None:
    call = tone(300, 1)
    cleaned = cleaning.remove_rumble(call + tone(10, 1) + np.float32(0.2), RATE, 40)
    inside = slice(RATE // 10, -RATE // 10)
    assert rms(cleaned[inside] - call[inside]) < 0.02 * rms(call)
    assert abs(float(cleaned.mean())) < 1e-3


def test_steady_noise_is_lowered_gently_and_evenly() -> None:
    noise = hiss(3, 0.004)
    call = np.zeros_like(noise)
    call[RATE : 2 * RATE] = cleaning.fade_ends(tone(700, 1), RATE, 0.02)
    cleaned, lowered = cleaning.reduce_noise(call + noise, RATE, 10)
    before, after = noise[: RATE // 2, 0], cleaned[: RATE // 2, 0]
    assert 6 < lowered <= 10
    assert 20 * np.log10(rms(before) / rms(after)) == pytest.approx(lowered, abs=1)
    # the call itself is not touched
    assert rms(cleaned[RATE : 2 * RATE] - call[RATE : 2 * RATE]) < 1.1 * rms(noise)
    # musical noise is peaky: kurtosis far above the Gaussian 3
    blocks = after[: len(after) // 480 * 480].reshape(-1, 480)
    assert np.mean(after**4) / np.mean(after**2) ** 2 < 4
    assert np.ptp(20 * np.log10(np.sqrt(np.mean(blocks**2, axis=1)))) < 6


@pytest.mark.parametrize("kind", ["dies away", "digital silence", "no pause", "barely there"])
def test_what_is_clean_or_cannot_be_told_from_noise_is_left_alone(kind: str) -> None:
    t = np.arange(2 * RATE)[:, None] / RATE
    pause = np.where(t < 1, tone(500, 2), 0).astype(np.float32)
    clip = {
        "dies away": (tone(500, 2) * np.exp(-5 * t)).astype(np.float32),
        "digital silence": pause,
        "no pause": hiss(2, 0.1),
        "barely there": pause + hiss(2, 1e-4),
    }[kind]
    cleaned, lowered = cleaning.reduce_noise(clip, RATE, 10)
    assert cleaned is clip
    assert lowered == 0


def test_dead_air_goes_and_pauses_stay() -> None:
    gap = np.zeros((RATE // 2, 1), np.float32)
    cut, seconds = cleaning.trim_dead_air(
        np.concatenate([gap, tone(400, 0.5), gap, tone(400, 0.5), gap, gap]), RATE, 45, 0.02
    )
    assert len(cut) / RATE == pytest.approx(1.5 + 0.04, abs=0.021)
    assert seconds == pytest.approx(1.5 - 0.04, abs=0.021)
    ends = cleaning.fade_ends(cut + 1, RATE, 0.005)
    assert ends[0] == ends[-1] == 0
    assert np.array_equal(ends[300:-300], cut[300:-300] + 1)
    # no click
    assert (
        np.abs(
            np.diff(cleaning.fade_ends(np.ones((1000, 1), np.float32), RATE, 0.005), axis=0)
        ).max()
        < 0.01
    )


def test_a_stereo_clip_never_cancels() -> None:
    left = moo(0.5)
    both, _ = cleaning.to_mono(np.concatenate([left, left], axis=1))
    assert np.allclose(both, left)
    against, why = cleaning.to_mono(np.concatenate([0.9 * left, -left], axis=1))
    assert np.array_equal(against, -left)
    assert "channel 2" in why


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
def test_any_rate_becomes_48_khz(rate: int) -> None:
    audio, notes = clean_clip(tone(1000, 1, rate=rate), rate, Cleaning(fade=0, rumble=0))
    assert len(audio) == pytest.approx(RATE, abs=2)
    assert rms(audio[5000:40_000] - tone(1000, 1)[5000:40_000]) < 0.003
    assert f"resampled from {rate} Hz" in notes


# Loops


@pytest.mark.parametrize(
    "clip", [moo(), moo(2.2, 90), trill(), hiss(3, 0.1)], ids=["moo", "low moo", "trill", "hiss"]
)
def test_sustained_sounds_loop_inside_themselves(clip: Audio) -> None:
    result = find_loop(clip, RATE, Looping())
    assert result is not None
    assert result.end - result.start >= max(RATE, len(clip) // 2)
    baked = bake_crossfade(clip, result)
    step, ordinary = seam_steps(baked, result.start, result.end)
    assert step < ordinary
    round_trip = np.concatenate([baked[result.start : result.end]] * 3)[:, 0]
    frames = np.sqrt(
        np.mean(np.square(round_trip[: len(round_trip) // 2400 * 2400]).reshape(-1, 2400), axis=1)
    )
    own = np.sqrt(
        np.mean(
            np.square(clip[4800:-4800, 0][: (len(clip) - 9600) // 2400 * 2400]).reshape(-1, 2400),
            axis=1,
        )
    )
    assert frames.min() > 0.8 * own.min()  # no hole and no bump at the seam
    assert frames.max() < 1.25 * own.max()
    steps = np.abs(np.diff(baked[:, 0]))
    left = steps[result.end - 3 : result.end + 3]  # leaving the loop is not heard either
    assert left.max() <= 1.05 * np.abs(np.diff(clip[:, 0])).max()


def test_the_waves_agree_at_the_seam() -> None:
    """A periodic call has exact loops: the search must find a whole number of periods."""
    clip = cleaning.fade_ends(tone(440, 3) + 0.5 * tone(660, 3), RATE, 0.1)
    result = find_loop(clip, RATE, Looping())
    assert result is not None
    assert result.likeness > 0.999
    periods = (result.end - result.start) * 220 / RATE
    assert periods == pytest.approx(round(periods), abs=0.01)


def test_the_crossfade_keeps_the_power_of_sounds_unlike_each_other() -> None:
    noise = hiss(4, 0.1)
    baked = bake_crossfade(noise, Loop(start=RATE, end=3 * RATE, fade=5760, likeness=0.0))
    middle = baked[3 * RATE - 4300 : 3 * RATE - 1400]  # where a linear crossfade would lose 3 dB
    assert 20 * np.log10(rms(middle) / rms(noise)) == pytest.approx(0, abs=0.5)


def test_a_single_bark_comes_again_after_a_pause() -> None:
    assert find_loop(bark(0.9), RATE, Looping()) is None
    (done,) = master_clips([bark(0.9)], RATE)
    assert done.loop == (0, len(done.audio))
    assert not done.audio[0].any()
    assert not done.audio[-round(0.4 * RATE) :].any()
    step, ordinary = seam_steps(done.pcm, *done.loop)
    assert step < ordinary


# Files


def test_dither_saves_what_rounding_loses() -> None:
    whisper = tone(1000, 4, 0.3 / 32768)  # a third of a step
    pcm = dither(whisper)
    assert not np.rint(whisper * 32768).any()
    assert float(np.mean(pcm * whisper) / np.mean(whisper * whisper) / 32768) == pytest.approx(
        1, abs=0.05
    )
    error = pcm - whisper * 32768
    assert np.var(error) == pytest.approx(1 / 4, rel=0.05)  # 1/12 of rounding and 2/12 of dither
    assert np.array_equal(pcm, dither(whisper))
    assert not np.array_equal(pcm, dither(whisper, seed=1))
    assert dither(np.array([[2.0], [-2.0]], np.float32)).ravel().tolist() == [32767, -32768]
    with pytest.raises(BadInput, match="12 bits"):
        dither(whisper, 12)


@pytest.mark.parametrize("bits", [16, 24])
def test_wav_carries_samples_loop_and_tags(bits: int) -> None:
    pcm = dither(moo(0.5)[:-1], bits)  # an odd count of 24-bit samples needs a byte of padding
    content = wav(pcm, RATE, (1000, 20_000), TAGS)
    read, rate = soundfile.read(io.BytesIO(content), dtype="int32", always_2d=True)
    assert rate == RATE
    assert np.array_equal(read >> (32 - bits), pcm)
    numbers = struct.unpack("<15I", chunks(content)[b"smpl"])
    assert numbers[2] == 20_833
    assert numbers[7] == 1
    # the last sample played is part of the loop
    assert (numbers[11], numbers[12] + 1) == (
        1000,
        20_000,
    )
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.title, file.artist, file.software) == (
            TAGS["title"],
            TAGS["artist"],
            TAGS["software"],
        )
        assert json.loads(file.comment) == TAGS
    samples, tags = decoded(content)
    assert len(samples) == len(pcm)
    assert json.loads(tags["comment"]) == TAGS
    assert set(chunks(wav(pcm, RATE))) == {b"fmt ", b"data"}


def test_flac_is_the_master_bit_for_bit() -> None:
    pcm = dither(trill())
    content = flac(pcm, RATE, (4800, 96_000), TAGS)
    samples, tags = decoded(content)
    assert np.array_equal(samples, pcm)
    assert np.array_equal(
        soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)[0], pcm
    )
    assert {key: tags[key] for key in TAGS} == TAGS
    assert (tags["loopstart"], tags["looplength"]) == ("4800", "91200")
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.title, file.samplerate, file.subtype) == (TAGS["title"], RATE, "PCM_16")


def test_opus_and_aac_for_the_web() -> None:
    clip = moo(2)
    samples, tags = decoded(opus(clip, RATE, (100, 90_000), TAGS))
    assert len(samples) == len(clip)
    assert rms(samples - clip) < 0.1 * rms(clip)
    assert {key: tags[key] for key in TAGS} == TAGS
    assert tags["loopstart"] == "100"
    with pytest.raises(BadInput, match="48000 Hz"):
        opus(clip, 44_100)
    content = aac(clip, RATE, TAGS)
    assert 0 < content.find(b"moov") < content.find(b"mdat")  # plays before the file has arrived
    samples, tags = decoded(content)
    assert 0 <= len(samples) - len(clip) <= 1024  # the last frame of 1024 is filled up
    assert rms(samples[: len(clip)] - clip) < 0.1 * rms(clip)
    assert tags["title"] == TAGS["title"]
    assert json.loads(tags["comment"]) == TAGS


def test_the_same_input_gives_the_same_bytes() -> None:
    clip = moo(1)
    for write in (
        lambda: wav(dither(clip), RATE, (0, 100), TAGS),
        lambda: flac(dither(clip), RATE, (0, 100), TAGS),
        lambda: opus(clip, RATE, (0, 100), TAGS),
        lambda: aac(clip, RATE, TAGS),
    ):
        assert write() == write()


@pytest.mark.parametrize("write", [wav, flac])
def test_a_loop_outside_the_clip_is_refused(write: Any) -> None:
    with pytest.raises(BadInput, match="does not lie inside"):
        write(dither(moo(0.1)), RATE, (0, 4801))


# The whole chain


def test_the_chain_says_what_it_did() -> None:
    quiet = np.zeros((RATE, 1), np.float32)
    clips = [
        np.concatenate([quiet, moo(2), quiet]),
        np.concatenate([np.tile(bark(0.15), (3, 1)), quiet]),
        trill(),
    ]
    done = master_clips(clips, RATE)
    assert any("1.9 s of dead air" in note or "2.0 s of dead air" in note for note in done[0].notes)
    for clip in done:
        integrated, peak = ebur128(clip.pcm.astype(np.float32) / 32768)
        assert integrated == pytest.approx(-16, abs=0.3)
        assert peak <= -1
        assert clip.pcm.dtype == np.int16
        assert clip.pcm.shape == clip.audio.shape == (len(clip.audio), 1)
        assert np.isfinite([clip.before, clip.after, clip.true_peak]).all()
    (alone,) = master_clips(clips[2:], RATE)  # the set changes nothing in a clip
    assert np.array_equal(alone.pcm, done[2].pcm)


def test_a_clip_under_400_ms_without_a_pause_names_its_method() -> None:
    (done,) = master_clips([bark(0.2)], RATE, MasterSettings(looping=Looping(pause=0)))
    assert done.method == REPEATED
    assert any("repeated" in note for note in done.notes)
    assert done.loop == (0, len(done.pcm))


@pytest.mark.parametrize(
    ("clip", "rate", "message"),
    [
        (np.zeros((RATE, 1), np.float32), RATE, "silent"),
        (np.full((RATE, 1), 0.5, np.float32), RATE, "silent"),  # DC only
        (tone(3, 1), RATE, "silent"),  # rumble only
        (np.where(np.arange(RATE)[:, None] == 7, np.nan, moo(1)).astype(np.float32), RATE, "NaN"),
        (np.full((RATE, 1), np.inf, np.float32), RATE, "NaN or infinity"),
        (moo(1)[:100], RATE, "shorter than 20 ms"),
        (moo(1)[:, 0], RATE, "samples, 1 to 8 channels"),
        ((moo(1) * 32767).astype(np.int16), RATE, "int16"),
        (moo(1), 100, "sample rate of 100 Hz"),
    ],
)
def test_what_cannot_be_mastered_is_refused_with_its_number(
    clip: Any, rate: int, message: str
) -> None:
    with pytest.raises(BadInput, match=f"Clip {2 if rate == RATE else 1} of 2: .*{message}"):
        master_clips([moo(1), clip], rate)


@pytest.mark.parametrize(
    "wrong", [lambda: Cleaning(noise=90), lambda: Looping(window=1), lambda: Levels(target=3)]
)
def test_settings_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(BadInput, match="make no sense"):
        wrong()


@pytest.mark.slow
def test_real_recordings() -> None:
    """Twenty clips of any rate and state: level and peak by FFmpeg, the seam below the clip's own
    99th percentile, FLAC exact.
    """
    files = sorted(CALLS.glob("*/*.flac"))
    if not files:
        pytest.skip("no recordings here")
    missed = 0
    for file in files[:: len(files) // 20][:20]:
        clip, rate = soundfile.read(file, dtype="float32", always_2d=True, frames=100_000)
        (done,) = master_clips([clip], rate)
        integrated, peak = ebur128(done.pcm.astype(np.float32) / 32768)
        assert done.after == pytest.approx(integrated, abs=0.1), file.name
        assert peak <= -1, file.name
        step, ordinary = seam_steps(done.pcm, *done.loop)
        assert step < ordinary, file.name
        assert np.array_equal(decoded(flac(done.pcm, RATE, done.loop))[0], done.pcm)
        missed += abs(integrated + 16) > 0.3
    assert missed <= 2  # peaks that would have to be crushed
