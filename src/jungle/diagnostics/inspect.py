"""``jungle inspect``: what a folder, a model, a picture or a sound is, in plain words."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..config.recipes import Medium, Recipe
from ..data import sources
from ..data.folders import medium_of_folder, scan_folder
from ..data.formats import HEAD, PHOTOS, RECORDINGS
from ..diffusion import model
from ..diffusion.device import Compute
from ..diffusion.speed import trial
from ..encoding import provenance
from ..errors import BadInput
from ..images import dataset, dataset_report
from ..images.decode import UnreadablePhoto
from ..postcards.captions import mix_in_words
from ..postcards.folder import MANIFEST, manifest_in, read_card
from ..sounds import dataset_report as hearing
from ..sounds.decode import UnreadableRecording as Unheard
from ..sounds.decode import open_recording
from ..sounds.quality_checks import check_quality
from ..storage.build_cache import cached_file_digest

_MODEL_SUFFIXES = {".pth", ".pt", ".ckpt", ".bin", ".safetensors"}

_Report = tuple[str, dict[str, Any]]
"""What is said of a file or folder: as text, and as plain values for JSON."""


def inspect_path(
    file: str,
    cache: Path,
    compute: Compute,
    recipe: Callable[[Medium], Recipe],
    clock: Callable[[], float],
    progress: Callable[[int, int], None] | None = None,
) -> _Report:
    """The report on ``file``.

    Args:
        recipe: what a folder of photos or recordings would be trained with; a few updates on
            nothing tell the time and memory.
        clock: seconds, monotonic.

    Raises:
        BadInput: there is no such file, or it is none of the things that jungle knows.
    """
    path = Path(file)
    if path.suffix.lower() in _MODEL_SUFFIXES:
        return _model(path, compute)
    if path.is_file() and path.suffix.lower() != ".zip":
        return _sound(path) if _is_sound(path) else _picture(path)

    # A postcard and a jungle are folders too, and what they hold is known better than "photos".
    if (path / MANIFEST).is_file() and (path / "record.json").is_file():
        return _postcard(path)
    if (path / "jungle.toml").is_file() and (path / "postcards").is_dir():
        return _jungle(path)

    folder = sources.resolve(file, cache)
    media: Medium = "recordings" if medium_of_folder(folder) is RECORDINGS else "photos"
    training = recipe(media)
    files = scan_folder(folder, RECORDINGS if media == "recordings" else PHOTOS).files
    classes = len({item.name for item in files})
    speed, memory = trial(training, classes, compute, clock) if classes else (None, None)
    inspect_folder = (
        hearing.inspect_recordings if media == "recordings" else dataset_report.inspect_photos
    )
    report = inspect_folder(folder, training, cache, speed, memory, progress)
    return report.to_text(), json.loads(report.to_json())


def _is_sound(path: Path) -> bool:
    """By suffix, or by content: recordings come without a suffix, or with a wrong one."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}): change its permissions, or copy it again."
        ) from None
    return path.suffix.lower() in RECORDINGS.suffixes or RECORDINGS.is_data(head)


def _origin(path: Path) -> list[str]:
    """What a picture or a sound tells of its origin, one line a fact."""
    try:
        facts = provenance.read_provenance(path.read_bytes()).told()
    except BadInput:
        return []  # another format than those that we write
    return [f"{name}: {value}" for name, value in facts.items()]


def _jungle(path: Path) -> _Report:
    """The folder of a jungle: its postcards."""
    manifests = sorted((path / "postcards").glob(f"*/{MANIFEST}"))
    cards = [read_card(manifest.parent) for manifest in manifests]
    lines = [f"A jungle of {len(cards)} postcards:"]
    lines += [f"  {card.species.slug}: {card.species.name}" for card in cards]
    slugs = [card.species.slug for card in cards]
    values = {"file": str(path), "kind": "jungle", "postcards": slugs}
    return _clean_lines(lines), values


