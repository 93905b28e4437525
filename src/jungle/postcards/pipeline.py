"""``jungle make``: from wishes to postcards and a page. Each stage is skipped where nothing that it
is made from has changed.
"""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import jungle_toml
from ..config.recipes import SampleRecipe
from ..data.folders import scan_folder
from ..data.sources import resolve
from ..diffusion.model import Model
from ..errors import BadInput
from ..images.classifier import shipped_classifier
from ..images.evaluate import looks_wrong
from ..images.generate import best_of_n, paint_animals
from ..language.export import write_language
from ..language.family import Family, family_of
from ..language.language import Language
from ..language.phonology.vocal_tract import VOICES
from ..language.semantics.meaning import violations
from ..records import Call, Picture, Postcard, Species, call_from_json
from ..sounds.caching import CachedEngine
from ..sounds.classifier import AudioClassifier
from ..sounds.engine import CallRequest, SoundEngine, take_seed
from ..sounds.memorisation import MemorisationIndex
from ..sounds.stable_audio.prompts import DEFAULT_NEGATIVE, build_prompt
from ..species import select as casting
from ..species.invent import invent_species
from ..species.kinds import ClassQualityReport, labels_by_kind, to_invent_from
from ..storage.atomic import digest, make_folder
from ..storage.build_cache import BuildCache
from .calls import Wanted, make_album
from .captions import complete_species
from .compose import PlannedPhrase, PostcardOptions
from .folder import BuildInputs, pixels_of, write_postcard

PICTURES, SOUNDS, LANGUAGE = "generated_images", "sounds", "language"
PHRASES = 16  # in animal_language.txt
TAKES = 2  # of each call
# Who looks at a postcard has a second to see an animal: guidance as strong as people like it, where
# the shape is made (docs/LOG.md).
PORTRAIT = {"guidance": "5", "guidance_low": "0.3", "guidance_high": "1000000"}
# of a model that is guided away from a weaker one
WEAK_PORTRAIT = {
    "guidance": "3",
    "weak_mix": "0.2",
}
DARK = 80  # mean of the pixels, 0 to 255, below which a picture shows a night
StageProgress = Callable[[str, int], object]
"""``progress(stage, n)``: n more of the stage's items are done, or were done before."""


PhraseWriter = Callable[[Language, int], Sequence[PlannedPhrase]]


@dataclass(frozen=True, slots=True)
class Engines:
    """Everything that makes the animals of a jungle."""

    image_model: Model
    painting: SampleRecipe
    sound_engine: SoundEngine
    voices: tuple[str, ...]  # classes that the sound engine knows; empty: it follows prompts
    singing: dict[str, Any]  # how it draws
    reference: MemorisationIndex | None
    # how well the image model shows each of its kinds
    kinds: ClassQualityReport = dataclasses.field(default_factory=ClassQualityReport)


def portrait(model: Model) -> dict[str, str]:
    """How ``model`` paints the animals of a jungle, where jungle.toml says nothing else."""
    if model.recipe.sample.guidance == 1:  # as a rule it was never trained without its classes
        return {}
    return WEAK_PORTRAIT if model.weak else PORTRAIT


def check_species(species: Sequence[Species], source: str, cache: Path, where: Path) -> None:
    """Refuse species of a jungle.toml whose parents are not among the classes of the photos, before
    training on them.

    Raises:
        BadInput: there are such species; or there is no such source.
    """
    if not species:
        return
    classes = {photo.name for photo in scan_folder(resolve(source, cache)).files}
    check_parents(
        species, classes, where, ", which is not among the photos: choose another --out or edit it."
    )


def check_parents(
    species: Sequence[Species], classes: Collection[str], where: Path, what: str
) -> None:
    """Refuse species with a parent that is not in ``classes``; ``what`` ends the sentence.

    Raises:
        BadInput: there is one.
    """
    for animal in species:
        for name in animal.mix:
            if name not in classes:
                raise BadInput(f"{where}: '{animal.slug}' is mixed from '{name}'{what}")


def check_voices(species: Sequence[Species], where: Path) -> None:
    """Refuse species that a person gave a voice that no body has.

    Raises:
        BadInput: there is one.
    """
    for one in species:
        if one.voice and one.voice not in VOICES:
            raise BadInput(
                f"{where}: '{one.slug}' has the voice '{one.voice}': choose one of "
                f"{', '.join(VOICES)}, or leave it out."
            )


