"""Write docs/postcard.schema.json from the records; with --check only say whether it is up to date."""

import dataclasses
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

from jungle import records

TARGET = Path(__file__).parent / "postcard.schema.json"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema_of(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a type; records are added to ``found`` by name."""
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if dataclasses.is_dataclass(kind):
        name = typing.cast(type, kind).__name__
        if name not in found:
            found[name] = {}  # stands for itself while its fields are looked at
            hints = typing.get_type_hints(kind)
            fields = dataclasses.fields(kind)
            found[name] = {
                "type": "object",
                "description": (kind.__doc__ or "").strip().split("\n")[0],
                "properties": {one.name: schema_of(hints[one.name], found) for one in fields},
                "required": [one.name for one in fields],
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": schema_of(arguments[0], found)}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [schema_of(one, found) for one in arguments],
            "minItems": len(arguments),
            "items": False,
        }
    if origin is dict:
        return (
            {"type": "object"}
            if arguments[1] is Any
            else {"type": "object", "additionalProperties": schema_of(arguments[1], found)}
        )
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(one, found) for one in arguments]}
    raise TypeError(f"no schema for {kind}")


def main() -> None:
    """Write or check."""
    parts: dict[str, Any] = {}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A postcard of the jungle",
        "x-schema": records.SCHEMA,
    }
    whole |= schema_of(records.Postcard, parts) | {"$defs": parts}
    text = json.dumps(whole, indent=1) + "\n"
    if "--check" in sys.argv:
        sys.exit(
            0
            if TARGET.exists() and TARGET.read_text() == text
            else "docs/postcard.schema.json is out of date: run  make docs"
        )
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
