"""Which failures of a run are its own doing, and count with the worst score, and which only lose the run."""

from __future__ import annotations

import builtins
import math

from lengthwise.tracking.runs.manifest import Manifest

_SURROUNDINGS = {
    *(name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, OSError)),
    *("exit", "MemoryError", "ImportError", "ModuleNotFoundError", "KeyboardInterrupt", "SystemExit", "Terminated"),
    *("ConfigError", "DataError", "RunError", "LengthwiseError", "IncompleteRunError", "MlflowException"),
    *("ResourceExhaustedError", "UnavailableError", "AbortedError", "CancelledError", "BrokenProcessPool"),
}
"""Exceptions that come from the machine, the files or the commands and would meet any other model too."""


def has_failed_by_itself(manifest: Manifest, metric: str) -> bool:
    """Tell whether a run has no score because training it went wrong, as when the loss is no longer finite.

    A run that was killed, has not ended, or met a full disk or missing data has failed for another reason.

    Args:
        manifest: Of the run.
        metric: Its score, `split/metric`.
    """
    if manifest.status == "FINISHED":
        return metric in manifest.summary and not math.isfinite(manifest.summary[metric])
    if manifest.status != "FAILED" or manifest.failure is None:
        return False
    kind = manifest.failure.reason.partition(":")[0].strip().rpartition(".")[2]
    return kind.isidentifier() and kind not in _SURROUNDINGS
