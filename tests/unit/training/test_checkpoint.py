"""Checkpoints: whole or not there, the newest whole one used, and a resumed fit equal to one that never stopped."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from helpers.step_by_step import step_by_step
from helpers.training_options import build_run
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import RunError
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.checkpoint import (
    ARRAYS_NAME,
    STATE_NAME,
    Checkpoint,
    DamagedError,
    TrainingState,
    list_checkpoints,
    load_newest,
    read_checkpoint,
    save_checkpoint,
)
from lengthwise.training.trainer import TrainingResult, train_model

STATEFUL = {"conditioning": "initial_state", "feedback": "teacher", "length": "stop", "carry": "hc", "head": "dense"}


def make(epoch: int) -> Checkpoint:
    state = TrainingState(
        epoch=epoch,
        best_epoch=0,
        best_value=-math.inf,
        best_loss=math.inf,
        last_change=0,
        is_over=False,
        seconds=1.5,
        history={"a/b": [1.0]},
    )
    return Checkpoint(state=state, arrays={"model/0": np.full((2, 3), float(epoch), np.float32)})


def test_a_checkpoint_reads_back_as_it_was_and_two_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 10):
        save_checkpoint(tmp_path, make(epoch))
    assert [path.name for path in list_checkpoints(tmp_path)] == ["epoch-000010", "epoch-000002"]
    checkpoint, problems = load_newest(tmp_path)
    assert checkpoint is not None
    assert not problems
    assert checkpoint.state == make(10).state
    np.testing.assert_array_equal(checkpoint.arrays["model/0"], make(10).arrays["model/0"])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", [ARRAYS_NAME, STATE_NAME, "hashes.json"])
@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_used(tmp_path: Path, name: str, damage: Any) -> None:
    save_checkpoint(tmp_path, make(1))
    save_checkpoint(tmp_path, make(2))
    damage(tmp_path / "epoch-000002" / name)
    checkpoint, problems = load_newest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.state.epoch == 1
    assert [problem.startswith("epoch-000002") for problem in problems] == [True]


def claim(_arrays: dict[str, Any]) -> bytes:
    """Return an array that claims to be far larger than it is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**15,)})
    return pack({"model/0.npy": file.getvalue()})


def compress(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def pickle_object(_arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"model/0": np.array([{}], object)})
    return file.getvalue()


def pack(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


FORGED: list[dict[str, Any] | str] = [{"epoch": value} for value in ("1", 1.5, None, -1, [], {})]
FORGED += [{"history": value} for value in (None, [], {"a": 1}, {"a": ["x"]})]
FORGED += [{"best_value": "x"}, {"is_over": "no"}, {"seconds": None}, {"another": 1}, "[]", "3", '{"a":' * 20_000]


@pytest.mark.parametrize(
    "forged",
    [claim, compress, pickle_object, *FORGED],
    ids=lambda forged: getattr(forged, "__name__", str(forged))[:30],
)
def test_a_forged_checkpoint_is_damaged(tmp_path: Path, forged: Any) -> None:
    """Its hashes fit, since who forges a run writes them too."""
    checkpoint = make(1)
    save_checkpoint(tmp_path, checkpoint)
    directory = tmp_path / "epoch-000001"
    if callable(forged):
        (directory / ARRAYS_NAME).write_bytes(forged(checkpoint.arrays))
    else:
        state = json.loads((directory / STATE_NAME).read_text())
        (directory / STATE_NAME).write_text(forged if isinstance(forged, str) else json.dumps(state | forged))
    names = (STATE_NAME, ARRAYS_NAME)
    hashes = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names}
    (directory / "hashes.json").write_text(json.dumps(hashes))
    with pytest.raises(DamagedError, match="epoch-000001: "):
        read_checkpoint(directory)


def test_none_whole_is_an_error_and_none_at_all_a_start(tmp_path: Path) -> None:
    assert load_newest(tmp_path / "none") == (None, [])
    save_checkpoint(tmp_path, make(1))
    flip(tmp_path / "epoch-000001" / ARRAYS_NAME)
    with pytest.raises(RunError, match=r"No whole checkpoint.*epoch-000001"):
        load_newest(tmp_path)


def test_what_a_kill_left_unfinished_is_not_a_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make(1))
    (tmp_path / "epoch-000001").rename(tmp_path / ".epoch-000001.77")
    assert load_newest(tmp_path) == (None, [])


