from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from lengthwise.config.compose import change_decoding, compose_options
from lengthwise.config.options import BeamOptions, RunOptions, SampleOptions
from lengthwise.config.parse import dump_options, parse_stored
from lengthwise.config.rules import EFFECT_RULES, RULES, check_rules
from lengthwise.errors import ConfigError

Change = Callable[[str, dict[str, Any]], RunOptions]

SCHEDULED = {
    "model.feedback": "scheduled",
    "model.sampling_rate": 0.5,
    "model.sampling_unit": "step",
    "model.sampling_schedule": "linear",
    "model.sampling_ramp": 10,
    "model.sampling_ramp_unit": "epoch",
}
CONSTANT = SCHEDULED | {
    "model.sampling_schedule": "constant",
    "model.sampling_ramp": None,
    "model.sampling_ramp_unit": None,
}
PLATEAU = {"training.schedule": "plateau", "training.plateau_divisor": 2.0, "training.plateau_patience": 3}

BEAM = cast("BeamOptions", compose_options(["dataset=copy", "decoding=beam"]).decoding)
SAMPLE = cast("SampleOptions", compose_options(["dataset=copy", "decoding=sample"]).decoding)

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("digits", {"model.sampling_rate": 0.5}, "model.sampling_rate"),
    ("digits", {"model.sampling_unit": "step"}, "model.sampling_unit"),
    ("digits", {"model.sampling_ramp": 3}, "model.sampling_ramp"),
    ("digits", {"model.feedback": "teacher", "model.sampling_schedule": "linear"}, "model.sampling_schedule"),
    ("digits", SCHEDULED | {"model.sampling_rate": None}, "model.sampling_rate"),
    ("digits", SCHEDULED | {"model.sampling_unit": None}, "model.sampling_unit"),
    ("digits", SCHEDULED | {"model.sampling_schedule": None}, "model.sampling_schedule"),
    ("digits", SCHEDULED | {"model.sampling_ramp": None}, "model.sampling_ramp"),
    ("digits", SCHEDULED | {"model.sampling_ramp_unit": None}, "model.sampling_ramp_unit"),
    ("digits", CONSTANT | {"model.sampling_ramp": 3}, "model.sampling_ramp"),
    ("digits", CONSTANT | {"model.sampling_ramp_unit": "batch"}, "model.sampling_ramp_unit"),
    ("digits", {"training.plateau_divisor": 2.0}, "training.plateau_divisor"),
    ("digits", {"training.plateau_patience": 2}, "training.plateau_patience"),
    ("digits", PLATEAU | {"training.plateau_divisor": None}, "training.plateau_divisor"),
    ("digits", PLATEAU | {"training.plateau_patience": None}, "training.plateau_patience"),
    ("digits", {"training.monitor_every": 2}, "training.monitor_every"),
    ("copy", {"training.monitor_examples": 2}, "training.monitor_examples"),
    ("copy", {"training.monitor": "exact_match"}, "training.monitor_every"),
    ("copy", {"training.monitor": "mean_absolute_error", "training.monitor_every": 1}, "training.monitor"),
    ("digits", {"training.monitor": "error_rate", "training.monitor_every": 1}, "training.monitor"),
    ("digits", {"training.label_smoothing": 0.1}, "training.label_smoothing"),
    ("digits", {"model.dropout_places": "input"}, "model.dropout_places"),
    ("copy", {"model.dropout": 0.1, "model.dropout_places": "layers"}, "model.dropout_places"),
    ("digits", {"model.carry": "hc", "model.cell": "gru"}, "model.carry"),
    ("digits", {"model.carry": "hc", "model.cell": "rnn"}, "model.carry"),
    ("digits", {"model.conditioning": "initial_state", "model.decoder_layers": 2}, "model.decoder_layers"),
    ("digits", {"model.conditioning": "both", "model.decoder_layers": 2}, "model.decoder_layers"),
    ("digits", {"model.bidirectional": True, "latent_dim": 33}, "latent_dim"),
    ("digits", {"model.embedding_dim": 8}, "model.embedding_dim"),
    ("series", {"model.embedding_dim": 8}, "model.embedding_dim"),
    ("scan", {"model.head": "none"}, "model.head"),
    ("digits", {"model.head": "none", "model.decoder_dim": 8}, "model.decoder_dim"),
    ("digits", {"model.decoder_dim": 8}, "model.decoder_dim"),
    ("digits", {"model.input_feeding": True}, "model.input_feeding"),
    ("digits", {"model.input_feeding": True, "model.attention": "additive"}, "model.input_feeding"),
    ("scan", {"model.parameter_budget": 10_000, "model.decoder_dim": 8}, "model.decoder_dim"),
    ("scan", {"dataset.length_cut": 26}, "dataset.length_cut"),
    ("scan", {"dataset.split": "length", "dataset.train_fraction": 0.5}, "dataset.train_fraction"),
    ("copy", {"dataset.min_length": 11}, "dataset.max_length"),
    ("reverse", {"dataset.longer_length": 10}, "dataset.longer_length"),
    ("ambiguous", {"dataset.min_length": 2}, "dataset.min_length"),
    ("addition", {"dataset.longer_digits": 3}, "dataset.longer_digits"),
    ("pairs", {"dataset.path": None}, "dataset.path"),
    ("pairs", {"dataset.tags_separator": "|"}, "dataset.tags_separator"),
    ("series", {"dataset.path": None}, "dataset.path"),
    ("digits", {"dataset.validation_fraction": 0.5, "dataset.test_fraction": 0.5}, "dataset.validation_fraction"),
    ("pairs", {"dataset.validation_fraction": 0.9}, "dataset.validation_fraction"),
    ("series", {"dataset.test_fraction": 0.95}, "dataset.validation_fraction"),
    ("series", {"timesteps": "auto"}, "timesteps"),
    ("digits", {"timesteps": 9}, "timesteps"),
    ("forecast", {"timesteps": "auto"}, "timesteps"),
    ("forecast", {"dataset.path": None}, "dataset.path"),
    ("forecast", {"dataset.validation_fraction": 0.95}, "dataset.validation_fraction"),
    ("forecast", {"dataset.period": 25}, "dataset.period"),
    ("forecast", {"dataset.target_columns": ("a", "b"), "dataset.known_columns": ("b",)}, "dataset.target_columns"),
    ("forecast", {"model.embedding_dim": 8}, "model.embedding_dim"),
    ("sequences", {"dataset.path": None}, "dataset.path"),
    ("sequences", {"dataset.test_fraction": 0.5, "dataset.validation_fraction": 0.5}, "dataset.validation_fraction"),
    ("sequences", {"dataset.id_column": None}, "dataset.id_column"),
    ("sequences", {"dataset.path": "x.npz"}, "dataset.id_column"),
    ("sequences", {"dataset.path": "x.npz", "dataset.id_column": None, "dataset.columns": ("1",)}, "dataset.columns"),
    ("sequences", {"dataset.lengths_path": "l.npy"}, "dataset.lengths_path"),
    ("digits", {"decoding": BEAM}, "decoding"),
    ("series", {"decoding": SAMPLE}, "decoding"),
    ("digits", {"model.bridge": "tanh"}, "model.bridge"),
    ("scan", {"decoding": replace(SAMPLE, top_k=1, temperature=2.0)}, "decoding.temperature"),
    ("scan", {"decoding": replace(SAMPLE, top_k=1, top_p=0.5)}, "decoding.top_p"),
    ("scan", {"decoding": replace(BEAM, width=1, length_penalty=0.6)}, "decoding.length_penalty"),
    ("scan", {"decoding": replace(BEAM, length="max", length_penalty=0.6)}, "decoding.length_penalty"),
    ("scan", {"decoding": replace(BEAM, length_penalty=0.6), "model.length": "oracle"}, "decoding.length_penalty"),
]

