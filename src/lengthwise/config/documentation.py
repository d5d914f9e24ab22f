"""Describe every option with its type, range and meaning, and find the name that a misspelt one probably means."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from lengthwise.config.options import PLUGIN_OPTIONS, RunOptions
from lengthwise.config.reflection import Field, find_variants, read_fields


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionDescription:
    """One option as the user knows it.

    Args:
        name: Dotted name, such as `model.feedback`.
        type_text: What may be given, such as `a whole number or auto`.
        range_text: Range or shape in words, unit included; empty where there is none.
        unit: Unit of a number; empty where there is none.
        meaning: What it does.
        section: The choice it belongs to, such as `dataset=digits`; empty for the study's axes.
        section_meaning: What that choice is.
    """

    name: str
    type_text: str
    range_text: str
    unit: str
    meaning: str
    section: str
    section_meaning: str


@cache
def describe_options() -> tuple[OptionDescription, ...]:
    """Describe every option of every variant, in the order of `options.py`."""
    found: list[OptionDescription] = []
    for field in read_fields(RunOptions):
        if not field.sections:
            found.append(_describe(field, name=field.name, section="", section_meaning="The study's axes."))
        for variant in field.sections:
            names = [word for word, chosen in find_variants(field).items() if chosen is variant]
            section = f"{field.name}={','.join(names)}" if names else field.name
            found += _describe_section(variant, prefix=field.name, section=section)
    for plugin, section in PLUGIN_OPTIONS.items():
        found += _describe_section(plugin, prefix=section.partition("=")[0].replace("/", "."), section=section)
    return tuple(found)


def _describe_section(variant: type, *, prefix: str, section: str) -> list[OptionDescription]:
    meaning = (inspect.getdoc(variant) or "").splitlines()[0]
    return [
        _describe(field, name=f"{prefix}.{field.name}", section=section, section_meaning=meaning)
        for field in read_fields(variant)
    ]


def _describe(field: Field, *, name: str, section: str, section_meaning: str) -> OptionDescription:
    return OptionDescription(
        name=name,
        type_text=field.type_text,
        range_text=field.range_text,
        unit=field.between.unit if field.between is not None else "",
        meaning=field.meaning,
        section=section,
        section_meaning=section_meaning,
    )


def find_options(word: str) -> list[OptionDescription]:
    """Find the options whose name, section or meaning holds a word; all for an empty one.

    Args:
        word: Part of a name or of a text, upper or lower case.
    """
    sought = word.lower()
    named = [o for o in describe_options() if sought in o.name.lower() or sought in o.section.lower()]
    return named or [o for o in describe_options() if sought in o.meaning.lower()]


def find_nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the name that was probably meant.

    Args:
        name: What was written, dotted or not.
        candidates: Names that exist, dotted or not.

    Returns:
        The candidate that ends in the same word (`epochs`: `training.epochs`), else the one
        with the most similar spelling, else None.
    """
    known = list(dict.fromkeys(candidates))
    leaf = name.rpartition(".")[2]
    same = [c for c in known if c.rpartition(".")[2] == leaf]
    close = difflib.get_close_matches(name, same or known, n=1, cutoff=0.0 if same else 0.6)
    if close:
        return close[0]
    by_leaf = {c.rpartition(".")[2]: c for c in reversed(known)}
    close = difflib.get_close_matches(leaf, by_leaf, n=1, cutoff=0.7)
    return by_leaf[close[0]] if close else None


def suggest(name: str, candidates: Iterable[str]) -> str:
    """Write the remedy for a name that does not exist, as the beginning of a sentence's list of remedies.

    Args:
        name: What was written.
        candidates: Names that exist.

    Returns:
        `Did you mean X? `, or an empty text where no name is similar.
    """
    nearest = find_nearest(name, candidates)
    return f"Did you mean {nearest}? " if nearest is not None else ""
