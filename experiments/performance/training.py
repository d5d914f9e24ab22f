"""Time training updates through the trainer against the same models in PyTorch, in turn.

Run: python experiments/performance/training.py --torch-python PYTHON [--rounds 5] [--only NAME ...]

PYTHON is that of an environment with PyTorch, which is no dependency of this project; it works in a process of its
own, with `nn.LSTM`, fused Adam and the gradient clipped. Ours are epochs of a fit as `python train.py` makes them, all
but the first two. On SCAN ours are batches of like lengths, and PyTorch pads to the longest of all. Medians and
quartiles of milliseconds an update; the ratio is that of the medians, its range that of the ratios of single rounds.
Writes training.csv beside itself and prints the table as Markdown.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from machine import describe_machine
from quartiles import take_quartiles

from lengthwise.config.compose import compose_options
from lengthwise.data.dataset import DataSpec, Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.sequences import Sequences
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import count_parameters, resolve_wiring
from lengthwise.training.epochs import Epochs
from lengthwise.training.trainer import prepare_backend

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What is trained: the sizes of a model and of its batches.

    Args:
        name: Shown in the table.
        model: `repeat` or `stateful`.
        units: Width of encoder and decoder.
        source_steps: Steps of every source.
        target_steps: Steps that are scored, the stop included.
        batch: Sequences of a batch.
        updates: Of an epoch, so that one takes about a second.
        kind: `tokens`, with 71 and 93 symbols, or `features`.
        embedding: Width of an embedding; 0: one-hot symbols.
        layers: Of the encoder, and of the decoder.
        dropout: Share of the embeddings' entries, and of those between the layers, that are dropped.
        sampling_rate: Share of the steps that are fed the model's own output.
        dataset: Data of ours; None: drawn. PyTorch trains on drawn ones, all as long as the steps say.
    """

    name: str
    model: str
    units: int
    source_steps: int
    target_steps: int
    batch: int
    updates: int
    kind: str = "tokens"
    embedding: int = 0
    source_size: int = 71
    target_size: int = 93
    layers: int = 1
    dropout: float = 0.0
    sampling_rate: float = 0.0
    dataset: str | None = None


SMALL = {"units": 64, "batch": 32, "updates": 200}
LARGE = {"units": 256, "batch": 64, "updates": 20, "source_steps": 16, "target_steps": 59}
SCAN = {"dataset": "scan", "units": 200, "embedding": 200, "layers": 2, "dropout": 0.5, "batch": 64, "updates": 30}
SCAN |= {"source_steps": 9, "target_steps": 49, "source_size": 17, "target_size": 10}
CASES = (
    Case(
        name="repeat on digits, 8 steps, 64 units",
        model="repeat",
        kind="features",
        **{"source_size": 8, "target_size": 8, "source_steps": 8, "target_steps": 8, **SMALL},
    ),
    Case(name="stateful, 8 to 8 steps, 64 units", model="stateful", source_steps=8, target_steps=8, **SMALL),
    Case(name="repeat, 8 to 8 steps, 64 units", model="repeat", source_steps=8, target_steps=8, **SMALL),
    Case(name="stateful, 20 to 20 steps, 64 units", model="stateful", source_steps=20, target_steps=20, **SMALL),
    Case(name="repeat, 20 to 20 steps, 64 units", model="repeat", source_steps=20, target_steps=20, **SMALL),
    Case(name="stateful, 16 to 59 steps, 256 units", model="stateful", **LARGE),
    Case(name="repeat, 16 to 59 steps, 256 units", model="repeat", **LARGE),
    Case(name="stateful embedded, 16 to 59 steps, 256 units", model="stateful", embedding=256, **LARGE),
    Case(name="SCAN, teacher forcing; PyTorch pads to the longest", model="stateful", **SCAN),
    Case(name="SCAN, scheduled; PyTorch pads to the longest", model="stateful", sampling_rate=0.5, **SCAN),
)


def list_changes(case: Case) -> list[str]:
    """Return the options of a case that differ from the defaults."""
    changes = [f"model={case.model}", f"latent_dim={case.units}", f"training.batch_size={case.batch}"]
    changes += [f"dataset={case.dataset or ('copy' if case.kind == 'tokens' else 'digits')}", "training.clip_norm=1"]
    changes += [f"model.embedding_dim={case.embedding}"] if case.embedding else []
    if case.dropout:
        changes += [f"model.dropout={case.dropout}", "model.dropout_places=input+layers"]
    if case.layers > 1:
        changes += [f"model.encoder_layers={case.layers}", f"model.decoder_layers={case.layers}"]
    if case.sampling_rate:
        changes += ["model.feedback=scheduled", f"model.sampling_rate={case.sampling_rate}", "model.sampling_unit=step"]
        changes += ["model.sampling_schedule=constant"]
    return [*changes, *([f"training.batches_per_epoch={case.updates}"] if case.dataset else [])]


