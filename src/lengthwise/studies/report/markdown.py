"""The report as Markdown, its figures beside it in `figures/`."""

from __future__ import annotations

from lengthwise.studies.report.answer import Answer
from lengthwise.studies.report.contents import Picture, Report, Section

_MOST_WIDTH = 80


def render_markdown(report: Report) -> str:
    """Return a report as Markdown."""
    lines = [f"# {report.title}", ""]
    if report.question:
        lines += [report.question, ""]
    if report.fate is not None:
        lines += [f"**{report.fate.verdict}.** {report.fate.prediction}", ""]
        lines += [*(f"- {rule}" for rule in report.fate.rules), ""] if report.fate.rules else []
    lines += ["## Answer", ""]
    lines += _list_answer(report.answer)
    for picture in report.lead:
        lines += _list_picture(picture)
    if report.answer.effects:
        lines += ["## What makes the difference", "", *(f"- {effect}" for effect in report.answer.effects), ""]
    if report.summary.rows:
        lines += [report.summary.to_markdown(max_width=_MOST_WIDTH), report.legend, ""]
    lines += [f"*{caution}*\n" for caution in report.answer.cautions]
    lines += [f"## {report.subject}", "", *(f"- {name}: {text}" for name, text in report.details.items()), ""]
    for section in report.sections:
        lines += _list_section(section)
    lines += ["## How to reproduce", "", *(f"    {line}" for line in report.commands), ""]
    files = "Every run: [results.csv](results.csv). All on one page: [report.html](report.html). "
    lines += [(report.notes or files) + report.made, ""]
    return "\n".join(lines)


def _list_answer(answer: Answer) -> list[str]:
    lines = [line for text in (*answer.opening, *answer.warnings) for line in (text, "")]
    choice = answer.choice
    if choice is not None:
        lines += [f"**{choice.headline}**", "", *(f"- {reason}" for reason in choice.reasons), ""]
        # An indented block below a list would be part of its last point.
        lines += ["```sh", *choice.commands, "```", ""] if choice.commands else []
    return lines


def _list_section(section: Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    if section.text:
        lines += [section.text, ""]
    for caption, table in section.tables.items():
        lines += [f"### {caption}", ""] if caption else []
        lines.append(table.to_markdown(max_width=_MOST_WIDTH))
    for picture in section.pictures:
        lines += _list_picture(picture)
    return lines


def _list_picture(picture: Picture) -> list[str]:
    return [f"![{picture.caption}](figures/{picture.name}.png)", "", picture.caption, ""]
