"""Time training updates compiled by XLA and as TensorFlow's own loops, by width, steps and batch: where XLA pays.

Run: python experiments/performance/compile.py [--rounds 7] [--units 16 64 128] [--steps 8 20] [--batch 32 128]

Each line is `model=stateful` on `copy`, all sequences of one length, through the trainer's own epochs; the two ways
take turns. Medians and quartiles of milliseconds an update, and the seconds of the first epoch, which compiles.
`updates`: after how many of them the slower start is made up for. Writes `compile.csv` beside this file.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import statistics
import time
from pathlib import Path

import keras
from quartiles import take_quartiles

from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.epochs import Epochs
from lengthwise.training.trainer import prepare_backend

WAYS = ("loops", "xla")
UPDATES = 40
"""Of an epoch."""


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--units", type=int, nargs="+", default=[16, 64, 128, 192, 256])
    parser.add_argument("--steps", type=int, nargs="+", default=[8, 20])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    return parser.parse_args()


def build_epochs(way: str, units: int, steps: int, batch: int) -> Epochs:
    """Prepare a fit of one epoch's updates after another."""
    options = compose_options(
        [
            *("model=stateful", "dataset=copy", f"latent_dim={units}", "dataset.num_symbols=26"),
            *(f"dataset.min_length={steps}", f"dataset.max_length={steps}", f"dataset.longer_length={steps + 1}"),
            *(f"dataset.num_train={UPDATES * batch}", "dataset.num_validation=2", "dataset.num_test=2"),
            *(f"training.batch_size={batch}", f"training.compile={way}", "training.schedule=constant"),
        ]
    )
    dataset = load_dataset(options.dataset, options.timesteps)
    keras.utils.set_random_seed(0)
    return Epochs(build_models(resolve_wiring(options.model, units, dataset.spec)), dataset.splits, options)


def time_epoch(epochs: Epochs, epoch: int) -> float:
    """Return the seconds of one epoch."""
    started = time.perf_counter()
    epochs.run(epoch, on_progress=lambda _done: None)
    return time.perf_counter() - started


def measure(units: int, steps: int, batch: int, rounds: int) -> dict[str, float | int | None]:
    """Time both ways in turn."""
    fits = {way: build_epochs(way, units, steps, batch) for way in WAYS}
    first = {way: time_epoch(fits[way], 0) for way in WAYS}
    for way in WAYS:  # while the chunks grow to their size
        time_epoch(fits[way], 1)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for epoch in range(2, 2 + rounds):
        for way in WAYS:
            seconds[way].append(time_epoch(fits[way], epoch))
    row: dict[str, float | int | None] = {"units": units, "steps": steps, "batch": batch}
    for way in WAYS:
        quarters = [1e3 * value / UPDATES for value in take_quartiles(seconds[way])]
        row |= {f"{way}_first_s": round(first[way], 2)}
        row |= {f"{way}_{name}": round(value, 3) for name, value in zip(("q1", "ms", "q3"), quarters, strict=True)}
    row["xla_to_loops"] = round(statistics.median(seconds["xla"]) / statistics.median(seconds["loops"]), 3)
    gained = (statistics.median(seconds["loops"]) - statistics.median(seconds["xla"])) / UPDATES
    row["updates"] = math.ceil((first["xla"] - first["loops"]) / gained) if gained > 0 else None
    return row


def main() -> None:
    """Print the grid line by line, and write it."""
    options = read_options()
    prepare_backend(compose_options([]).training, 0, options.threads)
    rows = []
    for cell in itertools.product(options.units, options.steps, options.batch):
        rows.append(measure(*cell, options.rounds))
        print(*(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    with Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
