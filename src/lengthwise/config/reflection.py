"""Read from the types of `options.py` what each field allows: its kind, range, choices and documentation."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lengthwise.config import options
from lengthwise.config.options import Between, FilePath, ListOf, Pattern
from lengthwise.config.plugins import find_dataset_options

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", tuple: "a list"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of an options class, read from its type and from the text under it.

    Args:
        name: Name of the field, without its section's.
        meaning: Its documentation as one line.
        kind: `int`, `float`, `bool`, `str` or `tuple` (a list of texts); None where only `words` or `sections` are
            allowed.
        or_text: Whether a text that matches `pattern` is allowed beside a number.
        between: Range of a number.
        pattern: What a text must match.
        path: Words for a text that names a file.
        listed: Words for what a list names.
        words: Words allowed beside or instead of `kind`.
        nullable: Whether null is allowed.
        sections: The options classes of a nested section, of which the option `name` picks one; empty elsewhere.
    """

    name: str
    meaning: str
    kind: type | None = None
    or_text: bool = False
    between: Between | None = None
    pattern: Pattern | None = None
    path: FilePath | None = None
    listed: ListOf | None = None
    words: tuple[str, ...] = ()
    nullable: bool = False
    sections: tuple[type, ...] = ()

    @property
    def range_text(self) -> str:
        """The range or shape in words, such as `from 1 to 65536 units`; empty where there is none."""
        if self.between is not None:
            return describe_range(self.between)
        if self.pattern is not None:
            return self.pattern.words
        if self.listed is not None:
            return self.listed.words
        return self.path.words if self.path is not None else ""

    @property
    def type_text(self) -> str:
        """What may be given, such as `a whole number, auto or null`."""
        parts = [KINDS[self.kind]] if self.kind is not None else []
        parts += [KINDS[str]] if self.or_text else []
        parts += [*self.words, *(["null"] if self.nullable else [])]
        return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    @property
    def demand(self) -> str:
        """What a value must be, as the end of `must be ...`."""
        kind = KINDS[self.kind] if self.kind is not None else None
        if kind is not None and self.range_text:
            joint = " " if self.between is not None else ": "
            kind = f"{kind}{joint}{self.range_text}"
        text = [f"{KINDS[str]}: {self.pattern.words}"] if self.or_text and self.pattern is not None else []
        parts = [*([kind] if kind else []), *text, *self.words, *(["null"] if self.nullable else [])]
        if kind is None and len(self.words) > 1:
            return "one of " + ", ".join(parts)
        return ", or ".join(parts)


def describe_range(between: Between) -> str:
    """Put a range in words.

    Args:
        between: The range.

    Returns:
        Such as `from 1 to 65536 units` or `above 0 and below 1 share of the examples`.
    """
    low, high = (f"{bound:.15g}" for bound in (between.low, between.high))
    if not between.low_open and not between.high_open:
        return f"from {low} to {high} {between.unit}"
    lower = f"above {low}" if between.low_open else f"at least {low}"
    upper = f"below {high}" if between.high_open else f"at most {high}"
    return f"{lower} and {upper} ({between.unit})"


@cache
def read_fields(section: type) -> tuple[Field, ...]:
    """Read the fields of an options class.

    Args:
        section: A dataclass of `options.py`, or of a package that adds a dataset.

    Returns:
        Its fields in order.
    """
    hints = typing.get_type_hints(section, include_extras=True)
    texts = read_meanings(inspect.getfile(section)).get(section.__name__, {})
    fields = [_read_field(f.name, hints[f.name], texts.get(f.name, "")) for f in dataclasses.fields(section)]
    if section is options.RunOptions:
        fields = [_add_plugins(field) if field.name == "dataset" else field for field in fields]
    return tuple(fields)


def _add_plugins(field: Field) -> Field:
    """Return the field of the dataset with the datasets that other packages add."""
    return dataclasses.replace(field, sections=(*field.sections, *find_dataset_options(field.sections)))


def _read_field(name: str, hint: object, meaning: str) -> Field:
    field = Field(name=name, meaning=meaning)
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    for member in typing.get_args(hint) if union else (hint,):
        field = _add_member(field, member)
    return field


def _add_member(field: Field, member: object) -> Field:
    """Return `field` with what one member of its type's union allows."""
    if member is type(None):
        return dataclasses.replace(field, nullable=True)
    if typing.get_origin(member) is typing.Literal:
        return dataclasses.replace(field, words=field.words + typing.get_args(member))
    if typing.get_origin(member) is typing.Annotated:
        base, *marks = typing.get_args(member)
        for mark in marks:
            slot = {Between: "between", Pattern: "pattern", FilePath: "path", ListOf: "listed"}[type(mark)]
            field = dataclasses.replace(field, **{slot: mark})
        return _add_member(field, base)
    if typing.get_origin(member) in (typing.Union, types.UnionType):
        for inner in typing.get_args(member):
            field = _add_member(field, inner)
        return field
    if member is str and field.kind is int:
        return dataclasses.replace(field, or_text=True)
    kind = typing.get_origin(member) or member
    if isinstance(kind, type) and kind in KINDS:
        return dataclasses.replace(field, kind=kind)
    if isinstance(member, type) and dataclasses.is_dataclass(member):
        return dataclasses.replace(field, sections=(*field.sections, member))
    raise TypeError(f"options.py: {field.name} has a type that the gate does not know: {member!r}")


def find_variants(field: Field) -> dict[str, type]:
    """Return which class each value of a section's option `name` picks.

    Args:
        field: A field with sections.

    Returns:
        Class by name; empty for a section of one class whose name is free, such as a model preset's.
    """
    table: dict[str, type] = {}
    for section in field.sections:
        name = next((f for f in read_fields(section) if f.name == "name"), None)
        table |= dict.fromkeys(name.words if name is not None else (), section)
    return table


@cache
def read_meanings(file: str = options.__file__) -> dict[str, dict[str, str]]:
    """Read the documentation of every field of the options classes of a module.

    Args:
        file: Of the module.

    Returns:
        By class, then by field: the text under the field, as one line.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: _read_class(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef) -> dict[str, str]:
    meanings: dict[str, str] = {}
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            meanings[statement.target.id] = " ".join(str(following.value.value).split())
    return meanings
