"""Scale real-valued features, and undo it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scaler:
    """A shift and a scale for each feature: scaled = (value - shift) / scale.

    Args:
        shift: One number a feature, in the data's unit.
        scale: One number a feature, in the data's unit, above 0.
        names: Names of the features, from the header of the user's file; empty where they have none.
    """

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.shift) != len(self.scale) or not self.shift:
            raise ValueError("a scaler needs one shift and one scale for each feature")
        if self.names and len(self.names) != len(self.shift):
            raise ValueError("a scaler needs one name for each feature, or none")
        if not np.isfinite([*self.shift, *self.scale]).all() or min(self.scale) <= 0:
            raise ValueError("a scaler's shifts must be finite, its scales finite and above 0")

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.shift)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the features; `feature 1`, `feature 2`, ... where they have none."""
        return self.names or tuple(f"feature {number}" for number in range(1, self.size + 1))

    def encode(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scale `(..., features)` values in the data's unit to float32."""
        return ((np.asarray(values, np.float64) - self.shift) / self.scale).astype(np.float32)

    def decode(self, scaled: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return `(..., features)` scaled values in the data's unit, float64."""
        return np.asarray(scaled, np.float64) * self.scale + self.shift

    def to_json(self) -> str:
        """Return the scaler as a JSON object, which `from_json` reads without loss of precision."""
        names = {"names": self.names} if self.names else {}
        return json.dumps({"kind": "scaler", "shift": self.shift, "scale": self.scale} | names)

    @classmethod
    def from_json(cls, text: str) -> Scaler:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is something else.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("kind") != "scaler":
            raise ValueError("not a stored scaler: a JSON object of kind 'scaler' is expected")
        try:
            shift, scale = tuple(map(float, content["shift"])), tuple(map(float, content["scale"]))
            return cls(shift, scale, tuple(map(str, content.get("names", ()))))
        except (KeyError, TypeError) as error:
            raise ValueError("a stored scaler needs lists of numbers 'shift' and 'scale'") from error


def fit_scaler(
    rows: NDArray[np.floating], scaling: Literal["minmax", "standard"], names: tuple[str, ...] = ()
) -> Scaler:
    """Find the shift and scale that bring rows to 0..1, or to mean 0 and standard deviation 1.

    A constant feature gets the scale 1: it becomes 0, and any other value of it stays finite.

    Args:
        rows: `(rows, features)`, finite, at least one row.
        scaling: `minmax`, or `standard` (population standard deviation).
        names: Names of the features; empty where they have none.
    """
    values = np.asarray(rows, np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    shift, scale = (low, high - low) if scaling == "minmax" else (values.mean(axis=0), values.std(axis=0))
    # Rounding errors give even a constant feature a deviation up to this size; dividing by it would amplify noise.
    noise = 8 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    scale = np.where((high - low <= noise) | (scale < np.finfo(np.float64).tiny), 1.0, scale)
    return Scaler(tuple(shift.tolist()), tuple(scale.tolist()), names)
