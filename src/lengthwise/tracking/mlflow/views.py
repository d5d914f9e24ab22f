"""The view of a study in MLflow's run table: flat, sorted by the score, the options that vary as columns.

MLflow keeps a view that was shared as a tag of the experiment, and opens it by a parameter of the page's address. The
tag's format is its own: a test holds it to the version that is installed, and without it the plain table is opened.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence

from lengthwise.tracking.mlflow.store import Store
from lengthwise.tracking.runs.run_record import PrimaryMetric

SHARE_KEY = "lengthwise"
VIEW_TAG = f"mlflow.sharedViewState.{SHARE_KEY}"
EXPERIMENTS_PAGE = "#/experiments"


def share_view(store: Store, study: str, columns: Sequence[str], metric: PrimaryMetric | None) -> str:
    """Set the view of a study.

    Args:
        store: MLflow's store.
        study: Name of the study.
        columns: The options to be shown.
        metric: The score by which runs are sorted; None: by their start.

    Returns:
        The part of the address that opens it, from `#` on; that of all experiments where the study is not in MLflow.
    """
    experiment = store.client.get_experiment_by_name(study)
    if experiment is None:
        return EXPERIMENTS_PAGE
    store.client.set_experiment_tag(experiment.experiment_id, VIEW_TAG, write_view(columns, metric))
    page = f"{EXPERIMENTS_PAGE}/{experiment.experiment_id}/runs"
    return f"{page}?viewStateShareKey={SHARE_KEY}&workflowType=machine_learning"


def write_view(columns: Sequence[str], metric: PrimaryMetric | None) -> str:
    """Write a view as MLflow stores it; arguments as for `share_view`."""
    shown = [f"params.`{column}`" for column in columns]
    state: dict[str, object] = {
        "searchFilter": "tags.`lengthwise.kind` = 'run'",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
    }
    if metric is not None:
        key = f"metrics.`{metric.name}`"
        state |= {"orderByKey": key, "orderByAsc": not metric.greater_is_better}
        shown.append(key)
    packed = base64.b64encode(zlib.compress(json.dumps(state | {"selectedColumns": shown}).encode())).decode("ascii")
    return json.dumps({"name": "Scores", "createdAt": 1, "updatedAt": 1, "state": f"deflate;{packed}"})
