"""Draw random valid configurations and run them: all options, both kinds of data, all precisions, sizes at extremes.

PYTHONPATH=tests python -m helpers.random_runs 1000                 a longer run than the tests', step by step
PYTHONPATH=tests python -m helpers.random_runs 100 --compiled       the same in compiled graphs, as users run them
PYTHONPATH=tests python -m helpers.random_runs 250 --seed 2000      other draws
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from omegaconf import OmegaConf
from rich.console import Console

from helpers.step_by_step import step_by_step
from lengthwise.config.options import CONFIG_VERSION, RunOptions
from lengthwise.config.parse import parse_config
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.decoding.inference import Inference
from lengthwise.errors import ConfigError, DataError
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import Wiring, resolve_wiring
from lengthwise.pipeline.outputs import write_outputs
from lengthwise.pipeline.results import RunResult
from lengthwise.pipeline.stages import evaluate_model
from lengthwise.serving.artifact import load_artifact
from lengthwise.serving.artifact_files import find_artifact
from lengthwise.tracking.runs.layout import TRACEBACK_NAME
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.training.trainer import prepare_backend, train_model

Values = dict[str, Any]

MAX_EXAMPLES = 3
"""Examples that a split is cut to: more would only take longer."""

FIGURES_EVERY = 25
"""Figures are drawn for one in so many runs, since they take longest."""

PRECISIONS = ("float32", "float64", "mixed_bfloat16", "mixed_float16")

MODEL: dict[str, tuple[Any, ...]] = {
    "name": ("random",),
    "conditioning": ("repeat", "initial_state", "both"),
    "feedback": ("none", "teacher", "scheduled", "own"),
    "length": ("fixed", "stop", "oracle"),
    "carry": ("h", "hc"),
    "cell": ("lstm", "gru", "rnn"),
    "encoder_layers": (1, 1, 2),
    "decoder_layers": (1, 1, 2),
    "decoder_dim": ("auto", "auto", 1, 2, 70),
    "bidirectional": (False, True),
    "embedding_dim": (None, 1, 3),
    "head": ("auto", "none", "dense"),
    "bridge": ("auto", "linear", "tanh"),
    "dropout": (0.0, 0.5, 0.99),
    "dropout_places": ("all", "all", "input", "layers+head"),
    "reverse_source": (False, True),
    "reverse_target": (False, True),
    "attention": ("none", "additive", "multiplicative"),
    "input_feeding": (False, True),
    "sampling_rate": (0.0, 0.5, 1.0),
    "sampling_unit": ("step", "sequence"),
    "sampling_schedule": ("constant", "linear", "inverse_sigmoid"),
    "sampling_ramp": (1, 3, 100_000_000),
    "sampling_ramp_unit": ("epoch", "batch"),
    "parameter_budget": (None, None, None, None, None, None, 50_000),
}

TRAINING: dict[str, tuple[Any, ...]] = {
    "name": ("random",),
    "optimizer": ("adam", "adamw", "rmsprop", "sgd"),
    "learning_rate": (1e-8, 0.01),
    "schedule": ("constant", "cosine", "plateau"),
    "plateau_divisor": (1.5, 1_000.0),
    "plateau_patience": (1, 100_000),
    "clip_norm": (None, 1e-6, 1.0, 1_000_000.0),
    "label_smoothing": (0.0, 0.0, 0.1, 0.999),
    "draws": ("permutation", "replacement"),
    "batch_size": (1, 2, 65_536),
    "epochs": (1,),
    "batches_per_epoch": (1,),
    "max_examples": (None, 1, 100_000_000),
    "early_stopping_patience": (None, 1),
    "keep": ("best", "last"),
    "monitor": ("loss",),  # by pipeline.monitor, which is not part of what is run here
    "monitor_every": (None,),
    "monitor_examples": (None,),
    "precision": PRECISIONS,
    "compile": ("auto", "loops", "xla"),
    "num_threads": (0,),  # of the process, which cannot change them
    "checkpoint_seconds": (0.0, 86_400.0),
    "score_train": (False, True),
}

DECODING: dict[str, dict[str, tuple[Any, ...]]] = {
    "greedy": {},
    "sample": {
        "temperature": (1e-3, 1.0, 1_000.0),
        "top_k": (None, 1, 3, 1_000_000),
        "top_p": (None, 1e-3, 0.9),
        "seed": (0, 2**31 - 1),
    },
    "beam": {"width": (1, 2, 40), "length_penalty": ("auto", "auto", 0.0, 0.6, 100.0)},
}

GENERATED = {"num_train": (1, 4), "num_validation": (1, 3), "num_test": (1, 3), "seed": (0, 1)}
HELD_OUT = {"validation_fraction": (0.2, 0.4), "test_fraction": (0.2, 0.4), "seed": (0, 1)}
DATASETS: dict[str, dict[str, tuple[Any, ...]]] = {
    "digits": HELD_OUT,
    "g2p": {"path": ("words.dict",)},
    "scan": {
        "split": ("simple", "length", "addprim_jump", "addprim_turn_left"),
        "length_cut": (None, 24),
        "train_fraction": (None, 0.01),
        "validation_fraction": (0.05,),
        "seed": (0,),
    },
    "copy": {"num_symbols": (2, 40), "min_length": (1, 2), "max_length": (2, 3), "longer_length": (4, 5)} | GENERATED,
    "reverse": {"num_symbols": (2, 40), "min_length": (1, 2), "max_length": (2, 3), "longer_length": (4,)} | GENERATED,
    "ambiguous": {"num_symbols": (2, 26), "min_length": (3,), "max_length": (3, 4), "longer_length": (5,)} | GENERATED,
    "addition": {"num_digits": (1, 2), "longer_digits": (3,)} | GENERATED,
    "pairs": {
        "path": ("one_symbol.tsv", "words.tsv"),
        "validation_path": (None,),
        "test_path": (None,),
        "longer_path": (None,),
        "source_column": (1,),
        "target_column": (1, 2),
        "tags_column": (None, 2),
        "tags_separator": (None,),
        "source_unit": ("characters", "words", " "),
        "target_unit": ("characters", "words", " "),
        "max_examples": (None, 6),
    }
    | HELD_OUT,
    "sequences": {
        "path": ("sequences.npz", "sequences.csv"),
        "target_path": (None, "targets.npz"),
        "lengths_path": (None,),
        "id_column": (None, "id"),
        "time_column": (None,),
        "split_column": (None,),
        "columns": (None,),
        "scaling": ("minmax", "standard"),
        "validation_fraction": (0.1, 0.2),
        "test_fraction": (0.1, 0.4),
        "seed": (0, 1),
    },
    "forecast": {
        "path": ("three.csv",),
        "history": (2, 3),
        "columns": (None, ("1", "3")),
        "target_columns": (None, ("3",)),
        "known_columns": (None, ("1",)),
        "period": (None, 2),
        "stride": (1, 3),
        "scaling": ("minmax", "standard"),
    }
    | {name: values for name, values in HELD_OUT.items() if name != "seed"},
    "series": {
        "path": ("one.csv", "three.csv"),
        "columns": (None, ("1",)),
        "label_column": (None,),
        "alarm_share": (0.001, 0.5),
        "stride": (1, 3),
        "scaling": ("minmax", "standard"),
    }
    | {name: values for name, values in HELD_OUT.items() if name != "seed"},
}


NAMES = ("copy", "reverse", "ambiguous", "addition", "g2p", "pairs", "pairs", "digits", "scan")
NAMES += ("series", "forecast", "sequences", "sequences")
"""Datasets as often as they are to be drawn; those with long sequences are seldom, since steps take time."""

TIMESTEPS: dict[str, tuple[Any, ...]] = {"series": (1, 3), "forecast": (1, 3), "digits": ("auto",), "scan": (8, 26)}


@dataclass(frozen=True)
class Drawn:
    """A valid configuration with its data, cut to few examples, and its wiring."""

    options: RunOptions
    dataset: Dataset
    wiring: Wiring

    def describe(self) -> str:
        """Return the options that matter, on one line, for the message of a failure."""
        parts = ("model", "dataset", "training", "decoding")
        return f"latent_dim={self.options.latent_dim} timesteps={self.options.timesteps} " + " ".join(
            str(getattr(self.options, part)) for part in parts
        )


def write_files(directory: Path) -> None:
    """Write the small files of the datasets that read files."""
    pairs = [("a" * (1 + n), "a" * (1 + n % 2)) for n in range(7)]
    (directory / "one_symbol.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    words = [(f"w{n} x é", f"y{n % 3} z") for n in range(12)]
    (directory / "words.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in words), encoding="utf-8")
    (directory / "words.dict").write_text(
        "".join(f"{chr(97 + n)}b B AH{n % 2} {chr(65 + n % 3)}\n" for n in range(24)), encoding="utf-8"
    )
    rows = np.random.default_rng(0).normal(size=(60, 3)).round(3)
    (directory / "one.csv").write_text("\n".join(str(row[0]) for row in rows), encoding="utf-8")
    lengths = {f"arr_{number}": 1 + number % 4 for number in range(12)}
    np.savez(directory / "sequences.npz", **{name: rows[:length] for name, length in lengths.items()})
    np.savez(directory / "targets.npz", **{name: rows[:6:length, :2] for name, length in lengths.items()})
    lines = (f"{name},{row[0]},{row[1]}" for name, length in lengths.items() for row in rows[:length].tolist())
    (directory / "sequences.csv").write_text("\n".join(["id,a,b", *lines]), encoding="utf-8")
    (directory / "three.csv").write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")


def draw_runs(seed: int, directory: Path, precisions: tuple[str, ...]) -> Iterator[Drawn | None]:
    """Draw without end; None stands for a draw that the gate, the data or the parameter budget refused.

    Args:
        seed: Of the draws.
        directory: With the files of `write_files`.
        precisions: To draw from.
    """
    rng = np.random.default_rng(seed)
    while True:
        try:
            options = parse_config(OmegaConf.create(draw_values(rng, directory, precisions)))
            dataset = cut(load(options.dataset, options.timesteps))
            yield Drawn(options, dataset, resolve_wiring(options.model, options.latent_dim, dataset.spec))
        except (ConfigError, DataError):
            yield None


def draw_values(rng: np.random.Generator, directory: Path, precisions: tuple[str, ...]) -> Values:
    """Draw every option; options that would be refused beside each other are made to fit in the obvious cases."""
    name = _pick(rng, NAMES)
    is_tokens = name not in ("digits", "sequences", "forecast", "series")
    dataset, training = {"name": name} | _draw(rng, DATASETS[name]), _draw(rng, TRAINING)
    training["precision"] = _pick(rng, precisions)
    training["label_smoothing"] *= is_tokens
    if training["draws"] == "replacement":  # which fills its batches, however few the examples
        training["batch_size"] = min(training["batch_size"], 2 * MAX_EXAMPLES)
    for option in ("path", "target_path"):
        if dataset.get(option) is not None:
            dataset[option] = str(directory / dataset[option])
    if name == "sequences":
        dataset["id_column"] = "id" if dataset["path"].endswith(".csv") else None
    if name == "scan":
        dataset["length_cut"] = dataset["length_cut"] if dataset["split"] == "length" else None
        dataset["train_fraction"] = dataset["train_fraction"] if dataset["split"] == "simple" else None
    if training["schedule"] != "plateau":
        training |= {"plateau_divisor": None, "plateau_patience": None}
    model, latent_dim = _draw_model(rng, is_tokens=is_tokens), _pick(rng, (1, 2, 3, 70))
    strategy = _pick(rng, tuple(DECODING)) if is_tokens else "greedy"
    decoding = {"name": strategy} | _draw(rng, {"length": ("model", "oracle", "max"), "batch_size": (1, 4, 64)})
    return {
        "config_version": CONFIG_VERSION,
        "latent_dim": latent_dim + (latent_dim % 2 if model["bidirectional"] else 0),
        "timesteps": _pick(rng, TIMESTEPS.get(name, ("auto", 2))),
        "seed": int(rng.integers(100)),
        "study": "random",
        "output_dir": "outputs",
        "resume": None,
        "base": None,
        "weights": None,
        "model": model,
        "dataset": dataset,
        "training": training,
        "decoding": decoding | _draw(rng, DECODING[strategy]),
        "tracking": {"name": "directory"},
    }


def _draw_model(rng: np.random.Generator, *, is_tokens: bool) -> Values:
    model = _draw(rng, MODEL)
    if model["conditioning"] != "repeat":
        model["decoder_layers"] = min(model["decoder_layers"], model["encoder_layers"])
    else:
        model["bridge"] = "auto"
    if model["feedback"] != "scheduled":
        model |= dict.fromkeys(name for name in model if name.startswith("sampling_"))
    elif model["sampling_schedule"] == "constant":
        model |= {"sampling_ramp": None, "sampling_ramp_unit": None}
    if model["cell"] != "lstm":
        model["carry"] = "h"
    if not model["dropout"]:
        model["dropout_places"] = "all"
    if model["attention"] != "multiplicative":
        model["input_feeding"] = False
    if not is_tokens:
        model["embedding_dim"] = None
    elif model["head"] == "none":
        model["head"] = "dense"
    if model["parameter_budget"] or (not is_tokens and model["head"] != "dense"):
        model["decoder_dim"] = "auto"
    return model


def _pick(rng: np.random.Generator, values: tuple[Any, ...]) -> Any:
    return values[rng.integers(len(values))]


def _draw(rng: np.random.Generator, table: dict[str, tuple[Any, ...]]) -> Values:
    return {name: _pick(rng, values) for name, values in table.items()}


load = cache(load_dataset)


def cut(dataset: Dataset) -> Dataset:
    """Keep the first examples of each split."""
    splits = {name: split.keep_first(MAX_EXAMPLES) for name, split in dataset.splits.items()}
    origin = dataset.origin
    if origin is not None:
        rows, ids = (
            {name: places[:MAX_EXAMPLES] for name, places in by_split.items()} for by_split in (origin.rows, origin.ids)
        )
        origin = dataclasses.replace(origin, rows=rows, ids=ids)
    return dataclasses.replace(dataset, splits=splits, origin=origin)


def run(drawn: Drawn, directory: Path, *, draws_figures: bool) -> None:
    """Train for a step, validate, decode, score, write the results and read the model back, as a run does.

    Args:
        drawn: The configuration.
        directory: For the results.
        draws_figures: Whether figures are drawn, and all splits decoded for them; otherwise only `val`, and `test`
            where anomalies are found in it.
    """
    options, dataset, console = drawn.options, drawn.dataset, Console(record=True, quiet=True)
    if not draws_figures:
        names = (
            ("train", "val", "test") if options.dataset.name == "series" else ("train", "val")
        )  # whose rows are scored
        dataset = dataclasses.replace(dataset, splits={name: dataset.splits[name] for name in names})
    prepare_backend(options.training, options.seed)
    models = build_models(drawn.wiring)
    training = train_model(
        models,
        dataset.splits,
        options,
        on_epoch=lambda *_: None,
        checkpoints=directory / "checkpoints",
        console=console,
    )
    result = evaluate_model(Inference(models, options.decoding), options, dataset, training)
    check(result)
    missing = write_outputs(RunFiles(directory), result, console, names=None if draws_figures else ("model", "samples"))
    assert not missing, (directory / TRACEBACK_NAME).read_text(encoding="utf-8")
    loaded = load_artifact(find_artifact(directory)).models.network
    for own, other in zip(models.network.trainable_variables, loaded.trainable_variables, strict=True):
        np.testing.assert_array_equal(own.numpy(), other.numpy())


def check(result: RunResult) -> None:
    """Check what holds for every result."""
    spec = result.dataset.spec
    for name, predictions in result.predictions.items():
        values, length = predictions.values, predictions.length
        assert len(values) == len(length) == len(result.dataset.splits[name])
        assert np.all((length >= 0) & (length <= spec.timesteps))
        padding = values[np.arange(values.shape[1]) >= length[:, None]]
        assert not padding.any()
        if spec.kind == "tokens":
            assert np.all((values >= 0) & (values < spec.target_size))
        else:
            assert np.all(np.isfinite(values))
    for name, value in result.summary.items():
        assert np.isfinite(value), f"{name} is {value}"


def find_failures(
    seed: int, count: int, directory: Path, precisions: tuple[str, ...] = PRECISIONS
) -> Iterator[str | None]:
    """Run configurations; yield the traceback of each that fails, None for each that does not.

    Args:
        seed: Of the draws.
        count: Configurations to run.
        directory: For their files.
        precisions: To draw from.

    Raises:
        RuntimeError: More draws are refused than accepted: the tables no longer fit the rules.
    """
    write_files(directory)
    num_accepted = num_refused = 0
    for drawn in draw_runs(seed, directory, precisions):
        if drawn is None:
            num_refused += 1
            if num_refused > 20 + num_accepted:
                raise RuntimeError(f"{num_refused} draws were refused and {num_accepted} accepted")
            continue
        num_accepted += 1
        try:
            with tempfile.TemporaryDirectory(dir=directory) as aside:
                run(drawn, Path(aside), draws_figures=num_accepted % FIGURES_EVERY == 0)
            yield None
        except Exception:
            yield f"{drawn.describe()}\n{traceback.format_exc()}"
        finally:
            keras.config.set_dtype_policy("float32")
        if num_accepted == count:
            return


def main() -> None:
    """Run as many configurations as the command line asks for, and print the failures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("count", type=int, help="configurations to run")
    parser.add_argument("--seed", type=int, default=1_000, help="of the draws (default: %(default)s)")
    parser.add_argument("--compiled", action="store_true", help="in compiled graphs instead of step by step")
    arguments = parser.parse_args()
    mode = contextlib.nullcontext() if arguments.compiled else step_by_step()
    num_failures = 0
    with mode, tempfile.TemporaryDirectory() as directory:
        for number, failure in enumerate(find_failures(arguments.seed, arguments.count, Path(directory)), start=1):
            if failure is not None:
                num_failures += 1
                print(f"configuration {number} of seed {arguments.seed}: {failure}", flush=True)
            if number % 50 == 0 or number == arguments.count:
                print(f"{number} run, {num_failures} failed", flush=True)


if __name__ == "__main__":
    main()
