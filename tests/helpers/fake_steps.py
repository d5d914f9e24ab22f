"""Steps without a model, for the tests of decoding: they spell words, or follow a table of probabilities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lengthwise.decoding.contract import Nest
from lengthwise.decoding.stop_rule import StopRule

PADDING, START, STOP, UNKNOWN = 0, 1, 2, 3
ALPHABET = "\0\1\2\3abcdefghijklmnopqrstuvwxyz "


class Outputs(NamedTuple):
    values: tf.Tensor
    stop: tf.Tensor | None


def make_rule(
    limits: list[int], *, end_symbol: int | None = STOP, may_stop: bool = True, max_steps: int | None = None
) -> StopRule:
    return StopRule(tf.constant(limits), tf.constant(max_steps or max(limits)), end_symbol, may_stop)


class Speller:
    """A step that spells a word for each row, then stops; it counts its steps."""

    def __init__(self, words: list[str]) -> None:
        self.width = max(map(len, words)) + 1
        rows = [[ALPHABET.index(letter) for letter in word] + [STOP] * (self.width - len(word)) for word in words]
        self.table = tf.constant(rows)
        self.num_steps = tf.Variable(0)
        self.constants: Nest = {"table": self.table}
        self.state: Nest = {"h_0": tf.zeros((len(words), 1))}

    def __call__(self, previous: tf.Tensor, constants: Nest, state: Nest) -> tuple[Outputs, Nest]:
        self.num_steps.assign_add(1)
        place = tf.cast(state["h_0"][:, 0], tf.int32)
        symbols = tf.gather(constants["table"], tf.minimum(place, self.width - 1), batch_dims=1)
        return Outputs(tf.one_hot(symbols, len(ALPHABET), 5.0, 0.0), None), {"h_0": state["h_0"] + 1}


class Tree:
    """A step whose logits depend on everything a row has emitted so far: a random number for every sequence.

    Args:
        size: number of symbols, STOP among them.
        depth: longest sequence whose extensions differ.
        seed: of the logits.
    """

    def __init__(self, size: int, depth: int, seed: int, *, num_rows: int = 1, spread: float = 1.5) -> None:
        self.size, self.depth = size, depth
        rng = np.random.default_rng(seed)
        num_nodes = sum(size**level for level in range(depth + 1))
        self.logits = (spread * rng.normal(size=(num_rows, num_nodes, size))).astype(np.float32)
        self.constants: Nest = {"logits": tf.constant(self.logits)}
        # The node of the sequence so far, and how far it is: levels of a tree written one after the other.
        self.state: Nest = {"h_0": tf.fill((num_rows,), -1)}

    def __call__(self, previous: tf.Tensor, constants: Nest, state: Nest) -> tuple[Outputs, Nest]:
        node = tf.where(state["h_0"] < 0, 0, state["h_0"] * self.size + previous + 1)
        return Outputs(tf.gather(constants["logits"], node, batch_dims=1), None), {"h_0": node}

    def log_probabilities(self, row: int, sequence: tuple[int, ...]) -> np.ndarray:
        """Return those of the next symbol after a sequence."""
        node = 0
        for symbol in sequence:
            node = node * self.size + symbol + 1
        logits = self.logits[row, node].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())
