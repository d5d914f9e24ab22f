"""The report that a sweep ends with, and the import of what it needs while the jobs are running."""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from pathlib import Path

from lengthwise.errors import LengthwiseError


def preload_report() -> None:
    """Import what the report needs in a thread: while the workers get ready, not when the user waits at the end."""
    threading.Thread(target=importlib.import_module, args=("lengthwise.studies.report.writer",), daemon=True).start()


def write_sweep_report(directory: Path) -> None:
    """Write the report of a sweep into its directory, while its run is open; what goes wrong costs only the report.

    Args:
        directory: Of the sweep's parent run, whose jobs have ended.
    """
    from lengthwise.studies.report.writer import report_sweep

    try:
        written = report_sweep(directory)
        print(f"report  {written.html}")
        for command in written.commands:
            print(f"        {command}")
    except LengthwiseError as error:
        print(f"No report: {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
