"""Can a corner learn at all? Eight sequences until they are decoded by heart.

python tests/overfitting.py > corners.md     every corner of the axes, with lstm and gru: a table, about 20 minutes
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from helpers.corners import AXES, list_corners
from helpers.small_data import SPECS, build_options, draw_split, take_all
from helpers.step_by_step import step_by_step
from lengthwise.config.options import GreedyOptions
from lengthwise.data.dataset import Split
from lengthwise.decoding.inference import Inference
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.models.bundle import build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import count_parameters, resolve_wiring
from lengthwise.training.losses import build_losses

GREEDY = GreedyOptions(name="greedy", length="model", batch_size=8)
LATENT_DIM = 48
STEPS_BETWEEN_CHECKS, MOST_STEPS = 100, 2000
FEATURE_BOUND = 0.05
"""Largest mean absolute error, in units of the features' range, that counts as known by heart."""


@dataclass(frozen=True)
class Overfit:
    """What came of a corner: after how many steps it knew the eight sequences, or its last score."""

    is_learnt: bool
    steps: int
    score: float
    parameters: int
    step_milliseconds: float


def overfit(corner: dict[str, Any], seed: int = 0) -> Overfit:
    """Train a corner on eight sequences of up to five steps until it decodes all of them."""
    keras.utils.set_random_seed(seed)
    kind = corner["kind"]
    changes = {key: value for key, value in corner.items() if key != "kind"}
    if corner["feedback"] == "scheduled":
        changes |= {"sampling_rate": 0.5, "sampling_unit": "step", "sampling_schedule": "constant"}
    # One dense head for all, so that a width of three features is no bottleneck.
    wiring = resolve_wiring(build_options(**changes, head="dense"), LATENT_DIM, SPECS[kind])
    models, split = build_models(wiring), _draw_distinct(kind)
    batch = prepare_batch(take_all(split), wiring)
    losses, optimizer = build_losses(wiring), keras.optimizers.Adam(0.01, global_clipnorm=1.0)
    optimizer.build(models.network.trainable_variables)
    if wiring.feedback == "scheduled":
        models.network.decoder.sampling_probability.assign(0.5)

    @tf.function
    def advance() -> None:
        with tf.GradientTape() as tape:
            outputs = models.network(batch.inputs, training=True)
            loss = sum(losses[name](batch.targets[name], outputs[name], batch.weights[name]) for name in batch.targets)
        variables = models.network.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)

    advance()
    started, score = time.perf_counter(), float("nan")
    inference = Inference(models, GREEDY)
    for steps in range(STEPS_BETWEEN_CHECKS, MOST_STEPS + 1, STEPS_BETWEEN_CHECKS):
        for _ in range(STEPS_BETWEEN_CHECKS):
            advance()
        if steps == STEPS_BETWEEN_CHECKS:
            step_milliseconds = 1000 * (time.perf_counter() - started) / STEPS_BETWEEN_CHECKS
        with step_by_step():  # a few times, and tracing takes longer
            predictions = inference.decode(split)
        summary = score_predictions(predictions, split, kind).summary
        score = summary["exact_match" if kind == "tokens" else "mean_absolute_error"]
        # With fixed length features are filled up with zeros, and nothing tells where they end.
        right_length = wiring.length == "fixed" or summary["length_error"] == 0
        if score == 1 if kind == "tokens" else score < FEATURE_BOUND and right_length:
            return Overfit(True, steps, score, count_parameters(wiring), step_milliseconds)
    return Overfit(False, steps, score, count_parameters(wiring), step_milliseconds)


def _draw_distinct(kind: str) -> Split:
    """Draw eight examples no two of which have the same source: those could not both be known."""
    splits = (draw_split(kind, num_examples=8, seed=seed) for seed in range(100))
    return next(split for split in splits if len({row.tobytes() for row in split.source.pad()}) == len(split))


def main() -> None:
    """Print the table of all corners."""
    axes = {**AXES, "cell": ("lstm", "gru")}
    print("| " + " | ".join([*axes, "learnt after", "score", "parameters", "ms a step"]) + " |")
    print("|" + "---|" * (len(axes) + 4))
    for corner in list_corners(axes):
        result = overfit(corner)
        learnt = f"{result.steps} steps" if result.is_learnt else "NOT LEARNT"
        numbers = [learnt, f"{result.score:.3g}", f"{result.parameters:,}", f"{result.step_milliseconds:.1f}"]
        print("| " + " | ".join([*map(str, corner.values()), *numbers]) + " |", flush=True)


if __name__ == "__main__":
    main()
