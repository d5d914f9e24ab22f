"""The options as a JSON Schema, by which an editor completes and checks YAML files of configuration."""

from __future__ import annotations

import inspect
from typing import Any

from lengthwise.config.options import RunOptions
from lengthwise.config.reflection import Field, find_variants, read_fields

Schema = dict[str, Any]

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string", tuple: "array"}
_REFERENCE: Schema = {"type": "string", "pattern": r"^\$\{[\w.]+\}$", "description": "The value of another option."}
_BESIDE = ("defaults", "hydra", "about")
"""Keys that a file may have beside options: its choice of files, its sweep, what it says about itself."""


def build_schema() -> Schema:
    """Build the schema of a whole configuration, JSON Schema 2020-12.

    A file sets some of the options, so none is required; a name that is no option is an error.
    """
    properties = {field.name: _describe(field) for field in read_fields(RunOptions)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Lengthwise",
        "type": "object",
        "properties": properties | {name: {} for name in _BESIDE},
        "additionalProperties": False,
        "$defs": {"reference": _REFERENCE},
    }


def _describe(field: Field) -> Schema:
    if field.sections:
        variants = [_describe_section(section, field) for section in field.sections]
        return variants[0] if len(variants) == 1 else {"anyOf": variants}
    allowed = _list_allowed(field)
    schema = allowed[0] if len(allowed) == 1 else {"anyOf": allowed}
    return {**schema, "description": _write_meaning(field)}


def _describe_section(section: type, field: Field) -> Schema:
    """Describe the options of one variant, which its name picks."""
    names = [name for name, variant in find_variants(field).items() if variant is section]
    properties = {each.name: _describe(each) for each in read_fields(section)}
    if names:
        properties["name"] = {"enum": names, "description": properties["name"]["description"]}
    return {
        "type": "object",
        "description": (inspect.getdoc(section) or "").partition("\n")[0],
        "properties": properties | {"about": {}},
        "additionalProperties": False,
    }


def _list_allowed(field: Field) -> list[Schema]:
    """List what a value may be: its type with range, the words beside it, null, and a reference to another option."""
    allowed: list[Schema] = []
    if field.kind is not None:
        allowed.append(_describe_kind(field))
    if field.kind is not str and field.or_text and field.pattern is not None:
        allowed.append({"type": "string", "pattern": f"^(?:{field.pattern.expression})$"})
    if field.words:
        allowed.append({"enum": list(field.words)})
    if field.nullable:
        allowed.append({"type": "null"})
    return [*allowed, {"$ref": "#/$defs/reference"}]


def _describe_kind(field: Field) -> Schema:
    schema: Schema = {"type": _TYPES[field.kind or str]}
    if field.kind is tuple:
        schema["items"] = {"type": ["string", "integer"]}
    if field.kind is str and field.pattern is not None:
        schema["pattern"] = f"^(?:{field.pattern.expression})$"
    if field.between is not None:
        low, high = field.between.low, field.between.high
        schema["exclusiveMinimum" if field.between.low_open else "minimum"] = low
        schema["exclusiveMaximum" if field.between.high_open else "maximum"] = high
    return schema


def _write_meaning(field: Field) -> str:
    """Write what an editor shows: the meaning, then what may be given."""
    return f"{field.meaning} ({field.demand})"
