"""Time one sweep three ways: the launcher of this project, Hydra's basic launcher, and a shell loop.

Run: python experiments/performance/sweep.py [--jobs 12] [--epochs 1 5] [--work DIR] [--only local basic loop]

The sweep is of small models on the handwritten digits, latent 16 to 128, each job's run kept in its directory alone.
All ways do the same jobs with the same seed, one after the other on an otherwise idle machine. The metrics of each job
must be those of the same job run alone in the shell loop: any difference is printed and makes the exit status 1.
Writes `sweep.csv` beside this file.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ("dataset=digits", "training=quick", "tracking=directory")
TIMES = ("time/", "train/seconds")
"""Metrics that tell seconds, and differ from run to run."""


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=12, help="jobs of the sweep")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 5], help="passes over the training data of each")
    parser.add_argument("--threads", type=int, default=0, help="of TensorFlow in a job; 0: its share of the cores")
    parser.add_argument("--work", type=Path, default=None, help="where runs are kept; else a temporary directory")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS), help="ways to time")
    return parser.parse_args()


def list_latents(num_jobs: int) -> list[int]:
    """Spread the jobs over latent sizes from 16 to 128."""
    step = 112 / max(1, num_jobs - 1)
    return [round(16 + place * step) for place in range(num_jobs)]


def run_train(overrides: list[str], output_dir: Path) -> None:
    """Run one command, and stop where it fails."""
    command = [sys.executable, str(ROOT / "train.py"), *overrides, *CONFIG, f"output_dir={output_dir}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}\n{done.stdout}\n{done.stderr}")


def sweep_locally(latents: list[int], options: list[str], output_dir: Path) -> None:
    """Run the sweep with the launcher of this project."""
    run_train(["-m", f"latent_dim={','.join(map(str, latents))}", *options, "hydra/launcher=local"], output_dir)


def sweep_basically(latents: list[int], options: list[str], output_dir: Path) -> None:
    """Run the sweep with the launcher that comes with Hydra."""
    run_train(["-m", f"latent_dim={','.join(map(str, latents))}", *options, "hydra/launcher=basic"], output_dir)


def run_one_by_one(latents: list[int], options: list[str], output_dir: Path) -> None:
    """Run each job by a command of its own."""
    for latent in latents:
        run_train([f"latent_dim={latent}", *options], output_dir)


WAYS: dict[str, Callable[[list[int], list[str], Path], None]] = {
    "local": sweep_locally,
    "basic": sweep_basically,
    "loop": run_one_by_one,
}


def read_metrics(output_dir: Path) -> dict[int, dict[str, Any]]:
    """Read what each job came to: its summary and its learning curve, seconds left out, by latent size."""
    found = {}
    for path in sorted(output_dir.glob("*/*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["kind"] == "run":
            lines = (path.parent / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            entries = [entry for entry in map(json.loads, lines) if not entry["key"].startswith(TIMES)]
            figures = {f"{entry['key']} at {entry['step']}": entry["value"] for entry in entries}
            found[manifest["params"]["latent_dim"]] = figures
    return found


def compare_metrics(name: str, found: dict[int, dict[str, Any]], alone: dict[int, dict[str, Any]]) -> int:
    """Print where jobs of a sweep differ from the same jobs run alone; return how many figures do."""
    different = 0
    for latent, figures in alone.items():
        others = found.get(latent, {})
        keys = [key for key in figures.keys() | others.keys() if figures.get(key) != others.get(key)]
        different += len(keys)
        for key in sorted(keys)[:3]:
            print(f"  {name}, latent {latent}: {key} is {others.get(key)}, alone {figures.get(key)}")
    return different


def time_ways(given: argparse.Namespace, epochs: int, work: Path) -> tuple[list[dict[str, Any]], int]:
    """Time every way on jobs of some epochs: a row for each, and how many figures differ from those alone."""
    latents = list_latents(given.jobs)
    options = [f"training.epochs={epochs}", f"training.num_threads={given.threads}"]
    rows: list[dict[str, Any]] = []
    metrics = {}
    for name in given.only:
        output_dir = (work / f"{name}-{epochs}").resolve()
        began = time.perf_counter()
        WAYS[name](latents, options, output_dir)
        seconds = time.perf_counter() - began
        metrics[name] = read_metrics(output_dir)
        figures = sum(map(len, metrics[name].values()))
        rows.append({"way": name, "jobs": len(latents), "epochs": epochs, "figures": figures})
        rows[-1] |= {
            "seconds": round(seconds, 1),
            "times_as_long": round(seconds / (rows[0].get("seconds") or seconds), 2),
        }
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    different = 0
    if "loop" in metrics:
        different = sum(compare_metrics(name, metrics[name], metrics["loop"]) for name in given.only)
    return rows, different


def main() -> None:
    """Time, compare, print, write."""
    given = read_options()
    rows: list[dict[str, Any]] = []
    different = 0
    with tempfile.TemporaryDirectory() as scratch:
        for epochs in given.epochs:
            found, wrong = time_ways(given, epochs, given.work or Path(scratch))
            rows += found
            different += wrong
    print(f"{different} figures of the jobs differ from those run alone; {os.cpu_count()} cores")
    with Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
