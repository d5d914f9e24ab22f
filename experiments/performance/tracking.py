"""What tracking costs: the same fit with everything recorded and with nothing, each in a fresh process, interleaved.

    python experiments/performance/tracking.py [--pairs 5] [--epochs 60]

`everything` is the default of a run: the journal, checkpoints, and the mirror into a new sqlite database, the import of
MLflow and the making of the database included. `nothing` is `Model.fit` with the project's stream and early stopping.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

RESULTS = Path(__file__).with_name("tracking.csv")
MODES = ("nothing", "everything")


def measure_once(mode: str, epochs: int) -> float:
    """Fit the default model in this process and return the seconds of the fit."""
    from rich.console import Console

    from lengthwise.config.compose import compose_options
    from lengthwise.config.parse import dump_options
    from lengthwise.config.paths import find_output_dir
    from lengthwise.data.datasets.registry import load_dataset
    from lengthwise.models.bundle import build_models
    from lengthwise.models.wiring import resolve_wiring
    from lengthwise.pipeline.command import Launch
    from lengthwise.pipeline.experiment import build_record
    from lengthwise.pipeline.stages import prepare_backend, train_model
    from lengthwise.tracking.session import start_run

    quiet = Console(quiet=True)
    with tempfile.TemporaryDirectory() as directory:
        options = compose_options(
            [
                f"output_dir={directory}/outputs",
                f"tracking.uri=sqlite:///{directory}/mlflow.db",
                f"training.epochs={epochs}",
                "training.early_stopping_patience=null",
            ]
        )
        dataset = load_dataset(options.dataset, options.timesteps)
        prepare_backend(options.training, options.seed)
        models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
        if mode == "nothing":
            never = replace(options, training=replace(options.training, checkpoint_seconds=86_400.0))
            fit = {"on_epoch": lambda *_: None, "checkpoints": Path(directory) / "none", "console": quiet}
            return train_model(models, dataset.splits, never, **fit).seconds
        launch = Launch(command=("measure",), overrides=())
        places = {"output_dir": find_output_dir(options), "config_text": dump_options(options)}
        with start_run(build_record(options, launch, dataset), options.tracking, **places) as run:
            fit = {"on_epoch": lambda epoch, metrics: run.log(metrics, step=epoch), "console": quiet}
            return train_model(models, dataset.splits, options, checkpoints=run.path("checkpoints"), **fit).seconds


def main() -> None:
    """Measure pairs and print the overhead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--once", choices=MODES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        print(measure_once(given.once, given.epochs))
        return
    rows = []
    for pair in range(given.pairs):
        order = MODES if pair % 2 == 0 else MODES[::-1]
        seconds = {mode: _measure_apart(mode, given.epochs) for mode in order}
        rows.append(
            {"pair": pair, **seconds, "overhead_percent": 100 * (seconds["everything"] / seconds["nothing"] - 1)}
        )
        print(f"pair {pair}: " + ", ".join(f"{mode} {value:.2f} s" for mode, value in seconds.items()), flush=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({key: round(value, 3) for key, value in row.items()} for row in rows)
    medians = {mode: statistics.median(row[mode] for row in rows) for mode in MODES}
    overhead = [row["overhead_percent"] for row in rows]
    seconds = ", ".join(f"{mode} {value:.2f} s" for mode, value in medians.items())
    spread = f"median {statistics.median(overhead):+.1f} %, from {min(overhead):+.1f} to {max(overhead):+.1f} %"
    print(f"medians of {given.pairs}: {seconds}; overhead by pair: {spread}")


def _measure_apart(mode: str, epochs: int) -> float:
    command = [sys.executable, __file__, "--once", mode, "--epochs", str(epochs)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


if __name__ == "__main__":
    main()
