from __future__ import annotations

import dataclasses
import inspect

import pytest

from lengthwise.config import options
from lengthwise.config.documentation import describe_options, find_nearest, find_options
from lengthwise.config.options import Between, FilePath, ListOf, Pattern, RunOptions
from lengthwise.config.reflection import describe_range, read_fields

MARKS = (Between, Pattern, FilePath, ListOf)
SECTIONS = [c for _, c in inspect.getmembers(options, dataclasses.is_dataclass) if c not in MARKS]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_option_says_what_it_means(section: type) -> None:
    assert inspect.getdoc(section)
    for field in read_fields(section):
        assert field.meaning.endswith("."), f"{section.__name__}.{field.name} has no text under it in options.py"


@pytest.mark.parametrize("section", SECTIONS)
def test_no_option_has_a_default_value_in_code(section: type) -> None:
    for field in dataclasses.fields(section):
        assert field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


def test_every_section_can_be_reached_from_the_root() -> None:
    reached = {RunOptions, *options.PLUGIN_OPTIONS}
    reached |= {section for field in read_fields(RunOptions) for section in field.sections}
    assert set(SECTIONS) == reached


def test_every_number_has_a_range() -> None:
    for option in describe_options():
        if "number" in option.type_text:
            assert option.unit, option.name
            assert option.range_text, option.name


def test_an_option_as_it_is_described() -> None:
    found = {option.name: option for option in describe_options()}
    timesteps = found["timesteps"]
    assert (timesteps.type_text, timesteps.range_text, timesteps.unit, timesteps.section) == (
        "a whole number or auto",
        "from 1 to 100000 steps",
        "steps",
        "",
    )
    carry = found["model.carry"]
    assert (carry.type_text, carry.range_text, carry.section) == ("h or hc", "", "model")
    assert carry.meaning == (
        "What of an LSTM's final state the encoder passes on: the hidden state, or the hidden and the cell state."
    )
    assert found["hydra.launcher.max_memory_mb"].section == "hydra/launcher=local"


def test_options_of_two_names_stand_under_both() -> None:
    sections = {option.section for option in describe_options() if option.name == "dataset.num_symbols"}
    assert "dataset=copy,reverse,ambiguous" in sections  # a dataset of its own may have an option of this name too


@pytest.mark.parametrize(
    ("between", "words"),
    [
        (Between(1, 16, "layers"), "from 1 to 16 layers"),
        (Between(0, 1, "share", high_open=True), "at least 0 and below 1 (share)"),
        (Between(0, 10, "per step", low_open=True), "above 0 and at most 10 (per step)"),
        (Between(0, 2**31 - 1, "seed"), "from 0 to 2147483647 seed"),
    ],
)
def test_a_range_in_words(between: Between, words: str) -> None:
    assert describe_range(between) == words


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("model.dropot", "model.dropout"),
        ("epochs", "training.epochs"),
        ("train.batch_size", "training.batch_size"),
        ("latent", "latent_dim"),
        ("model.lenght", "model.length"),
        ("zzzzzz", None),
    ],
)
def test_the_nearest_name(written: str, meant: str | None) -> None:
    assert find_nearest(written, [option.name for option in describe_options()]) == meant


def test_options_are_found_by_name_before_meaning() -> None:
    assert [option.name for option in find_options("dropout")] == ["model.dropout", "model.dropout_places"]
    assert "model.attention" in [option.name for option in find_options("bahdanau")]
    assert find_options("no such thing") == []
    assert len(find_options("")) == len(describe_options())
