"""How well a call fits a prompt, by CLAP (arXiv 2211.06687): one network for sound and one for text, with a shared space.

Through ``ClapModel`` and ``ClapProcessor`` of transformers, whose weights are not shipped: a local folder, or a model of the hub.
"""

import warnings
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadCheckpoint, JungleError, MissingExtra
from ..engine import Audio
from .hub_access import Token, check_access, check_model_name, local_folder

CLAP = (
    "laion/clap-htsat-unfused"  # trained on general sounds, with recordings of animals among them
)
SHORTEST = 0.1  # seconds of a piece behind others that is worth hearing


class Clap:
    """A loaded CLAP model, in float32, without gradients."""

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self._model, self.name = model.float().eval(), name
        self._tokenizer, self._extractor = processor.tokenizer, processor.feature_extractor
        self.rate = int(self._extractor.sampling_rate)  # Hz that it was trained on
        self._longest = int(self._extractor.nb_max_samples)  # samples of one piece
        self._words = (
            int(model.config.text_config.max_position_embeddings) - 2
        )  # tokens; RoBERTa counts places from 2

    @classmethod
    def open(
        cls, source: str = CLAP, device: str | torch.device = "cpu", token: Token | None = None
    ) -> Self:
        """Open a folder, or a model of the hub ("OWNER/NAME", downloaded once). A folder needs no network.

        Raises:
            BadInput: no such folder or model, or the hub cannot be reached.
            BadCheckpoint: the weights are no CLAP, or damaged.
            MissingExtra: transformers is not installed.
        """
        folder = local_folder(source)
        if not folder:
            check_model_name(source, "a CLAP model")
        try:
            try:
                model, processor, lacking = load_clap(str(folder or source), local_files_only=True)
            except OSError:
                if folder:
                    raise
                check_access(
                    source, token, file="config.json"
                )  # in one quick request, before libraries that repeat theirs
                model, processor, lacking = load_clap(source, token=token.value if token else False)
            made = cls(model.to(device), processor, source)
            probe = made.cosine(
                "an animal", np.full((made.rate // 2, 1), 0.1, np.float32), made.rate
            )
            lion, frog = processor.tokenizer(["a lion roars", "a frog sings"]).input_ids
        except JungleError:
            raise
        except (
            Exception
        ) as problem:  # transformers, safetensors and the hub's library raise many kinds
            raise not_clap(source, type(problem).__name__) from problem
        if lacking:
            raise not_clap(source, f"{lacking} of its weights are missing")
        if not np.isfinite(probe):
            raise not_clap(source, "it answers with no number")
        if lion == frog:  # what transformers makes of a folder without the tokenizer's files
            raise not_clap(source, "it has no vocabulary")
        return made

    def prompt_similarity(self, prompt: str, audio: Audio, rate: int) -> float:
        """How well a call (samples, channels) at ``rate`` Hz fits ``prompt``: :meth:`cosine` c as (1 + c) / 2, from 0 to 1.

        0.5 is unrelated. It ranks takes of one prompt, and says nothing about their quality.
        """
        return min(1.0, max(0.0, (1 + self.cosine(prompt, audio, rate)) / 2))

    def cosine(self, prompt: str, audio: Audio, rate: int) -> float:
        """The cosine of the angle between prompt and call, -1 to 1: the mean over the pieces that the model can hear at once.

        Pieces are heard one by one: what the extractor does to long or mixed batches is partly drawn at random.
        """
        words = self._tokenizer(
            [prompt], return_tensors="pt", truncation=True, max_length=self._words
        )
        device = self._model.device
        cosines = []
        with torch.inference_mode():
            for piece in self.pieces(audio, rate):
                heard = self._extractor([piece], sampling_rate=self.rate, return_tensors="pt")
                answer = self._model(
                    input_ids=words["input_ids"].to(device),
                    attention_mask=words["attention_mask"].to(device),
                    input_features=heard["input_features"].to(device),
                    is_longer=heard["is_longer"].to(device),
                )
                cosines.append(
                    float((answer.audio_embeds * answer.text_embeds).sum())
                )  # both have length 1
        return float(np.mean(cosines))

    def pieces(self, audio: Audio, rate: int) -> list[NDArray[np.float32]]:
        """A call (samples, channels) as mono float32 pieces at the model's rate, none longer than it can hear at once."""
        mono = audio.mean(axis=1, dtype=np.float32)
        if rate != self.rate:
            import soxr

            mono = soxr.resample(mono, rate, self.rate, quality="HQ")
        pieces = [
            mono[start : start + self._longest] for start in range(0, len(mono), self._longest)
        ]
        return [
            piece
            for number, piece in enumerate(pieces)
            if not number or len(piece) >= SHORTEST * self.rate
        ]


def load_clap(place: str, **options: Any) -> tuple[Any, Any, int]:
    """Model, processor, and how many weights it lacks, of a folder or a model of the hub; ``options`` as of ``from_pretrained``.

    Raises:
        MissingExtra: transformers is not installed.
        OSError: it is not there.
    """
    try:
        from transformers import ClapModel, ClapProcessor
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra.library("transformers", "stable-audio", "--clap") from None
    logging.disable_progress_bar()  # of the loading of weights; downloads keep theirs
    logging.set_verbosity_error()  # what is missing is told by who asks
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        model, found = ClapModel.from_pretrained(place, output_loading_info=True, **options)
        return (
            model,
            ClapProcessor.from_pretrained(place, **options),
            len(found["missing_keys"]) + len(found["mismatched_keys"]),
        )


def not_clap(source: str, reason: str) -> BadCheckpoint:
    """The sentence for what is no CLAP model."""
    return BadCheckpoint(
        f"'{source}' is no CLAP model that can be opened ({reason}): give a folder or a model of the hub such as {CLAP}."
    )
