"""Where units are dropped: of the input, between layers, before the head, and nowhere else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from helpers.small_data import SPECS, build_options, draw_split
from lengthwise.data.batching import take_batch
from lengthwise.models.bundle import build_models
from lengthwise.models.targets import prepare_batch
from lengthwise.models.wiring import resolve_wiring


@pytest.mark.parametrize(
    ("places", "num_layers", "encoder_drops", "decoder_drops"),
    [
        ("all", 1, True, True),
        ("input", 1, True, True),
        ("layers", 1, False, False),
        ("layers", 2, True, True),
        ("head", 1, False, True),
        ("layers+head", 1, False, True),
        ("input+head", 1, True, True),
    ],
)
def test_units_are_dropped_at_the_places_asked_for(
    places: str, num_layers: int, encoder_drops: bool, decoder_drops: bool
) -> None:
    keras.utils.set_random_seed(0)
    layers = {"encoder_layers": num_layers, "decoder_layers": num_layers}
    options = build_options(dropout=0.5, dropout_places=places, embedding_dim=4, head="dense", **layers)
    wiring = resolve_wiring(options, 8, SPECS["tokens"])
    network = build_models(wiring).network
    inputs = prepare_batch(take_batch(draw_split("tokens"), np.arange(4)), wiring).inputs

    def encode(training: bool) -> np.ndarray:
        return np.asarray(network.encoder(inputs["source"], inputs["source_length"], training=training)[1][-1][0])

    def decode(training: bool) -> np.ndarray:
        latent = network.encoder(inputs["source"], inputs["source_length"])
        conditioning, initial = network.bridge(latent[1])
        fed = inputs["previous"], conditioning, initial, latent[0], inputs["source_length"]
        return np.asarray(network.decoder(*fed, training=training).values)

    # The last layer's state is compared: what is dropped before it reaches it, what is dropped after it does not.
    assert np.array_equal(encode(True), encode(False)) != encoder_drops
    assert np.array_equal(decode(True), decode(False)) != decoder_drops
