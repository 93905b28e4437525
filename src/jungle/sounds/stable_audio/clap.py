"""How well a call fits a prompt, by CLAP (arXiv 2211.06687).

One network for sound and one for text, with a shared space. Through ``ClapModel`` and
``ClapProcessor`` of transformers, whose weights are not shipped: a local folder, or a model of the
hub.
"""

import warnings
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import BadCheckpoint, JungleError, MissingExtra
from ..engine import Audio
from .hub_access import Token, check_access, check_model_name, local_folder

# Trained on general sounds, with recordings of animals among them.
CLAP = "laion/clap-htsat-unfused"

_SHORTEST = 0.1  # seconds of a piece behind others that is worth hearing


class Clap:
    """A loaded CLAP model, in float32, without gradients."""

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self._model, self.name = model.float().eval(), name
        self._tokenizer, self._extractor = processor.tokenizer, processor.feature_extractor
        self.rate = int(self._extractor.sampling_rate)  # Hz that it was trained on
        self._longest = int(self._extractor.nb_max_samples)  # samples of one piece

        # Tokens; RoBERTa counts positions from 2.
        self._most_tokens = int(model.config.text_config.max_position_embeddings) - 2

    @classmethod
    def open(
        cls, source: str = CLAP, device: str | torch.device = "cpu", token: Token | None = None
    ) -> Self:
        """Open a folder, or a model of the hub ("OWNER/NAME", downloaded once).

        A folder needs no network.

        Raises:
            BadInput: no such folder or model, or the hub cannot be reached.
            BadCheckpoint: the weights are no CLAP, or damaged.
            MissingExtra: transformers is not installed.
        """
        folder = local_folder(source)
        if not folder:
            check_model_name(source, "a CLAP model")

        # transformers, safetensors and the hub's library raise many kinds of errors.
        try:
            if folder:
                model, processor, lacking = load_clap(str(folder), local_files_only=True)
            else:
                model, processor, lacking = _load_from_hub(source, token)
            clap = cls(model.to(device), processor, source)
            probe = clap.cosine(
                "an animal", np.full((clap.rate // 2, 1), 0.1, np.float32), clap.rate
            )
            lion, frog = processor.tokenizer(["a lion roars", "a frog sings"]).input_ids
        except JungleError:
            raise
        except Exception as problem:
            raise not_clap(source, type(problem).__name__) from problem

        if lacking:
            raise not_clap(source, f"{lacking} of its weights are missing")
        if not np.isfinite(probe):
            raise not_clap(source, "it answers with no number")
        if lion == frog:  # what transformers makes of a folder without the tokenizer's files
            raise not_clap(source, "it has no vocabulary")
        return clap

    def prompt_similarity(self, prompt: str, audio: Audio, rate: int) -> float:
        """How well a call fits a prompt: :meth:`cosine` c as (1 + c) / 2, from 0 to 1.

        0.5 is unrelated. It ranks takes of one prompt, and says nothing about their quality.

        Args:
            prompt: any text; its end is cut where it is too long.
            audio: (samples, channels).
            rate: in Hz.
        """
        return min(1.0, max(0.0, (1 + self.cosine(prompt, audio, rate)) / 2))

    def cosine(self, prompt: str, audio: Audio, rate: int) -> float:
        """The cosine of the angle between prompt and call (samples, channels), -1 to 1.

        The mean over the pieces that the model can hear at once.
        """
        tokens = self._tokenizer(
            [prompt], return_tensors="pt", truncation=True, max_length=self._most_tokens
        )
        device = self._model.device

        # One by one: what the extractor does to long or mixed batches is partly drawn at random.
        cosines = []
        with torch.inference_mode():
            for piece in self.pieces(audio, rate):
                features = self._extractor([piece], sampling_rate=self.rate, return_tensors="pt")
                answer = self._model(
                    input_ids=tokens["input_ids"].to(device),
                    attention_mask=tokens["attention_mask"].to(device),
                    input_features=features["input_features"].to(device),
                    is_longer=features["is_longer"].to(device),
                )
                # Both have length 1.
                cosines.append(float((answer.audio_embeds * answer.text_embeds).sum()))
        return float(np.mean(cosines))

    def pieces(self, audio: Audio, rate: int) -> list[NDArray[np.float32]]:
        """A call (samples, channels) as mono pieces (samples,) at the model's rate.

        None is longer than the model can hear at once.
        """
        mono = audio.mean(axis=1, dtype=np.float32)
        if rate != self.rate:
            import soxr

            mono = soxr.resample(mono, rate, self.rate, quality="HQ")
        starts = range(0, len(mono), self._longest)
        pieces = [mono[start : start + self._longest] for start in starts]
        shortest = _SHORTEST * self.rate
        return [piece for piece in pieces if piece is pieces[0] or len(piece) >= shortest]


def _load_from_hub(source: str, token: Token | None) -> tuple[Any, Any, int]:
    try:
        return load_clap(source, local_files_only=True)
    except OSError:
        # In one quick request, before libraries that repeat theirs.
        check_access(source, token, file="config.json")
        return load_clap(source, token=token.value if token else False)


def load_clap(source: str, **options: Any) -> tuple[Any, Any, int]:
    """Model, processor, and how many weights it lacks.

    Args:
        source: a folder or a model of the hub.
        options: as of ``from_pretrained``.

    Raises:
        MissingExtra: transformers is not installed.
        OSError: there is no such folder, or no such model in the cache or on the hub.
    """
    try:
        from transformers import ClapModel, ClapProcessor
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra.library("transformers", "stable-audio", "<--clap>") from None

    # Of the loading of weights; downloads keep their bars. What is missing is told by the caller.
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        model, report = ClapModel.from_pretrained(source, output_loading_info=True, **options)
        processor = ClapProcessor.from_pretrained(source, **options)
    return model, processor, len(report["missing_keys"]) + len(report["mismatched_keys"])


def not_clap(source: str, reason: str) -> BadCheckpoint:
    """The error for a folder or model that is no CLAP model."""
    return BadCheckpoint(
        f"'{source}' is no CLAP model that can be opened ({reason}): give a folder or a model of "
        f"the hub such as {CLAP}."
    )
