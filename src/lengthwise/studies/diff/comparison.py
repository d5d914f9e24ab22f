"""Compare runs, or two groups of runs, from their directories."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from lengthwise.config.parse import parse_stored
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import LengthwiseError
from lengthwise.evaluation.metrics import list_metrics
from lengthwise.files import dump_json
from lengthwise.studies.diff.contents import build_pair_report, describe_pair
from lengthwise.studies.diff.method_contents import build_method_report, describe_methods
from lengthwise.studies.diff.methods import MethodDifference, compare_methods
from lengthwise.studies.diff.pair import PairDifference, compare_runs
from lengthwise.studies.diff.several import SeveralRuns, compare_several
from lengthwise.studies.diff.several_contents import build_several_report, describe_several
from lengthwise.studies.diff.sides import Side, find_side
from lengthwise.studies.diff.terminal import print_comparison
from lengthwise.studies.report.contents import Report
from lengthwise.studies.report.markdown import render_markdown
from lengthwise.studies.report.page import frame_page, render_page
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.run_files import RunFiles

_WIDTH = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two or more trained models compared over the same examples, or two methods over their seeds.

    Args:
        found: What was measured.
    """

    found: PairDifference | MethodDifference | SeveralRuns

    def describe(self, *, num_examples: int = 10) -> Report:
        """Return its contents, with that many examples of each side."""
        if isinstance(self.found, PairDifference):
            return build_pair_report(self.found, num_examples=num_examples)
        if isinstance(self.found, SeveralRuns):
            return build_several_report(self.found)
        return build_method_report(self.found)

    @property
    def verdict(self) -> int:
        """1 where B, or the last of several, is better than A, -1 where it is worse, 0 where no difference is shown."""
        return self.found.finding.verdict if isinstance(self.found, MethodDifference) else self.found.verdict

    def __str__(self) -> str:
        """Return the comparison as lines for a terminal."""
        from rich.console import Console

        text = io.StringIO()
        print_comparison(self.describe(num_examples=3), Console(file=text, width=_WIDTH, highlight=False))
        return text.getvalue()

    def _repr_html_(self) -> str:
        return frame_page(self.to_html())

    def to_json(self) -> str:
        """Return every number as a JSON object; what is not known is null."""
        found = self.found
        if isinstance(found, PairDifference):
            return dump_json(describe_pair(found), indent=1)
        return dump_json(
            describe_several(found) if isinstance(found, SeveralRuns) else describe_methods(found), indent=1
        )

    def to_markdown(self) -> str:
        """Return the whole comparison as Markdown."""
        return render_markdown(self.describe())

    def to_html(self) -> str:
        """Return the whole comparison as one HTML page that needs no network."""
        return render_page(self.describe())


def compare(output_dir: Path, *references: str) -> Comparison:
    """Compare runs over the same examples; or, where one of two names several runs, two methods over their seeds.

    Args:
        output_dir: Where run directories are.
        references: Two or more runs; or two of: a run, a study, a sweep, some runs of a study as `STUDY:OPTION=VALUE`.

    Raises:
        LengthwiseError: There is no such run, or they cannot be compared.
    """
    sides = [find_side(output_dir, reference) for reference in references]
    if len(sides) == 2:
        return compare_sides(*sides)
    several = next((side for side in sides if len(side.runs) > 1), None)
    if several is not None:
        raise LengthwiseError(
            f"{several.name} is {len(several.runs)} runs, and methods are compared two at a time. Name two, or several "
            "single runs; `lengthwise report STUDY OTHER` compares all conditions of studies."
        )
    return Comparison(found=compare_several([side.runs[0] for side in sides]))


def compare_sides(first: Side, second: Side) -> Comparison:
    """Compare two sides; as `compare`."""
    if len(first.runs) > 1 or len(second.runs) > 1:
        return Comparison(
            found=compare_methods(first, second, metrics=[*list_metrics("tokens"), *list_metrics("features")])
        )
    before, after = first.runs[0], second.runs[0]
    if before.directory == after.directory:
        raise LengthwiseError(f"{before.manifest.name} is on both sides. Name two runs.")
    metrics = [run.manifest.record.primary_metric for run in (before, after)]
    if metrics[0] != metrics[1]:
        names = " and ".join(str(metric and metric.name) for metric in metrics)
        raise LengthwiseError(
            f"The runs are compared by different scores: {names}. Name runs on the same kind of data."
        )
    return Comparison(found=compare_runs(before, after, _load_data(before, after)))


def _load_data(first: StoredRun, second: StoredRun) -> Dataset | None:
    """Load the data of two runs; None where they differ, have changed, or cannot be read any more."""
    known = [run.manifest.record.dataset for run in (first, second)]
    if known[0] is None or known[1] is None or known[0].sha256 != known[1].sha256:
        return None
    try:
        options = parse_stored(RunFiles(first.directory).read_text(CONFIG_NAME))
        dataset = load_dataset(options.dataset, options.timesteps)
    except LengthwiseError:  # the files of the data have gone; the scores of each example are there all the same
        return None
    return dataset if dataset.content_hash == known[0].sha256 else None
