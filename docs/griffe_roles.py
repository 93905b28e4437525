"""Docstrings for the reference: Sphinx roles such as :func:`~jungle.errors.x` become plain code."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")


class PlainRoles(griffe.Extension):
    """Shows the last part of a name after a ``~``, as Sphinx does, and the whole name without."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of every module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(_code, obj.docstring.value)


def _code(match: re.Match[str]) -> str:
    name = match[1].rpartition(".")[2] if "~" in match[0] else match[1]
    return f"`{name}`"
