"""Which server is asked, for which model, with which key; and what an answer costs there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...errors import BadInput

OPENAI = "https://api.openai.com/v1"
MODEL = "gpt-5.4-mini"  # asked at OpenAI where no other is named
NO_KEY = (
    "There is no key for api.openai.com: make one at platform.openai.com/api-keys and put it into "
    "the environment as OPENAI_API_KEY, "
    "or name a server of your own with --base-url; --engine embedded speaks now and needs neither."
)

# US dollars for a million tokens, sent and received, as OpenAI listed them in June 2026. Prices
# change: what follows is an estimate.
PRICES_OF = "June 2026"
PRICES = {
    "gpt-5.5": (5.00, 30.00),
    "gpt-5.4": (2.50, 15.00),
    "gpt-5.4-mini": (0.75, 4.50),
    "gpt-5.4-nano": (0.20, 1.25),
    "gpt-5.2": (1.75, 14.00),
    "gpt-5.1": (1.25, 10.00),
    "gpt-4.1": (2.00, 8.00),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4o-mini": (0.15, 0.60),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that speaks the protocol of chat completions, and a model it has."""

    base_url: str  # without a slash at its end
    model: str
    key: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """The name of the machine."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def official(self) -> bool:
        """Whether it is OpenAI's own, over an encrypted line: the only place for OpenAI's key."""
        return _official(self.base_url)

    @property
    def loopback(self) -> bool:
        """Whether it runs on this machine."""
        return (
            self.host in ("localhost", "::1")
            or re.fullmatch(r"127(\.\d{1,3}){3}", self.host) is not None
        )

    def cost(self, sent: int, received: int) -> float | None:
        """About what so many tokens cost in US dollars; None where no price is known."""
        if not self.official:
            return None
        # "gpt-4.1-2025-04-14" is a gpt-4.1
        prices = PRICES.get(re.sub(r"-\d{4}-\d\d-\d\d$", "", self.model))
        return (sent * prices[0] + received * prices[1]) / 1e6 if prices else None


def find_endpoint(base_url: str, model: str, environ: Mapping[str, str]) -> Endpoint:
    """The server of flags and environment. Flags win; what is empty counts as not given.

    A key goes to no server but its own: OPENAI_API_KEY to api.openai.com, JUNGLE_LLM_API_KEY to the
    server of JUNGLE_LLM_BASE_URL, or, if that is not set, to the server of the flag.

    Raises:
        BadInput: an address that is none, no model where none can be guessed, no key where one is
            needed, or one with odd characters.
    """
    own_url = _setting(environ, "JUNGLE_LLM_BASE_URL")
    url = _address(base_url.strip() or own_url or OPENAI)

    name = (
        model.strip() or _setting(environ, "JUNGLE_LLM_MODEL") or (MODEL if _official(url) else "")
    )
    if not name:
        raise BadInput(
            f"The server {url} needs the name of a model: add <--model> NAME, one of those that it "
            "has."
        )

    if not re.fullmatch(r"[\w./:@+-]{1,200}", name, re.ASCII):
        raise BadInput(
            "The name of the model has characters that no model has: give <--model> as the server "
            "lists it."
        )

    # A key goes to no server but its own.
    key = ""
    if not own_url or _origin(_address(own_url)) == _origin(url):
        key = _setting(environ, "JUNGLE_LLM_API_KEY")

    if not key and _official(url):
        key = _setting(environ, "OPENAI_API_KEY")
        if not key:
            raise BadInput(NO_KEY)

    if not re.fullmatch(r"[!-~]*", key):
        raise BadInput(
            "The key for the language model has blanks or letters that no key has: copy it again, "
            "without anything around it."
        )

    return Endpoint(url, name, key)


def _setting(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _official(url: str) -> bool:
    return _origin(url) == _origin(OPENAI)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or {"http": 80, "https": 443}[parts.scheme],
    )


def _address(url: str) -> str:
    """An address as base: with a path (/v1 where there is none), without a slash at its end.

    Raises:
        BadInput: it is none, or holds a name, password or query, which would end up in logs.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False

    if not good or not re.fullmatch(r"[!-~]{1,500}", url):
        raise BadInput(
            "The address of the language model cannot be one: write it as <--base-url> "
            "http://127.0.0.1:8080/v1."
        )

    # A key inside an address would end up in logs.
    if parts.username is not None or parts.query or parts.fragment:
        raise BadInput(
            f"The address for {parts.hostname} has a name, a query or a fragment in it: put the "
            "key into JUNGLE_LLM_API_KEY."
        )

    path = parts.path.rstrip("/")

    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"
