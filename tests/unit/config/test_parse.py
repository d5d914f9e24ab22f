from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lengthwise.config.compose import compose_options
from lengthwise.config.options import (
    CONFIG_VERSION,
    DigitsOptions,
    LocalLauncherOptions,
    MlflowOptions,
    PairsOptions,
    RunOptions,
)
from lengthwise.config.parse import dump_options, flatten_options, parse_config, parse_plugin, parse_stored
from lengthwise.config.upgrade import upgrade_config
from lengthwise.errors import ConfigError


def put(plain: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(plain)
    section, _, leaf = name.rpartition(".")
    (changed[section] if section else changed)[leaf] = value
    return changed


def parse(plain: dict[str, Any]) -> RunOptions:
    return parse_config(OmegaConf.create(plain))


def refuse(plain: dict[str, Any], name: str, value: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(put(plain, name, value))
    assert caught.value.option == name
    return str(caught.value)


def test_the_default_configuration_becomes_typed_options(plain: dict[str, Any]) -> None:
    options = parse(plain)
    assert isinstance(options.dataset, DigitsOptions)
    assert isinstance(options.tracking, MlflowOptions)
    assert (options.latent_dim, options.timesteps, options.model.dropout) == (64, "auto", 0.0)


def test_hydras_own_part_is_left_aside(plain: dict[str, Any]) -> None:
    assert parse(plain | {"hydra": {"run": {"dir": "${now:%Y}"}}}) == parse(plain)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("training.learning_rate", 1, 1.0),
        ("model.dropout", 0, 0.0),
        ("timesteps", "auto", "auto"),
        ("timesteps", 8, 8),
        ("model.embedding_dim", None, None),
        ("training.clip_norm", None, None),
        ("study", "a.b-c_1", "a.b-c_1"),
        ("latent_dim", "${seed}", 5),
        ("output_dir", "Läufe/mit Raum", "Läufe/mit Raum"),
    ],
)
def test_value_taken(plain: dict[str, Any], name: str, value: Any, expected: Any) -> None:
    taken = flatten_options(parse(put(put(plain, "seed", 5), name, value)))[name]
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("latent_dim", 3.0, "a whole number from 1 to 65536 units; got 3.0"),
        ("latent_dim", True, "got true"),
        ("latent_dim", "7", "got '7'"),
        ("latent_dim", 0, "got 0"),
        ("latent_dim", 65_537, "got 65537"),
        ("latent_dim", None, "got null"),
        ("latent_dim", [1, 2], "got a list of 2"),
        ("latent_dim", {"a": 1}, "got a section of options"),
        ("latent_dim", float("nan"), "got nan"),
        pytest.param("latent_dim", 10**5000, "got a number of thousands of digits", id="huge"),
        ("timesteps", "automatic", "or auto; got 'automatic'. Did you mean auto?"),
        ("training.learning_rate", float("nan"), "got nan"),
        ("training.learning_rate", float("inf"), "got inf"),
        ("training.learning_rate", 0, "above 0 and at most 10 (per step); got 0"),
        ("training.learning_rate", "fast", "got 'fast'"),
        ("training.learning_rate", True, "got true"),
        ("model.dropout", 1.0, "at least 0 and below 1 (share of the units); got 1.0"),
        ("model.dropout", -0.1, "got -0.1"),
        ("model.bidirectional", 1, "true or false; got 1"),
        ("model.bidirectional", "yes", "true or false; got 'yes'"),
        ("model.cell", "lstn", "one of lstm, gru, rnn; got 'lstn'. Did you mean lstm?"),
        ("model.cell", None, "one of lstm, gru, rnn; got null"),
        ("study", "../../x", "letters, digits"),
        ("study", "..", "letters, digits"),
        ("study", "a\nb", "control characters"),
        ("study", "x" * 101, "..."),
        ("study", 2024, "got 2024. To give a number as a text, quote it twice: \"study='2024'\""),
        ("output_dir", "a\0b", "control characters"),
        ("output_dir", "\udcff", "bytes that are not text"),
        ("output_dir", "", "a directory"),
        ("output_dir", "${oc.env:HOME}", "not to the environment"),
        ("output_dir", "a/${nothing}", "does not exist"),
        ("output_dir", "${output_dir}", "does not exist"),
        ("tracking.uri", "file:./mlruns", "a database or server URI"),
        ("model", None, "a section of options; got null"),
        ("model", "repeat", "a section of options; got 'repeat'"),
        ("dataset", {"name": "digitz"}, ""),
        ("seed", "???", "has no value"),
        ("config_version", 99, "from 2 to 2"),
    ],
)
def test_value_refused(plain: dict[str, Any], name: str, value: Any, part: str) -> None:
    if name == "dataset":
        with pytest.raises(ConfigError, match=r"dataset.name must be one of .*Did you mean digits\?"):
            parse(put(plain, name, value))
    else:
        assert part in refuse(plain, name, value)


