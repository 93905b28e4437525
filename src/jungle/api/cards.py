"""One whole postcard, as ``jungle make`` makes it, without a jungle around it."""

import dataclasses
import io
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import soundfile
from PIL import Image

from ..config.jungle_toml import CHOICES, Config
from ..config.recipes import override
from ..errors import BadInput
from ..postcards import compose, folder, pipeline
from ..records import Phrase, Postcard, Species
from ..species import kinds
from ..species.invent import parents
from ..storage.atomic import new_folder, write_bytes
from ..storage.build_cache import BuildCache
from .languages import check_typology
from .models import ImageModel, Sound, SoundModel


class CardSettings(TypedDict, total=False):
    """How a postcard is made; the defaults are those of ``jungle.toml``."""

    sketches: int
    """Pictures to paint, of which the one that shows the animal best is kept; 32."""
    phrases: int
    """How many phrases it says; 4."""
    look: Literal["painterly", "smooth", "crisp"]
    """How the picture is enlarged; "painterly"."""
    metadata: Literal["full", "credit", "none"]
    """What the files tell of themselves; "full"."""
    images: dict[str, Any]
    """How it is painted: fields of the sampling recipe, as in the table ``[images]``."""
    sounds: dict[str, Any]
    """How the call is drawn: the same for the table ``[sounds]``, such as ``{"steps": 8}``."""
    language: dict[str, Any]
    """The table ``[language]`` of a jungle.toml: ``voice``, ``kind``, ``order`` of the family."""
    family_seed: int
    """Animals of the same family seed speak dialects of one language; 0."""


@dataclass(frozen=True, slots=True)
class RenderedPostcard:
    """A postcard and the bytes of its files by name, ``manifest.json`` among them."""

    record: Postcard
    files: Mapping[str, bytes]

    @property
    def image(self) -> Image.Image:
        """The picture, enlarged to a short side of at least 512 pixels."""
        return Image.open(io.BytesIO(self.files["picture.png"])).convert("RGB")

    @property
    def call(self) -> Sound:
        """The mastered call: 48 kHz, one channel."""
        return self._sound("call.flac")

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """What it says: text, gloss, ipa and english of each."""
        return self.record.phrases

    def speech(self, index: int) -> Sound:
        """Phrase ``index``, from 0, spoken with the animal's own voice: 48 kHz, one channel."""
        return self._sound(self.record.phrases[index].file)

    def save(self, path: str | Path) -> Path:
        """Write all files into a folder of their own, whole or not at all, and return its path.

        A postcard that is there already is replaced.

        Raises:
            JungleError: the folder holds something else, or cannot be written.
        """
        target = Path(path)
        if target.is_dir() and any(target.iterdir()) and not (target / folder.MANIFEST).is_file():
            raise BadInput(f"{target} holds files that are no postcard: give another folder.")
        with new_folder(target) as part:
            for name, data in self.files.items():
                write_bytes(part / name, data)
        return target

    def _sound(self, name: str) -> Sound:
        samples, rate = soundfile.read(
            io.BytesIO(self.files[name]), dtype="float32", always_2d=True
        )
        return Sound(samples, rate)


def make_postcard(
    name: str,
    *,
    mix: Mapping[str, float] | None = None,
    seed: int = 0,
    image_model: ImageModel | None = None,
    sound_model: SoundModel | None = None,
    **settings: Unpack[CardSettings],
) -> RenderedPostcard:
    """One coherent animal: its mix decides picture, voice and dialect.

    A ``jungle.toml`` with the same species and settings makes the same bytes by ``jungle make``.

    Args:
        name: of the species, such as "leopabbit".
        mix: share of each class, such as ``{"cat": 0.6, "panda": 0.4}``; left out, the seed
            decides two parents of one build among the kinds that the model shows well.
        seed: another one, another animal.
        image_model: paints it; "photo64" by default.
        sound_model: makes its call; "call" by default.
        settings: see :class:`~jungle.api.cards.CardSettings`.

    Raises:
        JungleError: a name without letters, a class that the model of pictures does not know, or a
            value out of range.
    """
    painter, singer = image_model or ImageModel.load(), sound_model or SoundModel.load()
    config = _config(settings)
    if mix is None:
        mix = parents(kinds.to_invent_from(painter.classes, painter.kind_report), seed)
    painter.model.mix(dict(mix))  # refuses unknown classes before anything is painted
    species = Species(slug=_slug(name), name=name, seed=seed, mix=dict(mix))
    engines = _engines(painter, singer, config)

    # The pipeline works in the folder of a jungle; only the one card is kept of it.
    with tempfile.TemporaryDirectory() as temporary:
        jungle = Path(temporary)
        cards, _ = pipeline.make_cards(
            engines, jungle, [species], config, BuildCache(jungle), lambda stage, count: None
        )
        home = jungle / compose.FOLDER / species.slug
        files = {path.name: path.read_bytes() for path in sorted(home.iterdir())}
    return RenderedPostcard(cards[0], files)


def _config(settings: CardSettings) -> Config:
    """The settings as those of a jungle.toml, whose reader checks what is checked here."""
    values: dict[str, Any] = dict(settings)
    unexpected = values.keys() - CardSettings.__annotations__.keys()
    if unexpected:
        raise TypeError(f"make_postcard() has no setting '{min(unexpected)}'")

    # Config itself checks nothing: a wrong value would only be met when the card is bound.
    for key in ("look", "metadata"):
        if key in values and values[key] not in CHOICES[key]:
            raise BadInput(f"{key}={values[key]}: choose one of {', '.join(CHOICES[key])}.")
    language = values.get("language", {})
    check_typology(language.get("kind", ""), language.get("order", ""))

    config = Config(seed=values.pop("family_seed", 0), **values)
    if config.sketches < 1 or config.phrases < 1:
        raise BadInput("A postcard needs at least one sketch and one phrase.")
    return config


def _engines(painter: ImageModel, singer: SoundModel, config: Config) -> pipeline.Engines:
    loaded = painter.model
    drawing = override(singer.engine.recipe, _as_text(config.sounds))
    engine = singer.engine.with_sampling(drawing)
    return pipeline.Engines(
        loaded,
        override(loaded.recipe.sample, pipeline.portrait(loaded) | _as_text(config.images)),
        engine,
        engine.classes,
        dataclasses.asdict(engine.recipe),
        singer.reference,
        painter.kind_report,
    )


def _as_text(options: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in options.items()}


def _slug(name: str) -> str:
    """A name as a folder's name: a-z, 0-9 and '-'."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise BadInput(f"The name '{name}' has no letter from a to z: its folder needs one.")
    return slug
