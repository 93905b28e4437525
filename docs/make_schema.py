"""Write docs/postcard.schema.json from the records.

``--check`` only says whether it is up to date.
"""

import dataclasses
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

from jungle import records

PAGE = Path(__file__).with_name("postcard.schema.json")
_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a type; records are added to ``definitions`` by name.

    Raises:
        TypeError: a type that no record has had so far.
    """
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if dataclasses.is_dataclass(kind):
        return _record_schema(typing.cast(type, kind), definitions)

    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple_schema(arguments, definitions)
    if origin is dict:
        if arguments[1] is Any:
            return {"type": "object"}
        return {"type": "object", "additionalProperties": schema_of(arguments[1], definitions)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(choice, definitions) for choice in arguments]}
    raise TypeError(f"no schema for {kind}")


def _record_schema(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # stands for itself while its fields are looked at
        hints = typing.get_type_hints(kind)
        fields = [field.name for field in dataclasses.fields(kind)]
        definitions[name] = {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            "properties": {field: schema_of(hints[field], definitions) for field in fields},
            "required": fields,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _tuple_schema(arguments: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if arguments[-1] is Ellipsis:
        return {"type": "array", "items": schema_of(arguments[0], definitions)}
    return {
        "type": "array",
        "prefixItems": [schema_of(item, definitions) for item in arguments],
        "minItems": len(arguments),
        "items": False,
    }


def render() -> str:
    """The schema as JSON."""
    definitions: dict[str, Any] = {}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A postcard of the jungle",
        "x-schema": records.SCHEMA,
    }
    schema |= schema_of(records.Postcard, definitions) | {"$defs": definitions}
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        fresh = PAGE.exists() and PAGE.read_text() == render()
        sys.exit(0 if fresh else "docs/postcard.schema.json is out of date: run  make docs")
    PAGE.write_text(render())
