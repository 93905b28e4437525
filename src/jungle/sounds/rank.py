"""Takes and their ranking: a score between 0 and 1 that says why.

And flags for what must not be published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .classifier import AudioClassifier
from .engine import Audio, Take
from .memorisation import COPY, MemorisationIndex
from .quality_checks import Finding, check_quality

_AGREEMENT, _NATURAL = 0.6, 0.4  # weights of the score
_BLEMISH = 0.1  # what a fault that mastering mends takes off


class PromptScorer(Protocol):
    """Tells how well a call fits a prompt; see ``stable_audio/clap.py``."""

    def prompt_similarity(self, prompt: str, audio: Audio, rate: int) -> float:
        """0 to 1, 0.5 unrelated, of audio (samples, channels) at ``rate`` Hz."""
        ...


@dataclass(frozen=True, slots=True)
class RankedTake:
    """A take with its score. A flagged one is chosen only where every take has a flag."""

    take: Take
    score: float  # 0 to 1

    # Overlap of the requested mix and what the classifier hears, 0 to 1; None where it knows none
    # of the animals.
    agreement: float | None

    # Share of the real recordings that are less typical; None without an index.
    natural: float | None

    # Similarity to the nearest recording of the training, and its name.
    nearest: tuple[float, str] | None
    findings: tuple[Finding, ...]
    flags: tuple[str, ...]  # sentences

    # To the prompt, 0 to 1, 0.5 unrelated; None without a prompt or a scorer.
    fit: float | None = None

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

        # Faults come last: what a reader remembers of a list.
        parts += [finding.sentence for finding in self.findings]
        if self.nearest and self.nearest[0] >= COPY:
            parts.append(f"a copy of {self.nearest[1]}")
        return f"{self.score:.2f}: " + "; ".join(part.rstrip(".") for part in parts)


def mix_overlap(
    mix: Mapping[str, float], classes: Sequence[str], probabilities: NDArray[np.float32]
) -> float | None:
    """The overlap of a requested mix with class probabilities: the sum of the smaller shares.

    Args:
        mix: class -> share; the shares need not sum to 1.
        classes: of the classifier, K.
        probabilities: (K,).

    Returns:
        0 to 1; None where the mix is empty or names an animal that the classifier does not know.
    """
    if not mix or not set(mix) <= set(classes):
        return None
    total = sum(mix.values())
    indices = {name: index for index, name in enumerate(classes)}
    return sum(
        min(share / total, float(probabilities[indices[name]])) for name, share in mix.items()
    )


def rank_takes(
    takes: Sequence[Take],
    mix: Mapping[str, float],
    classifier: AudioClassifier,
    index: MemorisationIndex | None,
    prompt: str = "",
    scorer: PromptScorer | None = None,
) -> list[RankedTake]:
    """All takes of one call, the best first; takes without a flag come before the others.

    Args:
        takes: of one request.
        mix: the requested animals, class -> share.
        classifier: hears the animals.
        index: of the training recordings; None looks for no copies.
        prompt: the requested text.
        scorer: how well a take fits ``prompt`` then counts as much as how far it sounds like the
            animals of ``mix``.
    """
    ranked = []
    for take in takes:
        findings = check_quality(take.audio, take.rate)

        # What cannot be heard cannot be classified, and NaN would spread.
        if any(finding.kind in ("not finite", "silence") for finding in findings):
            ranked.append(RankedTake(take, 0.0, None, None, None, findings, _flags(findings, None)))
            continue

        features, probabilities = classifier.classify([take.audio], take.rate)
        agreement = mix_overlap(mix, classifier.classes, probabilities[0])
        natural = float(index.typicality(features)[0]) if index else None
        nearest = index.nearest_recording(take.audio, take.rate) if index else None
        fit = scorer.prompt_similarity(prompt, take.audio, take.rate) if scorer and prompt else None

        parts = ((_AGREEMENT, agreement), (_AGREEMENT, fit), (_NATURAL, natural))
        score = max(0.0, _weighted_mean(parts) - _BLEMISH * len(findings))
        flags = _flags(findings, nearest)
        ranked.append(
            RankedTake(take, score, agreement, natural, nearest, findings, flags, fit=fit)
        )
    return sorted(ranked, key=lambda take: (bool(take.flags), -take.score))


def _flags(findings: Sequence[Finding], nearest: tuple[float, str] | None) -> tuple[str, ...]:
    """The sentences that keep a take from being published."""
    flags = [finding.sentence for finding in findings if finding.fatal]
    if nearest and nearest[0] >= COPY:
        flags.append(f"It is a copy of {nearest[1]} ({nearest[0]:.0%} alike).")
    return tuple(flags)


def _weighted_mean(parts: Sequence[tuple[float, float | None]]) -> float:
    """The mean of the values that there are, with their weights; 0.5 where there is none."""
    present = [(weight, value) for weight, value in parts if value is not None]
    if not present:
        return 0.5
    total = sum(weight for weight, _ in present)
    return sum(weight * value for weight, value in present) / total
