"""A training step of corners of the cube against the same models from plain Keras layers, interleaved, equal weights.

    python experiments/performance/corners.py [--rounds 15]

64 sequences of 59 steps, 256 units, latent 256. `repeat on features` reads 64 features a step; the others read 71 and
make 93 one-hot symbols. Where all inputs are known beforehand, the plain model is what a Keras user writes: LSTM,
RepeatVector, concatenation, LSTM, Dense. Where a step needs the last one (own and scheduled feedback, attention) it is
a Keras layer called step by step in one graph. Writes corners.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import keras
import numpy as np
import tensorflow as tf
from quartiles import take_quartiles

from helpers.plain_keras import build_plain
from helpers.small_data import build_options
from lengthwise.data.dataset import DataSpec
from lengthwise.models.bundle import Models, build_models
from lengthwise.models.wiring import resolve_wiring

BATCH, STEPS, UNITS, FEATURES = 64, 59, 256, 64
TOKENS = DataSpec(kind="tokens", source_size=71, target_size=93, source_timesteps=STEPS, timesteps=STEPS)
NUMBERS = DataSpec(kind="features", source_size=FEATURES, target_size=FEATURES, source_timesteps=STEPS, timesteps=STEPS)
STATEFUL = {"conditioning": "initial_state", "feedback": "teacher", "length": "stop", "carry": "hc"}
CORNERS: dict[str, tuple[DataSpec, dict[str, Any]]] = {
    "repeat on features": (NUMBERS, {"decoder_dim": UNITS, "head": "dense"}),
    "repeat": (TOKENS, {}),
    "repeat, gru": (TOKENS, {"cell": "gru"}),
    "stateful": (TOKENS, STATEFUL),
    "stateful, gru": (TOKENS, {**STATEFUL, "cell": "gru", "carry": "h"}),
    "stateful, embedded": (TOKENS, {**STATEFUL, "embedding_dim": 256}),
    "both, teacher": (TOKENS, {**STATEFUL, "conditioning": "both"}),
    "initial state, none": (TOKENS, {**STATEFUL, "feedback": "none"}),
    "stateful, scheduled": (TOKENS, {**STATEFUL, "feedback": "scheduled", "sampling_unit": "step"}),
    "stateful, own": (TOKENS, {**STATEFUL, "feedback": "own"}),
    "stateful, additive attention": (TOKENS, {**STATEFUL, "attention": "additive"}),
}


def build_plain_parallel(models: Models) -> Callable[[dict[str, Any]], tf.Tensor]:
    """Write a corner whose inputs are known beforehand as a Keras user would."""
    wiring, model = models.wiring, models.network
    layers = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    encoder = layers[wiring.cell](UNITS, return_state=True)
    decoder = layers[wiring.cell](UNITS, return_sequences=True)
    width = FEATURES if not wiring.is_tokens else wiring.symbol_dim or wiring.spec.source_size
    encoder.build((None, None, width))
    encoder.set_weights(model.encoder.recurrents[0].layer.get_weights())
    decoder.build((None, None, wiring.decoder_input_dim or 1))
    if wiring.decoder_input_dim:
        decoder.set_weights(model.decoder.recurrents[0].layer.get_weights())
    variables = [*encoder.trainable_variables, *decoder.trainable_variables, *model.decoder.head.trainable_variables]

    def embed(values: tf.Tensor, size: int, embedding: Any) -> tf.Tensor:
        if not wiring.is_tokens:
            return values
        return tf.one_hot(values, size) if embedding is None else embedding(values)

    source_embedding = model.encoder.input_part.embedding
    part = model.decoder.feedback_part
    variables += [layer.embeddings for layer in (source_embedding, part and part.embedding) if layer is not None]

    def forward(inputs: dict[str, Any]) -> tf.Tensor:
        _, *states = encoder(embed(inputs["source"], wiring.spec.source_size, source_embedding))
        latent = tf.concat(states[: len(wiring.carried)], -1)
        parts = [keras.layers.RepeatVector(STEPS)(latent)] if wiring.repeats_latent else []
        if part is not None:
            parts.append(embed(inputs["previous"], wiring.spec.target_size, part.embedding))
        fed = tf.concat(parts, -1) if parts else tf.zeros((BATCH, STEPS, 1))
        return model.decoder.head(decoder(fed, initial_state=states if wiring.starts_from_latent else None))

    forward.variables = variables  # type: ignore[attr-defined]
    return forward


def compile_step(forward: Callable[[Any], tf.Tensor], variables: list[Any], inputs: Any) -> Callable[[], Any]:
    """Compile one training step: scores, cross-entropy or squared error, gradients, Adam."""
    optimizer = keras.optimizers.Adam(1e-6)
    optimizer.build(variables)
    wanted = tf.convert_to_tensor(np.zeros((BATCH, STEPS), np.int32))

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            scores = forward(inputs)
            if scores.shape[-1] == FEATURES:
                loss = tf.reduce_mean(tf.square(scores))
            else:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, scores))
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply(gradients, variables)
        return loss

    return step


def prepare(name: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Build a corner and its plain twin, check that they agree, and compile a step of each."""
    spec, changes = CORNERS[name]
    keras.utils.set_random_seed(0)
    models = build_models(resolve_wiring(build_options(**changes), UNITS, spec))
    rng = np.random.default_rng(0)
    if spec is NUMBERS:
        source = previous = rng.random((BATCH, STEPS, FEATURES)).astype(np.float32)
    else:
        source, previous = (rng.integers(0, size, (BATCH, STEPS)).astype(np.int32) for size in (71, 93))
    inputs = {
        "source": tf.constant(source),
        "source_length": tf.fill((BATCH,), STEPS),
        "previous": tf.constant(previous),
    }
    if models.wiring.runs_in_parallel:
        plain = build_plain_parallel(models)
        forward, variables = plain, plain.variables  # type: ignore[attr-defined]
    else:
        unrolled = build_plain(models)
        # All rows are of full length, so that the encoder can run on the batch.
        unrolled._encode = lambda source, _: unrolled._encode_row(source)  # type: ignore[method-assign]
        variables = [variable for _, variable in unrolled.variables]

        def forward(given: Any) -> tf.Tensor:
            return unrolled.forward({**given, "source_length": np.full(BATCH, STEPS)})["values"]

    if models.wiring.feedback != "scheduled" and models.wiring.decoder_input_dim:
        np.testing.assert_allclose(models.network(inputs)["values"], forward(inputs), atol=1e-4)
    # Scheduled feedback samples in training alone, so there it runs as in training.
    own = compile_step(
        lambda given: models.network(given, training=True)["values"], models.network.trainable_variables, inputs
    )
    return own, compile_step(forward, variables, inputs)


def main() -> None:
    """Measure every corner, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--corners", nargs="*", default=list(CORNERS), help="only these")
    given = parser.parse_args()
    rows = []
    for name in given.corners:
        steps = dict(zip(("own", "plain"), prepare(name), strict=True))
        times: dict[str, list[float]] = {kind: [] for kind in steps}
        for round_number in range(given.rounds + 2):
            for kind, step in steps.items():
                started = time.perf_counter()
                step().numpy()
                if round_number >= 2:
                    times[kind].append(1000 * (time.perf_counter() - started))
        row: dict[str, Any] = {"corner": name}
        for kind, values in times.items():
            lower, middle, upper = take_quartiles(values)
            row |= {f"{kind}_ms": round(middle, 1), f"{kind}_quartiles": f"{lower:.1f} to {upper:.1f}"}
        row["speed_up"] = round(row["plain_ms"] / row["own_ms"], 2)
        rows.append(row)
        print(
            f"{name:30s} own {row['own_ms']:7.1f} ms ({row['own_quartiles']}), "
            f"plain {row['plain_ms']:7.1f} ms ({row['plain_quartiles']}): {row['speed_up']:.2f} times as fast",
            flush=True,
        )
    with Path(__file__).with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
