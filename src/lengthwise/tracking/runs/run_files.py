"""Write files into a run's directory, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lengthwise.files import dump_json, write_whole


class RunFiles:
    """The files of a run, open or closed.

    Args:
        directory: The run's directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, *parts: str) -> Path:
        """Return the path of a file in the run's directory, its parent directories made; the caller writes it.

        Raises:
            ValueError: The path would lie outside.
        """
        path = self.directory.joinpath(*parts)
        if not parts or ".." in path.parts or path == self.directory or self.directory not in path.parents:
            raise ValueError(f"a file of a run lies in its directory; got {'/'.join(parts)!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file, whole or not at all; `name` is relative to the run's directory, as `samples/test.md`."""
        path = self.path(name)
        write_whole(path, text.encode("utf-8", errors="surrogateescape"))
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON file, whole or not at all; NaN and infinities become null, as in the tables of pandas."""
        return self.write_text(name, dump_json(value, indent=1))
