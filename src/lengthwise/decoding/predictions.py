"""What a decoder returns: sequences free of padding, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """Decoded sequences of many examples, in the order of the examples.

    Args:
        values: `(examples, steps)` int32 ids, 0 after the end; or `(examples, steps, features)` float32, scaled as the
            targets are. Neither start nor stop symbols.
        length: `(examples,)` int32, steps made; 0 where the model stopped at once.
        stopped: `(examples,)` bool, whether the model ended the sequence itself; False where it was cut.
        log_probability: `(examples,)` float32, natural logarithm of the probability of what was emitted, the end
            included, under the model; None for features.
    """

    values: NDArray[np.generic]
    length: NDArray[np.int32]
    stopped: NDArray[np.bool_]
    log_probability: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.length)


@dataclass(frozen=True, kw_only=True, slots=True)
class NBest:
    """The best sequences that beam search found for many examples, in the order of the examples, best first.

    Args:
        values: `(examples, hypotheses, steps)` int32 ids, 0 after the end; neither start nor stop symbols.
        length: `(examples, hypotheses)` int32.
        stopped: `(examples, hypotheses)` bool, whether the model ended the sequence itself.
        log_probability: `(examples, hypotheses)` float32, as in `Predictions`.
        score: `(examples, hypotheses)` float32, the log probability under the length penalty; minus infinity where
            fewer were found, whose other entries then mean nothing.
    """

    values: NDArray[np.int32]
    length: NDArray[np.int32]
    stopped: NDArray[np.bool_]
    log_probability: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.length)
