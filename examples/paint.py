"""Paint six animals that are part cat, part panda, side by side:  python examples/paint.py OUT"""

import sys
from pathlib import Path

from PIL import Image

import jungle

out = Path(sys.argv[1])
model = jungle.ImageModel.load("photo64")
height, width = model.size
print(f"{len(model.classes)} kinds of animals, {width} x {height} pixels")

# One seed names one picture: the third one here is model(weights, seed=2), on any day.
weights = {"cat": 0.6, "panda": 0.4}
sheet = Image.new("RGB", (6 * width, height))
for index, picture in enumerate(model.generate(weights, range(6))):
    sheet.paste(picture, (index * width, 0))

out.mkdir(parents=True, exist_ok=True)
sheet.save(out / "cat-pandas.png")
