"""No option is without effect: two values of each, everything else equal, give runs that differ in some bit.

A run is fitted for one epoch of a few examples, or for more where an option needs them, with its operations run one by
one, without graphs, which is fast for models this small; its bits are those of the weights, of every metric and of what
is decoded, and for options of the data those of the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest

from helpers.step_by_step import step_by_step
from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.config.reflection import read_fields
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.decoding.inference import Inference
from lengthwise.errors import ConfigError
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.pipeline.experiment import load_data
from lengthwise.pipeline.monitor import Monitor
from lengthwise.training.epochs import Epochs
from lengthwise.training.watch import ValidationWatch

pytestmark = pytest.mark.slow

WITHOUT_EFFECT = {
    "config_version": "has one value",
    "study": "says where a run is kept",
    "output_dir": "says where a run is kept",
    "resume": "names a run, whose own options count",
    "base": "names a run, whose own options count; test_origins.py compares them",
    "weights": "names a run; test_origins.py compares the weights",
    "model.name": "is a label",
    "training.name": "is a label",
    "training.num_threads": "changes speed only",
    "training.checkpoint_seconds": "changes what a kill costs only",
    "training.score_train": "adds scores of the training split, and changes none",
    "decoding.batch_size": "changes speed and memory only",
    "tracking.name": "says where a run is recorded",
    "tracking.uri": "says where a run is recorded",
    "dataset.lengths_path": "is tried in tests/unit/data/datasets/test_sequences.py",
    "dataset.time_column": "is checked, and left out of the features: tried in test_sequences.py",
    "dataset.period": "changes baselines and MASE only: tried in tests/unit/data/datasets/test_forecast.py",
    "dataset.alarm_share": "changes the threshold of anomaly scores only: tried in test_anomalies.py",
    "tracking.timeout_seconds": "says how long the end of a run waits",
}
"""Options that must not change any number, and why."""

SMALL = ["dataset=copy", "dataset.num_train=8", "dataset.num_validation=4", "dataset.num_test=4", "latent_dim=4"]
SMALL += ["dataset.max_length=4", "dataset.longer_length=5", "training.batch_size=4", "training.learning_rate=0.05"]
SCHEDULED = ["model=stateful", "model.feedback=scheduled", "model.sampling_rate=0.5", "model.sampling_unit=step"]
SCHEDULED += ["model.sampling_schedule=linear", "model.sampling_ramp=2", "model.sampling_ramp_unit=epoch"]
SCHEDULED += ["training.epochs=3"]
CONSTANT = ["model=stateful", "model.feedback=scheduled", "model.sampling_rate=0.5", "model.sampling_unit=step"]
CONSTANT += ["model.sampling_schedule=constant"]
PLATEAU = ["training.schedule=plateau", "training.plateau_divisor=2", "training.plateau_patience=1"]
PLATEAU += ["training.learning_rate=10", "training.epochs=3"]
MONITOR = ["training.monitor=error_rate", "training.monitor_every=1"]
FEATURES = ["dataset=digits", "training.max_examples=4", "training.epochs=1"]
SUMS = ["dataset=addition", "dataset.num_train=20", "dataset.num_validation=5", "dataset.num_test=5"]
FORECAST = ["dataset=forecast", "dataset.path={series}", "timesteps=4", "dataset.history=4"]
STEPS = ["dataset=sequences", "dataset.path={steps}", "dataset.columns=[4]"]
SAMPLE = ["decoding=sample", "decoding.seed=1"]


@dataclass(frozen=True)
class Change:
    """Two values of an option beside other options: `first` may be empty for the value of its file."""

    option: str
    first: str
    second: str
    beside: tuple[str, ...] = ()


def change(option: str, first: str, second: str, *beside: str) -> Change:
    return Change(option, first, second, beside)


STATEFUL = "model=stateful"
CHANGES = [
    change("latent_dim", "4", "5"),
    change("timesteps", "4", "3"),
    change("seed", "0", "1"),
    change("model.conditioning", "repeat", "both"),
    change("model.feedback", "none", "teacher"),
    change("model.length", "fixed", "stop"),
    change("model.carry", "h", "hc", STATEFUL),
    change("model.cell", "lstm", "gru"),
    change("model.encoder_layers", "1", "2"),
    change("model.decoder_layers", "1", "2"),
    change("model.decoder_dim", "auto", "5"),
    change("model.bidirectional", "false", "true"),
    change("model.embedding_dim", "null", "3"),
    change("model.head", "auto", "dense", *FEATURES),
    change("model.bridge", "auto", "tanh", STATEFUL),
    change("model.dropout", "0", "0.3"),
    change("model.dropout_places", "all", "input+head", "model.dropout=0.3", "model.encoder_layers=2"),
    change("model.reverse_source", "false", "true"),
    change("model.reverse_target", "false", "true"),
    change("model.attention", "none", "additive"),
    change("model.input_feeding", "false", "true", "model.attention=multiplicative"),
    change("model.sampling_rate", "0.5", "0.9", *CONSTANT),
    change("model.sampling_unit", "step", "sequence", *CONSTANT),
    change("model.sampling_schedule", "linear", "inverse_sigmoid", *SCHEDULED),
    change("model.sampling_ramp", "2", "3", *SCHEDULED),
    change("model.sampling_ramp_unit", "epoch", "batch", *SCHEDULED),
    change("model.parameter_budget", "null", "852"),
    change("training.optimizer", "adam", "rmsprop"),
    change("training.learning_rate", "0.05", "0.06"),
    change("training.schedule", "constant", "cosine"),
    change("training.plateau_divisor", "2", "3", *PLATEAU),
    change("training.plateau_patience", "1", "2", *PLATEAU),
    change("training.clip_norm", "null", "0.1", "training.optimizer=sgd"),
    change("training.label_smoothing", "0", "0.1"),
    change("training.draws", "permutation", "replacement"),
    change("training.batch_size", "4", "3"),
    change("training.epochs", "1", "2"),
    change("training.batches_per_epoch", "null", "1"),
    change("training.max_examples", "null", "7"),
    change("training.early_stopping_patience", "null", "1", *PLATEAU),
    change("training.keep", "best", "last", *PLATEAU),
    change("training.monitor", "token_accuracy", "error_rate", "training.monitor_every=1"),
    change("training.monitor_every", "1", "2", "training.epochs=2", *MONITOR),
    change("training.monitor_examples", "null", "1", "decoding.length=max", *MONITOR),
    change("training.precision", "float32", "mixed_bfloat16"),
    change("training.compile", "loops", "xla"),
    change("decoding.name", "greedy", "sample"),
    change("decoding.length", "model", "max"),
    change("decoding.temperature", "1", "3", *SAMPLE),
    change("decoding.top_k", "null", "2", *SAMPLE),
    change("decoding.top_p", "null", "0.3", *SAMPLE),
    change("decoding.seed", "1", "2", *SAMPLE),
    change("decoding.width", "1", "4", "decoding=beam", STATEFUL, "training.epochs=1"),
    change("decoding.length_penalty", "0", "20", "decoding=beam", STATEFUL, "training.epochs=1"),
]
DATA_CHANGES = [
    change("dataset.name", "copy", "reverse"),
    change("dataset.num_symbols", "8", "9", "dataset=copy"),
    change("dataset.min_length", "1", "2", "dataset=copy"),
    change("dataset.max_length", "10", "11", "dataset=copy"),
    change("dataset.max_examples", "null", "30", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.longer_length", "20", "21", "dataset=copy"),
    change("dataset.num_train", "20", "21", "dataset=copy"),
    change("dataset.num_validation", "20", "21", "dataset=copy"),
    change("dataset.num_test", "20", "21", "dataset=copy"),
    change("dataset.seed", "0", "1", "dataset=copy"),
    change(
        "dataset.num_digits",
        "1",
        "2",
        "dataset=addition",
        "dataset.num_train=20",
        "dataset.num_validation=5",
        "dataset.num_test=5",
    ),
    change("dataset.longer_digits", "4", "5", *SUMS),
    change("dataset.validation_fraction", "0.1", "0.2", "dataset=digits"),
    change("dataset.test_fraction", "0.1", "0.2", "dataset=digits"),
    change("dataset.split", "simple", "length", "dataset=scan"),
    change("dataset.length_cut", "22", "30", "dataset=scan", "dataset.split=length"),
    change("dataset.train_fraction", "0.5", "0.4", "dataset=scan"),
    change("dataset.source_unit", "characters", "words", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.target_unit", "characters", "words", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.source_column", "1", "2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.target_column", "1", "2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.tags_column", "null", "2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.tags_separator", "null", "' '", "dataset=pairs", "dataset.path={pairs}", "dataset.tags_column=2"),
    change("dataset.validation_path", "null", "{pairs}2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.test_path", "null", "{pairs}2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.longer_path", "null", "{pairs}2", "dataset=pairs", "dataset.path={pairs}"),
    change("dataset.path", "{pairs}", "{pairs}2", "dataset=pairs"),
    change("dataset.id_column", "1", "2", *STEPS),
    change("dataset.split_column", "null", "3", *STEPS, "dataset.id_column=1"),
    change("dataset.target_path", "null", "{halves}", "dataset=sequences", "dataset.path={wholes}"),
    change("dataset.history", "4", "5", *FORECAST),
    change("dataset.columns", "null", "[2]", *FORECAST),
    change("dataset.target_columns", "null", "[2]", *FORECAST),
    change("dataset.known_columns", "null", "[2]", *FORECAST),
    change("dataset.label_column", "null", "3", "dataset=series", "dataset.path={series}", "timesteps=4"),
    change("dataset.stride", "1", "2", "dataset=series", "dataset.path={series}", "timesteps=4"),
    change("dataset.scaling", "minmax", "standard", "dataset=series", "dataset.path={series}", "timesteps=4"),
]


def set_option(option: str, value: str) -> str:
    group = option.removesuffix(".name")
    return f"{group}={value}" if option in ("decoding.name", "dataset.name") else f"{option}={value}"


def compose(change: Change, value: str, *more: str) -> RunOptions:
    assignment = set_option(change.option, value)
    given = {part.partition("=")[0]: part for part in (*more, *change.beside, assignment)}
    return compose_options(list(given.values()))


class Fitted(NamedTuple):
    """A fitted run: a hash of its weights and metrics, its model and its data."""

    bits: str
    models: Models
    data: Dataset


@cache
def fit(options: RunOptions) -> Fitted:
    keras.config.set_dtype_policy(options.training.precision)
    keras.utils.set_random_seed(options.seed)
    data = load_data(options)
    models = build_models(resolve_wiring(options.model, options.latent_dim, data.spec))
    epochs, watch, metrics = Epochs(models, data.splits, options), ValidationWatch(options.training), []
    monitor = Monitor(models, options, data)
    for epoch in range(options.training.epochs):
        metrics.append(epochs.run(epoch, on_progress=lambda _done: None) | monitor.measure(epoch + 1))
        watch.on_epoch(epoch + 1, metrics[-1], models.network)
        if watch.is_patience_over:
            break
    watch.restore_kept(models.network)
    kept = [{name: value for name, value in epoch.items() if not name.startswith("time/")} for epoch in metrics]
    return Fitted(hash_all(*models.network.get_weights(), repr(kept)), models, data)


def decode(fitted: Fitted, options: RunOptions) -> str:
    """Decode and score the validation split: a hash of what was decoded and of the scores."""
    split = fitted.data.splits["val"]
    predictions = Inference(fitted.models, options.decoding).decode(split)
    scores = score_predictions(predictions, split, fitted.data.spec.kind).summary
    return hash_all(predictions.values, predictions.length, repr(sorted(scores.items())))


def hash_all(*parts: np.ndarray | str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def differ(first: RunOptions, second: RunOptions) -> bool:
    """Tell whether two runs differ in any bit; they are decoded only where their fits are equal."""
    runs = (fit(first), fit(second))
    return runs[0].bits != runs[1].bits or decode(runs[0], first) != decode(runs[1], second)


@pytest.fixture(scope="module", autouse=True)
def _operations_one_by_one() -> Iterator[None]:
    with step_by_step():
        yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("files")
    for name, ending in (("pairs", "x"), ("pairs2", "y")):
        lines = (f"a{number} b\tb a{number}{ending}\n" for number in range(40))
        (directory / name).write_text("".join(lines), encoding="utf-8")
    rows = "".join(f"{number % 7},{number},{int(number == 50)}\n" for number in range(200))
    (directory / "series.csv").write_text(rows, encoding="utf-8")
    splits = ["train"] * 40 + ["val"] * 10 + ["test"] * 10
    steps = "".join(f"a{number // 2},b{number // 5},{split},{number}\n" for number, split in enumerate(splits))
    (directory / "steps.csv").write_text(steps, encoding="utf-8")
    for name, size in (("wholes", 4), ("halves", 2)):
        np.savez(directory / f"{name}.npz", *(np.arange(float(size)) + start for start in range(20)))
    found = {"pairs": directory / "pairs", "series": directory / "series.csv", "steps": directory / "steps.csv"}
    return found | {name: directory / f"{name}.npz" for name in ("wholes", "halves")}


def name_change(change: Change) -> str:
    return f"{change.option}-{change.second}"


def test_the_same_options_give_the_same_bits() -> None:
    options = compose_options([*SMALL, "training.epochs=1", "tracking=directory"])
    first, second = fit(options), fit.__wrapped__(options)
    assert first.bits == second.bits
    assert decode(first, options) == decode(second, options)


@pytest.mark.parametrize("change", CHANGES, ids=name_change)
def test_an_option_has_an_effect(change: Change) -> None:
    small = [part for part in SMALL if not (part.startswith("dataset") and "dataset=digits" in change.beside)]
    if change.option == "model.parameter_budget":
        small.remove("latent_dim=4")
    shared = [*small, "training.epochs=1", "tracking=directory"]
    first, second = (compose(change, value, *shared) for value in (change.first, change.second))
    assert differ(first, second), f"{change.option} has no effect"


@pytest.mark.parametrize("change", DATA_CHANGES, ids=name_change)
def test_an_option_of_the_data_has_an_effect(change: Change, files: dict[str, Path]) -> None:
    beside = tuple(part.format(**files) for part in change.beside)
    hashes = set()
    for value in (change.first, change.second):
        options = compose(Change(change.option, "", "", beside), value.format(**files))
        hashes.add(load_dataset(options.dataset, options.timesteps).content_hash)
    assert len(hashes) == 2, f"{change.option} has no effect"


def test_every_option_is_tried_or_excused() -> None:
    known = set(WITHOUT_EFFECT) | {each.option for each in (*CHANGES, *DATA_CHANGES)}
    names = []
    for field in read_fields(RunOptions):
        sections = field.sections or ()
        names += [f"{field.name}.{inner.name}" for section in sections for inner in read_fields(section)]
        names += [] if sections else [field.name]
    missing = sorted({name for name in names if name not in known})
    assert not missing, "add each to CHANGES or DATA_CHANGES in tests/integration/test_option_effects.py"


@pytest.mark.parametrize(
    "overrides",
    [
        ["latent_dim=8", "model.parameter_budget=5000"],
        ["experiment=cube", "latent_dim=8"],
        ["model.bridge=tanh"],
        ["model.bridge=linear", "model=keras_addition"],
        ["decoding=beam", "decoding.length_penalty=1", "decoding.length=oracle"],
        ["decoding=beam", "decoding.length_penalty=1", "decoding.length=max"],
        ["decoding=beam", "decoding.length_penalty=1", "decoding.width=1"],
        ["decoding=beam", "decoding.length_penalty=1", "model=stateful", "model.length=oracle"],
        ["decoding=sample", "decoding.top_k=1", "decoding.temperature=2"],
        ["decoding=sample", "decoding.top_k=1", "decoding.top_p=0.5"],
    ],
)
def test_values_without_effect_are_refused(overrides: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"has no effect with .*\."):
        compose_options(["dataset=copy", *overrides])
