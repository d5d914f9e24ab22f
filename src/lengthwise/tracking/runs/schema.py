"""Reading frozen dataclasses from JSON, with the type of every value checked."""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

_NUMBERS = {"nan", "inf", "-inf"}
"""Texts that stand for the numbers that JSON lacks."""


def parse_fields(kind: type[T], content: object, *, name: str = "") -> T:
    """Build a dataclass from a JSON object.

    Args:
        kind: The dataclass; its fields are texts, numbers, booleans, literals, None, other such dataclasses, mappings
            with texts as keys, and tuples of any length.
        content: The object.
        name: Of the object within the file, for messages.

    Raises:
        ValueError: A field is missing or unknown, or a value is of another type; names it.
    """
    if not isinstance(content, dict):
        raise _mismatch(name or "the file", "an object", content)
    fields = _describe(cast("Any", kind))
    prefix = f"{name}." if name else ""
    for key in content.keys() - fields.keys():
        raise ValueError(f"{prefix}{key} is not a field of it")
    values = {}
    for key, field in fields.items():
        if key in content:
            value = content[key]
            values[key] = value if type(value) in field.taken else _convert(value, field.hint, f"{prefix}{key}")
        elif field.is_required:
            raise ValueError(f"{prefix}{key} is missing")
    return kind(**values)


class _Field(NamedTuple):
    hint: Any
    taken: frozenset[type[Any]]  # types whose values are taken as they are
    is_required: bool


@functools.cache
def _describe(kind: Any) -> dict[str, _Field]:
    hints = get_type_hints(kind)
    return {
        field.name: _Field(hints[field.name], _find_types(hints[field.name]), field.default is dataclasses.MISSING)
        for field in dataclasses.fields(kind)
    }


@functools.cache
def _find_types(hint: Any) -> frozenset[type[Any]]:
    """Return the types whose values a hint takes as they are."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    return frozenset(option for option in options if option in (str, int, float, bool, type(None)))


def _convert(value: Any, hint: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return parse_fields(hint, value, name=name)
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments, name)
    if origin is Literal:
        if value not in arguments:
            raise _mismatch(name, f"one of {', '.join(map(str, arguments))}", value)
        return value
    if origin is tuple:
        return _convert_list(value, arguments[0], name)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _mismatch(name, "an object", value)
        if _find_types(arguments[1]).issuperset(map(type, value.values())):
            return {sys.intern(key): item for key, item in value.items()}  # of many runs one copy of each key
        return {sys.intern(key): _convert(item, arguments[1], f"{name}.{key}") for key, item in value.items()}
    return _convert_scalar(value, hint, name)


def _convert_list(value: Any, hint: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _mismatch(name, "a list", value)
    if _find_types(hint).issuperset(map(type, value)):
        return tuple(value)
    return tuple(_convert(item, hint, f"{name}[{place}]") for place, item in enumerate(value))


def _convert_union(value: Any, options: tuple[Any, ...], name: str) -> Any:
    if value is None and type(None) in options:
        return None
    others = [option for option in options if option is not type(None)]
    if len(others) == 1:
        return _convert(value, others[0], name)
    if type(value) in others:
        return value
    raise _mismatch(name, "a text, a number or a boolean", value)


def _convert_scalar(value: Any, hint: type[Any], name: str) -> Any:
    if hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, str) and value in _NUMBERS:
            return float(value)
        raise _mismatch(name, "a number", value)
    if type(value) is not hint:
        raise _mismatch(name, {str: "a text", int: "a whole number", bool: "true or false"}[hint], value)
    return value


def _mismatch(name: str, expected: str, value: object) -> ValueError:
    return ValueError(f"{name} must be {expected}; got {repr(value)[:50]}")
