"""The commands that train a condition again and use its trained model."""

from __future__ import annotations

import math
import shlex

from lengthwise.config.values import format_value
from lengthwise.studies.axes import DATA_SEED
from lengthwise.studies.condition import Condition, StudyRun
from lengthwise.studies.study import Study

OVERRIDES_TAG = "lengthwise.overrides"
_PLACES = ("study", "output_dir", "resume", "tracking")


def list_use(study: Study, condition: Condition) -> tuple[str, ...]:
    """List the commands that train a condition with the seed that was best on validation, and that use that run.

    Args:
        study: The study.
        condition: One of its conditions.

    Returns:
        Lines for a shell; empty where no run of it has a score, or its overrides were not recorded.
    """
    run = _find_best_run(study, condition)
    overrides = [] if run is None else run.manifest.record.tags.get(OVERRIDES_TAG, "").split()
    if run is None or not overrides:
        return ()
    params = run.manifest.record.params
    kept = [text for text in overrides if text.partition("=")[0].partition(".")[0] not in _PLACES]
    seed = f"{DATA_SEED}="  # it may refer to the run's
    kept = [f"{seed}{format_value(params[DATA_SEED])}" if text.startswith(seed) else text for text in kept]
    if any(text.startswith("experiment=") for text in kept):
        kept.append("hydra.mode=RUN")  # the overlay would start its sweep
    train = shlex.join(["python", "train.py", *kept])
    example = "'an input'" if study.metric_name == "exact_match" else "--file FILE"
    use = f"lengthwise decode {run.manifest.name} {example}"
    return (f"{train}   # trains it again", f"{use}   # uses the trained one")


def _find_best_run(study: Study, condition: Condition) -> StudyRun | None:
    """Return the run of a condition with the best score on validation, where one has a score and a model."""
    sign = 1 if study.higher_is_better else -1
    scored = [run for run in condition.finished if math.isfinite(run.score(study.selection_metric))]
    return max(scored, key=lambda run: sign * run.score(study.selection_metric), default=None)
