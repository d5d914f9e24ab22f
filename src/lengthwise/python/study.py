"""A study as an object: its runs, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lengthwise.python.rows import write_rows
from lengthwise.python.run import Run, Runs
from lengthwise.tracking.runs.find import find_run, list_runs

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """A report, or a comparison, that a notebook shows.

    Args:
        answer: Its first paragraphs.
        path: Its HTML file.
    """

    answer: tuple[str, ...]
    path: Path

    def __str__(self) -> str:
        return "\n\n".join(self.answer)

    def _repr_html_(self) -> str:
        from lengthwise.studies.report.page import frame_page

        return frame_page(self.path.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Study:
    """All runs of one name.

    Args:
        name: Its name.
        output_dir: Where run directories are.
    """

    name: str
    output_dir: Path

    @property
    def runs(self) -> Runs:
        """Its runs, sweeps left out, the newest first."""
        return Runs([run for run in list_runs(self.output_dir, self.name) if run.manifest.record.kind == "run"])

    @property
    def best(self) -> Run:
        """The finished run with the best primary metric on the validation split.

        Raises:
            RunError: No run has finished with a score.
        """
        return Run(find_run(self.output_dir, f"best:{self.name}").directory)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run, as `Runs.to_frame`."""
        return self.runs.to_frame()

    def report(self, *, leave_out_failed: bool = False) -> WrittenPage:
        """Write the report, as `lengthwise report` does.

        Args:
            leave_out_failed: Whether runs that failed in training are left out; else they count with the worst score.

        Raises:
            LengthwiseError: The runs cannot be compared, or the report cannot be written.
        """
        from lengthwise.studies.report.writer import report_studies

        written = report_studies(self.output_dir, [self.name], leave_out_failed=leave_out_failed)
        return WrittenPage(tuple(written.answer), written.html)

    def __repr__(self) -> str:
        return f"<Study {self.name}: {len(self.runs)} runs>"

    def _repr_html_(self) -> str:
        runs = self.runs
        finished = sum(run.status == "FINISHED" for run in runs)
        table = write_rows({"study": self.name, "runs": f"{len(runs)}, {finished} finished"})
        return table + runs._repr_html_()
