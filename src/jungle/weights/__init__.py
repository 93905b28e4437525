"""The models that the package ships, each with a model card of the same name."""

from pathlib import Path

from ..errors import MissingExtra


def shipped(name: str) -> Path:
    """The path of a shipped file.

    Raises:
        MissingExtra: the installation lacks it.
    """
    path = Path(__file__).with_name(name)
    if not path.is_file():
        raise MissingExtra(
            f"The shipped model {name} is missing from this installation: install jungle again, or "
            "name a model of yours with <--model>."
        )
    return path
