"""Measure everything on this page again, with one command, on a quiet machine.

Run: python experiments/performance/rerun.py --torch-python PYTHON [--rounds 5] [--smoke] [--only NAME ...]

PYTHON is that of an environment with PyTorch. The scripts follow one another; each interleaves what it compares. Their
tables, the processor and the versions go to results.md beside this file, from which README.md quotes. `--smoke`
measures next to nothing, to see whether everything still runs, and leaves the files of results as they are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from machine import describe_machine

HERE = Path(__file__).parent
TORCH, ROUNDS = "PYTHON OF PYTORCH", "NUMBER OF ROUNDS"
"""Stand for what the command line gives."""

CORNERS = ("repeat", "stateful", "stateful, embedded", "stateful, scheduled")
"""Those of `corners.py` that are measured here."""

SCRIPTS: dict[str, tuple[list[str], list[str]]] = {
    "training": (["--torch-python", TORCH, "--rounds", ROUNDS], ["--only", "digits", "--threads", "1"]),
    "decoding": (["--torch-python", TORCH, "--rounds", ROUNDS], []),
    "compile": (
        ["--rounds", ROUNDS, "--units", "16", "64", "128", "--batch", "32"],
        ["--units", "16", "--steps", "8"],
    ),
    "corners": (["--rounds", ROUNDS, "--corners", *CORNERS], ["--corners", "repeat"]),
    "sweep": (["--epochs", "1", "--only", "local", "loop"], ["--jobs", "2", "--only", "local"]),
    "pairs": (["--most", "10000000"], ["--most", "100000"]),
}
"""Name of each script -> its arguments, and those put after them for a smoke run."""


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="a Python that can import torch")
    parser.add_argument("--rounds", type=int, default=5, help="of each script that takes turns")
    parser.add_argument("--smoke", action="store_true", help="only see whether everything still runs")
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS))
    return parser.parse_args()


def run_script(name: str, options: argparse.Namespace) -> str:
    """Run a script: what it prints."""
    arguments, smoke = SCRIPTS[name]
    given = {TORCH: options.torch_python, ROUNDS: str(1 if options.smoke else options.rounds)}
    arguments = [given.get(each, each) for each in arguments + (smoke if options.smoke else [])]
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
    ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return ended.stdout.strip()


def main() -> None:
    """Run the scripts, show what they print, and write it."""
    options = read_options()
    kept = {file: file.read_bytes() for file in HERE.glob("*.csv")}
    parts = [f"# Results\n\n{describe_machine()} Written by `rerun.py` on {time.strftime('%Y-%m-%d')}."]
    for name in options.only:
        began = time.monotonic()
        printed = run_script(name, options)
        seconds = round(time.monotonic() - began)
        parts.append(f"## {name}.py, {seconds} s\n\n{printed}")
        print(f"{parts[-1]}\n", flush=True)
    if options.smoke:
        for file in HERE.glob("*.csv"):
            if file in kept:
                file.write_bytes(kept[file])
            else:
                file.unlink()
    else:
        (HERE / "results.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
