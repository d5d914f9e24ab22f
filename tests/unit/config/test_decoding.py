"""Decoding chosen for a run that is stored, and the names of its scores."""

from __future__ import annotations

import dataclasses

import pytest

from lengthwise.app.cli import read_command
from lengthwise.config.compose import change_decoding, compose_options
from lengthwise.config.options import BeamOptions, SampleOptions
from lengthwise.errors import ConfigError, LengthwiseError
from lengthwise.pipeline.reevaluation import label_decoding
from lengthwise.serving.loading import split_overrides

STORED = compose_options(["dataset=copy", "decoding.batch_size=17", "latent_dim=48"])


def test_the_decoding_alone_changes() -> None:
    changed = change_decoding(STORED, ["decoding.length=oracle"])
    assert dataclasses.replace(changed, decoding=STORED.decoding) == STORED
    assert changed.decoding == dataclasses.replace(STORED.decoding, length="oracle")
    beam = change_decoding(STORED, ["decoding=beam", "decoding.width=8"]).decoding
    assert isinstance(beam, BeamOptions)
    assert (beam.width, beam.length) == (8, "model")
    sample = change_decoding(STORED, ["decoding=sample", "decoding.top_k=3"])
    again = change_decoding(sample, ["decoding.temperature=0.5"]).decoding
    assert isinstance(again, SampleOptions)
    assert (again.top_k, again.top_p, again.temperature) == (3, None, 0.5)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("latent_dim=3", "latent_dim cannot be changed here"),
        ("model=stateful", "model cannot be changed here"),
        ("decoding=bem", "Did you mean beam"),
        ("decoding.width=8", "decoding.width"),
        ("decoding.length=orcale", "oracle"),
        ("+decoding.x=1", "decoding.x is not an option"),
        ("decoding.batch_size=0", "from 1 to"),
    ],
)
def test_what_is_no_decoding_is_refused(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        change_decoding(STORED, [override])


@pytest.mark.parametrize("name", ["sample", "beam"])
def test_features_are_decoded_greedily(name: str) -> None:
    with pytest.raises(ConfigError, match="not a distribution"):
        compose_options(["dataset=digits", f"decoding={name}"])
    with pytest.raises(ConfigError, match="not a distribution"):
        change_decoding(compose_options(["dataset=digits"]), [f"decoding={name}"])


@pytest.mark.parametrize(
    ("overrides", "label"),
    [
        (["decoding.length=max"], "greedy_max"),
        (["decoding=beam", "decoding.length=oracle"], "beam_oracle"),
        (["decoding=beam", "decoding.width=8", "decoding.batch_size=3"], "beam_model_width-8"),
        (["decoding=sample", "decoding.top_p=0.9", "decoding.seed=2"], "sample_model_top_p-0.9_seed-2"),
    ],
)
def test_scores_are_named_by_what_differs_from_the_presets(overrides: list[str], label: str) -> None:
    assert label_decoding(change_decoding(STORED, overrides)) == label


def test_options_that_would_take_no_effect_are_refused() -> None:
    assert split_overrides(["output_dir=x", "decoding=beam"]) == (["output_dir=x"], ["decoding=beam"])
    with pytest.raises(ConfigError, match="has no effect on a trained model"):
        split_overrides(["latent_dim=3"])


def test_texts_may_hold_what_looks_like_an_option() -> None:
    _, request = read_command(["decode", "latest", "1+1=2", "decoding=beam", "tracking.uri=sqlite:///x.db", "a"])
    assert request.words == ("latest", "1+1=2", "a")
    assert request.overrides == ("decoding=beam", "tracking.uri=sqlite:///x.db")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["decode", "latest"], "Give texts to decode"),
        (["decode", "latest", "a", "--file", "b"], "Give texts to decode"),
        (["decode", "latest", "a", "--probabilities"], "no effect without --json"),
        (
            ["decode", "latest", "--file", "b", "--best", "2", "--json", "--probabilities"],
            "--best has no effect with --prob",
        ),
        (["decode", "latest", "--file", "missing.txt"], "missing.txt: it cannot be read"),
        (["evaluate", "no-such-run", "output_dir=missing"], "There are no runs in"),
        (["evaluate", "latest", "latent_dim=3"], "has no effect on a trained model"),
        (["serve", "latest", "--port", "99999"], "--port must be from 0 to 65535"),
        (["register", "latest"], "RUN NAME"),
        (["export", "latest"], "RUN DIRECTORY"),
        (["serve"], "Name a run"),
    ],
)
def test_commands_refuse_before_anything_slow(arguments: list[str], words: str) -> None:
    def run() -> None:
        command, request = read_command(arguments)
        command.run(request)

    with pytest.raises(LengthwiseError) as refused:
        run()
    assert words in str(refused.value)
