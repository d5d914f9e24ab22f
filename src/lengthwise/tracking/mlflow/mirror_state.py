"""What of a run MLflow has, as `mirror.json` in the run directory.

The file may be lost, or lag behind after a kill: then things are sent again, which changes nothing in MLflow.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lengthwise.tracking.runs.layout import MIRROR_STATE_NAME


@dataclass(kw_only=True, slots=True)
class MirrorState:
    """What of a run MLflow has.

    Args:
        uri: the tracking store, without its password; what was sent to another one does not count.
        experiment_id, run_id: None before the run exists there.
        facts_sent: whether parameters, tags and dataset are there.
        journal_bytes: how much of the journal is there.
        artifacts: size and time of change (nanoseconds) of each file there, by its path in the run directory.
        model_id: of the logged model; None before it is there whole.
        status: as sent last.
    """

    uri: str
    experiment_id: str | None = None
    run_id: str | None = None
    facts_sent: bool = False
    journal_bytes: int = 0
    artifacts: dict[str, tuple[int, int]] = field(default_factory=dict)
    model_id: str | None = None
    status: str | None = None


def read_state(directory: Path, uri: str) -> MirrorState:
    """Return what was sent to a store: nothing, where `mirror.json` is missing, damaged or of another store."""
    try:
        found = json.loads((directory / MIRROR_STATE_NAME).read_bytes())
        found["artifacts"] = {name: (int(size), int(time)) for name, (size, time) in found["artifacts"].items()}
        state = MirrorState(**found)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return MirrorState(uri=uri)
    return state if state.uri == uri else MirrorState(uri=uri)


def write_state(directory: Path, state: MirrorState) -> None:
    """Write `mirror.json`; it is not synced to the disk, since what it forgets is only sent again."""
    aside = directory / f".{MIRROR_STATE_NAME}"
    aside.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    aside.replace(directory / MIRROR_STATE_NAME)
