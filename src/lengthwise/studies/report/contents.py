"""The contents of a report, before they become a page or Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lengthwise.evaluation.tables import Table
from lengthwise.studies.report.answer import Answer
from lengthwise.studies.report.fate import Fate


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A figure of a report.

    Args:
        name: Its file's stem.
        caption: What it shows and how to read it, a sentence or two.
        png: Its content.
    """

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of a report.

    Args:
        title: Its heading.
        text: Sentences before the rest; empty where none are needed.
        tables: Caption -> table; an empty caption where the heading says it.
        pictures: Shown after the tables.
    """

    title: str
    text: str = ""
    tables: Mapping[str, Table]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report before it is written.

    Args:
        title: Title of the study.
        question: The question of the study; None where its configuration does not state one.
        fate: Whether what was predicted before the runs is refuted; None where nothing was predicted.
        answer: The answer in words.
        summary: The main effects side by side, marked; without rows where conditions cannot be compared.
        legend: How the summary is read.
        lead: Figures shown right below the answer.
        details: Name -> text: data, budget, seeds, versions, commit.
        sections: The parts below, in order.
        commands: How to reproduce it, line by line.
        made: Date and version of the report itself.
        subject: What the details are about.
        notes: How it is read; None: as a report on a study.
    """

    title: str
    question: str | None
    fate: Fate | None = None
    answer: Answer
    summary: Table
    legend: str
    lead: tuple[Picture, ...]
    details: Mapping[str, str]
    sections: tuple[Section, ...]
    commands: tuple[str, ...]
    made: str
    subject: str = "The study"
    notes: str | None = None
