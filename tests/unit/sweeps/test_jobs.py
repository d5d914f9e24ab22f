from __future__ import annotations

import pytest

from lengthwise.config.compose import compose_options
from lengthwise.config.parse import flatten_options
from lengthwise.sweeps.jobs import identify_run

DEFAULT = flatten_options(compose_options([]))


@pytest.mark.parametrize(
    "overrides",
    [["study=other"], ["output_dir=elsewhere"], ["tracking=directory"], ["training.checkpoint_seconds=7"], ["seed=0"]],
)
def test_what_cannot_change_results_leaves_a_job_the_same(overrides: list[str]) -> None:
    assert identify_run(flatten_options(compose_options(overrides)), "1") == identify_run(DEFAULT, "1")


@pytest.mark.parametrize(
    "overrides",
    [["seed=1"], ["latent_dim=65"], ["training.learning_rate=0.01"], ["dataset=copy"], ["decoding.batch_size=3"]],
)
def test_any_other_option_makes_another_job(overrides: list[str]) -> None:
    assert identify_run(flatten_options(compose_options(overrides)), "1") != identify_run(DEFAULT, "1")


def test_another_version_makes_another_job() -> None:
    assert identify_run(DEFAULT, "1") != identify_run(DEFAULT, "2")
