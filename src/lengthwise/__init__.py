"""Lengthwise: controlled experiments on how sequence-to-sequence models make length."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lengthwise.serving.predictor import Predictor

__version__ = "0.1.0"


def load(run: str | Path, *overrides: str) -> Predictor:
    """Load the trained model of a run, to decode with it.

    Args:
        run: An id or the beginning of one, a name, a directory, `latest`, `best:STUDY`, or `models:/NAME@ALIAS` of
            MLflow's registry.
        overrides: As on the command line: where runs are (`output_dir=DIR`, `tracking.uri=URI`), and how to decode
            instead of the run's own decoding (`decoding=beam`, `decoding.width=8`).

    Returns:
        A predictor: `load("latest").decode(["some text"])`.

    Raises:
        RunError: There is no such run, or it holds no whole model.
        ConfigError: An override is refused.
    """
    # TensorFlow takes seconds to import, and only a loaded model needs it.
    from lengthwise.serving.loading import load_run

    return load_run(run, overrides)
