"""Small models with drawn weights on disk, for the tests of serving: nothing is trained."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from lengthwise.config.compose import compose_options
from lengthwise.data.codec import Codec
from lengthwise.data.dataset import Dataset, DataSpec
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.serving.artifact import save_artifact

LETTERS = Vocabulary(tuple("abcdefgh é"), "characters")
WORDS = Vocabulary(("jump", "left", "run", "right", "twice", "walk"), "words")
NUMBERS = Scaler((1.0, -2.0, 0.5), (2.0, 0.5, 1.0))


def write_model(directory: Path, source: Codec, target: Codec, *overrides: str) -> Path:
    """Write a model with drawn weights, far from small, so that it makes all kinds of sequences."""
    options = compose_options(["model=stateful", "latent_dim=8", "study=drawn", *overrides])
    kind = "tokens" if isinstance(source, Vocabulary) else "features"
    spec = DataSpec(kind=kind, source_size=source.size, target_size=target.size, source_timesteps=9, timesteps=7)
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(options.training.precision)
    models = build_models(resolve_wiring(options.model, options.latent_dim, spec))
    keras.config.set_dtype_policy("float32")
    rng = np.random.default_rng(0)
    for variable in models.network.trainable_variables:
        variable.assign(rng.normal(scale=1.2, size=variable.shape))
    dataset = Dataset(
        name="drawn", spec=spec, splits={}, source_codec=source, target_codec=target, content_hash="0" * 64, skipped=()
    )
    save_artifact(directory, models=models, options=options, dataset=dataset)
    return directory


def draw_texts(count: int, *, unit: str = "characters", seed: int = 0) -> list[str]:
    """Draw texts of up to 12 symbols, some empty, some with symbols that no vocabulary knows."""
    rng = np.random.default_rng(seed)
    symbols = [*WORDS.symbols, "Kraut"] if unit == "words" else [*LETTERS.symbols, "x", "ß", "😀"]
    separator = " " if unit == "words" else ""
    return [separator.join(rng.choice(symbols, rng.integers(0, 13))) for _ in range(count)]
