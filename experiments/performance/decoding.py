"""Time decoding: against the tutorial's loop, a batched loop in PyTorch, and the bare products of a step.

Run: python experiments/performance/decoding.py [--rounds 9] [--torch-python PYTHON] [--check 1000]

All in one interleaved run, on the sizes of the Keras tutorial: 16 symbols in, 59 out, 71 and 93 different ones, 256
units, drawn weights, the stop forbidden so that every sequence has all 59 steps. Writes decoding.csv beside itself.

PyTorch is no dependency of this project: name the Python of an environment that has it; without one its lines are left
out. It works in a process of its own, which decodes when told to.
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
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from quartiles import take_quartiles

from lengthwise.config.compose import compose_options
from lengthwise.config.options import BeamOptions, DecodingOptions, GreedyOptions, SampleOptions
from lengthwise.data.dataset import DataSpec
from lengthwise.data.vocabulary import START, STOP
from lengthwise.decoding.compiled import compile_decode
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring

HERE = Path(__file__).parent
SPEC = DataSpec(kind="tokens", source_size=71, target_size=93, source_timesteps=16, timesteps=59)
UNITS = 256
LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
REPEATS = 5
"""Times that a case is timed in its turn."""

Work = Callable[[], object]


class Case(NamedTuple):
    """Something to be timed: what, how many sequences at once, of how many steps."""

    what: str
    batch: int
    steps: int
    work: Work


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that can import torch")
    parser.add_argument("--check", type=int, default=0, help="only compare so many strings with the tutorial's loop")
    return parser.parse_args()


def build_tutorial_model() -> Models:
    """Build the tutorial's model with the weights that Keras draws."""
    keras.utils.set_random_seed(0)
    model = compose_options(["model=stateful", "dataset=copy"]).model
    return build_models(resolve_wiring(model, UNITS, SPEC))


def choose_options(strategy: str, length: str) -> DecodingOptions:
    """Return the options of a strategy with a length rule."""
    if strategy == "beam 4":
        return BeamOptions(name="beam", length=length, batch_size=256, width=4, length_penalty=0.6)
    if strategy == "sample":
        return SampleOptions(
            name="sample", length=length, batch_size=256, temperature=1.0, top_k=None, top_p=None, seed=0
        )
    return GreedyOptions(name="greedy", length=length, batch_size=256)


def draw_sources(batch: int) -> np.ndarray:
    """Draw sources `(batch, 16)` of ordinary symbols."""
    return np.random.default_rng(0).integers(4, SPEC.source_size, (batch, SPEC.source_timesteps)).astype(np.int32)


def bind_decoding(decode: Any, batch: int, steps: int) -> Work:
    """Return a function that decodes a batch and waits for its ids."""
    source, row = draw_sources(batch), np.arange(batch, dtype=np.int32)
    length, limit = np.full(batch, SPEC.source_timesteps, np.int32), np.full(batch, steps, np.int32)
    return lambda: decode(source, length, limit, row, np.zeros(batch, bool)).values.numpy()


def decode_sequence(models: Models, source: np.ndarray, *, steps: int, forbid_stop: bool) -> list[int]:
    """Decode one source as the tutorial does: batch size 1, a `predict` call for the encoder and one for each step."""
    length = np.array([len(source)], np.int32)
    states = models.encoder.predict({"source": source[None], "source_length": length}, verbose=0)
    context = {name: value for name, value in states.items() if name != "latent"}
    previous, decoded = START, []
    while len(decoded) < steps:
        outputs = models.decoder.predict({"previous": np.array([previous], np.int32), **context}, verbose=0)
        scores = outputs["values"][0]
        if forbid_stop:
            scores[STOP] = -np.inf
        previous = int(np.argmax(scores))
        if previous == STOP:
            break
        decoded.append(previous)
        context |= {name: value for name, value in outputs.items() if name in context}
    return decoded


