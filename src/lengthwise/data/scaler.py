"""Scaling of real-valued features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scaler:
    """A shift and a scale for each feature: scaled = (value - shift) / scale.

    Args:
        shift: one number a feature, in the data's unit.
        scale: one number a feature, in the data's unit, above 0.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.shift)

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale `(..., features)` values of the data's unit."""
        return ((np.asarray(values, np.float64) - self.shift) / self.scale).astype(np.float32)

    def decode(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Bring `(..., features)` scaled values back to the data's unit."""
        return np.asarray(scaled, np.float64) * self.scale + self.shift
