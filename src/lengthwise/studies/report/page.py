"""The report as one HTML file that needs no network."""

from __future__ import annotations

import base64
import functools
import html

from jinja2 import Environment, PackageLoader, StrictUndefined

from lengthwise.studies.judging import MIN_SEEDS
from lengthwise.studies.report.contents import Report
from lengthwise.studies.report.findings import MARKS
from lengthwise.studies.report.numbers import MINUS, UNKNOWN

NOTES = (
    "A condition is one combination of levels; its score is the mean over its seeds. A run that fails in training "
    "counts with the worst score (no share right, or the error without learning); one that was killed or is missing "
    "does not count. An effect is the difference between two levels of an axis within each seed: at one combination of "
    "the other axes (a simple effect), or averaged over all (a main effect). Where the simple effects differ by more "
    "than half of the average, the sentences give them and not the average. An interaction is the difference of two "
    "such differences. Intervals are at 95 % each: Student's t over the seeds, and where the seeds share their test "
    "examples, the noise of these is added (squared standard error s\N{SUPERSCRIPT TWO}/n + variance over examples/N, "
    "Satterthwaite's degrees of freedom). They speak of seeds like those that were run: n seeds that all work leave a "
    "share of failing seeds of 63 % (n = 3), 45 % (5) or 26 % (10) unexcluded, which is stated beside the best. Where "
    "runs are missing, a difference uses the seeds and conditions that are complete for it (columns `seeds` and "
    "`conditions`); where no condition has both levels, a linear model of main effects with the seed as a block is "
    f"used. Verdicts need {MIN_SEEDS} seeds, and the main and simple effects on the first split: there a page is wrong "
    "in calling anything different with a probability of 5 % at most, 4 % for the effects (Holm's weighted procedure "
    "over all of them) and 1 % for ruling out conditions as the best (Holm, all pairs). Interactions and other splits "
    "are shown and not judged. The best condition is chosen on validation and quoted on test. Scores are of sequences "
    "decoded freely; padding never counts. The exposure gap is the loss of score, or the gain of an error, when the "
    "model is fed its own outputs instead of the true ones. Training times are measured while other runs of the sweep "
    "share the machine."
)

_LOOKS = {MARKS[1]: "better", MARKS[-1]: "worse", MARKS[0]: "open"}
_CODE_COLUMNS = ("source", "target", "prediction")
_LONGEST_NUMBER = 40


def render_page(report: Report) -> str:
    """Return a report as one HTML file with its figures inside."""
    return _load_environment().get_template("page.html.j2").render(report=report, notes=report.notes or NOTES)


def frame_page(page: str) -> str:
    """Return a whole HTML page as a frame for a notebook, whose own style stays as it is."""
    return f'<iframe style="width:100%;height:42rem;border:1px solid #ddd" srcdoc="{html.escape(page)}"></iframe>'


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
