"""A call that is half lion, half frog, mastered:  python examples/call_and_master.py OUT"""

import sys
from pathlib import Path

import soundfile

import jungle

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

# Fewer steps than the model's own: quicker, a little rougher.
model = jungle.SoundModel.load("call")
samples, rate = model({"lion": 0.5, "frog": 0.5}, seed=7, steps=6)
soundfile.write(out / "call.wav", samples, rate)

# Mastered, it repeats without a seam, and is as loud as all others: -16 LUFS.
mastered = jungle.master((samples, rate))
soundfile.write(out / "mastered.wav", mastered.pcm, mastered.rate)
start, end = mastered.loop
print(f"{mastered.after:.1f} LUFS, loops from {start / 48_000:.2f} to {end / 48_000:.2f} s")
print("\n".join(mastered.notes))
