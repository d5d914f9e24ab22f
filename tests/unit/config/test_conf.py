"""Every file in conf/ is composed here and passes the gate: none can hold a key that is no option."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lengthwise.config.loader import compose_raw
from lengthwise.config.options import PLUGIN_OPTIONS
from lengthwise.config.parse import flatten_options, parse_config, parse_plugin
from lengthwise.config.paths import conf_dir

FILES = sorted(path.relative_to(conf_dir()) for path in conf_dir().rglob("*") if path.is_file())
NEEDED = {
    "dataset/pairs.yaml": ["dataset.path=x"],
    "dataset/sequences.yaml": ["dataset.path=x.npz"],
    "dataset/forecast.yaml": ["dataset.path=x.csv", "timesteps=24"],
    "dataset/series.yaml": ["dataset.path=x", "timesteps=24"],
    "experiment/compare.yaml": ["dataset.path=x"],
    "experiment/keras_seq2seq.yaml": ["dataset.path=x"],
}
ON_TOKENS = ("model", "training", "decoding")
"""Groups some of whose choices mean nothing on the features of the default dataset."""
PLUGINS = {choice: plugin for plugin, choice in PLUGIN_OPTIONS.items()}
NAMED = ("model", "dataset", "training", "decoding", "tracking")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_configuration_file_composes_and_passes_the_gate(file: Path) -> None:
    assert file.suffix == ".yaml"
    group, choice = str(file.parent), file.stem
    overrides = [] if group == "." else [f"{group}={choice}", *NEEDED.get(str(file), [])]
    overrides += ["dataset=copy"] if group in ON_TOKENS else []
    composed = compose_raw(overrides)
    choices = composed.hydra.runtime.choices
    assert str(file) == "config.yaml" or choices[group] == choice, "no test composes this file"
    flat = flatten_options(parse_config(composed))
    if group in NAMED:
        assert flat[f"{group}.name"] == choice
    if (plugin := PLUGINS.get(f"{group}={choice}")) is not None:
        section = composed.hydra[file.parent.name]
        assert parse_plugin(plugin, {str(key): value for key, value in section.items() if key != "_target_"})


@pytest.mark.parametrize("file", [f for f in FILES if f.parts[0] != "hydra"], ids=str)
def test_a_configuration_file_names_no_code_and_no_environment(file: Path) -> None:
    text = (conf_dir() / file).read_text(encoding="utf-8")
    assert "_target_" not in text
    assert "${" not in text.replace("${seed}", ""), "only to the run's seed, for data that are new with each seed"
    assert text.startswith(("#", "about:")), "it begins with what it is"


@pytest.mark.parametrize("group", NAMED)
def test_a_variant_is_named_after_its_file(group: str) -> None:
    for file in (conf_dir() / group).glob("*.yaml"):
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert values["name"] == file.stem
