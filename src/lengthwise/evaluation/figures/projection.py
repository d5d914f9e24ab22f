"""Project points of many dimensions onto their first two principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA


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
        # With more points than dimensions the covariance gives the same axes and is many times cheaper.
        solver = "covariance_eigh" if values.shape[1] <= len(values) else "full"
        pca = PCA(n_components=num_axes, svd_solver=solver)
        points[:, :num_axes] = pca.fit_transform(values)
        explained[:num_axes] = pca.explained_variance_ratio_
    return Projection(points, (float(explained[0]), float(explained[1])))
