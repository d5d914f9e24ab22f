"""Import Keras without the libraries that it imports only for functions Lengthwise does not call."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import FrameType, ModuleType

UNUSED = ("matplotlib.pyplot", "pandas", "sklearn")
"""What Keras imports if it is there: of the three seconds of its import, one."""


class _Refusal(MetaPathFinder):
    """Refuses `UNUSED` where Keras asks for them; Keras then goes without, as where they are not installed."""

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> None:
        if fullname in UNUSED and _find_importer().startswith("keras."):
            raise ModuleNotFoundError(f"{fullname} is not needed", name=fullname)


def skip_unused() -> None:
    """Let Keras be imported without `UNUSED`, from now on; for processes that run a command of Lengthwise only.

    In the user's own process Keras keeps them: without pandas it would not take the user's data frames.
    """
    if not any(isinstance(finder, _Refusal) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Refusal())


def _find_importer() -> str:
    """Return the name of the module whose import statement is being run."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("importlib"):
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))