ALLOWED: list[tuple[str, dict[str, Any]]] = [
    ("digits", {}),
    ("digits", SCHEDULED),
    ("digits", CONSTANT),
    ("digits", PLATEAU),
    ("digits", {"model.carry": "h", "model.cell": "gru"}),
    ("digits", {"model.decoder_layers": 2}),
    ("digits", {"model.conditioning": "both", "model.decoder_layers": 2, "model.encoder_layers": 2}),
    ("digits", {"model.conditioning": "both", "model.decoder_layers": 1, "model.encoder_layers": 2}),
    ("digits", {"model.bidirectional": True, "latent_dim": 34}),
    ("digits", {"latent_dim": 33}),
    ("scan", {"model.embedding_dim": 8}),
    ("digits", {"model.head": "none"}),
    ("digits", {"model.head": "dense", "model.decoder_dim": 8}),
    ("scan", {"model.decoder_dim": 8}),
    ("digits", {"model.input_feeding": True, "model.attention": "multiplicative"}),
    ("digits", {"model.attention": "additive"}),
    ("scan", {"model.parameter_budget": 10_000}),
    ("scan", {"dataset.split": "length", "dataset.length_cut": 26}),
    ("scan", {"dataset.train_fraction": 0.5}),
    ("copy", {"dataset.min_length": 10}),
    ("reverse", {"dataset.longer_length": 11}),
    ("addition", {"dataset.num_digits": 3, "dataset.longer_digits": 4}),
    ("pairs", {}),
    ("pairs", {"dataset.tags_separator": "|", "dataset.tags_column": "tags"}),
    ("pairs", {"dataset.validation_fraction": 0.95, "dataset.validation_path": "x"}),
    ("series", {}),
    ("forecast", {"dataset.period": 24, "dataset.target_columns": ("a",), "dataset.known_columns": ("b",)}),
    ("sequences", {"dataset.split_column": "s", "dataset.time_column": "t", "dataset.columns": ("a",)}),
    ("sequences", {"dataset.path": "x.npy", "dataset.id_column": None, "dataset.lengths_path": "l.npy"}),
    ("digits", {"dataset.validation_fraction": 0.5, "dataset.test_fraction": 0.49}),
    ("digits", {"timesteps": 8}),
    ("scan", {"timesteps": 9}),
    ("scan", {"model.length": "oracle", "decoding.length": "model"}),
    ("scan", {"model.conditioning": "both", "model.bridge": "tanh"}),
    ("scan", {"decoding": replace(SAMPLE, top_k=1)}),
    ("scan", {"decoding": replace(SAMPLE, top_k=2, temperature=2.0, top_p=0.5)}),
    ("scan", {"decoding": replace(BEAM, length="oracle", width=1)}),
    ("scan", {"decoding": replace(BEAM, length_penalty=1.0)}),
]


