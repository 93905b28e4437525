"""Every file of a postcard again from its manifest, compared byte by byte."""

import tempfile
from pathlib import Path

from ..config.recipes import SampleRecipe
from ..diffusion.batched_sampling import SampleRequest
from ..errors import BadInput
from ..images.sampling import sample_pictures
from ..images.upscale import shipped_name
from ..records import Species
from ..sounds.classifier import AudioClassifier
from ..sounds.engine import CallRequest
from ..sounds.generate import SpectrogramEngine
from .calls import Wanted, make_album
from .folder import read_manifest, rebuild_and_diff, samples_of
from .pipeline import Engines


def reproduce(engines: Engines, jungle: Path, name: str) -> list[str]:
    """Make every file of a postcard again; returns the names of those whose bytes differ from its
    manifest.

    Raises:
        BadInput: there is no such postcard, or a model that made it is not the one at hand.
    """
    manifest = read_manifest(jungle, name)
    for what, wanted, at_hand, option in (
        ("picture was painted", manifest["picture"]["model"], engines.image_model.hash, "--model"),
        ("call was made", manifest["call"]["model"], engines.sound_engine.model, "--sound-model"),
    ):
        if wanted != at_hand:
            raise BadInput(
                f"The {what} with the model {wanted}, and the one at hand is {at_hand}: name the "
                f"file of that model with {option}; "
                f"if it was a shipped one, jungle {manifest['jungle']} has it."
            )

    # Refused before anything is painted: the bytes could not be the same.
    if manifest["enlarger"] != shipped_name():
        raise BadInput(
            f"The picture was enlarged with {manifest['enlarger']}, and this version ships "
            f"{shipped_name()}: "
            f"install jungle {manifest['jungle']}."
        )

    making = manifest["making"]
    species = Species(**{**manifest["species"], "traits": tuple(manifest["species"]["traits"])})
    wish = SampleRequest(manifest["picture"]["seed"], engines.image_model.mix(species.mix))
    _, pixels = next(
        iter(sample_pictures(engines.image_model, [wish], SampleRecipe(**making["painting"])))
    )

    # The call goes the whole way again, mastering included.
    with tempfile.TemporaryDirectory() as folder:
        wanted_call = Wanted(species, CallRequest(**making["request"]))
        sound_engine = engines.sound_engine
        if isinstance(sound_engine, SpectrogramEngine):
            sound_engine = sound_engine.with_sampling(SampleRecipe(**making["singing"]))
        call = make_album(
            sound_engine, [wanted_call], Path(folder), AudioClassifier.shipped(), engines.reference
        )[0]
        pcm = samples_of(Path(folder) / call.file)

    return rebuild_and_diff(jungle, name, manifest, pixels, call, pcm)
