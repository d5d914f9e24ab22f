"""The table of a sweep, with every job however it ended: on the screen, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from lengthwise.sweeps.jobs import Job, JobResult

Row = dict[str, str]
"""Text by column: `COLUMNS` and the overridden options; what is not known is missing or empty."""

COLUMNS = ("job", "status", "seconds", "score", "value", "attempts", "run", "reason")
_COLOURS = {"FINISHED": "green", "FAILED": "red", "KILLED": "yellow", "PRUNED": "dim", "NOT RUN": "dim"}


def make_row(job: Job, result: JobResult | None) -> Row:
    """Make the row of a job.

    Args:
        job: the job.
        result: of the job; None if it was not run.
    """
    overrides = dict(override.partition("=")[::2] for override in job.overrides)
    row = {"job": str(job.number), "status": "NOT RUN", **overrides}
    if result is None:
        return row
    attempt = result.attempt
    return row | {
        "status": attempt.status,
        "seconds": f"{attempt.seconds:.1f}",
        "score": "" if result.score is None else f"{result.score.metric}={result.score.value:.6g}",
        "value": "" if attempt.value is None else f"{attempt.value:.6g}",
        "attempts": str(result.num_attempts),
        "run": result.run or "",
        "reason": attempt.reason or "",
    }


def _list_columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns that hold anything: the job's number, the overridden options, the rest."""
    options = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
    used = [column for column in COLUMNS if any(row.get(column) for row in rows)]
    return [*used[:1], *options, *used[1:]]


def write_csv(rows: Sequence[Row]) -> str:
    """Write rows as CSV, all columns, for a program to read.

    Args:
        rows: of `make_row`.
    """
    text = io.StringIO()
    options = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
    writer = csv.DictWriter(text, fieldnames=["job", *options, *COLUMNS[1:]], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_markdown(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table, for a person to read.

    Args:
        rows: of `make_row`.
    """
    columns = _list_columns(rows)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row.get(c, "").replace("|", "\\|") for c in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def find_varied(jobs: Sequence[Job]) -> list[str]:
    """Find the overridden options in which jobs differ, in order; all of them if there is one job.

    Args:
        jobs: the jobs.
    """
    taken: dict[str, set[str]] = {}
    for job in jobs:
        for key, _, value in (override.partition("=") for override in job.overrides):
            taken.setdefault(key, set()).add(value)
    counts = Counter(text.partition("=")[0] for job in jobs for text in job.overrides)
    return [key for key, values in taken.items() if len(values) > 1 or counts[key] < len(jobs) or len(jobs) == 1]


def make_screen_table(rows: Sequence[Row], *, varied: Sequence[str], before: Container[str] = ()) -> Table:
    """Make the table that is printed at the end.

    Args:
        rows: of `make_row`.
        varied: the options in which the jobs differ.
        before: numbers of the jobs that had finished before this command.
    """
    table = Table(box=box.SIMPLE)
    for column in ("job", *varied, "status", "seconds", "run", "result"):
        table.add_column(column, justify="right" if column in ("job", "seconds") else "left", overflow="fold")
    for row in rows:
        status = Text(row["status"], style=_COLOURS.get(row["status"], ""))
        if row["job"] in before:
            status.append(" before", style="dim")
        run = row.get("run", "").rpartition("-")[2]  # its id, by which `lengthwise` finds it
        result = row.get("reason") or row.get("score") or row.get("value") or ""
        options = [Text(row.get(key, "")) for key in varied]
        table.add_row(row["job"], *options, status, row.get("seconds", ""), run, Text(result))
    return table
