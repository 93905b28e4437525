"""Train a model on photos and paint with it:  python examples/train_on_a_folder.py OUT PHOTOS"""

import sys
from pathlib import Path

import jungle

out, photos = Path(sys.argv[1]), Path(sys.argv[2])

# "tiny" shows the way in seconds. For animals that can be told, leave the recipe out and give it
# time: jungle.train(photos, out / "run", minutes=30). The same call goes on after a stop.
for step in jungle.train(photos, out / "run", recipe="tiny"):
    print(f"update {step.update}: {step.done:.0%} done, loss {step.loss:.3f}")

model = jungle.ImageModel.load(out / "run")
print(f"It learned {', '.join(model.classes)}.")
model(dict.fromkeys(model.classes, 1.0), seed=1).save(out / "mix-of-all.png")
