"""Where a GPU would be, the standard Keras layers take over: the same outputs and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from helpers.small_data import SPECS, build_options, draw_split, take_all
from lengthwise.models import decoder, encoder
from lengthwise.models.bundle import build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring

STACKED = {"encoder_layers": 2, "decoder_layers": 2, "bidirectional": True, "reverse_source": True}
TAUGHT = {"conditioning": "both", "feedback": "teacher", "length": "stop", "head": "dense"}


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize(
    "changes", [{}, TAUGHT, {**TAUGHT, **STACKED, "embedding_dim": 4}], ids=["repeat", "both", "deep"]
)
def test_the_standard_layers_agree(changes: dict[str, Any], cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    models = build_models(resolve_wiring(build_options(**changes, cell=cell), 8, SPECS["tokens"]))
    batch = prepare_batch(take_all(draw_split("tokens")), models.wiring)

    def differentiate() -> tuple[tf.Tensor, list[Any]]:
        with tf.GradientTape() as tape:
            values = models.network(batch.inputs, training=True)["values"]
            loss = tf.reduce_sum(values * batch.weights["values"][..., None])
        return values, tape.gradient(loss, [variable.value for variable in models.network.trainable_variables])

    values, gradients = differentiate()
    monkeypatch.setattr(encoder, "has_gpu", lambda: True)
    monkeypatch.setattr(decoder, "has_gpu", lambda: True)
    standard, others = differentiate()
    real = batch.weights["values"].astype(bool)
    np.testing.assert_allclose(standard.numpy()[real], values.numpy()[real], atol=1e-5)
    for gradient, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(other), tf.convert_to_tensor(gradient), atol=1e-4)
