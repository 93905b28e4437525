"""May this machine use a model of the Hugging Face hub: token, licence, disk and memory, asked before anything is downloaded."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import BadInput, JungleError, MissingExtra

STABLE_AUDIO = "stabilityai/stable-audio-open-1.0"
TOKENS_PAGE = "https://huggingface.co/settings/tokens"
VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
DISK_GIB = 10.0  # Stable Audio Open 1.0 in float32 is 5.4 GB, and twice that while files move from parts into the cache
PATIENCE = 10.0  # seconds to wait for an answer of the hub
MEMORY_GIB = 8.0  # its weights take 5.4 GB in float32, decoding 47 s of sound the rest


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the hub, never shown, and where it was found."""

    value: str = field(repr=False)
    where: str


def model_page(model: str) -> str:
    """The page where the licence of ``model`` is accepted."""
    return f"https://huggingface.co/{model}"


def find_token(environment: Mapping[str, str], home: Path, folder: Path) -> Token | None:
    """The token that the hub's own tools would use, else the one in ``folder``/.env; None if there is none.

    The order: the variables of :data:`VARIABLES`, the file that ``hf auth login`` writes (HF_TOKEN_PATH, or ``token`` under
    HF_HOME, under XDG_CACHE_HOME/huggingface, or under ~/.cache/huggingface), and the same variables in ``.env``.
    """
    for name in VARIABLES:
        if value := environment.get(name, "").strip():
            return Token(value, f"the environment ({name})")
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub = Path(environment.get("HF_HOME") or cache / "huggingface")
    if value := _read(Path(environment.get("HF_TOKEN_PATH") or hub / "token")).strip():
        return Token(value, "hf auth login")
    lines = _variables(_read(folder / ".env"))
    for name in VARIABLES:
        if value := lines.get(name, ""):
            return Token(value, f".env ({name})")
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _variables(text: str) -> dict[str, str]:
    """NAME=value lines of a .env file; ``export`` in front, quotes around and comments behind are left out."""
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
    place = os.path.expanduser(
        source
    )  # which, unlike Path.expanduser, leaves a person alone who is not known here
    return Path(place) if os.path.isdir(place) else None


def check_model_name(model: str, what: str = "a Stable Audio model") -> None:
    """Refuse what, wanted as ``what``, is neither a local folder nor can be the name of a model of the hub.

    Raises:
        BadInput: it is not of the form OWNER/NAME.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", model) or re.search(r"--|\.\.", model):
        raise BadInput(
            f"There is no folder '{model}': give the folder of {what}, or its name on the hub as OWNER/NAME."
        )


def check_access(
    model: str, token: Token | None, endpoint: str | None = None, file: str = "model_index.json"
) -> None:
    """Ask the hub, in one request for a ``file`` that downloads nothing, whether ``token`` opens ``model`` ("OWNER/NAME").

    Raises:
        BadInput: no such model, no token, a wrong one, a licence that is not accepted, or no network; with the page to visit.
        MissingExtra: ``huggingface_hub`` is not installed.
    """
    check_model_name(model)
    if token and not re.fullmatch(
        r"[!-~]+", token.value
    ):  # else the error of the library would show it
        raise BadInput(
            f"The token from {token.where} holds spaces or odd characters: copy it again from {TOKENS_PAGE}."
        )
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
    except ImportError:
        raise MissingExtra.library("huggingface_hub", "stable-audio", f"Using {model}") from None
    try:
        # Asked about a file, because everybody may see the description of a gated model; and with a time limit, unlike auth_check
        url = hf_hub_url(model, file, endpoint=endpoint)
        get_hf_file_metadata(url, token=token.value if token else False, timeout=PATIENCE)
    except Exception as problem:  # the library raises its own, httpx', and its validators' errors
        raise access_error(model, token, problem) from problem


def access_error(model: str, token: Token | None, problem: BaseException) -> JungleError:
    """One sentence, with the page to visit, for whatever the hub's library raised about ``model``."""
    status: int | None = None
    cause: BaseException | None = problem  # the answer of the hub may lie some causes deep
    while cause is not None and status is None:
        status, cause = (
            getattr(getattr(cause, "response", None), "status_code", None),
            cause.__cause__ or cause.__context__,
        )
    page = model_page(model)
    if token is None and (
        status in (401, 403) or (status is None and model == STABLE_AUDIO)
    ):  # gated: no need to reach it to know
        return BadInput(
            f"{model} needs a token: accept its licence at {page}, make a token with read rights at {TOKENS_PAGE}, "
            "and store it by  hf auth login  or as HF_TOKEN."
        )
    if status == 401 and token:
        return BadInput(
            f"Hugging Face does not know the token from {token.where}: make a new one at {TOKENS_PAGE}, "
            f"with the account that accepted the licence at {page}."
        )
    if status == 403 and token:
        return BadInput(
            f"The licence of {model} is not accepted by the account of the token from {token.where}: accept it at {page} "
            f"(a fine-grained token also needs read access to gated repositories: {TOKENS_PAGE})."
        )
    if status == 404:
        return BadInput(
            f"Hugging Face has no model '{model}' (or this token may not see it): check its name at {page}."
        )
    detail = f"error {status}" if status else type(problem).__name__
    return BadInput(
        f"Hugging Face could not be asked about {model} ({detail}): check the network, or give a local folder of the model."
    )


def missing_resources(disk_gib: float, memory_gib: float | None) -> list[str]:
    """What Stable Audio Open is short of, one phrase each: free disk and memory in GiB (None = not known)."""
    found = []
    if disk_gib < DISK_GIB:
        found.append(f"{disk_gib:.0f} GiB of free disk where the download needs {DISK_GIB:.0f}")
    if memory_gib is not None and memory_gib < MEMORY_GIB:
        found.append(f"{memory_gib:.0f} GiB of memory where the model needs {MEMORY_GIB:.0f}")
    return found
