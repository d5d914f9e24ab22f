"""The report as one HTML file that needs no network."""

from __future__ import annotations

import base64
import functools

from jinja2 import Environment, PackageLoader, StrictUndefined

from lengthwise.studies.report.contents import Report
from lengthwise.studies.report.findings import LEGEND, LEVEL_NOTE, MARKS
from lengthwise.studies.report.numbers import MINUS, UNKNOWN

NOTES = (
    "A condition is one combination of levels; its score is the mean over its seeds with a 95 % Student interval. An "
    "effect is the difference between two levels of an axis within each seed, averaged over the conditions of the "
    "other axes; an interaction is the difference of two such differences. Its interval is Student's t over the seeds "
    "(seeds - 1 degrees of freedom), since seeds are the only independent repetitions, and the conditions of one seed "
    "share its data and order. Where runs are missing, a contrast uses the seeds and conditions that are complete for "
    "it (columns `seeds` and `conditions`); where no condition has both levels, a linear model of main effects with "
    f"the seed as a block is used. An effect is better or worse {LEVEL_NOTE} where its p-value, corrected by Holm "
    "(1979) for all effects of its table, is below 5 %; the intervals themselves are not corrected. Main effects and "
    "interactions are two families. A condition does not differ significantly from the best where the interval of "
    "their paired difference, not corrected, includes 0; since the best is chosen by the same scores, it looks a "
    "little better than it is. Scores are of sequences decoded freely; padding never counts. The exposure gap is the "
    "loss of score, or the gain of an error, when the model is fed its own outputs instead of the true ones. Training "
    "times are measured while other runs of the sweep share the machine."
)

_LOOKS = {MARKS[1]: "better", MARKS[-1]: "worse", MARKS[0]: "open"}
_CODE_COLUMNS = ("source", "target", "prediction")
_LONGEST_NUMBER = 40


def render_page(report: Report) -> str:
    """Return a report as one HTML file with its figures inside."""
    return _load_environment().get_template("page.html.j2").render(report=report, legend=LEGEND, notes=NOTES)


@functools.cache
def _load_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": _format_entry, "look": _choose_look, "base64": _encode}
    return environment


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _format_entry(entry: object) -> str:
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    return f"{entry:.4g}" if isinstance(entry, float) else str(entry)


def _choose_look(entry: object, column: str) -> str:
    """Choose the class of a table's entry in the stylesheet; empty for plain text."""
    text = _format_entry(entry)
    if column in _CODE_COLUMNS:
        return "code"
    if text[:1] in _LOOKS:
        return _LOOKS[text[:1]]
    is_number = text[:1].isdigit() or text[:1] in ("+", "<", MINUS, UNKNOWN)
    return "number" if is_number and len(text) < _LONGEST_NUMBER else ""
