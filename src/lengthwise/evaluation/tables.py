"""Write tables of plain values as JSON for MLflow's table view, and as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lengthwise.files import as_json

Entry = str | int | float | bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of plain Python values under named columns.

    Args:
        columns: Names, all different.
        rows: Rows of as many entries as there are columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]

    def to_json_table(self) -> dict[str, list[object]]:
        """Return `{"columns": [...], "data": [[...], ...]}`, MLflow's form of a table; NaN and infinity become null."""
        table: dict[str, list[object]] = as_json({"columns": self.columns, "data": self.rows})
        return table

    def to_markdown(self, *, max_width: int = 60) -> str:
        """Return the table in Markdown, its columns aligned to be readable as plain text.

        Args:
            max_width: Most characters of an entry; longer ones are cut and end in an ellipsis.
        """
        texts = [[_show(entry, max_width) for entry in row] for row in (self.columns, *self.rows)]
        is_number = [self._is_numeric(index) for index in range(len(self.columns))]
        widths = [max(3, *map(len, column)) for column in zip(*texts, strict=True)]
        rule = [
            "-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, is_number, strict=True)
        ]
        return "\n".join(_line(row, widths, is_number) for row in (texts[0], rule, *texts[1:])) + "\n"

    def _is_numeric(self, index: int) -> bool:
        return all(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in self.rows)


def _line(texts: list[str], widths: list[int], is_number: list[bool]) -> str:
    columns = zip(texts, widths, is_number, strict=True)
    return "| " + " | ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in columns) + " |"


def _show(entry: Entry, max_width: int) -> str:
    if isinstance(entry, bool):
        return "yes" if entry else "no"
    if isinstance(entry, float):
        return f"{entry:.4g}"
    # In Markdown a line break or a tab would end the row, a bar the entry.
    text = re.sub(r"\s", " ", str(entry))
    shortened = text if len(text) <= max_width else text[: max_width - 1] + "…"
    return shortened.replace("\\", "\\\\").replace("|", "\\|")
