"""Time whole commands against those of another checkout of this repository, in turn.

Run: python experiments/performance/start.py --base DIRECTORY [--rounds 5]

DIRECTORY is a clone at an older commit with its own environment in `.venv`. Each command is run once untimed, then in
turn with the other's. Medians and quartiles of seconds; writes start.csv beside itself, prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMMANDS = {
    "one run": ["model=repeat", "latent_dim=64"],
    "one epoch": ["model=repeat", "latent_dim=64", "training.epochs=1"],
    "refusal": ["model=repeat", "latent_dim=no"],
}


def time_command(root: Path, overrides: list[str], output_dir: str) -> float:
    """Return the seconds of a command of a checkout, in its own environment."""
    python = root / ".venv" / "bin" / "python"
    command = [str(python if python.exists() else sys.executable), str(root / "train.py"), *overrides]
    began = time.perf_counter()
    subprocess.run([*command, "tracking=directory", f"output_dir={output_dir}"], cwd=root, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(f"{describe_machine()} {given.rounds} rounds.\n", flush=True)
    header = ["command", "own_s", "own_quartiles", "base_s", "base_quartiles", "ratio"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with (
        tempfile.TemporaryDirectory() as directory,
        (HERE / "start.csv").open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for name, overrides in COMMANDS.items():
            seconds: dict[Path, list[float]] = {ROOT: [], given.base.resolve(): []}
            for turn in range(-1, given.rounds):
                for root, values in seconds.items():
                    took = time_command(root, overrides, directory)
                    if turn >= 0:
                        values.append(took)
            row, medians = [name], []
            for values in seconds.values():
                low, middle, high = statistics.quantiles(values, n=4)
                medians.append(middle)
                row += [f"{middle:.2f}", f"{low:.2f} to {high:.2f}"]
            row.append(f"{medians[0] / medians[1]:.2f}")
            writer.writerow(row)
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