def find_species(
    out: Path, wishes: jungle_toml.Config, engines: Engines, count: int, seed: int
) -> tuple[Species, ...]:
    """The species of jungle.toml, or as many new ones, which are written there for a person to
    change.

    Raises:
        BadInput: one of them is mixed from an animal that the image model does not know.
    """
    classes = engines.image_model.classes
    known = ", ".join(classes) or "none: it was trained without classes"
    check_parents(
        wishes.species,
        classes,
        out / jungle_toml.CONFIG_FILE,
        f"; the animals that this model knows are {known}.",
    )
    if wishes.species:
        return wishes.species
    species = invent_species(to_invent_from(classes, engines.kinds, count), count, seed)
    make_folder(out)
    jungle_toml.write_species(out, seed, species, classes)
    return species


def paint_pictures(
    engines: Engines,
    out: Path,
    species: Sequence[Species],
    sketches: int,
    build_cache: BuildCache,
    progress: StageProgress,
) -> list[Picture]:
    """A picture of each species in ``out``/generated_images, the best of ``sketches``; zip and
    sheet; files are relative to ``out``.

    Raises:
        BadInput: a class that the model does not know.
    """
    labels = labels_by_kind(engines.kinds)
    choosing = (
        sketches,
        shipped_classifier().name,
        {name: sorted(labels[name]) for name in engines.image_model.classes if name in labels},
    )
    made = (
        engines.image_model.hash,
        repr(engines.painting),
        str(engines.image_model.device),
        *choosing,
    )
    key = digest("pictures", __version__, [one.to_json() for one in species], *made)

    # Nothing is painted where nothing that decides the pictures has changed.
    known = build_cache.lookup(PICTURES, key)
    if known is not None:
        progress("pictures", sketches * len(species))
        return [Picture(**one) for one in known]

    # Sketches of a species have seeds of their own, so that one more animal changes no other.
    seeds = [[take_seed(one.seed, number) for number in range(sketches)] for one in species]
    best = best_of_n(
        engines.image_model,
        species,
        seeds,
        engines.painting,
        build_cache,
        labels,
        lambda done: progress("pictures", done),
    )
    gallery = paint_animals(
        engines.image_model, best, engines.painting, out / PICTURES, memory=build_cache
    )
    pictures = [
        dataclasses.replace(picture, file=f"{PICTURES}/{picture.file}")
        for picture in gallery.pictures
    ]
    files = [out / picture.file for picture in pictures]
    build_cache.store(
        PICTURES,
        key,
        [one.to_json() for one in pictures],
        [*files, out / f"{PICTURES}.zip", out / f"{PICTURES}.png"],
    )

    return pictures


def call_requests(
    engines: Engines,
    out: Path,
    species: Sequence[Species],
    pictures: Sequence[Picture],
    wishes: jungle_toml.Config,
) -> list[CallRequest]:
    """What is asked of the engine of calls: a mix of voices, or a prompt with the place of the
    record and the light of the picture.
    """
    if engines.voices:
        return [
            CallRequest(seed=one.seed, mix=casting.voices(one.mix, engines.voices), takes=TAKES)
            for one in species
        ]

    made = []

    for index, one in enumerate(species):
        # A prompt describes what the picture shows.
        light = "at night" if pixels_of(out / pictures[index].file).mean() < DARK else "by day"
        text, seconds = (
            build_prompt(one.mix, one.seed, f"{complete_species(one).habitat} {light}"),
            0.0,
        )
        if wishes.prompts:
            prompt = wishes.prompts[index % len(wishes.prompts)]
            text, seconds = prompt.text, prompt.seconds
        negative = wishes.negative or DEFAULT_NEGATIVE
        made.append(
            CallRequest(seed=one.seed, prompt=text, negative=negative, seconds=seconds, takes=TAKES)
        )

    return made


