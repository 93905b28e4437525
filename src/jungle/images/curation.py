"""What a network trained on ImageNet sees in a photo: whether there is an animal in it, and where.

Photos without one (toys, drawings, logos, pages of books) teach a model what nobody asked for. They
are ranked by the probability that EfficientNet-Lite0 puts on animals, and left out. The network
knows a thousand labels and not every animal: where it would leave out too much of a class, it does
not know that kind, and the class is kept whole.

What was seen is remembered by the content of each photo in CACHE/looks.sqlite, so that ``inspect``,
``train`` and every size share one pass.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.decoding import DecodeProgress, Unreadable
from ..data.report_text import count_noun
from ..storage.hashing import open_memo
from .decode import CENTRE, decode_photos, open_rgb, window_size
from .efficientnet import ANIMALS, EfficientNetLite, shipped_lite0

# of what is seen and of the rules below; a change makes remembered looks and curated caches unused
VERSION = 1

SHORT_SIDE = 160  # pixels at which a photo is looked at
LONG_SIDE = 640  # at most, of a panorama

# A photo is left out if animals have less than UNSURE of the probability, and things that show
# pictures of animals have DEPICTED of
# it; or if animals have less than ABSENT. Chosen by eye on 439 photos below UNSURE (docs/LOG.md):
# of those with neither,
# nearly all are good photos of kinds that ImageNet lacks (seahorse, octopus), or of animals among
# things (a horse before a cart, a cat
# in a basket, a lobster in a reef).
UNSURE = 0.5
DEPICTED = 0.1
ABSENT = 0.05
MOST = 1 / 3  # of a class, or of all, that may be left out

# ImageNet labels of things that drawings, toys, ornaments and printed animals are taken for.
DEPICTIONS = (
    # envelope, jigsaw, packet, scoreboard, web site, comic book, book jacket, menu
    549, 611, 692, 781, 916, 917, 921, 922,
    # balloon, carousel, maraca, mask, piggy bank, pinwheel, teddy, toyshop, umbrella
    417, 476, 641, 643, 719, 723, 850, 865, 879,
    # ballpoint, buckle, corkscrew, hair slide, hatchet, necklace, pick, eraser, pin
    418, 464, 512, 584, 596, 679, 714, 767, 772,
    # apron, bib, binder, bra, stocking, doormat, handkerchief, jersey, mitten
    411, 443, 446, 459, 496, 539, 591, 610, 658,
    # pillow, plate rack, prayer rug, purse, sunglasses, sweatshirt, table lamp, tray
    721, 729, 741, 748, 837, 841, 846, 868,
    885, 892, 893, 911, 923,  # velvet, wall clock, wallet, wool, plate
)  # fmt: skip

DRAWN = "looks like a drawing, a toy or a page, not like an animal"
EMPTY = "shows no animal that the network can see"

# how much of the best window's activation is given up to stay in the middle, at the very edge
STAY = 0.1
CELLS = 512  # positions at which a window is tried
KEPT_EVERY = 256  # photos after which what was seen is written down

_TABLE = "CREATE TABLE IF NOT EXISTS looks (digest TEXT PRIMARY KEY, version INTEGER, look TEXT)"


@dataclass(frozen=True, slots=True)
class PhotoAnalysis:
    """What the network sees in one photo."""

    animals: float  # probability of all animals, 0 to 1
    depictions: float  # of DEPICTIONS, 0 to 1
    aspect: float  # width / height of the photo
    # how strongly each column of the last map speaks for the animal, left to right
    across: tuple[float, ...]
    down: tuple[float, ...]  # each row, top to bottom

    @property
    def reason(self) -> str:
        """Why the photo would be left out; empty if it is kept."""
        if self.animals < UNSURE and self.depictions > DEPICTED:
            return DRAWN
        return EMPTY if self.animals < ABSENT else ""


@dataclass(frozen=True, slots=True)
class CurationResult:
    """Which of N photos are left out."""

    reasons: tuple[str, ...]  # N; empty for those that are kept
    # a sentence for each class that is kept whole although the network does not know it
    notes: tuple[str, ...]


def read_small(path: Path) -> tuple[Tensor, float]:
    """A photo for the network, (1, 3, H, W) in [-1, 1], and its width / height.

    Raises:
        Unreadable: the file cannot be used.
    """
    photo, facts = open_rgb(path, (SHORT_SIDE, SHORT_SIDE))
    scale = min(SHORT_SIDE / min(photo.size), LONG_SIDE / max(photo.size))
    wide, high = (max(32, round(side * scale)) for side in photo.size)

    kernel = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    pixels = np.array(photo.resize((wide, high), kernel))
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last), facts.width / facts.height


@torch.inference_mode()
def analyse_photo(net: EfficientNetLite, x: Tensor, aspect: float) -> PhotoAnalysis:
    """Look at one photo, (1, 3, H, W) in [-1, 1].

    Where the animal is follows from class activation maps (Zhou et al. 2016, arXiv 1512.04150,
    equation 2): the weights of the animal labels, by their probability, less the mean of all
    labels, applied to each cell of the last map.
    """
    cells = net.feature_map(x)  # (1, 1280, h, w)
    probability = net.classifier(cells.mean((2, 3))).softmax(1)[0]  # (1000,)
    animals = probability[:ANIMALS]
    mass = animals.sum()

    # Class activation map (Zhou et al. 2016, arXiv 1512.04150, equation 2), of all animals by their
    # probability, against the mean of all labels.
    weights = net.classifier.weight
    direction = animals @ weights[:ANIMALS] / mass.clamp_min(1e-6) - weights.mean(0)  # (1280,)
    activation = torch.einsum("c,chw->hw", direction, cells[0]).relu()

    return PhotoAnalysis(
        animals=float(mass),
        depictions=float(probability[list(DEPICTIONS)].sum()),
        aspect=aspect,
        across=tuple(round(value, 3) for value in activation.sum(0).tolist()),
        down=tuple(round(value, 3) for value in activation.sum(1).tolist()),
    )


def analyse_photos(
    paths: Sequence[Path],
    contents: Sequence[str],
    cache: Path,
    progress: DecodeProgress | None = None,
) -> list[PhotoAnalysis | None]:
    """What is seen in each of N photos, in order; None for a file that cannot be read.

    Args:
        contents: the digest of each file, "" where it cannot be read; what was seen in that content
            before is not looked at again.
        cache: where looks are remembered. That only saves time: if it cannot be written, every
            photo is looked at.
        progress: called with (done, total) of the photos that are looked at now.
    """
    memo = open_memo(cache, "looks.sqlite", _TABLE)

    # Without a place to remember, every photo is looked at again.
    if memo is None:
        return _examine_all(paths, progress, lambda index, look: None)

    with closing(memo):
        known = _recall(memo, set(contents))
        missing = [index for index, content in enumerate(contents) if content not in known]

        # Kept as it goes: an interrupted look at thousands of photos goes on from there.
        def keep(number: int, look: PhotoAnalysis) -> None:
            content = contents[missing[number]]
            if content:
                _remember(memo, content, look, commit=number % KEPT_EVERY == 0)

        looked = _examine_all([paths[index] for index in missing], progress, keep)
        _commit(memo)

    looks: list[PhotoAnalysis | None] = [known.get(content) for content in contents]
    for index, look in zip(missing, looked, strict=True):
        looks[index] = look
    return looks


def _examine_all(
    paths: Sequence[Path],
    progress: DecodeProgress | None,
    keep: Callable[[int, PhotoAnalysis], None],
) -> list[PhotoAnalysis | None]:
    """Look at each photo; ``keep`` is called with the number and the look of each that can be
    read.
    """
    looks: list[PhotoAnalysis | None] = []
    for number, read in enumerate(decode_photos(paths, read_small)):
        look = None if isinstance(read, Unreadable) else analyse_photo(shipped_lite0(), *read)
        if look:
            keep(number, look)
        looks.append(look)
        if progress:
            progress(number + 1, len(paths))
    return looks


def _recall(memo: sqlite3.Connection, contents: set[str]) -> dict[str, PhotoAnalysis]:
    try:
        rows = memo.execute(
            "SELECT digest, look FROM looks WHERE version = ?", (VERSION,)
        ).fetchall()
    except sqlite3.Error:
        return {}
    looks: dict[str, PhotoAnalysis] = {}
    for content, text in rows:
        if content in contents:
            animals, depictions, aspect, across, down = json.loads(text)
            looks[content] = PhotoAnalysis(animals, depictions, aspect, tuple(across), tuple(down))
    return looks


def _remember(memo: sqlite3.Connection, content: str, look: PhotoAnalysis, *, commit: bool) -> None:
    try:
        memo.execute(
            "INSERT OR REPLACE INTO looks VALUES (?, ?, ?)",
            (content, VERSION, json.dumps(astuple(look))),
        )
    except sqlite3.Error:
        return
    if commit:
        _commit(memo)


def _commit(memo: sqlite3.Connection) -> None:
    try:
        memo.commit()
    except sqlite3.Error:
        memo.rollback()


def curate(classes: Sequence[str], looks: Sequence[PhotoAnalysis | None]) -> CurationResult:
    """Which of N photos are left out, by the class (N) and the look (N) of each.

    A class that would lose more than :data:`MOST` of its photos is kept whole, and so is the whole
    set. Unreadable photos do not count.
    """
    reasons = [look.reason if look else "" for look in looks]
    readable = Counter(name for name, look in zip(classes, looks, strict=True) if look)
    lost = Counter(name for name, reason in zip(classes, reasons, strict=True) if reason)

    if lost.total() > MOST * readable.total():
        return CurationResult(
            ("",) * len(reasons), (_kept_whole(lost.total(), readable.total(), ""),)
        )

    unknown = sorted(name for name, count in lost.items() if count > MOST * readable[name])
    notes = [_kept_whole(lost[name], readable[name], f" of {name}") for name in unknown]
    kept = [
        "" if name in unknown else reason for name, reason in zip(classes, reasons, strict=True)
    ]
    return CurationResult(tuple(kept), tuple(notes))


def _kept_whole(lost: int, total: int, of: str) -> str:
    seen = f"The network sees no animal in {lost:,} of {count_noun(total, 'photo')}{of}"
    return f"{seen}: it does not know this kind, so all are kept."


def place_window(look: PhotoAnalysis | None, size: tuple[int, int]) -> tuple[float, float]:
    """Where a window of the proportions of ``size`` (height, width) follows the animal: shares (x,
    y) of the room beside it.

    0 is left or top, 0.5 the middle, 1 right or bottom. The window is as large as the photo allows,
    so it moves along one side.
    """
    if look is None:
        return CENTRE
    wide, high = window_size((look.aspect, 1.0), size)
    return _place(look.across, wide / look.aspect), _place(look.down, high)


def _place(profile: Sequence[float], share: float) -> float:
    """Where a window of this share of the side holds most of a profile: 0 (start) to 1 (end)."""
    window = round(share * CELLS)
    if window >= CELLS:
        return 0.5

    cells = len(profile)
    positions = (np.arange(CELLS) + 0.5) / CELLS * cells - 0.5
    fine = np.interp(positions, np.arange(cells), profile)
    total = np.concatenate([[0.0], np.cumsum(fine)])
    inside = total[window:] - total[:-window]

    # The middle wins where it is nearly as good: most photos are framed well.
    middle = (len(inside) - 1) / 2
    away = np.abs(np.arange(len(inside)) - middle) / middle
    score = inside / max(float(inside.max()), 1e-6) - STAY * away
    return float(np.argmax(score)) / (len(inside) - 1)
