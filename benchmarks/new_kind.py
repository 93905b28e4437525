"""Does a model of the user's own show the kind it was trained on? Row 8 of the table of pictures.

    jungle train PHOTOS --start shipped --minutes 30 --out run     # PHOTOS/KIND/*, a kind that the
    shipped model does not know python benchmarks/new_kind.py run/animal_diffusion_model.pth
    PHOTOS/KIND OTHERS/KIND --weights lite2.pth --variant lite2

The network that judges took no part in training. A picture is named as photos are where its most
probable label is one that at least a twentieth of the photos get (all folders together). Pictures
are not chosen among.
"""

import argparse
from pathlib import Path

import numpy as np
from judge_pictures import open_judge, paint_kinds

from jungle.diffusion import device
from jungle.diffusion.model import load_model
from jungle.evaluation.contact_sheet import labelled_rows
from jungle.images.decode import UnreadablePhoto, open_photo
from jungle.images.efficientnet import VARIANTS
from jungle.images.imagenet_labels import naming, usual_labels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path, nargs="+", help="folders of one kind")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--variant", default="lite2", choices=sorted(VARIANTS))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=3000)
    parser.add_argument("--sheet", type=Path, help="where to show pictures and photos")
    given = parser.parse_args()

    model = load_model(given.model, device.choose_device())
    kind = given.photos[0].name
    photos = []
    for path in sorted(path for folder in given.photos for path in folder.iterdir()):
        try:
            photos.append(open_photo(path, model.recipe.size))
        except UnreadablePhoto as problem:
            print(f"{path}: {problem.reason}")

    judging = open_judge(given.weights, given.variant)
    pictures, labels = paint_kinds(model, [kind], given.count, given.seed)
    real, ours = judging.look(np.stack(photos)), judging.look(pictures)
    zeros = np.zeros(len(photos), dtype=np.int64)
    usual = usual_labels(real.top, zeros, 1, cover=0)
    of_photos, of_pictures = naming(real, zeros, usual), naming(ours, labels, usual)
    print(
        f"{given.count} pictures of {kind} (model {model.hash}) by {judging.name}, beside "
        f"{len(photos)} photos"
    )
    for name in ("animal", "sure", "named"):
        print(
            f"{name:8} {100 * getattr(of_pictures, name):5.1f} %   photos "
            f"{100 * getattr(of_photos, name):5.1f} %"
        )
    if of_pictures.named is not None and of_photos.named:
        print(f"named, of the photos' figure: {of_pictures.named / of_photos.named:.2f}")
    if given.sheet:
        labelled_rows({"pictures": pictures[:12], "photos": np.stack(photos[:12])}).save(
            given.sheet
        )


if __name__ == "__main__":
    main()
