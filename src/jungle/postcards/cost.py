"""What making a jungle costs: minutes, energy and money. Estimates are called estimates.

.jungle/ledger.json keeps what was measured; a published page shows what was counted, because it
must not change from build to build.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..records import Postcard
from ..storage.atomic import write_json
from ..storage.build_cache import FOLDER

# of a busy laptop or of a GPU with its host; a meter would know better
WATTS = {
    "cpu": 30.0,
    "mps": 30.0,
    "cuda": 350.0,
}
# of two cores, measured for the shipped models (docs/LOG.md)
SECONDS = {
    "picture": 0.5,
    "take": 0.6,
    "postcard": 2.0,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Of one run."""

    seconds: float
    device: str  # "cpu", "cuda:0" ...
    dollars: float = 0.0  # paid to services
    tokens: int = 0  # of language models

    @property
    def watt_hours(self) -> float:
        """Estimated from the time and the usual power of such a device."""
        return self.seconds / 3600 * WATTS.get(self.device.split(":")[0], WATTS["cpu"])

    def in_words(self) -> str:
        """Minutes, energy and money in one line."""
        money = f"about {self.dollars:.4f} dollars" if self.dollars else "no money"
        if self.tokens:
            money = (
                f"{self.tokens:,} tokens of a language model, "
                f"{money if self.dollars else 'whose price is not known here'}"
            )
        return (
            f"{self.seconds / 60:.1f} minutes, about {self.watt_hours:.1f} Wh (estimated), {money}"
        )


@dataclass(slots=True)
class Spent:
    """What services took so far."""

    dollars: float = 0.0
    tokens: int = 0


def add_cost(jungle: Path, cost: Cost) -> Cost:
    """Add a run to the ledger of a jungle; returns the sum of all."""
    where = jungle / FOLDER / "ledger.json"

    try:
        runs = json.loads(where.read_text(encoding="utf-8"))
        total = [float(run) for run in (runs["seconds"], runs["dollars"], runs["tokens"])]

    # A ledger that is damaged starts anew: it is a service, not a record.
    except (OSError, ValueError, KeyError, TypeError):
        total = [0.0, 0.0, 0.0]

    whole = Cost(
        seconds=total[0] + cost.seconds,
        device=cost.device,
        dollars=total[1] + cost.dollars,
        tokens=int(total[2]) + cost.tokens,
    )
    write_json(
        where,
        {"seconds": round(whole.seconds, 1), "dollars": whole.dollars, "tokens": whole.tokens},
    )

    return whole


def describe_cost(
    cards: Sequence[Postcard], sketches: int, takes: int
) -> tuple[tuple[str, str], ...]:
    """What went into the animals of a page, as (label, value): the same for the same animals."""
    parts = (
        ("picture", sketches * len(cards)),
        ("take", takes * len(cards)),
        ("postcard", len(cards)),
    )

    # Counted, not timed, so that the page has the same bytes on every machine.
    seconds = sum(SECONDS[what] * count for what, count in parts)
    watt_hours = seconds / 3600 * WATTS["cpu"]
    engines = sorted({card.call.engine for card in cards})
    written = sum(phrase.provenance != "engine" for card in cards for phrase in card.phrases)
    steps = " or ".join(str(number) for number in sorted({card.picture.steps for card in cards}))

    return (
        (
            "Pictures",
            f"{sketches * len(cards)} in {steps} steps from noise, of which a network trained on "
            f"ImageNet kept {len(cards)}",
        ),
        (
            "Calls",
            f"{takes * len(cards)} takes, of which {len(cards)} were kept ({', '.join(engines)})",
        ),
        (
            "Phrases",
            f"{sum(len(card.phrases) for card in cards)}, {written} of them from a language model",
        ),
        (
            "Time",
            f"about {seconds / 60:.1f} minutes of a laptop with two cores (estimated from what was "
            "counted)",
        ),
        ("Energy", f"about {watt_hours:.1f} Wh (the same time at {WATTS['cpu']:.0f} W)"),
    )
