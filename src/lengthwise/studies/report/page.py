"""The report as one HTML file that needs no network, and as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from lengthwise.evaluation.tables import Table
from lengthwise.studies.report.tables import MARKS
from lengthwise.studies.report.text import Answer

SMALL_PRINT = (
    "A cell is one combination of levels; its score is the mean over its seeds with a 95 % Student interval. An effect "
    "is the difference between two levels of an axis within each seed, averaged over the cells of the other axes; an "
    "interaction is the difference of two such differences. Its interval is Student's t over the seeds (seeds - 1 "
    "degrees of freedom), since seeds are the only independent repetitions and cells of one seed share its data and "
    "order. Where runs are missing, a contrast uses the seeds and cells that are complete for it (columns `seeds` and "
    "`cells`); where no cell has both levels, a linear model of main effects with the seed as a block stands in. "
    "An effect is called sure where its p-value, corrected by Holm (1979) for all effects of its table, is below 5 %; "
    "the intervals themselves are not corrected. Main effects and interactions are two families. A cell cannot "
    "be told apart from the best where the interval of their paired difference, not corrected, holds 0; that the best "
    "is chosen by the same scores makes it look a little better than it is. Scores are of sequences decoded freely; "
    "padding never counts. The exposure gap is what the score loses, or an error gains, where the model is fed its own "
    "outputs in place of the true ones. Fit times are measured side by side with other runs of the sweep."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A figure of a report.

    Args:
        name: its file's stem.
        caption: what it shows and how to read it, a sentence or two.
        png: its content.
    """

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of a report.

    Args:
        title: its heading.
        text: sentences before the rest; empty where none are needed.
        tables: caption -> table; an empty caption where the heading says it.
        pictures: shown after the tables.
    """

    title: str
    text: str = ""
    tables: Mapping[str, Table]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report before it is written.

    Args:
        title: of the study.
        question: what it was to find out; None where its overlay does not say.
        answer: in words.
        summary: the main effects side by side, marked; without rows where there is one cell.
        facts: name -> text: data, budget, seeds, versions, commit.
        sections: in order.
        commands: how to reproduce it, line by line.
        made: date and version of the report itself.
    """

    title: str
    question: str | None
    answer: Answer
    summary: Table
    facts: Mapping[str, str]
    sections: tuple[Section, ...]
    commands: tuple[str, ...]
    made: str


_STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;max-width:74rem;padding:1.2rem 1.4rem 3rem;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;
color:#222;background:#fff}
h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0}
h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid #ddd;padding-bottom:.2rem}
h3{font-size:.95rem;margin:1.2rem 0 .3rem}
p{margin:.4rem 0;max-width:60rem}
.question{font-size:1.1rem;color:#444;margin-bottom:.7rem}
.answer{border-left:4px solid #0072B2;padding:.3rem 0 .3rem 1rem;margin:.6rem 0}
.answer .lead{font-size:1.08rem}
td.good{background:#d7efe7}td.bad{background:#fbe9c8}
.care{background:#f6f6f6;padding:.5rem .9rem;margin:.7rem 0;font-size:.93rem}
.care p{margin:.15rem 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.92rem;margin:.5rem 0}
dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.4rem 0}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.22rem .6rem;border-bottom:1px solid #e5e5e5;text-align:left;vertical-align:top}
th{border-bottom:2px solid #888;vertical-align:bottom;font-weight:600;min-width:4rem}
td.n{text-align:right;white-space:nowrap}
td.left{text-align:left}
td.code{font-family:ui-monospace,monospace;font-size:.8rem;overflow-wrap:anywhere;min-width:8rem}
figure{margin:.8rem 0}figure img{max-width:min(100%,58rem);height:auto;display:block}
figcaption,.small{font-size:.86rem;color:#555;max-width:60rem}
pre{background:#f6f6f6;padding:.6rem .9rem;overflow-x:auto;font-size:.86rem;white-space:pre-wrap;overflow-wrap:anywhere}
@media(max-width:40rem){body{padding:.8rem}
dl{grid-template-columns:1fr}dt{margin-top:.4rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}.scroll{overflow:visible}table{font-size:7pt}
th,td{padding:1pt 3pt;min-width:0}h2{break-after:avoid}figure,tr{break-inside:avoid}
td,.answer,.care{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""

LEGEND = tuple(zip((MARKS[1], MARKS[-1], MARKS[0]), ("surely better", "surely worse", "no sure effect"), strict=True))
_LOOKS = {mark: look for (_, mark), look in zip(sorted(MARKS.items()), ("bad", "", "good"), strict=True)}


def write_html(report: Report) -> str:
    """Write a report as one HTML file with its figures inside."""
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="question">{escape(report.question)}</p>' if report.question else "",
        _write_answer(report),
        "<h2>The study</h2><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in report.facts.items()),
        "</dl>",
        *(_write_section(section) for section in report.sections),
        f"<h2>How to reproduce</h2><pre>{escape(chr(10).join(report.commands))}</pre>",
        f'<h2>How to read it</h2><p class="small">{escape(SMALL_PRINT)}</p>',
        f'<p class="small">{escape(report.made)}</p>',
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><title>{escape(report.title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _write_answer(report: Report) -> str:
    first, *others = report.answer.paragraphs
    parts = ['<div class="answer">', f'<p class="lead">{escape(first)}</p>']
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in others]
    parts.append("</div>")
    if report.summary.rows:
        legend = "; ".join(f"{mark} {words}" for mark, words in LEGEND)
        parts += [_write_table(report.summary), f'<p class="small">{escape(legend)}; 95 % intervals.</p>']
    if report.answer.cautions:
        told = "".join(f"<p>{escape(caution)}</p>" for caution in report.answer.cautions)
        parts.append(f'<div class="care">{told}</div>')
    return "\n".join(parts)


def _write_section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{escape(section.text)}</p>")
    for caption, table in section.tables.items():
        parts.append((f"<h3>{escape(caption)}</h3>" if caption else "") + _write_table(table))
    for picture in section.pictures:
        source = base64.b64encode(picture.png).decode("ascii")
        parts.append(
            f'<figure><img alt="{escape(picture.caption)}" src="data:image/png;base64,{source}">'
            f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        )
    return "\n".join(parts)


_CODE = ("source", "target", "prediction")


def _write_table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = []
    for row in table.rows:
        entries = zip(table.columns, row, strict=True)
        rows.append("<tr>" + "".join(_write_entry(column, entry) for column, entry in entries) + "</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _write_entry(column: str, entry: object) -> str:
    text = (
        ("yes" if entry else "no")
        if isinstance(entry, bool)
        else f"{entry:.4g}"
        if isinstance(entry, float)
        else str(entry)
    )
    if column in _CODE:
        return f'<td class="code">{escape(text)}</td>'
    if text[:1] in _LOOKS:
        return f'<td class="n left {_LOOKS[text[:1]]}">{escape(text)}</td>'
    is_number = text[:1].isdigit() or text[:1] in "+\N{MINUS SIGN}\N{EN DASH}<"
    return f'<td class="n">{escape(text)}</td>' if is_number and len(text) < 40 else f"<td>{escape(text)}</td>"


def write_markdown(report: Report) -> str:
    """Write a report as Markdown, its figures beside it in `figures/`."""
    lines = [f"# {report.title}", ""]
    if report.question:
        lines += [report.question, ""]
    lines += ["## Verdict", ""]
    for paragraph in report.answer.paragraphs:
        lines += [paragraph, ""]
    if report.summary.rows:
        legend = "; ".join(f"{mark} {words}" for mark, words in LEGEND)
        lines += [report.summary.to_markdown(max_width=80), f"{legend}; 95 % intervals."]
    lines += [""] + [f"*{caution}*\n" for caution in report.answer.cautions]
    lines += ["## The study", ""] + [f"- {name}: {text}" for name, text in report.facts.items()] + [""]
    for section in report.sections:
        lines += [f"## {section.title}", ""] + ([section.text, ""] if section.text else [])
        for caption, table in section.tables.items():
            lines += ([f"### {caption}", ""] if caption else []) + [table.to_markdown(max_width=80)]
        for picture in section.pictures:
            lines += [f"![{picture.caption}](figures/{picture.name}.png)", "", picture.caption, ""]
    lines += ["## How to reproduce", "", *(f"    {line}" for line in report.commands), ""]
    lines += [f"Every run: [results.csv](results.csv). All on one page: [report.html](report.html). {report.made}", ""]
    return "\n".join(lines)
