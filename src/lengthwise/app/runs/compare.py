"""The command that compares runs."""

from __future__ import annotations

from pathlib import Path

from lengthwise.app.request import Request
from lengthwise.config.paths import find_output_dir
from lengthwise.errors import ConfigError, LengthwiseError

_SHOWN_EXAMPLES = 3
"""Of each side on the terminal; pages and Markdown show ten."""


def compare_runs(request: Request) -> int:
    """Compare runs over the same examples, or two groups of runs over their seeds."""
    from rich.console import Console

    from lengthwise.files import write_whole
    from lengthwise.studies.diff.comparison import compare
    from lengthwise.studies.diff.terminal import print_comparison

    flags = request.flags
    if flags.md and flags.json:
        raise ConfigError("--md", "cannot be used with --json", received=None, remedy="Drop one of them")
    comparison = compare(find_output_dir(request.compose()), *request.words)
    if flags.html is not None:
        try:
            write_whole(Path(flags.html), comparison.to_html().encode())
        except OSError as error:
            raise LengthwiseError(f"{flags.html} cannot be written: {error.strerror}. Name another file.") from error
    if flags.json or flags.md:
        print(comparison.to_json() if flags.json else comparison.to_markdown())
        return 0
    print_comparison(comparison.describe(num_examples=_SHOWN_EXAMPLES), Console(highlight=False))
    if flags.html is not None:
        print(f"\npage  {flags.html}")
    return 0
