"""Every package that our commands install has a licence of the allow-list, by its metadata."""

import re
from importlib import metadata

import pytest
from conftest import REPOSITORY

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CNRI-Python",
    "ISC",
    "LGPL-2.1-or-later",  # soxr: a library of its own, which anybody can replace
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "Zlib",
}

# Metadata from before SPDX expressions (PEP 639) say the same in their own words.
WORDS = (
    (r"apache", "Apache-2.0"),
    (r"bsd|enthought", "BSD-3-Clause"),
    (r"mozilla|mpl", "MPL-2.0"),
    (r"\bisc\b", "ISC"),
    (r"\bmit\b", "MIT"),
)
PINNED = sorted(
    line.partition("==")[0]
    for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
)


def licences(package: str) -> set[str]:
    """SPDX identifiers of a package: of its expression, or else of its classifiers or its words."""
    about = metadata.metadata(package)
    expression = about.get("License-Expression")
    if expression:
        return set(re.split(r"\s+(?:AND|OR)\s+", expression.strip("() ")))

    classifiers = [text for text in about.get_all("Classifier", []) if text.startswith("License")]
    words = classifiers or [about.get("License") or ""]
    return {
        next((name for pattern, name in WORDS if re.search(pattern, text.lower())), text)
        for text in words
    }


@pytest.mark.parametrize("package", PINNED)
def test_licence_is_allowed(package: str) -> None:
    try:
        names = licences(package)
    except metadata.PackageNotFoundError:
        pytest.skip("not installed here")
    assert names
    assert names <= ALLOWED, f"{package}: {names - ALLOWED}"


def test_fonts_and_weights_bring_their_licences() -> None:
    package = REPOSITORY / "src" / "jungle"
    fonts = list(package.rglob("*.ttf"))
    assert fonts
    for font in fonts:
        family = font.stem.partition("-")[0]
        assert font.with_name(f"OFL-{family}.txt").is_file(), font.name

    for weights in (package / "weights").glob("*.safetensors"):
        card = weights.with_suffix(".md").read_text(encoding="utf-8")
        assert re.search(r"licen[cs]e", card, re.IGNORECASE), weights.name
