"""Postcards in a jungle's folder: bound from pictures, calls and phrases, kept while nothing
changes, and made again from a manifest.
"""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import __version__
from ..config import jungle_toml
from ..errors import BadInput
from ..images.upscale import shipped_name
from ..language.dialects import make_dialect
from ..language.family import Family
from ..language.phonology.vocal_tract import voice_named
from ..records import SCHEMA, Call, Picture, Postcard, Species, postcard_from_json
from ..storage.atomic import digest, new_folder, write_bytes, write_json
from ..storage.build_cache import BuildCache, cached_file_digest
from .compose import FOLDER, PlannedPhrase, PostcardInputs, PostcardOptions, make_postcard

MANIFEST = "manifest.json"
DISCLOSURE = (
    "trainedAlgorithmicMedia: picture, call and words were made by generative models; the animal "
    "never lived"
)
LICENCES = {
    "this postcard": "yours; the shipped models claim no rights in what they make",
    "shipped models": (
        "see the model cards beside their weights for the sets they were trained on and their terms"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInputs:
    """How the picture and the call of an animal were made: what a manifest needs to have them made
    again.
    """

    painting: dict[str, Any]  # the recipe of the sampler
    singing: dict[str, Any]  # that of the engine of calls
    request: dict[str, Any]  # what that engine was asked for
    device: str


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """A painted PNG as (H, W, 3) uint8.

    Raises:
        BadInput: it is not there, or damaged.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise BadInput(
            f"{path} cannot be read as a picture ({error}): run  jungle make  again."
        ) from None


def samples_of(path: Path) -> NDArray[np.int16]:
    """A mastered WAV as (samples, 1) int16.

    Raises:
        BadInput: it is not there, or damaged.
    """
    import soundfile

    try:
        samples: NDArray[np.int16] = soundfile.read(path, dtype="int16", always_2d=True)[0]
    except (OSError, soundfile.SoundFileError) as error:
        raise BadInput(
            f"{path} cannot be read as a sound ({error}): run  jungle make  again."
        ) from None
    return samples


def write_postcard(  # noqa: PLR0913
    out: Path,
    species: Species,
    picture: Picture,
    call: Call,
    making: BuildInputs,
    family: Family,
    told: Sequence[PlannedPhrase],
    wishes: PostcardOptions,
    build_cache: BuildCache,
) -> Postcard:
    """The postcard of one animal in ``out``/postcards/SLUG; one that is there and was made from the
    same is kept.

    A folder is whole or not there: it is filled beside its place, and the manifest is written last.
    """
    parts = (
        species.to_json(),
        picture.to_json(),
        call.to_json(),
        dataclasses.asdict(making),
        dataclasses.asdict(family),
        [str(phrase) for phrase in told],
    )

    # What the card is made from, by content: a picture painted anew makes a new card.
    sources = [cached_file_digest(out / picture.file), cached_file_digest(out / call.file)]
    key = digest(
        "postcard", __version__, SCHEMA, *parts, dataclasses.asdict(wishes), sources, shipped_name()
    )
    stage = f"{FOLDER}/{species.slug}"
    known = build_cache.lookup(stage, key)
    if known is not None:
        return postcard_from_json(known)
    card, files = make_postcard(
        PostcardInputs(
            species, picture, pixels_of(out / picture.file), call, samples_of(out / call.file)
        ),
        family.language,
        told,
        wishes,
    )

    # The folder appears whole or not at all.
    with new_folder(out / FOLDER / species.slug) as folder:
        for name, data in files.items():
            write_bytes(folder / name, data)
        digests = {name: cached_file_digest(folder / name) for name in files}
        write_json(
            folder / MANIFEST,
            _manifest(card, species, making, family, bool(told), wishes) | {"files": digests},
        )

    build_cache.store(
        stage,
        key,
        card.to_json(),
        [out / FOLDER / species.slug / name for name in (*files, MANIFEST)],
    )

    # as it will be read: JSON sorts the kinds of a mix
    return read_card(out / FOLDER / species.slug)


def _manifest(
    card: Postcard,
    species: Species,
    making: BuildInputs,
    family: Family,
    told: bool,
    wishes: PostcardOptions,
) -> dict[str, Any]:
    import torch

    # All that make_again needs, and what a stranger should know of the files.
    return {
        "schema": SCHEMA,
        "jungle": __version__,
        "species": species.to_json(),
        "picture": card.picture.to_json(),
        "call": card.call.to_json(),
        "making": dataclasses.asdict(making),
        "language": dataclasses.asdict(family) | {"told": told},
        "wishes": dataclasses.asdict(wishes),
        "enlarger": shipped_name(),
        "disclosure": DISCLOSURE,
        "licences": LICENCES,
        "made_with": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def read_manifest(jungle: Path, name: str) -> dict[str, Any]:
    """The manifest of the postcard ``name`` of a jungle.

    Raises:
        BadInput: there is no such postcard, or it is of another version.
    """
    known = sorted(path.parent.name for path in (jungle / FOLDER).glob(f"*/{MANIFEST}"))
    if name not in known:
        told = (
            ", ".join(known[:8]) + (" ..." if len(known) > 8 else "")
            if known
            else "none: run  jungle make  first"
        )
        raise BadInput(f"{name}: there is no such postcard in {jungle / FOLDER}; it holds {told}.")
    return manifest_in(jungle / FOLDER / name)


def manifest_in(folder: Path) -> dict[str, Any]:
    """The manifest in the folder of a postcard.

    Raises:
        BadInput: it is damaged or of another version.
    """
    where = folder / MANIFEST
    try:
        result: dict[str, Any] = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{where} cannot be read ({error}): run  jungle make  again.") from None
    if result.get("schema") != SCHEMA:
        raise BadInput(
            f"{where} has schema {result.get('schema')!r}, and this version reads {SCHEMA}: run  "
            "jungle make  again."
        )
    return result


def read_card(folder: Path) -> Postcard:
    """The record in the folder of a postcard.

    Raises:
        BadInput: it is damaged or of another version.
    """
    where = folder / "record.json"
    try:
        value = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{where} cannot be read ({error}): run  jungle make  again.") from None
    return postcard_from_json(value)


def names_of_cards(jungle: Path) -> list[str]:
    """The postcards of a jungle, in the order of jungle.toml, then by name.

    Raises:
        BadInput: there are none.
    """
    there = {path.parent.name for path in (jungle / FOLDER).glob(f"*/{MANIFEST}")}
    if not there:
        raise BadInput(
            f"There are no postcards in {jungle / FOLDER}: run  jungle make --out {jungle}  first, "
            "or name a jungle with --out."
        )
    known = [animal.slug for animal in jungle_toml.read_config(jungle).species]
    return [slug for slug in known if slug in there] + sorted(there - set(known))


def missing_cards(jungle: Path) -> list[str]:
    """The species of jungle.toml that have no postcard yet."""
    return sorted(
        {one.slug for one in jungle_toml.read_config(jungle).species} - set(names_of_cards(jungle))
    )


def read_cards(jungle: Path) -> list[Postcard]:
    """The postcards of a jungle (see :func:`names_of_cards`)."""
    return [read_card(jungle / FOLDER / name) for name in names_of_cards(jungle)]


def check_metadata(jungle: Path, level: str) -> None:
    """Refuse to publish postcards whose sounds tell more or less of themselves than the page shall.

    Raises:
        BadInput: they were bound with another level.
    """
    for name in names_of_cards(jungle):
        bound = read_manifest(jungle, name)["wishes"]["metadata"]
        if bound != level:
            raise BadInput(
                f"The sounds of '{name}' were made with <--metadata> {bound}: run  jungle make "
                f"--metadata {level}  first."
            )


def rebuild_and_diff(
    jungle: Path,
    name: str,
    manifest: dict[str, Any],
    pixels: NDArray[np.uint8],
    call: Call,
    pcm: NDArray[np.int16],
) -> list[str]:
    """The files of a postcard that come out with other bytes than its manifest says, from a picture
    and a call made anew.
    """
    spec = dict(manifest["language"])
    told = spec.pop("told")
    family = Family(**spec).language
    species = Species(**{**manifest["species"], "traits": tuple(manifest["species"]["traits"])})
    said: list[PlannedPhrase] = []

    # Phrases of a language model cannot be asked for again; their meanings are read from the card.
    if told:
        card = read_card(jungle / FOLDER / name)
        dialect = make_dialect(family, species.seed, voice_named(card.species.voice)).language
        said = [
            PlannedPhrase(dialect.parse(one.text), one.intent, one.mood, one.provenance)
            for one in card.phrases
        ]

    call = dataclasses.replace(call, file=manifest["call"]["file"])
    parts = PostcardInputs(species, Picture(**manifest["picture"]), pixels, call, pcm)
    _, files = make_postcard(parts, family, said, PostcardOptions(**manifest["wishes"]))
    made = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}

    return sorted(
        file
        for file in made.keys() | manifest["files"].keys()
        if made.get(file) != manifest["files"].get(file)
    )
