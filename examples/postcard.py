"""A whole postcard: picture, call, phrases, stamp, manifest:  python examples/postcard.py OUT"""

import sys
from pathlib import Path

import jungle

# Four sketches and six steps are quick. Left out, they are the 32 and 16 of the command line.
card = jungle.make_postcard(
    "leopabbit",
    mix={"leopard": 0.6, "rabbit": 0.4},
    seed=7,
    sketches=4,
    sounds={"steps": 6},
)

print(card.record.notes)
for phrase in card.phrases:
    print(f"{phrase.text}: {phrase.english}")

# Picture and call are at hand as values; the folder holds everything, with the manifest that
# makes it again, and says in every file that AI made it.
print(card.image.size, card.call.samples.shape)
print(card.save(Path(sys.argv[1]) / "leopabbit"))