def test_an_unknown_key_is_refused_with_the_nearest(plain: dict[str, Any]) -> None:
    assert "Did you mean model.dropout?" in refuse(plain, "model.dropot", 0.1)
    assert "Did you mean training.epochs?" in refuse(plain, "epochs", 3)
    assert "is an option of dataset=addition only" in refuse(plain, "dataset.num_digits", 3)
    assert "is not an option" in refuse(plain, "model._target_", "os.system")


def test_a_missing_key_is_refused(plain: dict[str, Any]) -> None:
    del plain["model"]["cell"]
    with pytest.raises(ConfigError, match=r"^model\.cell has no value"):
        parse(plain)


def test_the_gate_checks_the_rules(plain: dict[str, Any]) -> None:
    assert "has no effect" in refuse(plain, "model.sampling_rate", 0.5)


def test_stored_options_read_back_equal() -> None:
    options = compose_options(["dataset=scan", "model.dropout=0.1", "training.learning_rate=1e-5", "study=s"])
    assert parse_stored(dump_options(options)) == options


TEXTS = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1)
TRICKY = st.sampled_from(["null", "true", "1e-3", "012", "1_000", "on", "~", "a: b", "# x", "'", "${seed}", "\\${x}"])


@settings(max_examples=30, deadline=None)
@given(path=TEXTS | TRICKY, rate=st.floats(1e-300, 10), seed=st.integers(0, 2**31 - 1))
def test_whatever_passes_the_gate_reads_back_equal(path: str, rate: float, seed: int) -> None:
    values = flatten_base() | {"output_dir": path or "x", "seed": seed}
    values["training"] = values["training"] | {"learning_rate": rate}
    try:
        options = parse(values)
    except ConfigError:  # an interpolation, or only spaces
        return
    assert parse_stored(dump_options(options)) == options


def flatten_base() -> dict[str, Any]:
    stored = OmegaConf.to_container(OmegaConf.create(BASE))
    assert isinstance(stored, dict)
    return {str(key): value for key, value in stored.items()}


BASE = dump_options(compose_options([]))


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "!!python/object/apply:os.system ['true']", "", "just words"])
def test_a_stored_text_that_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_stored(text)


@pytest.mark.parametrize("version", [None, 0, True, "1", CONFIG_VERSION + 1])
def test_a_stored_version_that_is_not_known_is_refused(version: object) -> None:
    with pytest.raises(ConfigError, match="config_version"):
        upgrade_config({"config_version": version})


def test_a_configuration_stored_before_the_present_version_says_the_same() -> None:
    since = ("dropout_places", "label_smoothing", "draws", "keep", "monitor", "monitor_every", "monitor_examples")
    lines = BASE.replace(f"config_version: {CONFIG_VERSION}", "config_version: 1").splitlines()
    before = "\n".join(line for line in lines if line.strip().partition(":")[0] not in since)
    assert parse_stored(before) == parse_stored(BASE)


def test_a_stored_configuration_of_a_newer_version_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"Install the version of lengthwise that wrote it"):
        parse_stored(BASE.replace("config_version: 2", "config_version: 3"))


