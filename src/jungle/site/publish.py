"""From the postcards of a jungle to its page."""

from collections.abc import Sequence
from pathlib import Path

from ..config.jungle_toml import Config
from ..postcards.cost import describe_cost
from ..postcards.pipeline import TAKES, StageProgress
from ..records import Postcard
from ..storage.build_cache import BuildCache
from . import credits
from .build import SiteSettings, build_site

SITE = "site"


def publish(
    out: Path,
    cards: Sequence[Postcard],
    wishes: Config,
    build_cache: BuildCache,
    progress: StageProgress,
) -> Path:
    """The site of these cards in ``out``/site; returns its first page."""
    settings = SiteSettings(
        title=wishes.title,
        world=wishes.world,
        base_url=wishes.base_url,
        metadata=wishes.metadata,
        models=credits.models(cards),
        credits=credits.credits_of(cards),
        ledger=describe_cost(cards, wishes.sketches, TAKES),
    )
    return build_site(
        out, cards, out / SITE, settings, lambda done: progress("page", done), build_cache
    ).index
