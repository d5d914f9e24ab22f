"""The table of a sweep, with every job however it ended: on the screen, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Container, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from lengthwise.sweeps.jobs import Job, JobResult

Row = dict[str, str]
"""Text by column: `COLUMNS` and the overridden options; what is not known is missing or empty."""

COLUMNS = ("job", "status", "seconds", "score", "value", "attempts", "run", "missing", "reason")
_GAP = 2
_SHORTEST_RESULT = 12
_FIXED = ("job", "status", "seconds", "run", "result")
_COLOURS = {"FINISHED": "green", "FAILED": "red", "KILLED": "yellow", "PRUNED": "dim", "NOT RUN": "dim"}


def make_row(job: Job, result: JobResult | None) -> Row:
    """Make the row of a job.

    Args:
        job: The job.
        result: Of the job; None if it was not run.
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
        "missing": ", ".join(result.missing),
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
        rows: Of `make_row`.
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
        rows: Of `make_row`.
    """
    columns = _list_columns(rows)
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row.get(c, "").replace("|", "\\|") for c in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def find_varied(jobs: Sequence[Job]) -> list[str]:
    """Find the overridden options in which jobs differ, in order; all of them if there is one job.

    Args:
        jobs: The jobs.
    """
    taken: dict[str, set[str]] = {}
    for job in jobs:
        for key, _, value in (override.partition("=") for override in job.overrides):
            taken.setdefault(key, set()).add(value)
    counts = Counter(text.partition("=")[0] for job in jobs for text in job.overrides)
    return [key for key, values in taken.items() if len(values) > 1 or counts[key] < len(jobs) or len(jobs) == 1]


def make_screen_table(rows: Sequence[Row], *, varied: Sequence[str], width: int, before: Container[str] = ()) -> Table:
    """Make the table that is printed at the end: one line for each job.

    Args:
        rows: Of `make_row`.
        varied: The options in which the jobs differ.
        width: Of the screen, in characters. What a result takes beyond it is cut off: a job that failed has already
            been shown with its whole reason, which is in `sweep.md` too. Only values of options may be folded.
        before: Numbers of the jobs that had finished before this command.
    """
    columns = _list_screen_columns(rows, varied=varied, before=before)
    result = columns.pop("result")
    left = width - sum(_measure(name, column) + _GAP for name, column in columns.items())
    if left < _SHORTEST_RESULT:
        left += _measure("seconds", columns.pop("seconds")) + _GAP
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for name in (*columns, "result"):
        justify: JustifyMethod = "right" if name in ("job", "seconds") else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in _FIXED)
    for row, reason, *entries in zip(rows, result, *columns.values(), strict=True):
        last = Text(reason)
        last.truncate(max(left, _SHORTEST_RESULT), overflow="ellipsis")
        table.add_row(*map(Text, entries), last, style=_COLOURS.get(row["status"], ""))
    return table


def _list_screen_columns(rows: Sequence[Row], *, varied: Sequence[str], before: Container[str]) -> dict[str, list[str]]:
    """Return the columns of the screen by their names, which are the last parts of options' names if these differ."""
    columns = {"job": [row["job"] for row in rows]}
    columns |= {
        short: [row.get(key, "") for row in rows] for short, key in zip(shorten_names(varied), varied, strict=True)
    }
    columns["status"] = [row["status"] + (" before" if row["job"] in before else "") for row in rows]
    columns["seconds"] = [row.get("seconds", "") for row in rows]
    columns["run"] = [row.get("run", "").rpartition("-")[2] for row in rows]  # its id, by which `lengthwise` finds it
    columns["result"] = [_describe_result(row) for row in rows]
    return columns


def _describe_result(row: Row) -> str:
    result = row.get("reason") or row.get("score") or row.get("value") or ""
    return f"{result}, missing: {row['missing']}" if row.get("missing") else result


def _measure(name: str, column: Sequence[str]) -> int:
    return max(map(cell_len, (name, *column)))


def shorten_names(names: Sequence[str]) -> list[str]:
    """Return the last parts of dotted names, or the whole names if two share one.

    Args:
        names: Of options.

    >>> shorten_names(["model", "training.learning_rate"]), shorten_names(["model.name", "dataset.name"])
    (['model', 'learning_rate'], ['model.name', 'dataset.name'])
    """
    short = [name.rpartition(".")[2] for name in names]
    return short if len({*short}) == len(short) else list(names)
