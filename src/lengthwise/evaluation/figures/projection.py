"""Principal components: many dimensions seen in two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Projection:
    """Points in the directions of their largest variance.

    Args:
        points: `(points, 2)` float64, centred; the second column is 0 where there is one dimension alone.
        explained: share of the variance along each of the two; 0 where the points do not vary at all.
    """

    points: NDArray[np.float64]
    explained: tuple[float, float]


def project_latents(latents: NDArray[np.floating]) -> Projection:
    """Return the first two principal components of `(points, dimensions)`.

    Each component points to where its entry of largest size is positive, so equal latents give equal pictures.

    Raises:
        ValueError: not two-dimensional, no point at all, or numbers that are not finite.
    """
    values = np.asarray(latents, np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"latents must have the shape (points, dimensions), none of them 0; got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("latents must be finite, got NaN or infinity")
    centred = values - values.mean(axis=0)
    variance, axes = _principal_axes(centred)
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    points = np.zeros((len(values), 2))
    points[:, : len(axes)] = centred @ axes.T
    share = np.append(variance / max(variance.sum(), np.finfo(np.float64).tiny), 0.0)
    return Projection(points, (float(share[0]), float(share[1])))


def _principal_axes(centred: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all variances, the largest first, and the directions `(at most 2, dimensions)` of the first two."""
    num_points, num_dimensions = centred.shape
    if num_dimensions > num_points:
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        return np.square(singular), directions[:2]
    # With more points than dimensions the covariance holds the same answer and is many times cheaper.
    variance, vectors = np.linalg.eigh(centred.T @ centred)
    return np.maximum(variance[::-1], 0.0), vectors.T[::-1][:2]
