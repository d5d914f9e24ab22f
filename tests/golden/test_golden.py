"""Loss curves and decoded sequences of six corners of the cube, as they have been since they were first stored.

A change that is meant to leave results as they are leaves these as they are. After one that changes them on purpose,

    pytest tests/golden --renew

writes `values/*.json` again; the difference belongs in the commit, its reason in the message.

Tolerances: the same code gives the same bits on the same machine, but another processor adds in another order. With
oneDNN's kernels for SSE4.1, AVX2 and AVX-512, with oneDNN off, and with TensorFlow's graph optimiser off, losses
differed by up to 5e-7, relative, and decoded features by up to 1e-6; the bounds are ten to twenty times that. Decoded
symbols must be equal, so a corner is only stored if the best symbol of every step leads by more than `SMALLEST_LEAD`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from lengthwise.config.compose import compose_options
from lengthwise.data.batching import take_batch
from lengthwise.data.dataset import Split
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.sequences import Sequences
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.predictions import Predictions
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring
from lengthwise.training.trainer import train_model

VALUES = Path(__file__).parent / "values"

LOSS_TOLERANCE = 1e-5
"""Relative."""

FEATURE_TOLERANCE = 1e-5
"""Absolute; the features lie between 0 and 1."""

SMALLEST_LEAD = 0.01
"""Of the best logit over the second, and of the stop's logit over or under 0. Between kernels, leads differ by 2e-6."""

COPY = """dataset=copy dataset.num_symbols=4 dataset.max_length=4 dataset.longer_length=6 dataset.num_train=192
    dataset.num_validation=32 dataset.num_test=8 training.batch_size=8 training.learning_rate=0.02 latent_dim=16"""
DIGITS = "dataset=digits training.batch_size=16 training.batches_per_epoch=24 training.learning_rate=0.02 latent_dim=16"

CORNERS = {
    "repeat_tokens": f"model=repeat {COPY} seed=3",
    "repeat_features": f"model=repeat {DIGITS}",
    "stateful_tokens": f"model=stateful {COPY}",
    "stateful_features": f"model=stateful {DIGITS}",
    "scheduled_tokens": f"""model=stateful {COPY} seed=1 model.conditioning=both model.cell=gru model.carry=h
        model.attention=additive model.embedding_dim=6 model.bidirectional=true model.dropout=0.1
        model.feedback=scheduled model.sampling_rate=0.5 model.sampling_unit=step model.sampling_schedule=linear
        model.sampling_ramp=40 model.sampling_ramp_unit=batch""",
    "own_features": f"""model=stateful {DIGITS} model.cell=rnn model.carry=h model.feedback=own model.length=oracle
        model.attention=multiplicative model.input_feeding=true model.encoder_layers=2 model.decoder_layers=2""",
}
"""Both reference models on both kinds of data, and two corners that hold every other value of the axes."""


@pytest.fixture(autouse=True)
def _graphs_as_users_run_them() -> Iterator[None]:
    """Switch TensorFlow's graph optimiser on, which other tests go without."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    yield
    tf.config.optimizer.set_experimental_options(before)


@pytest.mark.golden
@pytest.mark.parametrize("corner", CORNERS)
def test_a_corner_gives_its_stored_curve_and_sequences(corner: str, request: pytest.FixtureRequest) -> None:
    found, path = run_corner(CORNERS[corner]), VALUES / f"{corner}.json"
    if request.config.getoption("--renew", default=False):
        assert found["smallest_lead"] > SMALLEST_LEAD, "another processor could decode other symbols: change the corner"
        lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        pytest.skip(f"{path.name} is written")
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert found["data"] == stored["data"], "the dataset itself is another"
    for name in ("train_loss", "val_loss"):
        np.testing.assert_allclose(found[name], stored[name], rtol=LOSS_TOLERANCE)
    assert found["length"] == stored["length"]
    for row, expected in zip(found["decoded"], stored["decoded"], strict=True):
        if "tokens" in corner:
            assert row == expected
        else:
            np.testing.assert_allclose(row, expected, atol=FEATURE_TOLERANCE)


def run_corner(overrides: str) -> dict[str, Any]:
    """Train for three epochs and decode some examples of the test split."""
    options = compose_options([*overrides.split(), "training.epochs=3", "study=golden"])
    keras.utils.set_random_seed(options.seed)
    dataset = load_dataset(options.dataset, options.timesteps)
    models = build_models(resolve_wiring(options.model, options.latent_dim, dataset.spec))
    with tempfile.TemporaryDirectory() as checkpoints:
        history = train_model(
            models,
            dataset.splits,
            options,
            on_epoch=lambda *_: None,
            checkpoints=Path(checkpoints),
            console=Console(quiet=True),
        ).history
    is_tokens = models.wiring.is_tokens
    split = dataset.splits["test"].keep_first(8 if is_tokens else 2)
    predictions = Inference(models, options.decoding).decode(split)
    rows = [row[:length].tolist() for row, length in zip(predictions.values, predictions.length, strict=True)]
    return {
        "data": dataset.content_hash,
        "train_loss": history["train/loss"],
        "val_loss": history["val/loss"],
        "length": predictions.length.tolist(),
        "decoded": rows if is_tokens else np.round(predictions.values, 6).tolist(),
        "smallest_lead": measure_lead(models, split, predictions),
    }


def measure_lead(models: Models, split: Split, predictions: Predictions) -> float:
    """Return by how much the closest decision of decoding was made: between two symbols, or for or against a stop."""
    decoded = replace(split, target=Sequences.from_padded(predictions.values, predictions.length))
    batch = prepare_batch(take_batch(decoded, np.arange(len(decoded))), models.wiring)
    scores = models.network(batch.inputs)
    is_scored = batch.weights["values"] > 0
    if models.wiring.is_tokens:
        best = np.sort(scores["values"].numpy(), axis=-1)
        return float((best[..., -1] - best[..., -2])[is_scored].min())
    return float(np.abs(scores["stop"].numpy()[..., 0])[is_scored].min()) if "stop" in scores else 1.0
