"""Measure what reading pairs takes: seconds to the first batch, and memory, beside that of one update of a model.

Run: python experiments/performance/pairs.py [--most 10000000]

The files are drawn: words of 4 to 12 letters, or to 64, and their reversal, in a temporary directory. Each is read in a
process of its own, before TensorFlow is imported; the largest also trains for some updates, and takes minutes. Prints a
table as Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """A file of pairs.

    Args:
        num_pairs: Number of pairs.
        most_letters: Letters of the longest, but for the long one; the shortest has 4.
        num_long: Characters of one more pair; 0: there is none.
        trains: Whether a model is trained.
    """

    num_pairs: int
    most_letters: int = 12
    num_long: int = 0
    trains: bool = False


LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
CASES = {
    "100,000, one of 5,000 characters": Case(100_000, most_letters=64, num_long=5_000),
    "1,000,000": Case(1_000_000),
    "10,000,000": Case(10_000_000, trains=True),
}


def write_pairs(path: Path, case: Case) -> None:
    """Write a file of pairs, a part at a time."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, case.num_pairs, 1 << 17):
            lengths = rng.integers(4, case.most_letters + 1, min(1 << 17, case.num_pairs - start))
            text, ends = "".join(LETTERS[rng.integers(0, 26, lengths.sum())]), np.cumsum(lengths)
            words = [text[end - length : end] for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)]
            file.writelines(f"{word}\t{word[::-1]}\n" for word in words)
        if case.num_long:
            file.write(f"{'a' * case.num_long}\t{'b' * case.num_long}\n")


def read_peak() -> float:
    """Return the most memory that this process has had, MB; only Linux says so."""
    # Not `ru_maxrss`, which a process takes over from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def read_pairs(path: str, *, trains: bool) -> None:
    """Load a file and take a batch; print its seconds and the memory, with updates of a model only if asked."""
    from lengthwise.config.compose import compose_options
    from lengthwise.data.batching import plan_batches, take_batch
    from lengthwise.data.datasets.registry import load_dataset

    options = compose_options(
        ["model=stateful", "dataset=pairs", f"dataset.path={path}", "training.batches_per_epoch=20"]
    )
    before, began = read_peak(), time.perf_counter()
    dataset = load_dataset(options.dataset, options.timesteps)
    train = dataset.splits["train"]
    batches = plan_batches(train.source.length, train.target.length, batch_size=64, seed=0, epoch=0)
    take_batch(train, batches[0])
    seconds, loaded = time.perf_counter() - began, read_peak()
    trained = ""
    if trains:
        import keras

        from lengthwise.models.bundle import build_models
        from lengthwise.models.wiring import resolve_wiring
        from lengthwise.training.epochs import Epochs

        keras.utils.set_random_seed(0)
        imported = read_peak()
        models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
        Epochs(models, dataset.splits, options).run(0, on_progress=lambda _done: None)
        trained = f"{imported:.0f} | {read_peak():.0f}"
    print(f"{seconds:.2f} | {before:.0f} | {loaded:.0f} | {trained or ' | '}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000, help="leave out files of more pairs")
    parser.add_argument("--path", help="read this file only, in this process")
    parser.add_argument("--trains", action="store_true", help="with --path: make some updates too")
    given = parser.parse_args()
    if given.path is not None:
        read_pairs(given.path, trains=given.trains)
        return
    header = ["pairs", "s to the first batch", "MB before", "MB with the data", "MB with TensorFlow", "MB, trained"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "pairs.txt"
        for name, case in CASES.items():
            if case.num_pairs > given.most:
                continue
            write_pairs(path, case)
            command = [sys.executable, __file__, "--path", str(path), *(["--trains"] if case.trains else [])]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            print(f"| {name} | {printed} |", flush=True)


if __name__ == "__main__":
    main()
