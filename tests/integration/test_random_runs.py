"""Every configuration that passes the gate runs: 304 random ones train a step, decode, are scored and stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from helpers import random_runs
from helpers.step_by_step import step_by_step
from lengthwise.config.options import DatasetOptions, DecodingOptions, ModelOptions, TrainingOptions

CHUNK_SIZE = 38


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("precision", random_runs.PRECISIONS)  # the recurrences' loops are traced for each
def test_a_configuration_that_passes_the_gate_runs(precision: str, seed: int, tmp_path: Path) -> None:
    with step_by_step():
        results = list(random_runs.find_failures(seed, CHUNK_SIZE, tmp_path, precisions=(precision,)))
    failures = [failure for failure in results if failure is not None]
    assert len(results) == CHUNK_SIZE
    assert not failures, f"{len(failures)} of {CHUNK_SIZE} failed, the first:\n{failures[0]}"


def test_every_option_is_drawn() -> None:
    def name_fields(kind: type) -> set[str]:
        return {field.name for field in dataclasses.fields(kind)}

    def list_variants(union: object) -> Iterator[tuple[str, set[str]]]:
        for kind in get_args(union):
            for name in get_args(get_type_hints(kind)["name"]):
                yield name, name_fields(kind) - {"name"}

    message = "draw every option in the tables of tests/helpers/random_runs.py"
    assert set(random_runs.MODEL) == name_fields(ModelOptions), message
    assert set(random_runs.TRAINING) == name_fields(TrainingOptions), message
    drawn = {name: set(table) for name, table in random_runs.DATASETS.items()}
    assert dict(list_variants(DatasetOptions)) == drawn, message
    shared = {"length", "batch_size"}
    drawn = {name: set(table) | shared for name, table in random_runs.DECODING.items()}
    assert dict(list_variants(DecodingOptions)) == drawn, message
