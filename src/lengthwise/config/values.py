"""Turn plain values into typed options; a value that a field does not allow is refused with the reason."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from lengthwise.config.documentation import describe_options, suggest
from lengthwise.config.reflection import Field, find_variants, read_fields
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError

Section = TypeVar("Section")

MISSING = "???"
_LONGEST_SHOWN = 80


def read_section(section: type[Section], values: object, *, prefix: str) -> Section:
    """Turn a mapping into an options class.

    Args:
        section: The dataclass to make.
        values: Option by name; every field and nothing else.
        prefix: Dotted name of the section, empty for the root.

    Returns:
        The section, every nested one included.

    Raises:
        ConfigError: An option is unknown, missing, of the wrong type or out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(
            prefix or "the configuration",
            "must be a section of options",
            received=show_value(values),
            remedy=f"Choose a file of conf/{prefix}/, or set options below it, such as {prefix}.name",
        )
    made: type = section
    fields = read_fields(made)
    _refuse_unknown(section, values, prefix=prefix)
    _refuse_missing(fields, values, prefix=prefix)
    return section(**{field.name: _read_field(field, values, prefix=prefix) for field in fields})


def _refuse_unknown(section: type, values: Mapping[Any, object], *, prefix: str) -> None:
    known = [_join(prefix, field.name) for field in read_fields(section)]
    for key in values:
        name, value = _join(prefix, str(key)), values[key]
        if name in known:
            continue
        while isinstance(value, Mapping) and value:  # name the option that was written, not a section
            inner, value = next(iter(value.items()))
            name = f"{name}.{inner}"
        raise refuse_unknown(name, among=known, received=show_value(value))


def refuse_unknown(name: str, *, among: list[str], received: str | None) -> ConfigError:
    """Build the refusal of an option that does not exist.

    Args:
        name: Dotted name as it was written.
        among: The names that the section has.
        received: The value as text.
    """
    owners = list(dict.fromkeys(o.section for o in describe_options() if o.name == name))
    if owners:
        rule = f"is an option of {' and of '.join(owners)} only"
        remedy = f"Add {owners[0].partition(',')[0]}, or drop it"
        return ConfigError(name, rule, received=received, remedy=remedy)
    everywhere = [*among, *(o.name for o in describe_options())]
    hint = suggest(name, among) or suggest(name, everywhere)
    section = name.rpartition(".")[0]
    listing = f"`lengthwise options {section}`" if section else "`lengthwise options`"
    return ConfigError(name, "is not an option", received=received, remedy=f"{hint}{listing} lists all")


def _refuse_missing(fields: Sequence[Field], values: Mapping[Any, object], *, prefix: str) -> None:
    """Refuse a section in which options have no value: one by its own remedy, several together."""
    missing = [field for field in fields if _is_missing(values.get(field.name, MISSING))]
    if not missing:
        return
    field, name = missing[0], _join(prefix, missing[0].name)
    rule = "has no value"
    remedy = f"Choose one: {name}=NAME" if field.sections else f"Give it a value: {name}=..., {field.demand}"
    if len(missing) > 1:
        rule += f", nor have {', '.join(field.name for field in missing[1:])}"
        remedy = f"A file of conf/{prefix}/ holds every option: copy them from another one"
        remedy = remedy if prefix else "Compose conf/config.yaml, which has a value for every option"
    raise ConfigError(name, rule, received=None, remedy=remedy)


def _is_missing(value: object) -> bool:
    return isinstance(value, str) and value == MISSING


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _read_field(field: Field, values: Mapping[Any, object], *, prefix: str) -> object:
    name = _join(prefix, field.name)
    value = values[field.name]
    if field.sections:
        return _read_variant(field, value, name=name)
    return check_value(field, value, name=name)


def _read_variant(field: Field, value: object, *, name: str) -> object:
    table = find_variants(field)
    if not table or not isinstance(value, Mapping):
        return read_section(field.sections[0], value, prefix=name)
    chosen = value.get("name", MISSING)
    if not isinstance(chosen, str) or chosen not in table:
        words = ", ".join(table)
        hint = suggest(str(chosen), table)
        raise ConfigError(
            f"{name}.name",
            f"must be one of {words}",
            received=show_value(chosen),
            remedy=f"{hint}Choose a file of conf/{name}/ with {name}=NAME",
        )
    return read_section(table[chosen], value, prefix=name)


