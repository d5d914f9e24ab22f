"""Project points of many dimensions onto their first two principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Projection:
    """Points in the directions of their largest variance.

    Args:
        points: `(points, 2)` float64, centred; the second column is 0 where there is only one dimension.
        explained: Share of the variance along each of the two; 0 where all points are equal.
    """

    points: NDArray[np.float64]
    explained: tuple[float, float]


def project_latents(latents: NDArray[np.floating]) -> Projection:
    """Return the first two principal components of `(points, dimensions)`.

    The entry of largest size of each component's direction is positive, so that equal latents give equal figures.

    Raises:
        ValueError: The latents are not two-dimensional, empty, or not finite.
    """
    values = np.asarray(latents, np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"latents must have the shape (points, dimensions), none of them 0; got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("latents must be finite, got NaN or infinity")
    points, explained = np.zeros((len(values), 2)), np.zeros(2)
    if (values != values[0]).any():
        num_axes = min(2, *values.shape)
        centred = values - values.mean(axis=0)
        variances, axes = _find_axes(centred)
        axes = axes[:, :num_axes]
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(num_axes)])
        points[:, :num_axes] = centred @ axes
        explained[:num_axes] = variances[:num_axes] / variances.sum()
    return Projection(points, (float(explained[0]), float(explained[1])))


def _find_axes(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variances, up to a factor, from large to small, and the directions as columns (Jolliffe 2002, 3.5)."""
    if centred.shape[1] <= len(centred):  # the eigenvectors of the scatter matrix: many times cheaper
        variances, axes = np.linalg.eigh(centred.T @ centred)
        return np.maximum(variances[::-1], 0), axes[:, ::-1]
    _, deviations, rows = np.linalg.svd(centred, full_matrices=False)
    return deviations**2, rows.T
