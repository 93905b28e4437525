"""Mastered folders against FFmpeg's meter, and our arm of the comparison as a program.

python benchmarks/loudness.py SOURCE OUT
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

TARGET, CEILING = -16.0, -1.0  # LUFS and dBTP, the defaults of our mastering
BLOCK = 0.4  # seconds, under which the standard measures no loudness


def ebur128(file: Path) -> tuple[float | None, float]:
    """Integrated loudness in LUFS (None under BLOCK) and true peak in dBTP, by FFmpeg.

    Of a mono or stereo file.
    """
    import av

    audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
    layout = ("mono", "stereo")[audio.shape[1] - 1]
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer", f"time_base=1/{rate}:sample_rate={rate}:sample_fmt=flt:channel_layout={layout}"
    )
    meter, sink = graph.add("ebur128", "peak=true:metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()

    # The meter reports nothing of the last tenth of a second.
    padded = np.pad(audio, ((0, rate // 5), (0, 0)))
    frame = av.AudioFrame.from_ndarray(padded.reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)

    readings, highest = [-70.0], 1e-10
    while True:
        try:
            metadata: dict[str, str] = getattr(graph.pull(), "metadata", {})
        except (av.error.EOFError, av.error.BlockingIOError):
            break
        if metadata:
            readings.append(float(metadata["lavfi.r128.I"]))
            highest = max(highest, float(metadata["lavfi.r128.true_peak"]))

    # That of the whole tenths, without the silence behind them.
    loudness = readings[min(len(audio) * 10 // rate, len(readings) - 1)]
    return (loudness if len(audio) >= BLOCK * rate else None), 20 * float(np.log10(highest))


def measured(folder: Path, count: int) -> dict[str, Any]:
    """How far the ``count`` files in ``folder`` are from TARGET and CEILING.

    Loudness of those of at least BLOCK seconds.
    """
    readings = [ebur128(file) for file in sorted(folder.glob("*.wav"))]
    if len(readings) != count:
        raise SystemExit(f"{folder.name} wrote {len(readings)} of {count} files.")
    errors = np.array([abs(lufs - TARGET) for lufs, _ in readings if lufs is not None])
    highest = np.array([peak for _, peak in readings])
    return {
        "measured": len(errors),
        "LU off, median": float(np.median(errors)),
        "LU off, worst": float(errors.max()),
        "within 0.3 LU": float((errors <= 0.3).mean()),
        "dBTP, worst": float(highest.max()),
        "over ceiling": int((highest > CEILING + 0.05).sum()),
    }


def master_folder(source: Path, out: Path) -> float:
    """Master every WAV of ``source`` into ``out``.

    Returns:
        The seconds without start, reading and writing.
    """
    from jungle.encoding.audio_files import wav
    from jungle.mastering.chain import master_clips

    spent = 0.0
    for file in sorted(source.glob("*.wav")):
        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
        start = time.perf_counter()
        [mastered] = master_clips([audio], rate)
        spent += time.perf_counter() - start
        (out / file.name).write_bytes(wav(mastered.pcm, mastered.rate, mastered.loop))
    return spent


if __name__ == "__main__":
    print(master_folder(Path(sys.argv[1]), Path(sys.argv[2])))