def test_a_full_disk_names_the_checkpoint_and_leaves_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, make(1))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", refuse)
    with pytest.raises(OSError, match="epoch-000002") as raised:
        save_checkpoint(tmp_path, make(2))
    assert raised.value.errno == 28
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000001"]


class Killed(BaseException):
    """Stands for a kill: no code of Lengthwise catches it."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    options = build_run()
    return load_dataset(options.dataset, options.timesteps)


def fit(
    dataset: Dataset, checkpoints: Path, changes: dict[str, Any], kill_at: tuple[int, ...] = ()
) -> tuple[Models, TrainingResult]:
    """Fit until the end; at the end of some epochs be killed, build everything again and resume."""
    training = {"epochs": 6, "batch_size": 16, "checkpoint_seconds": 0.0, **changes.get("training", {})}
    options = build_run(training=training, **{**STATEFUL, **changes.get("model", {})})
    deaths = list(kill_at)

    def on_epoch(epoch: int, _: dict[str, float]) -> None:
        if deaths and epoch == deaths[0]:
            deaths.pop(0)
            raise Killed

    while True:
        keras.utils.set_random_seed(options.seed)
        models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
        try:
            result = train_model(
                models, dataset.splits, options, on_epoch=on_epoch, checkpoints=checkpoints, console=Console(quiet=True)
            )
        except Killed:
            continue
        return models, result


COMPILED = ("compiled by XLA, dropout, cosine", "dropout, Adam, early stopping")
"""Cases that run as graphs, as users run them. Each resumption traces them again, so the others run step by step."""

CASES: dict[str, dict[str, Any]] = {
    "compiled by XLA, dropout, cosine": {
        "model": {"dropout": 0.3},
        "training": {"compile": "xla", "schedule": "cosine", "epochs": 3},
        "kill_at": (2,),  # each resumption compiles again
    },
    "dropout, Adam, early stopping": {
        "model": {"dropout": 0.3},
        "training": {"learning_rate": 0.05, "early_stopping_patience": 2, "epochs": 12},
    },
    "draws with replacement, the last weights": {
        "training": {"draws": "replacement", "keep": "last", "label_smoothing": 0.1, "early_stopping_patience": None}
    },
    "plateau, rmsprop, part of the data": {
        "training": {
            "optimizer": "rmsprop",
            "schedule": "plateau",
            "plateau_divisor": 3.0,
            "plateau_patience": 1,
            "batches_per_epoch": 2,
            "early_stopping_patience": None,
        }
    },
    "cosine, scheduled feedback": {
        "model": {
            "feedback": "scheduled",
            "sampling_rate": 0.5,
            "sampling_unit": "step",
            "sampling_schedule": "linear",
            "sampling_ramp": 4,
            "sampling_ramp_unit": "epoch",
        },
        "training": {"schedule": "cosine"},
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_fit_ends_with_the_same_bits(dataset: Dataset, tmp_path: Path, case: str) -> None:
    with contextlib.nullcontext() if case in COMPILED else step_by_step():
        models, result = fit(dataset, tmp_path / "whole", CASES[case])
        resumed_models, resumed = fit(dataset, tmp_path / "killed", CASES[case], CASES[case].get("kill_at", (1, 3, 4)))
    for one, other in zip(models.network.get_weights(), resumed_models.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (resumed.epochs, resumed.best_epoch, resumed.best_loss) == (
        result.epochs,
        result.best_epoch,
        result.best_loss,
    )
    for name, values in result.history.items():
        if not name.startswith("time/"):
            assert resumed.history[name] == values
    last = [load_newest(tmp_path / name)[0] for name in ("whole", "killed")]
    assert last[0] is not None
    assert last[1] is not None
    assert last[0].arrays.keys() == last[1].arrays.keys()
    for name, array in last[0].arrays.items():
        np.testing.assert_array_equal(array, last[1].arrays[name])


@pytest.mark.slow
def test_a_fit_that_is_over_is_not_made_again(dataset: Dataset, tmp_path: Path) -> None:
    with step_by_step():
        models, result = fit(dataset, tmp_path, {"training": {"epochs": 2}})
        again, resumed = fit(dataset, tmp_path, {"training": {"epochs": 2}}, kill_at=(1, 2))
    assert resumed.history == result.history
    for one, other in zip(models.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
