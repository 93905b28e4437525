"""How this copy of jungle was installed, and so which command adds one of its optional libraries.

The name ``jungle`` on PyPI is somebody else's package: no hint may send a reader to an index for
it. The command is built from PEP 610's ``direct_url.json``, which pip leaves for what was installed
from a checkout, a file or a repository.
"""

import importlib.metadata
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

DISTRIBUTION = "jungle-postcards"
"""The name of the distribution in pyproject.toml; the package and the command are ``jungle``."""


def install_command(extra: str, *libraries: str) -> str:
    """A command that installs an extra of this copy, from any working folder.

    Args:
        extra: an optional dependency of ``pyproject.toml``, such as "kaggle".
        libraries: those of it that are missing; they are named alone where it is not known, or no
            longer there, what this copy was installed from.
    """
    requirement = _requirement(_direct_url(), extra)
    return f"{_pip()} install {requirement or shlex.join(libraries)}"


def _direct_url() -> dict[str, Any]:
    """PEP 610: where this copy came from; empty where that is not known."""
    try:
        text = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        url = json.loads(text or "{}")
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return {}
    return url if isinstance(url, dict) else {}


def _requirement(origin: dict[str, Any], extra: str) -> str:
    """What ``pip install`` is told, quoted for a shell: a path or URL and the extra; or ""."""
    url = str(origin.get("url", ""))
    commit = origin.get("vcs_info")

    # A checkout or a wheel on this machine: its path is absolute, and it may have been removed.
    if url.startswith("file:") and not commit:
        path = Path(url2pathname(urlsplit(url).path))
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return editable + shlex.quote(f"{path}[{extra}]") if path.exists() else ""

    # The same commit, so that the command adds a library and changes nothing else.
    if commit:
        url = f"{commit['vcs']}+{url}@{commit['commit_id']}"
    folder = origin.get("subdirectory")
    if folder:
        url += f"#subdirectory={folder}"
    return shlex.quote(f"{DISTRIBUTION}[{extra}] @ {url}") if url else ""


def _pip() -> str:
    """pip of the environment that runs this: a bare ``pip`` may be that of another one."""
    pip = shutil.which("pip")
    here = Path(sys.executable).parent
    if pip and Path(pip).parent == here:
        return "pip"
    return f"{shlex.quote(sys.executable)} -m pip"