def test_a_stored_configuration_of_version_1_is_read() -> None:
    now = parse_stored(dump_options(compose_options(["dataset=pairs", "dataset.path=x", "dataset.source_unit=words"])))
    lines = dump_options(now).replace("config_version: 2", "config_version: 1").splitlines()
    of_2 = ("validation_path", "test_path", "longer_path", "source_column", "target_column", "tags_", "target_unit")
    text = "\n".join(line for line in lines if not line.startswith(tuple(f"  {name}" for name in of_2)))
    old = parse_stored(text.replace("source_unit", "unit"))
    assert isinstance(old.dataset, PairsOptions)
    assert old == dataclasses.replace(now, dataset=dataclasses.replace(old.dataset, target_unit="words"))
    assert (old.dataset.source_unit, old.dataset.source_column, old.dataset.test_path) == ("words", 1, None)
    assert parse_stored(BASE.replace("config_version: 2", "config_version: 1")) == parse_stored(BASE)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["dataset.test_path=y", "dataset.test_fraction=0.3"], "dataset.test_fraction"),
        (["dataset.validation_path=y", "dataset.validation_fraction=0.3"], "dataset.validation_fraction"),
        (["dataset.validation_path=y", "dataset.test_path=y", "dataset.seed=1"], "dataset.seed"),
        (["dataset.source_unit=charcters"], "dataset.source_unit"),
        (["dataset.source_column=0"], "dataset.source_column"),
        (["dataset.source_column=''"], "dataset.source_column"),
        (["dataset.tags_separator=ab"], "dataset.tags_separator"),
        (["dataset.unit=words"], "dataset.unit"),
    ],
)
def test_options_of_pairs_that_mean_nothing_are_refused(overrides: list[str], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} "):
        compose_options(["dataset=pairs", "dataset.path=x", *overrides])


def test_a_share_without_effect_on_sequences_is_refused() -> None:
    given = ["dataset=sequences", "dataset.path=x.csv", "dataset.id_column=1", "dataset.split_column=2"]
    with pytest.raises(ConfigError, match=r"^dataset\.test_fraction has no effect with dataset\.split_column"):
        compose_options([*given, "dataset.test_fraction=0.2"])


def test_a_stored_series_of_version_1_is_read() -> None:
    now = parse_stored(dump_options(compose_options(["dataset=series", "dataset.path=x.csv", "timesteps=3"])))
    lines = dump_options(now).replace("config_version: 2", "config_version: 1").splitlines()
    of_2 = ("  columns", "  label_column", "  alarm_share")
    assert parse_stored("\n".join(line for line in lines if not line.startswith(of_2))) == now


@pytest.mark.parametrize(("text", "expected"), [("[a,b]", ("a", "b")), ("[2,1]", ("2", "1")), ("null", None)])
def test_a_list_names_columns(text: str, expected: tuple[str, ...] | None) -> None:
    given = ["dataset=series", "dataset.path=x.csv", "timesteps=3", f"dataset.columns={text}"]
    options = compose_options(given)
    assert options.dataset.columns == expected
    assert flatten_options(options)["dataset.columns"] == (None if expected is None else text)
    assert parse_stored(dump_options(options)) == options


@pytest.mark.parametrize("text", ["a", "[]", "[a,a]", "[1.5]", "[null]", "[[a]]", "['']", "{a: 1}"])
def test_a_list_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.columns"):
        compose_options(["dataset=series", "dataset.path=x.csv", "timesteps=3", f"dataset.columns={text}"])


def test_a_column_is_a_number_or_a_name() -> None:
    options = compose_options(["dataset=pairs", "dataset.path=x", "dataset.source_column=3", "dataset.target_column=t"])
    assert isinstance(options.dataset, PairsOptions)
    assert (options.dataset.source_column, options.dataset.target_column) == (3, "t")


def test_flat_options_have_one_name_for_each_value(plain: dict[str, Any]) -> None:
    flat = flatten_options(parse(plain))
    assert flat["model.conditioning"] == "repeat"
    assert flat["latent_dim"] == 64
    assert len(flat) == sum(len(v) if isinstance(v, dict) else 1 for v in plain.values())
    assert not any(isinstance(value, dict) for value in flat.values())


def test_launcher_options_pass_the_same_gate() -> None:
    good = {
        "num_workers": "auto",
        "max_jobs_per_worker": 5,
        "max_memory_mb": None,
        "timeout_minutes": 0.5,
        "retries": 0,
        "finished": "skip",
    }
    assert parse_plugin(LocalLauncherOptions, good).timeout_minutes == 0.5
    with pytest.raises(ConfigError, match=r"^hydra\.launcher\.num_workers must be a whole number from 1 to 1024"):
        parse_plugin(LocalLauncherOptions, good | {"num_workers": 0})
