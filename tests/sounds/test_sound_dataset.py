"""Recordings: what counts as one, how any of them is opened, twins, the cache, and the report
before training.
"""

import dataclasses
import json
import os
import struct
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import DATA
from numpy.typing import NDArray
from PIL import Image
from scipy import signal

from jungle.config.recipe_table import find_recipe
from jungle.data.folders import medium_of_folder, scan_folder
from jungle.data.formats import PHOTOS, RECORDINGS, is_picture_data, is_sound_data
from jungle.data.sources import resolve, unzip
from jungle.errors import BadInput
from jungle.sounds import dataset, dataset_report, decode, fingerprint
from jungle.sounds.decode import AudioInfo, UnreadableRecording, open_recording

RECIPE = find_recipe("quick", "recordings")
RATE = dataset.RATE


def chirp(
    seed: int = 0, rate: int = 16_000, seconds: float = 1.0, channels: int = 1, peak: float = 0.5
) -> NDArray[np.float32]:
    """A drawn call: a few gliding tones of three partials. The same seed is the same call at any
    rate.
    """
    source, t = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    result = np.zeros_like(t)
    for begin in np.arange(0.0, seconds - 0.1, 0.22):
        low, glide = source.uniform(200, 800), source.uniform(-400, 1500)
        here = (t >= begin) & (t < begin + 0.16)
        x = t[here] - begin
        for partial in (1, 2, 3):
            result[here] += (
                np.sin(2 * np.pi * partial * (low * x + glide * x**2))
                * np.sin(np.pi * x / 0.16) ** 2
                / partial
            )
    return np.repeat(
        (peak * result / np.abs(result).max()).astype(np.float32)[:, None], channels, axis=1
    )


def save(path: Path, audio: NDArray[Any], rate: int = 16_000, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, **options)
    return path


def encode(path: Path, audio: NDArray[np.float32], rate: int, codec: str, container: str) -> Path:
    """Write mono audio with FFmpeg."""
    import av

    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(audio.T.copy(), format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def video(path: Path) -> Path:
    import av

    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            file.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                )
            )
        file.mux(stream.encode(None))
    return path


