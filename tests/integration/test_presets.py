"""Every preset is built, trained for some steps and decoded, on symbols and on numbers."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from helpers.small_data import SPECS, draw_split, take_all
from helpers.step_by_step import step_by_step
from lengthwise.catalog.presets import list_presets, read_preset
from lengthwise.config.compose import compose_options
from lengthwise.decoding.inference import Inference
from lengthwise.models.bundle import build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import count_parameters, resolve_wiring
from lengthwise.training.losses import build_losses

pytestmark = pytest.mark.slow

NUM_UPDATES = 3


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("name", list_presets())
def test_a_preset_learns_and_decodes(name: str, kind: str) -> None:
    preset = read_preset(name)
    keras.utils.set_random_seed(3)
    options = replace(preset.options, embedding_dim=None) if kind == "features" else preset.options
    wiring = resolve_wiring(options, 8, SPECS[kind])
    models = build_models(wiring)
    assert sum(int(np.prod(v.shape)) for v in models.network.trainable_variables) == count_parameters(wiring)
    split = draw_split(kind, num_examples=8)
    batch = prepare_batch(take_all(split), wiring)
    models.network.compile(optimizer=keras.optimizers.Adam(0.02), loss=build_losses(wiring))
    decoding = compose_options(["decoding.length=oracle"] if wiring.length == "oracle" else []).decoding
    losses = []
    with step_by_step():
        for _ in range(NUM_UPDATES):
            models.network.reset_metrics()
            losses.append(float(models.network.train_step((batch.inputs, batch.targets, batch.weights))["loss"]))
        predictions = Inference(models, decoding).decode(split)
    assert np.isfinite(losses).all()
    assert min(losses[NUM_UPDATES // 2 :]) < losses[0]
    assert (predictions.length <= wiring.spec.timesteps).all()
    if wiring.length == "oracle":
        np.testing.assert_array_equal(predictions.length, split.target.length)
