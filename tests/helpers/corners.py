"""Lists of corners of the cube and their controls: all that mean something, or few that hold every pair of values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

AXES: dict[str, tuple[Any, ...]] = {
    "kind": ("tokens", "features"),
    "conditioning": ("repeat", "initial_state", "both"),
    "feedback": ("none", "teacher", "scheduled", "own"),
    "length": ("fixed", "stop", "oracle"),
    "cell": ("lstm", "gru", "rnn"),
}
CONTROLS: dict[str, tuple[Any, ...]] = {
    "attention": ("none", "additive", "multiplicative"),
    "carry": ("h", "hc"),
    "encoder_layers": (1, 2),
    "decoder_layers": (1, 2),
    "decoder_dim": ("auto", 6),
    "bidirectional": (False, True),
    "embedding_dim": (None, 4),
    "head": ("auto", "dense"),
    "bridge": ("auto", "linear", "tanh"),
    "reverse_source": (False, True),
    "reverse_target": (False, True),
    "input_feeding": (False, True),
}


def is_meaningful(corner: dict[str, Any]) -> bool:
    """Tell whether the gate would let the corner pass; values that are not given do not count."""
    is_features = corner.get("kind") == "features"
    return not (
        (corner.get("carry") == "hc" and corner.get("cell", "lstm") != "lstm")
        or (is_features and corner.get("embedding_dim") is not None)
        or (corner.get("input_feeding") and corner.get("attention", "multiplicative") != "multiplicative")
        or (corner.get("decoder_layers", 1) > corner.get("encoder_layers", 2))
        or (is_features and corner.get("head") == "auto" and corner.get("decoder_dim", "auto") != "auto")
    )


def name_corner(corner: dict[str, Any]) -> str:
    """Name a corner's test by its values."""
    return "-".join(str(value) for value in corner.values())


def list_corners(axes: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield every meaningful combination."""
    for values in itertools.product(*axes.values()):
        corner = dict(zip(axes, values, strict=True))
        if is_meaningful(corner):
            yield corner


def cover_pairs(axes: dict[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Choose few meaningful combinations that hold every meaningful pair of values: greedily, the same every time."""
    pairs = {
        ((first, a), (second, b))
        for first, second in itertools.combinations(axes, 2)
        for a in axes[first]
        for b in axes[second]
        if is_meaningful({first: a, second: b})
    }
    chosen = []
    while pairs:
        corner = _grow(axes, pairs)
        covered = set(itertools.combinations(corner.items(), 2))
        if not covered & pairs:
            raise AssertionError(f"pairs that no meaningful corner holds: {sorted(map(str, pairs))}")
        pairs -= covered
        chosen.append(corner)
    return chosen


def _grow(axes: dict[str, tuple[Any, ...]], pairs: set[Any]) -> dict[str, Any]:
    """Begin with a pair that is missing and add the value of each axis that brings most missing pairs."""
    seed = dict(min(pairs, key=str))
    grown = dict(seed)
    for axis, values in axes.items():
        if axis in grown:
            continue
        allowed = [value for value in values if is_meaningful({**grown, axis: value})]
        grown[axis] = max(allowed, key=lambda value: _count_missing({**grown, axis: value}, axes, pairs))
    return {axis: grown[axis] for axis in axes}


def _count_missing(partial: dict[str, Any], axes: dict[str, tuple[Any, ...]], pairs: set[Any]) -> int:
    ordered = [(axis, partial[axis]) for axis in axes if axis in partial]
    return len(set(itertools.combinations(ordered, 2)) & pairs)
