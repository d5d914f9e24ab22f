"""HTML tables of two columns, for notebooks."""

from __future__ import annotations

import html


def write_rows(rows: dict[str, str]) -> str:
    """Return a table of two columns, name and text."""
    lines = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
    return f'<table style="text-align:left">{"".join(lines)}</table>'
