"""Takes and their ranking: a score between 0 and 1 that says why, and flags for what must not be published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .classifier import AudioClassifier
from .engine import Audio, Take
from .memorisation import COPY, MemorisationIndex
from .quality_checks import Finding, check_quality

AGREEMENT, NATURAL = 0.6, 0.4  # weights of the score
BLEMISH = 0.1  # what a fault that mastering mends takes off


class PromptScorer(Protocol):
    """Whoever can tell how well a call fits a prompt; see ``clap.py``."""

    def prompt_similarity(self, prompt: str, audio: Audio, rate: int) -> float:
        """0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class RankedTake:
    """A take with its verdict. ``flags`` are sentences; a take with a flag is chosen only where every take has one."""

    take: Take
    score: float  # 0 to 1
    mix_overlap: (
        float | None
    )  # how far the ear hears the wanted mix, 0 to 1; None where it knows none of its animals
    natural: (
        float | None
    )  # share of the real recordings that are less typical; None without a reference
    nearest: (
        tuple[float, str] | None
    )  # similarity to the nearest recording of the training, and its name
    findings: tuple[Finding, ...]
    flags: tuple[str, ...]
    fit: float | None = (
        None  # to the prompt, 0 to 1, 0.5 unrelated; None without a prompt or a listener
    )

    @property
    def why(self) -> str:
        """The score in words."""
        parts = []
        if self.agreement is not None:
            parts.append(f"sounds {self.agreement:.0%} like the wanted animals")
        if self.fit is not None:
            parts.append(f"fits its prompt by {self.fit:.2f} (0.5 is unrelated)")
        if self.natural is not None:
            parts.append(f"more typical than {self.natural:.0%} of real recordings")
        parts += [finding.sentence for finding in self.findings]
        if self.nearest and self.nearest[0] >= COPY:
            parts.append(f"a copy of {self.nearest[1]}")
        return f"{self.score:.2f}: " + "; ".join(part.rstrip(".") for part in parts)


def mix_overlap(
    mix: Mapping[str, float], classes: Sequence[str], heard: NDArray[np.float32]
) -> float | None:
    """The overlap of a wanted mix with the probabilities (K,) that the ear hears: the sum of the smaller shares.

    None where the mix is empty or names an animal that the ear does not know.
    """
    if not mix or not set(mix) <= set(classes):
        return None
    total = sum(mix.values())
    return sum(
        min(share / total, float(heard[list(classes).index(name)])) for name, share in mix.items()
    )


def rank_takes(
    takes: Sequence[Take],
    mix: Mapping[str, float],
    ear: AudioClassifier,
    reference: MemorisationIndex | None,
    prompt: str = "",
    listener: PromptScorer | None = None,
) -> list[RankedTake]:
    """All takes of one call, the best first; takes without a flag come before the others.

    With a ``listener``, how well a take fits its ``prompt`` counts as much as how far it sounds like the animals of ``mix``.
    """
    judged = []
    for take in takes:
        findings = check_quality(take.audio, take.rate)
        fatal = tuple(finding.sentence for finding in findings if finding.fatal)
        if any(finding.kind in ("not finite", "silence") for finding in findings):
            judged.append(RankedTake(take, 0.0, None, None, None, findings, fatal))
            continue
        features, heard = ear.classify([take.audio], take.rate)
        alike = mix_overlap(mix, ear.classes, heard[0])
        natural = float(reference.typicality(features)[0]) if reference else None
        nearest = reference.nearest_recording(take.audio, take.rate) if reference else None
        copied = (
            (f"It is a copy of {nearest[1]} ({nearest[0]:.0%} alike).",)
            if nearest and nearest[0] >= COPY
            else ()
        )
        fit = (
            listener.prompt_similarity(prompt, take.audio, take.rate)
            if listener and prompt
            else None
        )
        parts = ((AGREEMENT, alike), (AGREEMENT, fit), (NATURAL, natural))
        known = [(weight, value) for weight, value in parts if value is not None]
        score = (
            sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)
            if known
            else 0.5
        )
        score = max(0.0, score - BLEMISH * len(findings))
        judged.append(
            RankedTake(take, score, alike, natural, nearest, findings, fatal + copied, fit)
        )
    return sorted(judged, key=lambda one: (bool(one.flags), -one.score))