def bind_products(models: Models, batch: int) -> Work:
    """Return a function that makes the matrix products of the decoder's 59 steps and nothing else."""
    recurrent = tf.constant(models.network.decoder.recurrents[0].layer.cell.recurrent_kernel.numpy())
    head = tf.constant(models.network.decoder.head.kernel.numpy())
    state = tf.random.normal((batch, UNITS))

    @tf.function(autograph=False)
    def multiply(state: tf.Tensor) -> tf.Tensor:
        def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Both products depend on the last step's, as the decoder's do, so that none is left out or moved.
            gates = tf.matmul(state + total, recurrent)
            scores = tf.matmul(state + total, head)
            return index + 1, 1e-9 * (gates[:1, :1] + scores[:1, :1])

        start = (tf.constant(0), tf.zeros((1, 1)))
        return tf.while_loop(lambda index, _: index < SPEC.timesteps, body, start)[1]

    return lambda: multiply(state).numpy()


class Torch:
    """The same model in PyTorch, in a process of its own.

    Args:
        python: of an environment with PyTorch.
        models: whose weights it gets.
        threads: that it may use.
    """

    def __init__(self, python: str, models: Models, threads: int) -> None:
        self._directory = tempfile.TemporaryDirectory()
        weights = Path(self._directory.name) / "weights.npz"
        encoder, decoder = models.network.encoder.recurrents[0], models.network.decoder
        cells = {"encoder": encoder.layer.cell, "decoder": decoder.recurrents[0].layer.cell}
        arrays = {
            f"{side}_{name}": getattr(cell, name).numpy()
            for side, cell in cells.items()
            for name in ("kernel", "recurrent_kernel", "bias")
        }
        arrays |= {"head_kernel": decoder.head.kernel.numpy(), "head_bias": decoder.head.bias.numpy()}
        np.savez(weights, **arrays)
        command = [python, str(HERE / "decoding_torch.py"), str(weights), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        return json.loads(line) if line else None

    def decode(self, cell: str, batch: int) -> tuple[float, list[list[int]]]:
        """Decode a batch: seconds, as measured there, and the ids."""
        request = {"cell": cell, "source": draw_sources(batch).tolist(), "steps": SPEC.timesteps}
        self._process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        answer = self._read()
        return answer["seconds"], answer["ids"]

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()
        self._directory.cleanup()


def list_cases(models: Models, torch: Torch | None) -> list[Case]:
    """List everything to be timed."""
    functions = {name: compile_decode(models, choose_options(name, "max")) for name in ("greedy", "sample", "beam 4")}
    source, steps = draw_sources(1)[0], SPEC.timesteps
    cases = [Case("reference loop", 1, steps, lambda: decode_sequence(models, source, steps=steps, forbid_stop=True))]
    for batch in (1, 64, 256, 1024):
        cases.append(Case("greedy", batch, steps, bind_decoding(functions["greedy"], batch, steps)))
        if torch is not None:
            for cell in ("LSTMCell", "written out"):
                cases.append(
                    Case(f"PyTorch, {cell}", batch, steps, lambda cell=cell, batch=batch: torch.decode(cell, batch)[0])
                )
        cases.append(Case("bare products", batch, steps, bind_products(models, batch)))
    for batch in (1, 64, 256):
        cases.append(Case("sample", batch, steps, bind_decoding(functions["sample"], batch, steps)))
        cases.append(Case("beam 4", batch, steps, bind_decoding(functions["beam 4"], batch, steps)))
    cases += [
        Case("greedy by length", 64, length, bind_decoding(functions["greedy"], 64, length)) for length in LENGTHS
    ]
    return cases


def measure(cases: list[Case], rounds: int) -> list[list[float]]:
    """Do the cases in turn, so that what else the machine does hits them alike: seconds of each.

    Whoever comes after another finds the caches full of the other's weights. So each case but the reference loop, which
    takes seconds, is done once untimed in its turn, and then `REPEATS` times.
    """
    seconds: list[list[float]] = [[] for _ in cases]
    for turn in range(rounds + 1):
        for case, values in zip(cases, seconds, strict=True):
            repeats = 1 if case.what == "reference loop" else 1 + REPEATS
            took = [time_once(case.work) for _ in range(repeats)]
            if turn:
                values += took if repeats == 1 else took[1:]
        print(f"round {turn} of {rounds}" if turn else "warming up", file=sys.stderr, flush=True)
    return seconds


def time_once(work: Work) -> float:
    """Return the seconds of a work; one that returns a float has timed itself."""
    began = time.perf_counter()
    answer = work()
    return answer if isinstance(answer, float) else time.perf_counter() - began


def write_results(cases: list[Case], seconds: list[list[float]]) -> None:
    """Write the table beside this file, and print it as Markdown."""
    header = ["what", "batch", "steps", "median_ms", "lower_quartile_ms", "upper_quartile_ms"]
    header += ["sequences_per_second", "us_per_token"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with (HERE / "decoding.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for case, values in zip(cases, seconds, strict=True):
            low, middle, high = (1e3 * value for value in take_quartiles(values))
            derived = (1e3 * case.batch / middle, 1e3 * middle / (case.batch * case.steps))
            numbers = [f"{value:.4g}" for value in (middle, low, high, *derived)]
            row = [case.what, str(case.batch), str(case.steps), *numbers]
            writer.writerow(row)
            print(f"| {' | '.join(row)} |")


def check_strings(models: Models, count: int) -> int:
    """Compare greedy decoding with the tutorial's loop, sequences ending at their stop: how many differ."""
    # The stop is made likely, since every step of that loop takes its time.
    bias = models.network.decoder.head.bias
    bias.assign(np.eye(1, SPEC.target_size, STOP, dtype=np.float32)[0] * 2.5)
    rng = np.random.default_rng(1)
    for variable in models.network.trainable_variables:
        if variable is not bias:
            variable.assign(rng.normal(scale=0.25, size=variable.shape))
    decode = compile_decode(models, choose_options("greedy", "model"))
    sources, differ, num_symbols = draw_sources(count), 0, 0
    length, limit = np.full(count, SPEC.source_timesteps, np.int32), np.full(count, SPEC.timesteps, np.int32)
    made = decode(sources, length, limit, np.arange(count, dtype=np.int32), np.ones(count, bool))
    for row, source in enumerate(sources):
        wanted = decode_sequence(models, source, steps=SPEC.timesteps, forbid_stop=False)
        differ += made.values[row, : int(made.length[row])].numpy().tolist() != wanted
        num_symbols += len(wanted)
        if (row + 1) % 50 == 0:
            print(f"{row + 1} strings of {num_symbols / (row + 1):.1f} symbols: {differ} differ", flush=True)
    return differ


def open_torch(python: str, models: Models, threads: int) -> Torch | None:
    """Start PyTorch where it can be imported, and hold what it makes to what we make."""
    torch = Torch(python, models, threads)
    if torch.version is None:
        print(f"PyTorch cannot be imported by {python}: left out.")
        return None
    print(f"PyTorch {torch.version}, TensorFlow {tf.__version__}, {threads} threads each.")
    decode = compile_decode(models, choose_options("greedy", "max"))
    ours = bind_decoding(decode, 64, SPEC.timesteps)()
    for cell in ("LSTMCell", "written out"):
        if torch.decode(cell, 64)[1] != ours.tolist():  # type: ignore[attr-defined]
            raise SystemExit(f"PyTorch ({cell}) decodes something else: the comparison would mean nothing.")
    return torch


def main() -> None:
    """Print and write the table."""
    options = read_options()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    models = build_tutorial_model()
    if options.check:
        raise SystemExit(check_strings(models, options.check))
    torch = open_torch(options.torch_python, models, options.threads)
    cases = list_cases(models, torch)
    write_results(cases, measure(cases, options.rounds))
    if torch is not None:
        torch.close()


if __name__ == "__main__":
    main()
