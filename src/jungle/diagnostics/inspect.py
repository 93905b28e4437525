"""``jungle inspect``: what a folder, a model, a picture or a sound is, in plain words."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..config.recipes import Media, Recipe
from ..data import sources
from ..data.folders import kind_of, scan
from ..data.formats import HEAD, PHOTOS, RECORDINGS
from ..diffusion import model
from ..diffusion.device import Compute
from ..diffusion.speed import trial
from ..encoding import provenance
from ..errors import BadInput
from ..images import dataset, dataset_report
from ..images.decode import Unreadable
from ..postcards.captions import in_words
from ..postcards.folder import MANIFEST, manifest_in, read_card
from ..sounds import dataset_report as hearing
from ..sounds.decode import Unreadable as Unheard
from ..sounds.decode import open_recording
from ..sounds.quality_checks import examine
from ..storage.build_cache import file_digest

MODELS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors"}


def inspect(
    file: str,
    cache: Path,
    compute: Compute,
    recipe: Callable[[Media], Recipe],
    clock: Callable[[], float],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The report on ``file`` as text and as plain values.

    Args:
        recipe: what a folder of photos or recordings would be trained with; a few updates on nothing tell the time and memory.

    Raises:
        BadInput: there is no such file or it is none of the things that jungle knows.
    """
    path = Path(file)
    if path.suffix.lower() in MODELS:
        return _model(path, compute)
    if path.is_file() and path.suffix.lower() != ".zip":
        try:
            with path.open("rb") as opened:
                head = opened.read(HEAD)
        except OSError as error:
            raise BadInput(
                f"{path} cannot be read ({error.strerror}): change its permissions, or copy it again."
            ) from None
        return (
            _sound(path)
            if path.suffix.lower() in RECORDINGS.suffixes or RECORDINGS.is_data(head)
            else _picture(path)
        )
    if (path / MANIFEST).is_file() and (path / "record.json").is_file():
        return _postcard(path)
    if (path / "jungle.toml").is_file() and (path / "postcards").is_dir():
        cards = [
            read_card(found.parent) for found in sorted((path / "postcards").glob(f"*/{MANIFEST}"))
        ]
        lines = [
            f"A jungle of {len(cards)} postcards:",
            *(f"  {card.species.slug}: {card.species.name}" for card in cards),
        ]
        names = [card.species.slug for card in cards]
        return "\n".join(provenance.cleaned(line) for line in lines), {
            "file": str(path),
            "kind": "jungle",
            "postcards": names,
        }
    folder = sources.resolve(file, cache)
    media: Media = "recordings" if kind_of(folder) is RECORDINGS else "photos"
    wanted = recipe(media)
    classes = len(
        {one.name for one in scan(folder, RECORDINGS if media == "recordings" else PHOTOS).files}
    )
    speed, memory = trial(wanted, classes, compute, clock) if classes else (None, None)
    report: dataset_report.Report | hearing.Report
    if media == "recordings":
        report = hearing.inspect(folder, wanted, cache, speed, memory, progress)
    else:
        report = dataset_report.inspect(folder, wanted, cache, speed, memory, progress)
    return report.to_text(), json.loads(report.to_json())


def told_by(path: Path) -> list[str]:
    """What a picture or a sound tells of its origin, one line a fact."""
    try:
        return [
            f"{name}: {value}" for name, value in provenance.read(path.read_bytes()).told().items()
        ]
    except BadInput:
        return []  # another format than those that we write


def _postcard(path: Path) -> tuple[str, dict[str, Any]]:
    """The folder of a postcard: who it is, and which of its files are no longer what they were."""
    card, manifest = read_card(path), manifest_in(path)
    changed = sorted(
        name for name, known in manifest["files"].items() if file_digest(path / name) != known
    )
    species = card.species
    lines = [
        f"A postcard of the {species.name.lower()} ({species.binomial}), {in_words(species.mix)}; it calls itself {card.own_name}.",
        card.notes,
        *(f"  {phrase.text}  -  {phrase.english}" for phrase in card.phrases),
        f"Seed {species.seed}, picture model {card.picture.model}, calls by {card.call.engine} ({card.call.model}).",
        f"Changed since it was made: {', '.join(changed)}."
        if changed
        else "All files are as they were made.",
    ]
    return "\n".join(provenance.cleaned(line) for line in lines), {
        "file": str(path),
        "kind": "postcard",
        "record": card.to_json(),
        "changed": changed,
    }


def _sound(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        audio, rate, facts = open_recording(path)
    except Unheard as error:
        raise BadInput(
            f"{path} cannot be heard ({error.reason}): give a WAV, FLAC or MP3 file."
        ) from None
    findings = examine(audio, rate)
    channels = "mono" if facts.channels == 1 else f"{facts.channels} channels"
    lines = [f"A sound: {facts.encoding}, {facts.rate} Hz, {channels}, {facts.seconds:.2f} s."]
    lines += [finding.sentence for finding in findings] or ["No faults found."]
    lines += told_by(path)
    faults = [dataclasses.asdict(finding) for finding in findings]
    return "\n".join(lines), {
        "file": str(path),
        "kind": "sound",
        **dataclasses.asdict(facts),
        "findings": faults,
    }


def _model(path: Path, compute: Compute) -> tuple[str, dict[str, Any]]:
    found = model.load(path, compute)
    parameters = sum(p.numel() for p in found.denoiser.net.parameters())
    high, wide = found.size
    facts = {
        "file": str(path), "kind": "model", "recipe": found.recipe.name, "width": wide, "height": high, "classes": list(found.classes),
        "updates": found.step, "parameters": parameters, "hash": found.hash, "note": found.note,
    }  # fmt: skip
    does = "makes calls" if found.recipe.media == "recordings" else f"paints {wide}x{high}"
    text = f"A model of the recipe '{found.recipe.name}': {does}, {parameters / 1e6:.1f} million parameters, "
    text += "guided away from a weaker network, " if found.weak else ""
    text += (
        f"{found.step:,} updates, weights {found.hash}.\n"
        if found.step
        else f"weights {found.hash}.\n"
    )
    text += (
        f"Its animals: {', '.join(found.classes)}."
        if found.classes
        else "It was trained without classes."
    )
    return f"{text}\n{found.note}".strip(), facts


def _picture(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        dataset.open_photo(path, (64, 64))
        with Image.open(path) as picture:
            facts = {
                "file": str(path),
                "kind": "picture",
                "format": picture.format,
                "width": picture.width,
                "height": picture.height,
            }
            notes = {
                str(key): str(value)
                for key, value in picture.info.items()
                if isinstance(value, str)
            }
    except Unreadable as error:
        raise BadInput(
            f"{path} is neither a picture, a model nor a folder of photos ({error.reason})."
        ) from None
    lines = [f"A picture: {facts['format']}, {facts['width']}x{facts['height']}."]
    lines += told_by(path) or [f"{key}: {value}" for key, value in sorted(notes.items())]
    return "\n".join(lines), json.loads(json.dumps(facts | {"notes": notes}))