class Torch:
    """PyTorch in a process of its own.

    Args:
        python: Of an environment with PyTorch.
        threads: Threads that it may use.
    """

    def __init__(self, python: str, threads: int) -> None:
        command = [python, str(HERE / "training_torch.py"), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit("PyTorch cannot be imported: name the Python of an environment with it, --torch-python")
        return json.loads(line)

    def train(self, case: Case, updates: int) -> tuple[float, int]:
        """Make updates: their seconds, as measured there, and the number of the model's parameters."""
        self._process.stdin.write(json.dumps({"case": asdict(case), "updates": updates}) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        answer = self._read()
        return answer["seconds"], answer["parameters"]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()


class Ours:
    """A fit of a case, of which one epoch after another is timed."""

    def __init__(self, case: Case) -> None:
        has_stop = case.kind == "tokens" and case.model == "stateful"
        target_length = case.target_steps - has_stop
        spec = DataSpec(
            kind="tokens" if case.kind == "tokens" else "features",
            source_size=case.source_size,
            target_size=case.target_size,
            source_timesteps=case.source_steps,
            timesteps=target_length,
        )
        keras.utils.set_random_seed(0)
        options = compose_options(list_changes(case))
        if case.dataset is not None:
            dataset = load_dataset(options.dataset, options.timesteps)
            spec, splits = dataset.spec, dict(dataset.splits)
            # Only what an epoch's updates are made of is timed: two examples are validated, as in the other cases.
            splits["val"] = splits["val"].keep_first(2)
        wiring = resolve_wiring(options.model, case.units, spec)
        self.num_parameters = count_parameters(wiring)
        rng, rows = np.random.default_rng(0), case.batch * case.updates

        def draw(count: int) -> Split:
            lengths = (np.full(count, steps, np.int32) for steps in (case.source_steps, target_length))
            sizes = (case.source_size, case.target_size)
            if case.kind == "features":
                length = next(lengths)
                values = rng.random((int(length.sum()), case.source_size)).astype(np.float32)
                return Split(source=(sequences := Sequences.join(values, length)), target=sequences)
            sides = [
                Sequences.join(rng.integers(4, size, int(length.sum())).astype(np.uint8), length)
                for size, length in zip(sizes, lengths, strict=True)
            ]
            return Split(source=sides[0], target=sides[1])

        if case.dataset is None:
            splits = {"train": draw(rows), "val": draw(2)}
        self._epochs = Epochs(build_models(wiring), splits, options)
        self._num_done = 0

    def train(self) -> float:
        """Train for an epoch: its seconds."""
        began = time.perf_counter()
        self._epochs.run(self._num_done, on_progress=lambda _done: None)
        self._num_done += 1
        return time.perf_counter() - began


def check_sizes(case: Case, ours: int, theirs: int) -> None:
    """Compare the numbers of parameters: an LSTM of PyTorch has two vectors of biases where Keras has one."""
    decoder_width = case.units if case.kind == "tokens" else case.target_size
    if theirs - ours != 4 * case.layers * (case.units + decoder_width):
        raise SystemExit(f"{case.name}: {ours} parameters and {theirs} in PyTorch: the comparison would mean nothing.")


def measure(cases: list[Case], torch: Torch, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Train all cases in turn, ours and PyTorch's one after the other: seconds an update of each round."""
    fits = {case.name: Ours(case) for case in cases}
    seconds: dict[str, list[tuple[float, float]]] = {case.name: [] for case in cases}
    for turn in range(-2, rounds):  # the first epoch traces, in the second the chunks grow to their size
        for case in cases:
            own = fits[case.name].train()
            theirs, num_parameters = torch.train(case, case.updates)
            check_sizes(case, fits[case.name].num_parameters, num_parameters)
            if turn >= 0:
                seconds[case.name].append((own / case.updates, theirs / case.updates))
    return seconds


def write_results(seconds: dict[str, list[tuple[float, float]]]) -> None:
    """Write the table beside this file, and print it as Markdown."""
    header = ["case", "own_ms", "own_quartiles", "pytorch_ms", "pytorch_quartiles", "ratio", "ratio_range"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with (HERE / "training.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for name, pairs in seconds.items():
            row, medians = [name], []
            for values in zip(*pairs, strict=True):
                low, middle, high = (1e3 * value for value in take_quartiles(values))
                medians.append(middle)
                row += [f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]
            ratios = [own / theirs for own, theirs in pairs]
            row += [f"{medians[0] / medians[1]:.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}"]
            writer.writerow(row)
            print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", required=True, help="a Python that can import torch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose names contain one of these")
    given = parser.parse_args()
    torch = Torch(given.torch_python, given.threads)
    print(f"{describe_machine(torch.version)} {given.threads} threads each, {given.rounds} rounds.\n", flush=True)
    prepare_backend(compose_options([]).training, 0, given.threads)
    cases = [case for case in CASES if any(part in case.name for part in given.only)]
    write_results(measure(cases, torch, given.rounds))
    torch.close()


if __name__ == "__main__":
    main()
