"""What MLflow has of a run already, as `mirror.json` in the run directory.

The file may be lost, or be out of date after a kill: then things are sent again, which changes nothing in MLflow.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lengthwise.errors import RunError
from lengthwise.files import read_regular, write_whole
from lengthwise.tracking.runs.layout import MIRROR_STATE_NAME

_MAX_BYTES = 100_000_000
_ID = re.compile(r"[\w-]{1,100}")


@dataclass(kw_only=True, slots=True)
class MirrorState:
    """What MLflow has of a run already.

    Args:
        uri: Address of the tracking store, without its password; what was sent to another store does not count.
        experiment_id: Id of the experiment; None before the run exists in MLflow.
        run_id: Id of the run; None before it exists in MLflow.
        params_sent: Whether MLflow has the parameters, the tags and the dataset.
        journal_bytes: How much of the journal MLflow has.
        artifacts: Size and time of change (nanoseconds) of each file in MLflow, by its path in the run directory.
        model_id: Id of the logged model; None before all of it is there.
        status: The status sent last.
    """

    uri: str
    experiment_id: str | None = None
    run_id: str | None = None
    params_sent: bool = False
    journal_bytes: int = 0
    artifacts: dict[str, tuple[int, int]] = field(default_factory=dict)
    model_id: str | None = None
    status: str | None = None


def read_state(directory: Path, uri: str) -> MirrorState:
    """Return what was sent to a store: nothing if `mirror.json` is missing, damaged or about another store.

    Args:
        directory: The run's directory.
        uri: The store, without its password.
    """
    state = _read(directory)
    return state if state is not None and state.uri == uri else MirrorState(uri=uri)


def read_mirror_address(directory: Path) -> str | None:
    """Return the address of the store to which a run was sent last, without its password; None if it was not sent.

    Args:
        directory: The run's directory.
    """
    state = _read(directory)
    return None if state is None else state.uri


def _read(directory: Path) -> MirrorState | None:
    try:
        found = json.loads(read_regular(directory / MIRROR_STATE_NAME, max_bytes=_MAX_BYTES))
        found["artifacts"] = {name: (int(size), int(time)) for name, (size, time) in found["artifacts"].items()}
        state = MirrorState(**found)
        _check(state)
    except (OSError, RunError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return state


def _check(state: MirrorState) -> None:
    for text in (state.experiment_id, state.run_id, state.model_id or None, state.status):
        if text is not None and not _ID.fullmatch(text):
            raise ValueError("it is no id")
    if not isinstance(state.uri, str):
        raise TypeError("uri is a text")
    if not isinstance(state.journal_bytes, int) or state.journal_bytes < 0:
        raise ValueError("journal_bytes is a number of bytes")


def write_state(directory: Path, state: MirrorState) -> None:
    """Write `mirror.json`; it is not synced to the disk, since what it loses is only sent again."""
    write_whole(directory / MIRROR_STATE_NAME, json.dumps(asdict(state), indent=1).encode(), durable=False)
