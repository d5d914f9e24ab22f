"""Names of the files and folders in a run's directory."""

from __future__ import annotations

CONFIG_NAME = "config.yaml"
"""The whole configuration of the run."""

MANIFEST_NAME = "manifest.json"
"""What the run is, and its status."""

JOURNAL_NAME = "metrics.jsonl"
"""Every metric at every step, one JSON object a line."""

HEARTBEAT_NAME = "heartbeat"
"""Touched every few seconds while the run is open; removed when it is closed."""

TRACEBACK_NAME = "traceback.txt"
"""Of the exception that made the run fail."""

DIFF_NAME = "git.diff"
"""The changes of the checkout since its commit."""

LOG_NAME = "log.txt"
"""What the run has printed."""

MIRROR_STATE_NAME = "mirror.json"
"""What MLflow has of the run already."""

ANSWER_NAME = "answer.md"
"""In the directory of a report: its first paragraph."""

TUNING_NAME = "tuning.json"
"""Of a sweep: what it tuned for each condition, and what was chosen."""

LOOKS_NAME = "looks.json"
"""Of a sweep whose seeds stop where the answer is clear: at how many seeds it is looked at, and where it stopped."""

CHECKPOINTS_DIRECTORY = "checkpoints"
MODEL_DIRECTORY = "model"
"""The trained model in MLflow's format."""
