"""The files in a run's directory: written whole or not at all, and never through a link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lengthwise.errors import RunError
from lengthwise.files import dump_json, read_regular, write_whole

_MAX_BYTES = 100_000_000


class RunFiles:
    """The files of a run, open or closed. Links in its directory are never followed.

    Args:
        directory: The run's directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, *parts: str) -> Path:
        """Return the path of a file in the run's directory, its parent directories made; the caller writes it.

        Raises:
            ValueError: The path would lie outside.
            RunError: It leads through a link, or is one.
        """
        path = self._locate(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def find(self, *parts: str) -> Path | None:
        """Return the path of a regular file in the run's directory; None if there is none, or a link leads to it.

        Raises:
            ValueError: The path would lie outside.
        """
        try:
            path = self._locate(*parts)
        except RunError:
            return None
        return path if path.is_file() else None

    def _locate(self, *parts: str) -> Path:
        path = self.directory.joinpath(*parts)
        if not parts or ".." in path.parts or path == self.directory or self.directory not in path.parents:
            raise ValueError(f"a file of a run lies in its directory; got {'/'.join(parts)!r}")
        below = path.relative_to(self.directory).parts
        for end in range(1, len(below) + 1):
            part = self.directory.joinpath(*below[:end])
            if part.is_symlink() or (part.exists() and not (part.is_file() or part.is_dir())):
                raise RunError(f"{part} is a link or a device, and those are never followed. Remove it.")
        return path

    def read_text(self, name: str, *, max_bytes: int = _MAX_BYTES) -> str:
        """Return the content of a text file in the run's directory.

        Raises:
            RunError: It is missing, longer, not UTF-8, or a link leads to it.
        """
        try:
            return self.read_bytes(name, max_bytes=max_bytes).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _refuse(self._locate(name), error) from error

    def read_bytes(self, name: str, *, max_bytes: int = _MAX_BYTES) -> bytes:
        """Return the content of a file in the run's directory.

        Raises:
            RunError: It is missing, longer, or a link leads to it.
        """
        path = self._locate(name)
        try:
            return read_regular(path, max_bytes=max_bytes)
        except OSError as error:
            raise _refuse(path, error) from error

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file, whole or not at all; `name` is relative to the run's directory, as `samples/test.md`."""
        return self.write_bytes(name, text.encode("utf-8", errors="surrogateescape"))

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write a file, whole or not at all; `name` is relative to the run's directory."""
        path = self.path(name)
        write_whole(path, content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Write a JSON file, whole or not at all; NaN and infinities become null, as in the tables of pandas."""
        return self.write_text(name, dump_json(value, indent=1))


def _refuse(path: Path, error: Exception) -> RunError:
    return RunError(f"{path} cannot be read ({error}). Restore it, or name another run.")
