"""From views to the bytes of pages and scripts: one way for text into HTML, one into scripts."""

import json
import unicodedata
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from ..storage.atomic import digest

TEMPLATES, STATIC = "templates", "static"


@cache
def static_files() -> dict[str, bytes]:
    """Everything that pages load and that is the same for all sites: path on the site to bytes."""
    return _files(STATIC)


@cache
def _files(folder: str) -> dict[str, bytes]:
    results: dict[str, bytes] = {}

    def walk(place: Any, prefix: str) -> None:
        for entry in sorted(place.iterdir(), key=lambda one: one.name):
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif not entry.name.startswith("."):
                results[prefix + entry.name] = entry.read_bytes()

    walk(resources.files(__package__).joinpath(folder), "")
    return results


@cache
def environment() -> Environment:
    """Templates in which every value is escaped, and a name that is not defined is an error and not
    nothing.
    """
    texts = {name: data.decode() for name, data in _files(TEMPLATES).items()}
    return Environment(
        loader=DictLoader(texts),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def templates_digest() -> str:
    """Of all templates: they include one another."""
    return digest(*(part for name, data in _files(TEMPLATES).items() for part in (name, data)))


def page(template: str, **values: Any) -> bytes:
    """A page as UTF-8."""
    return environment().get_template(template).render(**values).encode()


def script_json(value: Any) -> str:
    """JSON that is also a JavaScript expression, and cannot end or open an element or comment in
    HTML around it.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return (
        text.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def put(kind: str, name: str, value: Any) -> bytes:
    """A classic script that hands a value to the page: it works from a disk, where pages may not
    read files.
    """
    return f"JUNGLE.put({script_json(kind)},{script_json(name)},{script_json(value)});\n".encode()


def folded(text: str) -> str:
    """Lower case without accents, as people type when they search."""
    marks = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(
        "".join(character for character in marks if not unicodedata.combining(character)).split()
    )