@pytest.mark.parametrize(("dataset", "changes", "option"), REFUSED)
def test_options_that_mean_nothing_together_are_refused(
    dataset: str, changes: dict[str, Any], option: str, change: Change
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_rules(change(dataset, changes))
    assert caught.value.option == option


@pytest.mark.parametrize(("dataset", "changes"), ALLOWED)
def test_options_that_make_sense_together_pass(dataset: str, changes: dict[str, Any], change: Change) -> None:
    check_rules(change(dataset, changes))


def test_every_rule_refuses_something_here(change: Change) -> None:
    options = [change(dataset, changes) for dataset, changes, _ in REFUSED]
    rules = [*RULES, *(rule for section in EFFECT_RULES.values() for rule in section)]
    idle = [rule.__name__ for rule in rules if not any(list(rule(each)) for each in options)]
    assert idle == []


@pytest.mark.parametrize(
    ("dataset", "changes", "message"),
    [
        (
            "digits",
            {"timesteps": 10},
            "timesteps must be auto or 8 with dataset=digits, whose images have 8 rows; got 10. Leave timesteps=auto.",
        ),
        (
            "copy",
            {"dataset.longer_length": 10},
            "dataset.longer_length must be more than dataset.max_length=10: the split `longer` starts there; got 10. "
            "Set dataset.longer_length=20, or lower dataset.max_length.",
        ),
        ("pairs", {"dataset.path": None}, "dataset.path must name a file with dataset=pairs; got null."),
    ],
)
def test_what_the_data_demand_is_said_before_they_are_read(
    dataset: str, changes: dict[str, Any], message: str, change: Change
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_rules(change(dataset, changes))
    assert message in str(caught.value)


def test_a_refusal_says_rule_value_and_remedy(change: Change) -> None:
    with pytest.raises(ConfigError) as caught:
        check_rules(change("digits", {"model.bidirectional": True, "latent_dim": 33}))
    assert str(caught.value) == (
        "latent_dim must be even with model.bidirectional=true: each direction has half of it; got 33. "
        "Set latent_dim=34, or model.bidirectional=false."
    )


def test_a_stored_run_may_hold_a_value_without_effect(change: Change) -> None:
    forced = replace(BEAM, length="oracle", length_penalty=0.6)
    stored = change("copy", {"model.bridge": "tanh", "decoding": forced})
    assert parse_stored(dump_options(stored)) == stored
    other = change_decoding(stored, ["decoding.length_penalty=auto", "decoding.width=2"])
    assert other.decoding == replace(forced, length_penalty="auto", width=2)
    with pytest.raises(ConfigError, match=r"^decoding\.length_penalty has no effect with decoding\.length=oracle"):
        change_decoding(stored, ["decoding.width=2"])