def _postcard(path: Path) -> _Report:
    """The folder of a postcard: who it is, and which of its files are no longer what they were."""
    card, manifest = read_card(path), manifest_in(path)
    changed = sorted(
        name
        for name, digest in manifest["files"].items()
        if cached_file_digest(path / name) != digest
    )

    species = card.species
    lines = [
        f"A postcard of the {species.name.lower()} ({species.binomial}), "
        f"{mix_in_words(species.mix)}; it calls itself {card.own_name}.",
        card.notes,
    ]
    lines += [f"  {phrase.text}  -  {phrase.english}" for phrase in card.phrases]
    lines.append(
        f"Seed {species.seed}, picture model {card.picture.model}, "
        f"calls by {card.call.engine} ({card.call.model})."
    )
    lines.append(
        f"Changed since it was made: {', '.join(changed)}."
        if changed
        else "All files are as they were made."
    )

    # The record may come from anybody: what it says is cleaned before it reaches a terminal.
    record = card.to_json()
    values = {"file": str(path), "kind": "postcard", "record": record, "changed": changed}
    return _clean_lines(lines), values


def _clean_lines(lines: list[str]) -> str:
    return "\n".join(provenance.clean_fact(line) for line in lines)


def _sound(path: Path) -> _Report:
    try:
        audio, rate, facts = open_recording(path)
    except Unheard as error:
        raise BadInput(
            f"{path} cannot be heard ({error.reason}): give a WAV, FLAC or MP3 file."
        ) from None
    findings = check_quality(audio, rate)

    channels = "mono" if facts.channels == 1 else f"{facts.channels} channels"
    lines = [f"A sound: {facts.encoding}, {facts.rate} Hz, {channels}, {facts.seconds:.2f} s."]
    lines += [finding.sentence for finding in findings] or ["No faults found."]
    lines += _origin(path)

    # The keys of JSON are the names of the fields of both records.
    values = {"file": str(path), "kind": "sound"} | dataclasses.asdict(facts)
    values["findings"] = [dataclasses.asdict(finding) for finding in findings]
    return "\n".join(lines), values


def _model(path: Path, compute: Compute) -> _Report:
    loaded = model.load_model(path, compute)
    parameters = sum(p.numel() for p in loaded.denoiser.net.parameters())
    height, width = loaded.size
    values = {
        "file": str(path),
        "kind": "model",
        "recipe": loaded.recipe.name,
        "width": width,
        "height": height,
        "classes": list(loaded.classes),
        "updates": loaded.step,
        "parameters": parameters,
        "hash": loaded.hash,
        "note": loaded.note,
    }

    # Files of other projects say nothing of updates, and those without classes nothing of animals.
    task = "makes calls" if loaded.recipe.media == "recordings" else f"paints {width}x{height}"
    size = f"{parameters / 1e6:.1f} million parameters"
    guided = "guided away from a weaker network, " if loaded.weak else ""
    updates = f"{loaded.step:,} updates, " if loaded.step else ""
    animals = (
        f"Its animals: {', '.join(loaded.classes)}."
        if loaded.classes
        else "It was trained without classes."
    )
    text = f"A model of the recipe '{loaded.recipe.name}': {task}, {size}, {guided}{updates}"
    return f"{text}weights {loaded.hash}.\n{animals}\n{loaded.note}".strip(), values


def _picture(path: Path) -> _Report:
    try:
        # Decoded whole first, as training does: Image.open alone takes a file that is cut off.
        dataset.open_photo(path, (64, 64))
        with Image.open(path) as picture:
            kind, (width, height), info = picture.format, picture.size, picture.info
    except UnreadablePhoto as error:
        raise BadInput(
            f"{path} is neither a picture, a model nor a folder of photos ({error.reason})."
        ) from None

    notes = {str(key): str(value) for key, value in info.items() if isinstance(value, str)}
    lines = [f"A picture: {kind}, {width}x{height}."]
    lines += _origin(path) or [f"{key}: {value}" for key, value in sorted(notes.items())]
    values = {
        "file": str(path),
        "kind": "picture",
        "format": kind,
        "width": width,
        "height": height,
        "notes": notes,
    }
    return "\n".join(lines), values
