"""What `resume=RUN` refuses, before any work begins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions, TrackingOptions
from lengthwise.config.parse import dump_options
from lengthwise.config.paths import find_output_dir
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import RunError
from lengthwise.pipeline.command import Launch
from lengthwise.pipeline.experiment import build_record, run_experiment
from lengthwise.tracking.session import start_run

LAUNCH = Launch(command=("python", "train.py"), overrides=())


def compose(output_dir: Path, *overrides: str) -> RunOptions:
    return compose_options(["tracking=directory", f"output_dir={output_dir}", *overrides])


def open_run(options: RunOptions) -> Path:
    """Make a run that was interrupted before it did anything."""
    record = build_record(options, LAUNCH, load_dataset(options.dataset, options.timesteps))
    places = {"output_dir": find_output_dir(options), "config_text": dump_options(options)}
    with pytest.raises(KeyboardInterrupt), start_run(record, options.tracking, **places) as run:
        raise KeyboardInterrupt
    return run.directory


def change(directory: Path, **values: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_run_whose_data_have_changed_is_not_resumed(tmp_path: Path) -> None:
    directory = open_run(compose(tmp_path))
    record = json.loads((directory / "manifest.json").read_text())["dataset"]
    change(directory, dataset=record | {"sha256": "0" * 64})
    with pytest.raises(RunError, match=r"have changed since .*their hash differs"):
        run_experiment(compose(tmp_path, f"resume={directory.name}"), LAUNCH)
    assert not (directory / "checkpoints").exists()


def test_a_finished_run_and_a_sweep_are_not_resumed(tmp_path: Path) -> None:
    directory = open_run(compose(tmp_path))
    change(directory, status="FINISHED")
    with pytest.raises(RunError, match="has finished"):
        run_experiment(compose(tmp_path, "resume=latest"), LAUNCH)
    change(directory, status="KILLED", kind="sweep")
    with pytest.raises(RunError, match="is a sweep"):
        run_experiment(compose(tmp_path, f"resume={directory.name}"), LAUNCH)
    with pytest.raises(RunError, match="nowhere"):
        run_experiment(compose(tmp_path, "resume=nowhere"), LAUNCH)


@pytest.mark.parametrize(
    ("overrides", "stored", "expected"),
    [
        ((), "http://evil.example", "directory"),
        ((), "sqlite:///mlflow.db", "mlflow"),
        (("tracking.uri=http://own.example",), "http://evil.example", "mlflow"),
        (("tracking=directory",), "sqlite:///mlflow.db", "directory"),
    ],
)
def test_where_a_resumed_run_is_mirrored_is_the_users_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...], stored: str, expected: str
) -> None:
    directory = open_run(compose(tmp_path))
    options = compose_options([f"output_dir={tmp_path}", f"tracking.uri={stored}"])
    (directory / "config.yaml").write_text(dump_options(options))
    taken: list[TrackingOptions] = []

    def stop(_directory: Path, tracking: TrackingOptions) -> NoReturn:
        taken.append(tracking)
        raise KeyboardInterrupt

    monkeypatch.setattr("lengthwise.pipeline.experiment.resume_run", stop)
    command = [f"output_dir={tmp_path}", f"resume={directory.name}", *overrides]
    with pytest.raises(KeyboardInterrupt):
        run_experiment(compose_options(command), Launch(command=("train.py",), overrides=tuple(command)))
    assert taken[0].name == expected
    assert "evil" not in str(taken)


def test_latest_passes_over_a_run_that_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted, running = open_run(compose(tmp_path)), open_run(compose(tmp_path))
    change(running, status="RUNNING", started="2099-01-01T00:00:00.000+00:00")
    resumed: list[Path] = []

    def stop(directory: Path, _tracking: TrackingOptions) -> NoReturn:
        resumed.append(directory)
        raise KeyboardInterrupt

    monkeypatch.setattr("lengthwise.pipeline.experiment.resume_run", stop)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(compose(tmp_path, "resume=latest"), LAUNCH)
    assert resumed == [interrupted]
