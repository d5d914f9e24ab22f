"""What files say about themselves is read, and reaches no configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from lengthwise.config.about import RefutedIf, StudyAbout, read_study_about, take_about
from lengthwise.config.compose import compose_options
from lengthwise.config.loader import compose_raw
from lengthwise.config.parse import dump_options
from lengthwise.errors import ConfigError

WHOLE = {
    "question": "Why?",
    "command": "python train.py",
    "runs": "1",
    "minutes": 3,
    "recipe": "sgd",
    "expected": "Nothing.",
}


def test_a_study_describes_itself() -> None:
    about = read_study_about("latent_sweep")
    assert about is not None
    assert about.question.endswith("?")
    assert about.command == "python train.py experiment=latent_sweep"
    assert (about.minutes, about.differences) == (77, None)
    assert read_study_about("no-such-study") is None


def test_a_prediction_comes_with_what_refutes_it() -> None:
    about = read_study_about("ambiguous")
    assert about is not None
    assert about.prediction == (
        "`ambiguous`: without feedback exact match 0, token accuracy 2/3, for every conditioning; with feedback above "
        "95 %"
    )
    assert about.refuted_if == (
        RefutedIf(text="any no-feedback corner above 2 %", where={"model.feedback": "none"}, above=0.02),
        RefutedIf(text="a feedback corner below 90 %", where={"model.feedback": "teacher"}, below=0.9),
    )
    why = read_study_about("cube_why")
    assert why is not None
    assert [rule.is_checkable for rule in why.refuted_if] == [True] * 4 + [False]
    assert why.refuted_if[0].change == {"model.carry": ("h", "hc")}


def test_what_a_file_says_about_itself_is_taken_out_of_its_values() -> None:
    values = {"study": "x", "about": WHOLE}
    assert take_about(StudyAbout, values, path=Path("experiment/x.yaml")) == StudyAbout(
        question="Why?", command="python train.py", runs="1", minutes=3, recipe="sgd", expected="Nothing."
    )
    assert values == {"study": "x"}


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, "experiment/x.yaml: about must be a mapping; got null"),
        (WHOLE | {"minutes": "3"}, "about.minutes must be a whole number above 0; got '3'"),
        (WHOLE | {"minutes": True}, "about.minutes must be a whole number above 0; got true"),
        (WHOLE | {"runs": ""}, "about.runs must be a text; got ''"),
        (WHOLE | {"runs": 36}, "about.runs must be a text; got 36"),
        (WHOLE | {"comand": "x"}, "about.comand is unknown. Did you mean command?"),
        (WHOLE | {"refuted_if": "a loss"}, "about.refuted_if must be a list of rules; got 'a loss'"),
        (WHOLE | {"refuted_if": [{"above": 1}]}, "about.refuted_if[0] lacks text. Write text in each rule, as in"),
        (WHOLE | {"refuted_if": [{"text": "x", "over": 1}]}, "refuted_if[0].over is unknown."),
        (WHOLE | {"refuted_if": [{"text": "x", "above": "1"}]}, "refuted_if[0].above must be a number; got '1'"),
        (WHOLE | {"refuted_if": [{"text": "x", "cases": 0}]}, "[0].cases must be a whole number above 0; got 0"),
        (WHOLE | {"refuted_if": [{"text": "x", "surely": 1}]}, "refuted_if[0].surely must be true or false; got 1"),
        (WHOLE | {"refuted_if": [{"text": "x", "where": {"a": [1, 2]}}]}, "each with its value; got"),
        (WHOLE | {"refuted_if": [{"text": "x", "change": {"a": 1}}]}, "each with its value before and after; got"),
        ({"question": "Why?"}, "about lacks command, runs, minutes, recipe, expected"),
    ],
)
def test_what_is_not_whole_is_refused(about: object, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        take_about(StudyAbout, {"about": about}, path=Path("experiment/x.yaml"))
    assert message in str(refused.value)


def test_no_configuration_holds_it() -> None:
    composed = compose_raw(["experiment=latent_sweep", "model=bahdanau2015"])
    assert "about" not in composed
    assert "about" not in composed.model
    assert "about" not in dump_options(compose_options(["model=bahdanau2015", "dataset=copy"]))


@pytest.mark.parametrize(
    "override", ["about=1", "+about=1", "+about.title=x", "model.about.title=x", "+model={about: {title: x}}"]
)
def test_it_cannot_be_set(override: str) -> None:
    with pytest.raises(ConfigError, match="about"):
        compose_options([override])