def check_value(field: Field, value: object, *, name: str) -> object:
    """Check one value against its field.

    Args:
        field: What is allowed.
        value: What was given.
        name: Dotted name for the refusal.

    Returns:
        The value; a whole number as a float where the field is a number, a list as a tuple of texts.

    Raises:
        ConfigError: The value is of another type, out of range, or of the wrong shape.
    """
    if value is None and field.nullable:
        return None
    if isinstance(value, str):
        if value in field.words:
            return value
        if field.kind is str or field.or_text:
            return _check_text(field, value, name=name)
    elif field.kind is bool and isinstance(value, bool):
        return value
    elif field.kind in (int, float) and _is_number(value, field.kind):
        return _check_range(field, value, name=name)
    elif field.kind is tuple and isinstance(value, list | tuple):
        return _check_list(field, value, name=name)
    raise _refuse(field, value, name=name)


def _check_list(field: Field, values: Sequence[object], *, name: str) -> tuple[str, ...]:
    """Check a list of texts; a whole number in it, such as that of a column, is read as a text."""
    texts = [str(value) if _is_number(value, int) else value for value in values]
    checked = [_check_text(field, text, name=name) for text in texts if isinstance(text, str) and text.strip()]
    if not checked or len(checked) < len(texts):
        raise _refuse(field, values, name=name)
    repeated = next((text for text in checked if checked.count(text) > 1), None)
    if repeated is not None:
        raise ConfigError(name, "names something twice", received=show_value(repeated), remedy="Leave one of them out")
    return tuple(checked)


def _is_number(value: object, kind: type | None) -> bool:
    allowed = (int,) if kind is int else (int, float)
    return isinstance(value, allowed) and not isinstance(value, bool)


def _check_range(field: Field, value: Any, *, name: str) -> int | float:
    between = field.between
    if isinstance(value, float) and not math.isfinite(value):
        raise _refuse(field, value, name=name)
    if between is not None:
        low = value > between.low if between.low_open else value >= between.low
        high = value < between.high if between.high_open else value <= between.high
        if not (low and high):
            raise _refuse(field, value, name=name)
    return float(value) if field.kind is float else int(value)


def _check_text(field: Field, value: str, *, name: str) -> str:
    # Control characters, surrogates, line and paragraph separators: YAML would not read them back unchanged.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise ConfigError(
            name,
            "must not hold control characters, or bytes that are not text",
            received=show_value(value),
            remedy="Take them out",
        )
    if field.path is not None and not value.strip():
        raise _refuse(field, value, name=name)
    if field.pattern is not None and re.fullmatch(field.pattern.expression, value) is None:
        raise _refuse(field, value, name=name)
    return value


def _refuse(field: Field, value: object, *, name: str) -> ConfigError:
    leaf = f"`lengthwise options {name}` says what it means"
    if isinstance(value, str) and field.words:
        hint = suggest(value, field.words)
        return ConfigError(name, f"must be {field.demand}", received=show_value(value), remedy=f"{hint}{leaf}")
    if field.kind is str and isinstance(value, int | float):
        leaf = f"To give a number as a text, quote it twice: \"{name}='{show_value(value)}'\""
    return ConfigError(name, f"must be {field.demand}", received=show_value(value), remedy=leaf)


def format_value(value: str | int | float | bool | tuple[str, ...] | None) -> str:
    """Write the value of an option as on the command line.

    Args:
        value: Of an option.

    >>> format_value(None), format_value(True), format_value(0.5), format_value("repeat"), format_value(("a", "b"))
    ('null', 'true', '0.5', 'repeat', '[a,b]')
    """
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"[{','.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_value(value: object) -> str:
    """Write a value as the user would write it, on one line and not too long.

    Args:
        value: Any plain value.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "a section of options"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    try:
        text = hide_credentials(repr(value))  # before it is cut, which could take away what a credential is known by
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
