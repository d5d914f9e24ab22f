"""Load handwritten digits as sequences of rows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import DIGITS_ROWS, DigitsOptions
from lengthwise.data.assembly import Timesteps, assemble_features, autoencoder_split
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.scaler import fit_scaler
from lengthwise.data.sequences import Sequences
from lengthwise.data.splitting import Parts, draw_parts
from lengthwise.errors import ConfigError


@load_dataset.register
def load_digits(options: DigitsOptions, timesteps: Timesteps) -> Dataset:  # noqa: ARG001  always 8
    """Load scikit-learn's 1,797 digits (Alpaydin and Kaynak 1998), 8 rows of 8 pixels as 8 steps of 8 features.

    Each class has the same share of every split. The pixels are scaled to 0..1, column by column, by the range of the
    training split.

    Args:
        options: Shares and seed of the split.
        timesteps: 8 or `auto`, which are the same.

    Returns:
        A dataset for autoencoders; its labels are the digits 0 to 9.

    Raises:
        ConfigError: The shares leave nothing for a split.
    """
    images, labels = _read_images()
    parts = _draw_stratified(labels, options)
    scaler = fit_scaler(images[parts.train].reshape(-1, images.shape[2]), "minmax")
    splits = {
        name: autoencoder_split(Sequences.from_arrays(list(scaler.encode(images[indices]))), labels[indices])
        for name, indices in parts._asdict().items()
    }
    return assemble_features("digits", splits, codecs=(scaler, scaler), timesteps=DIGITS_ROWS)


def _read_images() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read `(images, rows, columns)` pixels of 0 to 16 and `(images,)` labels from the files of scikit-learn.

    The package is looked up, not imported, which would take half a second.
    """
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1].reshape(-1, DIGITS_ROWS, DIGITS_ROWS), table[:, -1].astype(np.int64)
    remedy = "Install it with pip install scikit-learn"
    raise ConfigError("dataset", "needs the images that scikit-learn brings", received="digits", remedy=remedy)


def _draw_stratified(labels: NDArray[np.int64], options: DigitsOptions) -> Parts:
    rng = np.random.default_rng(options.seed)
    drawn = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        parts = draw_parts(
            rng,
            len(members),
            validation_fraction=options.validation_fraction,
            test_fraction=options.test_fraction,
        )
        if parts is None:
            raise ConfigError(
                "dataset.test_fraction",
                f"must with dataset.validation_fraction leave training images of the digit {label}",
                received=f"{options.test_fraction} and {options.validation_fraction}",
                remedy="Choose smaller shares",
            )
        drawn.append(Parts(*(members[indices] for indices in parts)))
    return Parts(*(rng.permutation(np.concatenate(indices)) for indices in zip(*drawn, strict=True)))
