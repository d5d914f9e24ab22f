"""A table of plain values, for MLflow's table view and for Markdown."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

Cell = str | int | float | bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of plain Python values under named columns.

    Args:
        columns: names, none twice.
        rows: as many values a row as there are columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def to_json_table(self) -> dict[str, list[object]]:
        """Return `{"columns": [...], "data": [[...], ...]}`, as MLflow shows it; NaN and infinity become null."""
        data: list[object] = [[_plain(cell) for cell in row] for row in self.rows]
        return {"columns": list(self.columns), "data": data}

    def to_markdown(self, *, max_width: int = 60) -> str:
        """Return the table in Markdown, aligned so that it reads well as plain text too.

        Args:
            max_width: most characters of a cell; longer ones are cut and end in an ellipsis.
        """
        texts = [[_show(cell, max_width) for cell in row] for row in (self.columns, *self.rows)]
        is_number = [self._is_numeric(index) for index in range(len(self.columns))]
        widths = [max(3, *map(len, column)) for column in zip(*texts, strict=True)]
        rule = [
            "-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, is_number, strict=True)
        ]
        return "\n".join(_line(row, widths, is_number) for row in (texts[0], rule, *texts[1:])) + "\n"

    def _is_numeric(self, index: int) -> bool:
        return all(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in self.rows)


def _line(texts: list[str], widths: list[int], is_number: list[bool]) -> str:
    cells = zip(texts, widths, is_number, strict=True)
    return "| " + " | ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in cells) + " |"


def _plain(cell: Cell) -> Cell | None:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _show(cell: Cell, max_width: int) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    # A line break or a tab would end the row, a bar the cell.
    text = re.sub(r"\s", " ", str(cell))
    shortened = text if len(text) <= max_width else text[: max_width - 1] + "…"
    return shortened.replace("\\", "\\\\").replace("|", "\\|")