def riff(coding: int, rate: int, bits: int, data: bytes) -> bytes:
    """A mono WAV by hand: RIFF of Microsoft's Multimedia Programming Interface, format chunk of 18
    bytes.
    """
    form = struct.pack("<HHIIHHH", coding, 1, rate, rate * bits // 8, bits // 8, bits, 0)
    chunks = (
        b"fmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


# Opening

EXACT: dict[str, tuple[dict[str, Any], int, float]] = {  # options of soundfile, rate, largest error
    "WAV 16 bit": ({"format": "WAV", "subtype": "PCM_16"}, 44_100, 2**-15),
    "WAV 24 bit": ({"format": "WAV", "subtype": "PCM_24"}, 192_000, 2**-23),
    "WAV 32 bit": ({"format": "WAV", "subtype": "PCM_32"}, 96_000, 2**-23),
    "WAV float": ({"format": "WAV", "subtype": "FLOAT"}, 8_000, 0.0),
    "WAV 64-bit float": ({"format": "WAV", "subtype": "DOUBLE"}, 48_000, 0.0),
    "WAV 8 bit": ({"format": "WAV", "subtype": "PCM_U8"}, 11_025, 2**-7),
    "WAV A-law": ({"format": "WAV", "subtype": "ALAW"}, 8_000, 0.02),
    "WAV µ-law": ({"format": "WAV", "subtype": "ULAW"}, 8_000, 0.02),
    "WAV ADPCM": ({"format": "WAV", "subtype": "IMA_ADPCM"}, 22_050, 0.1),
    "FLAC 24 bit": ({"format": "FLAC", "subtype": "PCM_24"}, 48_000, 2**-23),
    "AIFF 16 bit": ({"format": "AIFF", "subtype": "PCM_16"}, 32_000, 2**-15),
    "AU 16 bit": ({"format": "AU", "subtype": "PCM_16"}, 32_000, 2**-15),
    "CAF 16 bit": ({"format": "CAF", "subtype": "PCM_16"}, 32_000, 2**-15),
    "W64 16 bit": ({"format": "W64", "subtype": "PCM_16"}, 32_000, 2**-15),
}


@pytest.mark.parametrize("encoding", EXACT)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_and_old_encodings_give_the_samples_back(
    tmp_path: Path, encoding: str, channels: int
) -> None:
    options, rate, error = EXACT[encoding]
    audio = chirp(1, rate, 0.5) * np.linspace(1, 0.5, channels, dtype=np.float32)
    read, result, facts = open_recording(save(tmp_path / "a.bin", audio, rate, **options))
    assert (result, facts.rate, facts.channels, facts.encoding) == (rate, rate, channels, encoding)
    assert read.dtype == np.float32
    assert facts.seconds == pytest.approx(len(read) / rate)
    assert len(read) >= len(audio)  # ADPCM fills its last block
    assert np.abs(read[: len(audio)] - audio).max() <= error


def test_a_wav_of_8_bits_and_one_of_mu_law_against_the_standards(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(riff(1, 8_000, 8, bytes([0, 64, 128, 192, 255])))
    np.testing.assert_array_equal(
        open_recording(tmp_path / "a.wav")[0][:, 0], [-1, -0.5, 0, 0.5, 127 / 128]
    )
    # ITU-T G.711, table 2a: codes 0x80 and 0x00 are +8031 and -8031 of 8192, code 0xFF is 0.
    (tmp_path / "u.wav").write_bytes(riff(7, 8_000, 8, bytes([0x80, 0x00, 0xFF])))
    np.testing.assert_allclose(
        open_recording(tmp_path / "u.wav")[0][:, 0], [8031 / 8192, -8031 / 8192, 0], atol=1e-6
    )


LOSSY = {
    "MP3": lambda path, audio: encode(path, audio, 44_100, "libmp3lame", "mp3"),
    "WAV MP3": lambda path, audio: encode(path, audio, 44_100, "libmp3lame", "wav"),
    "Ogg Vorbis": lambda path, audio: save(path, audio, 44_100, format="OGG", subtype="VORBIS"),
    "Ogg Opus": lambda path, audio: encode(
        path, signal.resample_poly(audio, 160, 147).astype(np.float32), 48_000, "libopus", "ogg"
    ),
    "MP4 AAC": lambda path, audio: encode(path, audio, 44_100, "aac", "ipod"),
    "AAC": lambda path, audio: encode(path, audio, 44_100, "aac", "adts"),
    "WMA WMAV2": lambda path, audio: encode(path, audio, 44_100, "wmav2", "asf"),
}


def closeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The highest normalised cross-correlation of two signals of one rate."""
    return float(
        np.abs(signal.correlate(a, b, method="fft")).max() / (np.linalg.norm(a) * np.linalg.norm(b))
    )


@pytest.mark.parametrize("encoding", LOSSY)
def test_lossy_encodings_sound_the_same(tmp_path: Path, encoding: str) -> None:
    audio = chirp(2, 44_100, 1.0)
    read, rate, facts = open_recording(LOSSY[encoding](tmp_path / "a.bin", audio), RATE)
    assert (rate, facts.encoding, facts.channels) == (RATE, encoding, 1)
    assert (
        closeness(read[:, 0], signal.resample_poly(audio[:, 0], 160, 441).astype(np.float32)) > 0.97
    )


def test_resampling_agrees_with_scipy(tmp_path: Path) -> None:
    for rate in (8_000, 11_025, 48_000, 192_000):
        audio = chirp(3, rate, 0.5)
        read, _, _ = open_recording(
            save(tmp_path / f"{rate}.wav", audio, rate, subtype="FLOAT"), RATE
        )
        common = np.gcd(rate, RATE)
        expected = signal.resample_poly(audio.astype(np.float64), RATE // common, rate // common)
        assert abs(len(read) - len(expected)) <= 1
        assert np.abs(read[200:7_800, 0] - expected[200:7_800, 0]).max() < 0.01


def nan(folder: Path) -> Path:
    audio = chirp(0)
    audio[100:103] = np.nan
    return save(folder / "a.wav", audio, subtype="FLOAT")


def huge(folder: Path) -> Path:
    return save(folder / "a.wav", chirp(0) * np.float32(1e30), subtype="FLOAT")


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
BROKEN: dict[str, Callable[[Path], Path]] = {
    "empty file (0 bytes)": written("a.wav", b""),
    "not a recording": written("a.mp3", b"<html>404</html>" * 50),
    "damaged (MP3)": written("a.mp3", b"ID3\x04" + bytes(range(256)) * 8),
    "damaged": written("a.flac", b"fLaC" + bytes(range(256)) * 8),
    "locked by copy protection": written(
        "a.m4a",
        b"\0\0\0\x18ftypM4P \0\0\0\0M4P mp42" + b"\0\0\0\x20moov\0\0\0\x18trakdrms" + bytes(500),
    ),
    "a video without sound": lambda folder: video(folder / "a.m4a"),
    "samples that are not numbers (NaN or infinite)": nan,
    "samples far beyond any loudness": huge,
    "no such file or directory": lambda folder: folder / "nowhere.wav",
    "is a directory": lambda folder: folder,
    "a sample rate of 5 Hz is damage": written("a.wav", riff(1, 5, 16, bytes(400))),
    "shorter than 0.1 seconds": lambda folder: save(folder / "a.wav", chirp(0)[:1000]),
    "silent (nothing above -60 dBFS)": lambda folder: save(
        folder / "a.wav", chirp(0, peak=5e-4), subtype="PCM_24"
    ),
    "nothing but clipping": lambda folder: save(folder / "a.wav", np.clip(chirp(0) * 50, -1, 1)),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_what_cannot_be_used_has_a_reason(
    tmp_path: Path, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnreadableRecording) as caught:
        dataset.prepare_recording(BROKEN[reason](tmp_path))
    assert caught.value.reason.startswith(reason.removesuffix(" (MP3)"))
    assert str(caught.value).startswith("The recording '")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    heard = save(tmp_path / "heard.wav", chirp(0))
    for index, text in enumerate((PLAYLIST, f"ffconcat version 1.0\nfile {heard}\n".encode())):
        with pytest.raises(UnreadableRecording, match="not a recording"):
            open_recording(written(f"{index}.m4a", text)(tmp_path))


def test_a_file_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    audio = chirp(4, seconds=4.0)
    for name in ("a.wav", "a.flac"):
        path = save(tmp_path / name, audio)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        read, _, _ = open_recording(path)
        assert 0.4 * len(audio) < len(read) < 0.7 * len(audio)
        assert np.abs(read[: len(audio) // 4] - audio[: len(audio) // 4]).max() < 1e-4


def test_headers_that_lie_about_length_are_not_believed(tmp_path: Path) -> None:
    audio = chirp(5)
    path = save(tmp_path / "a.wav", audio)
    data = bytearray(path.read_bytes())
    for promised in (0, 0xFFFFFFFF):  # as recorders leave them that lost their power
        struct.pack_into("<I", data, 4, promised)
        struct.pack_into("<I", data, data.index(b"data") + 4, promised or 0xFFFFFF00)
        path.write_bytes(data)
        assert abs(len(open_recording(path)[0]) - len(audio)) <= 4


def test_only_the_beginning_of_hours_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "LONGEST", 1.5)
    for path in (
        save(tmp_path / "a.wav", chirp(6, seconds=4.0)),
        encode(tmp_path / "a.m4a", chirp(6, seconds=4.0), RATE, "aac", "ipod"),
    ):
        audio, _, facts = open_recording(path)
        assert (len(audio), facts.seconds) == (24_000, 1.5)


# Clips


def as_float(clip: dataset.Clip) -> NDArray[np.float32]:
    return clip.wave.astype(np.float32) / 32767


def test_a_clip_is_mono_trimmed_centred_and_of_one_peak(tmp_path: Path) -> None:
    call = chirp(7, 44_100, 1.0, channels=2, peak=0.1)
    quiet = np.random.default_rng(0).normal(0, 1e-5, (88_200, 2)).astype(np.float32)
    audio = np.concatenate([quiet, call, quiet]) + np.float32(0.05)
    clip = dataset.prepare_recording(save(tmp_path / "a.wav", audio, 44_100, subtype="PCM_24"))
    values = as_float(clip)
    assert np.abs(values).max() == pytest.approx(dataset.PEAK, abs=1e-4)
    assert abs(values.mean()) < 1e-3
    # the call, a frame and a margin on both sides, of five seconds
    assert 0.9 < len(values) / RATE < 1.12
    assert closeness(values, signal.resample_poly(call[:, 0], 160, 441).astype(np.float32)) > 0.99


def test_the_loudest_ten_seconds_of_a_long_recording_are_kept(tmp_path: Path) -> None:
    audio = np.concatenate(
        [
            chirp(8, seconds=9.0, peak=0.1),
            chirp(9, seconds=9.5, peak=0.8),
            chirp(10, seconds=9.0, peak=0.1),
        ]
    )
    clip = dataset.prepare_recording(save(tmp_path / "a.wav", audio))
    assert len(clip.wave) == 10 * RATE
    assert closeness(as_float(clip), chirp(9, seconds=9.5)[:, 0]) > 0.95


def test_opposite_channels_do_not_cancel() -> None:
    call = chirp(0)
    np.testing.assert_array_equal(
        dataset.downmix(np.concatenate([call, -call], axis=1)), call[:, 0]
    )
    np.testing.assert_allclose(
        dataset.downmix(np.concatenate([call, 0 * call], axis=1)), call[:, 0] / 2
    )


def test_clipping_is_told_from_loudness() -> None:
    assert dataset.full_scale_share(chirp(0, peak=1.0)) < 0.005
    assert dataset.full_scale_share(chirp(0, peak=0.5)) == 0
    # the rails of 8 bits
    assert 0.05 < dataset.full_scale_share(np.clip(chirp(0, peak=3.0), -1, 127 / 128)) < 0.5


# Twins


def twins_of(audio: NDArray[np.float32], folder: Path) -> dict[str, Path]:
    """The same recording as such collections hold it, of 44.1 kHz."""
    low = signal.resample_poly(audio, 1, 4).astype(np.float32)
    return {
        "same": save(folder / "same.wav", audio, 44_100),
        "quieter": save(folder / "quieter.flac", audio * np.float32(0.1), 44_100),
        "lower rate, 8 bits": save(folder / "low.wav", low, 11_025, subtype="PCM_U8"),
        "with a later beginning": save(folder / "late.wav", audio[3_000:], 44_100),
        "MP3": encode(folder / "a.mp3", audio, 44_100, "libmp3lame", "mp3"),
    }


def test_the_same_recording_is_one_group_and_others_are_not(tmp_path: Path) -> None:
    twins = [
        dataset.prepare_recording(path).fingerprint
        for path in twins_of(chirp(20, 44_100, 2.0), tmp_path).values()
    ]
    strangers = [
        dataset.prepare_recording(
            save(tmp_path / f"{seed}.wav", chirp(seed, 44_100, 2.0), 44_100)
        ).fingerprint
        for seed in range(30, 40)
    ]
    result = fingerprint.group_recordings(np.stack([*strangers[:5], *twins, *strangers[5:]]))
    assert result.tolist() == [0, 1, 2, 3, 4, *[5] * len(twins), 6, 7, 8, 9, 10]


def test_agreement_is_the_cosine_over_shifts() -> None:
    """Against a plain loop over all shifts; a picture that comes three frames later agrees fully,
    six frames later does not.
    """
    source = np.random.default_rng(0)
    prints = source.normal(size=(4, fingerprint.BANDS, fingerprint.FRAMES)).astype(np.float32)
    prints[..., :8] = prints[..., -8:] = 0
    prints[1], prints[2] = np.roll(prints[0], 3, axis=-1), np.roll(prints[0], 6, axis=-1)
    prints /= np.linalg.norm(prints, axis=(1, 2), keepdims=True)
    shifts = range(-fingerprint._SHIFTS, fingerprint._SHIFTS + 1)
    expected = [
        [max(float((np.roll(a, s, axis=-1) * b).sum()) for s in shifts) for b in prints]
        for a in prints
    ]
    flat = prints.reshape(4, -1)
    np.testing.assert_allclose(
        fingerprint.fingerprint_similarity(flat, flat)[:, 0], np.array(expected)[:, 0], atol=1e-5
    )
    assert fingerprint.fingerprint_similarity(flat, flat)[0, 1] == pytest.approx(1, abs=1e-5)
    assert fingerprint.fingerprint_similarity(flat, flat)[0, 2] < 0.5


# What is found, and the cache


def zoo(folder: Path) -> Path:
    for index in range(8):
        save(
            folder / "zoo" / ("dog", "cat")[index % 2] / f"{index}.wav",
            chirp(index, seconds=0.5 + index / 20),
        )
    return folder / "zoo"


def test_recordings_are_found_by_suffix_and_content_and_told_from_photos(tmp_path: Path) -> None:
    folder = zoo(tmp_path)
    (folder / "dog" / "0.wav").rename(folder / "dog" / "call.download")
    (folder / "cat" / "notes.txt").write_text("not a recording", encoding="utf-16")
    assert len(scan_folder(folder, RECORDINGS).files) == 8
    assert medium_of_folder(folder) is RECORDINGS
    for index in range(10):
        Image.new("RGB", (4, 4)).save(folder / "cat" / f"{index}.png")
    assert medium_of_folder(folder) is PHOTOS
    assert len(scan_folder(folder).files) == 10
    (tmp_path / "none").mkdir()
    with pytest.raises(
        BadInput,
        match=r"holds no photos and no recordings: it needs JPEG.*WAV, FLAC or MP3 files, one sub-folder",
    ):
        medium_of_folder(tmp_path / "none")


def test_first_bytes_tell_recordings_from_everything_else(tmp_path: Path) -> None:
    built = [
        LOSSY[name](tmp_path / "a.bin", chirp(0, 44_100)).read_bytes()[:16]
        for name in ("MP3", "WAV MP3", "Ogg Opus", "MP4 AAC", "AAC")
    ]
    built += [
        save(tmp_path / "b.bin", chirp(0), format=name).read_bytes()[:16]
        for name in ("WAV", "FLAC", "AIFF", "AU", "CAF", "OGG")
    ]
    built += [b"ID3\x04" + bytes(12), bytes.fromhex("fffb9064") + bytes(12)]
    assert all(map(is_sound_data, built))
    assert not any(map(is_picture_data, built))
    others = [
        "text".encode("utf-16"),
        b"\xff\xd8\xff\xe0" + bytes(12),
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\xff\xff\xff\xff" * 4,
        b"PK\x03\x04",
        b"",
    ]
    assert not any(map(is_sound_data, others))


def test_a_zip_of_recordings_is_unpacked_and_one_of_the_other_kind_refused(tmp_path: Path) -> None:
    folder, path = zoo(tmp_path), tmp_path / "zoo.zip"
    (folder / "dog" / "readme.txt").write_text("hello")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    unpacked = resolve(str(path), tmp_path / "cache")
    assert medium_of_folder(unpacked) is RECORDINGS
    assert scan_folder(unpacked, RECORDINGS).files == scan_folder(folder, RECORDINGS).files
    assert not list(unpacked.rglob("*.txt"))
    with pytest.raises(
        BadInput,
        match="holds no photos: it needs JPEG, PNG or WebP files, one folder for each animal",
    ):
        unzip(path, tmp_path / "other", PHOTOS)


def test_parquet_with_sound_becomes_class_folders(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from jungle.data.sources import from_parquet

    calls = [save(tmp_path / f"{n}.wav", chirp(n)).read_bytes() for n in range(3)]
    columns = {"audio": [{"bytes": data, "path": None} for data in calls], "label": [0, 1, 0]}
    labelled = datasets.Dataset.from_dict(columns).cast_column(
        "label", datasets.ClassLabel(names=["frog", "owl"])
    )
    labelled.cast_column("audio", datasets.Audio(decode=False)).to_parquet(
        str(tmp_path / "a.parquet")
    )
    folder = from_parquet([str(tmp_path / "a.parquet")], "zoo/calls", tmp_path / "home")
    assert medium_of_folder(folder) is RECORDINGS
    assert [tuple(file) for file in scan_folder(folder, RECORDINGS).files] == [
        ("frog/00000001.wav", "frog"),
        ("frog/00000003.wav", "frog"),
        ("owl/00000002.wav", "owl"),
    ]
    assert (folder / "owl" / "00000002.wav").read_bytes() == calls[1]


def test_recordings_are_decoded_once_and_what_is_skipped_is_listed(tmp_path: Path) -> None:
    folder, cache, seen = zoo(tmp_path), tmp_path / "cache", []
    (folder / "cat" / "empty.mp3").write_bytes(b"")
    save(folder / "cat" / "silent.wav", np.zeros((8_000, 1)))
    save(folder / "loose.wav", chirp(0))
    save(folder / "dog" / "twin.flac", chirp(2, seconds=0.6) * np.float32(0.3))
    first = dataset.load_audio_dataset(
        folder, RECIPE, cache, lambda done, total: seen.append((done, total))
    )
    assert (first.classes, len(first), seen[-1]) == (("cat", "dog"), 9, (11, 11))
    assert {skip.path: skip.reason.split()[0] for skip in first.skipped} == {
        "loose.wav": "lies",
        "cat/empty.mp3": "empty",
        "cat/silent.wav": "silent",
    }
    assert first.labels.tolist() == [0] * 4 + [1] * 5
    twins = [first.paths.index(path) for path in ("dog/2.wav", "dog/twin.flac")]
    assert first.groups[twins[0]] == first.groups[twins[1]]
    assert len(set(first.groups.tolist())) == 8
    for index, path in enumerate(first.paths):
        np.testing.assert_array_equal(
            first.pcm(index), dataset.prepare_recording(folder / path).wave
        )
    assert isinstance(first.waves, np.memmap)
    assert first.waves.dtype == np.int16
    again = dataset.load_audio_dataset(
        folder, RECIPE, cache, lambda done, total: pytest.fail("decoded twice")
    )
    assert (again.fingerprint, again.paths, again.skipped) == (
        first.fingerprint,
        first.paths,
        first.skipped,
    )
    assert [path.name for path in (cache / "clips").iterdir()] == [first.fingerprint]


def test_the_cache_follows_content_not_places_or_times(tmp_path: Path) -> None:
    folder, cache = zoo(tmp_path), tmp_path / "cache"
    first = dataset.load_audio_dataset(folder, RECIPE, cache)
    moved = folder.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*.wav"):
        os.utime(path, ns=(1, 1))
    assert dataset.load_audio_dataset(moved, RECIPE, cache).fingerprint == first.fingerprint
    save(moved / "cat" / "1.wav", chirp(99))
    changed = dataset.load_audio_dataset(moved, RECIPE, cache)
    assert changed.fingerprint != first.fingerprint
    assert not np.array_equal(changed.pcm(0), first.pcm(0))
    few = dataset.load_audio_dataset(moved, dataclasses.replace(RECIPE, limit=3), cache)
    assert [path.split("/")[0] for path in few.paths] == ["cat", "dog", "cat"]


@pytest.mark.parametrize("file", ["manifest.json", "waves.npy", "offsets.npy", "groups.npy"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, file: str) -> None:
    folder, cache = zoo(tmp_path), tmp_path / "cache"
    first = dataset.load_audio_dataset(folder, RECIPE, cache)
    waves = np.array(first.waves)
    (cache / "clips" / first.fingerprint / file).write_bytes(b"half")
    np.testing.assert_array_equal(dataset.load_audio_dataset(folder, RECIPE, cache).waves, waves)


def test_too_few_recordings_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    with pytest.raises(
        BadInput,
        match=(
            "holds no recordings: it needs WAV, FLAC or MP3 files, one sub-folder for each animal"
        ),
    ):
        dataset.load_audio_dataset(tmp_path / "zoo", RECIPE, tmp_path / "cache")
    save(tmp_path / "zoo" / "a.wav", chirp(0))
    (tmp_path / "zoo" / "b.wav").write_bytes(b"")
    with pytest.raises(
        BadInput,
        match=r"has 1 usable recording, at least 2 are needed \(1 skipped: b.wav: empty file",
    ):
        dataset.load_audio_dataset(tmp_path / "zoo", RECIPE, tmp_path / "cache")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be written|Cannot"):
        dataset.load_audio_dataset(zoo(tmp_path), RECIPE, tmp_path / "file")


# The report before training


def test_the_report_counts_what_is_there(tmp_path: Path) -> None:
    folder = zoo(tmp_path)
    (folder / "dog" / "copy.wav").write_bytes((folder / "dog" / "2.wav").read_bytes())
    save(
        folder / "cat" / "near.wav",
        signal.resample_poly(chirp(4, seconds=0.7), 1, 2),
        8_000,
        subtype="PCM_U8",
    )
    save(folder / "cat" / "loud.wav", np.clip(chirp(50, peak=1.5, channels=2), -1, 1))
    save(folder / "dog" / "faint.wav", chirp(51, peak=0.008), subtype="PCM_24")
    (folder / "dog" / "bad.ogg").write_bytes(b"OggS")
    report = dataset_report.inspect_recordings(
        folder, RECIPE, tmp_path / "cache", clips_per_second=10, memory_bytes=3 * 10**9
    )
    assert report.classes == {"cat": 6, "dog": 6}
    assert report.duplicates == (("dog/2.wav", "dog/copy.wav"),)
    assert report.near == report.disputed == (("cat/near.wav", "dog/4.wav"),)
    assert (report.rates, report.channels) == ({16_000: 11, 8_000: 1}, {1: 11, 2: 1})
    assert report.encodings == {"WAV 16 bit": 10, "WAV 8 bit": 1, "WAV 24 bit": 1}
    assert (report.clipped, report.quiet, report.dull, report.cut) == (
        ("cat/loud.wav",),
        ("dog/faint.wav",),
        1,
        0,
    )
    assert (report.shortest, report.longest) == (0.5, 1.0)
    assert report.clips == 12 * RECIPE.epochs
    text = report.to_text()
    for words in (
        "12 recordings of 2 classes",
        "dog/bad.ogg: damaged",
        "cat/near.wav = dog/4.wav",
        "about 2 minutes",
        "3.0 GB",
        "16,000 Hz 11",
    ):
        assert words in text
    assert json.loads(report.to_json())["small_classes"] == ["cat", "dog"]


def test_the_report_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    assert (
        "0 recordings in"
        in dataset_report.inspect_recordings(tmp_path / "zoo", RECIPE, tmp_path / "cache").to_text()
    )


# Real recordings


@pytest.fixture
def odd_calls() -> Path:
    if not (DATA / "odd_calls").is_dir():
        pytest.skip("no real recordings here")
    return DATA / "odd_calls"


ODD = {
    "alaw_48000_2ch.wav": AudioInfo(48_000, 2, "WAV A-law", 0.629),
    "mpeg_layer_iii_11025_1ch.wav": AudioInfo(11_025, 1, "WAV MP3", 3.239),
    "mpeg_layer_iii_16000_2ch.wav": AudioInfo(16_000, 2, "WAV MP3", 0.9),
    "pcm_16_11025_1ch.wav": AudioInfo(11_025, 1, "WAV 16 bit", 9.845),
    "pcm_16_22050_2ch.wav": AudioInfo(22_050, 2, "WAV 16 bit", 4.503),
    "pcm_u8_11025_1ch.wav": AudioInfo(11_025, 1, "WAV 8 bit", 1.045),
    "pcm_u8_11025_2ch.wav": AudioInfo(11_025, 2, "WAV 8 bit", 8.053),
}


def test_every_odd_recording_opens(odd_calls: Path, tmp_path: Path) -> None:
    loaded = dataset.load_audio_dataset(odd_calls, RECIPE, tmp_path)
    assert loaded.paths == tuple(sorted(ODD))
    assert not loaded.skipped
    for path in loaded.paths:
        audio, _, facts = open_recording(odd_calls / path)
        assert dataclasses.replace(facts, seconds=0) == dataclasses.replace(ODD[path], seconds=0)
        assert facts.seconds == pytest.approx(ODD[path].seconds, abs=0.1)
        assert 0.1 < np.abs(audio).max() < 2
    # the standard library as the other reader
    with wave.open(str(odd_calls / "pcm_16_22050_2ch.wav")) as file:
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32768
    np.testing.assert_array_equal(
        open_recording(odd_calls / "pcm_16_22050_2ch.wav")[0], expected.astype(np.float32)
    )