def make_calls(
    engines: Engines,
    out: Path,
    species: Sequence[Species],
    asked_for: Sequence[CallRequest],
    build_cache: BuildCache,
    progress: StageProgress,
) -> list[Call]:
    """A mastered call of each species in ``out``/sounds; files are relative to ``out``."""
    wanted = [Wanted(one, request) for one, request in zip(species, asked_for, strict=True)]
    asked = [dataclasses.asdict(item.request) for item in wanted]
    key = digest(
        "calls",
        __version__,
        asked,
        [one.slug for one in species],
        engines.sound_engine.name,
        engines.sound_engine.model,
        engines.singing,
    )

    known = build_cache.lookup(SOUNDS, key)
    if known is not None:
        progress("takes", TAKES * len(species))
        return [call_from_json(one) for one in known]

    cached_engine = CachedEngine(
        engines.sound_engine,
        lambda one: digest(
            "take",
            dataclasses.asdict(one),
            engines.sound_engine.name,
            engines.sound_engine.model,
            engines.singing,
        ),
        build_cache.get,
        build_cache.put,
    )
    album = make_album(
        cached_engine,
        wanted,
        out / SOUNDS,
        AudioClassifier.shipped(),
        engines.reference,
        lambda done: progress("takes", done),
    )
    calls = [dataclasses.replace(call, file=f"{SOUNDS}/{call.file}") for call in album]
    files = [
        path
        for call in calls
        for path in sorted((out / call.file).parent.glob(f"{Path(call.file).stem}.*"))
    ]
    build_cache.store(
        SOUNDS, key, [one.to_json() for one in calls], [*files, out / SOUNDS / "sounds.json"]
    )

    return calls


def write_postcards(  # noqa: PLR0913
    engines: Engines,
    out: Path,
    species: Sequence[Species],
    pictures: Sequence[Picture],
    asked_for: Sequence[CallRequest],
    calls: Sequence[Call],
    family: Family,
    told: Sequence[PlannedPhrase],
    wishes: PostcardOptions,
    build_cache: BuildCache,
    progress: StageProgress,
) -> list[Postcard]:
    """The postcard of each species in ``out``/postcards; those that are there and unchanged are
    kept.
    """
    cards = []
    for number, one in enumerate(species):
        making = BuildInputs(
            painting=dataclasses.asdict(engines.painting),
            singing=engines.singing,
            request=dataclasses.asdict(asked_for[number]),
            device=str(engines.image_model.device),
        )
        share = told[number * wishes.phrases : (number + 1) * wishes.phrases]
        cards.append(
            write_postcard(
                out,
                one,
                pictures[number],
                calls[number],
                making,
                family,
                share,
                wishes,
                build_cache,
            )
        )
        progress("postcards", 1)
    return cards


def make_cards(  # noqa: PLR0913
    engines: Engines,
    out: Path,
    species: Sequence[Species],
    wishes: jungle_toml.Config,
    build_cache: BuildCache,
    progress: StageProgress,
    writer: PhraseWriter | None = None,
) -> tuple[list[Postcard], list[str]]:
    """Everything up to the postcards, and what looks or sounds wrong with them.

    Args:
        writer: a language model that makes up so many phrases in a language; without one, the
            embedded engine does.
    """
    pictures = paint_pictures(engines, out, species, wishes.sketches, build_cache, progress)
    asked_for = call_requests(engines, out, species, pictures, wishes)
    calls = make_calls(engines, out, species, asked_for, build_cache, progress)
    family = family_of(wishes.seed, wishes.language)
    write_family(out, family, build_cache)
    told = writer(family.language, wishes.phrases * len(species)) if writer else ()
    known = family.language.known
    # no dialect has the words that a model coined
    told = [phrase for phrase in told if not violations(phrase.meaning, known)]
    how = PostcardOptions(phrases=wishes.phrases, look=wishes.look, metadata=wishes.metadata)
    cards = write_postcards(
        engines, out, species, pictures, asked_for, calls, family, told, how, build_cache, progress
    )

    # What looks or sounds wrong is told at the end, when the cards are there to be looked at.
    trouble = [looks_wrong(np.stack([pixels_of(out / picture.file) for picture in pictures]))]
    trouble += [f"{call.file}: {flag}" for call in calls for flag in call.flags]

    return cards, [line for line in trouble if line]


def write_family(out: Path, family: Family, build_cache: BuildCache) -> None:
    """The language of the jungle in ``out``/language: its phrases, its dictionary and its
    grammar.
    """
    key = digest("language", __version__, dataclasses.asdict(family))
    if build_cache.lookup(LANGUAGE, key) is None:
        files = write_language(
            out / LANGUAGE, family.language, list(family.language.phrases(PHRASES))
        )
        build_cache.store(LANGUAGE, key, True, files)
