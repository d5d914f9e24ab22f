"""The results of decoding as arrays: sequences without padding, and whether the model ended them itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """Decoded sequences of many examples, in the order of the examples.

    Args:
        values: Ids `(examples, steps)` int32, 0 after the end; or features `(examples, steps, features)` float32,
            scaled as the targets are. Neither start nor stop symbols.
        length: `(examples,)` int32, steps made; 0 where the model stopped at once.
        stopped: `(examples,)` bool, whether the model ended the sequence itself; False where it was cut.
        log_probability: `(examples,)` float32, natural logarithm of the probability under the model of what was
            emitted, the end included; None for features.
    """

    values: NDArray[np.generic]
    length: NDArray[np.int32]
    stopped: NDArray[np.bool_]
    log_probability: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.length)


@dataclass(frozen=True, kw_only=True, slots=True)
class NBest:
    """The n-best lists of beam search for many examples, in the order of the examples; in each list best first.

    Args:
        values: Ids `(examples, hypotheses, steps)` int32, 0 after the end; neither start nor stop symbols.
        length: `(examples, hypotheses)` int32, steps.
        stopped: `(examples, hypotheses)` bool, whether the model ended the sequence itself.
        log_probability: `(examples, hypotheses)` float32, as in `Predictions`.
        score: `(examples, hypotheses)` float32, the log probability divided by the length penalty; minus infinity
            where fewer were found; the other fields mean nothing there.
    """

    values: NDArray[np.int32]
    length: NDArray[np.int32]
    stopped: NDArray[np.bool_]
    log_probability: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.length)
