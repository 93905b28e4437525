"""May this machine use a model of the Hugging Face hub: token, licence, disk and memory.

Asked before anything is downloaded.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BadInput, JungleError, MissingExtra

STABLE_AUDIO = "stabilityai/stable-audio-open-1.0"
TOKENS_PAGE = "https://huggingface.co/settings/tokens"
VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")

# Stable Audio Open 1.0 in float32 is 5.4 GB, and twice that while files move from parts into the
# cache.
DISK_GIB = 10.0
MEMORY_GIB = 8.0  # its weights take 5.4 GB in float32, decoding 47 s of sound the rest

_TIMEOUT = 10.0  # seconds to wait for an answer of the hub


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the hub, never shown, and where it comes from."""

    value: str = field(repr=False)
    where: str  # as a sentence names it: "hf auth login"


def model_page(model: str) -> str:
    """The page where the licence of ``model`` is accepted."""
    return f"https://huggingface.co/{model}"


def find_token(environment: Mapping[str, str], home: Path, folder: Path) -> Token | None:
    """The token that the hub's own tools would use, else the one in ``folder``/.env.

    The order: the variables of :data:`VARIABLES`, the file that ``hf auth login`` writes
    (HF_TOKEN_PATH, or ``token`` under HF_HOME, under XDG_CACHE_HOME/huggingface, or under
    ~/.cache/huggingface), and the same variables in ``.env``. None if there is none.
    """
    for name in VARIABLES:
        value = environment.get(name, "").strip()
        if value:
            return Token(value, f"the environment ({name})")

    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub = Path(environment.get("HF_HOME") or cache / "huggingface")
    value = _read_text(Path(environment.get("HF_TOKEN_PATH") or hub / "token")).strip()
    if value:
        return Token(value, "hf auth login")

    # Last, because this one is ours: the hub's tools do not read it.
    variables = _parse_env(_read_text(folder / ".env"))
    for name in VARIABLES:
        value = variables.get(name, "")
        if value:
            return Token(value, f".env ({name})")
    return None


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _parse_env(text: str) -> dict[str, str]:
    """NAME=value lines of a .env file.

    ``export`` in front, quotes around and comments behind are left out.
    """
    pattern = re.compile(
        r"""^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#]*))""",
        re.MULTILINE,
    )
    return {
        match[1]: (match[2] or match[3] or match[4] or "").strip()
        for match in pattern.finditer(text)
    }


def local_folder(source: str) -> Path | None:
    """The folder ``source``, if it is one."""
    # Unlike Path.expanduser, this leaves a user alone who is not known here.
    expanded = os.path.expanduser(source)
    return Path(expanded) if os.path.isdir(expanded) else None


def check_model_name(model: str, kind: str = "a Stable Audio model") -> None:
    """Refuse what cannot be the name of a model of the hub, once it is no local folder.

    Args:
        model: "OWNER/NAME".
        kind: what it is to be, for the sentence.

    Raises:
        BadInput: it is not of the form OWNER/NAME.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model) or re.search(r"--|\.\.", model):
        raise BadInput(
            f"There is no folder '{model}': give the folder of {kind}, or its name on the hub as "
            "OWNER/NAME."
        )


def check_access(
    model: str, token: Token | None, endpoint: str | None = None, file: str = "model_index.json"
) -> None:
    """Ask the hub whether ``token`` opens ``model``.

    In one request for a file that downloads nothing.

    Args:
        model: "OWNER/NAME".
        token: None asks without one.
        endpoint: another hub.
        file: one that such a model has.

    Raises:
        BadInput: no such model, no token, a wrong one, a licence that is not accepted, or no
            network; with the page to visit.
        MissingExtra: ``huggingface_hub`` is not installed.
    """
    check_model_name(model)

    # Before the library sees it, whose error would show the token.
    if token and not re.fullmatch(r"[!-~]+", token.value):
        raise BadInput(
            f"The token from {token.where} holds spaces or odd characters: copy it again from "
            f"{TOKENS_PAGE}."
        )
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
    except ImportError:
        raise MissingExtra.library("huggingface_hub", "stable-audio", f"Using {model}") from None

    # Asked about a file, because everybody may see the description of a gated model; and with a
    # time limit, unlike auth_check. The library raises errors of its own, of httpx and of its
    # validators.
    try:
        url = hf_hub_url(model, file, endpoint=endpoint)
        get_hf_file_metadata(url, token=token.value if token else False, timeout=_TIMEOUT)
    except Exception as problem:
        raise access_error(model, token, problem) from problem


def access_error(model: str, token: Token | None, problem: BaseException) -> JungleError:
    """One sentence, with the page to visit, for whatever the hub's library raised about a model."""
    status = _http_status(problem)
    page = model_page(model)

    # Stable Audio is gated: no need to reach the hub to know that it wants a token.
    gated = status in (401, 403) or (status is None and model == STABLE_AUDIO)
    if token is None and gated:
        return BadInput(
            f"{model} needs a token: accept its licence at {page}, make a token with read rights "
            f"at {TOKENS_PAGE}, and store it by  hf auth login  or as HF_TOKEN."
        )
    if status == 401 and token:
        return BadInput(
            f"Hugging Face does not know the token from {token.where}: make a new one at "
            f"{TOKENS_PAGE}, with the account that accepted the licence at {page}."
        )
    if status == 403 and token:
        return BadInput(
            f"The licence of {model} is not accepted by the account of the token from "
            f"{token.where}: accept it at {page} (a fine-grained token also needs read access to "
            f"gated repositories: {TOKENS_PAGE})."
        )
    if status == 404:
        return BadInput(
            f"Hugging Face has no model '{model}' (or this token may not see it): check its name "
            f"at {page}."
        )
    detail = f"error {status}" if status else type(problem).__name__
    return BadInput(
        f"Hugging Face could not be asked about {model} ({detail}): check the network, or give a "
        "local folder of the model."
    )


def _http_status(problem: BaseException) -> int | None:
    """The status that the hub answered with, which may lie some causes deep."""
    cause: BaseException | None = problem
    while cause is not None:
        response = getattr(cause, "response", None)
        status: int | None = getattr(response, "status_code", None)
        if status is not None:
            return status
        cause = cause.__cause__ or cause.__context__
    return None


def missing_resources(disk_gib: float, memory_gib: float | None) -> list[str]:
    """What Stable Audio Open is short of, one phrase each.

    Args:
        disk_gib: free disk in GiB.
        memory_gib: memory in GiB; None = not known.
    """
    phrases = []
    if disk_gib < DISK_GIB:
        phrases.append(f"{disk_gib:.0f} GiB of free disk where the download needs {DISK_GIB:.0f}")
    if memory_gib is not None and memory_gib < MEMORY_GIB:
        phrases.append(f"{memory_gib:.0f} GiB of memory where the model needs {MEMORY_GIB:.0f}")
    return phrases
