"""The presets: whole, described, listed, and what their papers say, by numbers the papers give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lengthwise.catalog.presets import Preset, list_presets, read_preset
from lengthwise.config.compose import compose_options
from lengthwise.config.paths import conf_dir
from lengthwise.data.dataset import DataSpec
from lengthwise.errors import ConfigError
from lengthwise.models.wiring import count_parameters, resolve_wiring

PRESETS = [read_preset(name) for name in list_presets()]
NATURAL = {
    "repeat": "digits",
    "malhotra2016": "digits",
    "lake2018": "scan",
    "g2p_en": "g2p",
    "keras_addition": "addition",
}


def make_spec(source: int, target: int) -> DataSpec:
    return DataSpec(kind="tokens", source_size=source, target_size=target, source_timesteps=10, timesteps=10)


def test_every_file_is_a_preset_and_the_two_models_of_the_question_come_first() -> None:
    names = [preset.name for preset in PRESETS]
    assert names[:2] == ["repeat", "stateful"]
    assert sorted(names) == sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
    assert [preset.options.name for preset in PRESETS] == names


def test_presets_are_read_as_hydra_composes_them() -> None:
    for preset in PRESETS:
        assert compose_options([f"model={preset.name}", "dataset=copy"]).model == preset.options


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_says_what_is_taken_and_whether_it_was_checked(preset: Preset) -> None:
    about = preset.about
    assert about.checked or about.not_checked
    assert not about.title.endswith(".")
    sentences = (about.source, about.taken, about.not_taken, about.widths, about.checked, about.not_checked)
    assert all(text.endswith(".") for text in sentences if text is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("carry: h\n", ""), "model.carry has no value"),
        (("carry: h\ncell: lstm\n", ""), "model.carry has no value, nor have cell."),
        (("cell: lstm", "cell: lstn"), "model.cell must be one of lstm, gru, rnn; got 'lstn'. Did you mean lstm?"),
        (("cell: lstm", "cell: lstm\nsell: x"), "model.sell is not an option"),
        (("cell: lstm", "cell: lstm\ndefaults: [stateful]"), "model.defaults is not an option"),
        (("cell: lstm", "cell: lstm\ncell: gru"), "cell is given twice"),
        (("cell: lstm", "cell: ["), "must be plain YAML"),
        (("  title: ", "  titel: "), "about.titel is unknown. Did you mean title?"),
        (("about:", "abut:"), "about must be a mapping"),
    ],
)
def test_a_broken_preset_is_named_with_what_is_wrong(
    change: tuple[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (conf_dir() / "model" / "repeat.yaml").read_text(encoding="utf-8")
    (tmp_path / "model").mkdir()
    assert change[0] in text
    (tmp_path / "model" / "mine.yaml").write_text(text.replace(*change), encoding="utf-8")
    monkeypatch.setattr("lengthwise.catalog.presets.conf_dir", lambda: tmp_path)
    with pytest.raises(ConfigError, match=r"mine\.yaml") as refused:
        read_preset("mine")
    assert message in str(refused.value)


@pytest.mark.parametrize(("name", "dataset"), NATURAL.items())
def test_a_preset_passes_the_gate_with_the_data_it_was_made_for(name: str, dataset: str) -> None:
    assert compose_options([f"model={name}", f"dataset={dataset}"]).model == read_preset(name).options


def test_sutskever2014_has_the_384_million_parameters_of_section_3_4() -> None:
    preset = read_preset("sutskever2014")
    wiring = resolve_wiring(replace(preset.options, embedding_dim=1000), 1000, make_spec(160_000, 80_000))
    biases = 8 * 4 * 1000 + 80_000
    assert count_parameters(wiring) == 384_000_000 + biases


def test_the_keras_examples_have_the_parameters_that_their_summaries_show() -> None:
    addition = resolve_wiring(read_preset("keras_addition").options, 128, make_spec(12, 12))
    assert count_parameters(addition) == 72_192 + 131_584 + 1_548
    stateful = resolve_wiring(read_preset("stateful").options, 256, make_spec(71, 93))
    assert count_parameters(stateful) == 335_872 + 358_400 + 23_901


def test_g2p_en_has_the_shapes_of_the_weights_in_its_package() -> None:
    wiring = resolve_wiring(read_preset("g2p_en").options, 256, make_spec(29, 74))
    gru = 3 * 256 * 256 + 3 * 256 * 256 + 2 * 3 * 256
    assert count_parameters(wiring) == 29 * 256 + 74 * 256 + 2 * gru + 74 * 256 + 74


def test_bahdanau2015_has_the_alignment_model_of_appendix_a_1_2() -> None:
    wiring = resolve_wiring(replace(read_preset("bahdanau2015").options, decoder_dim=1000), 2000, make_spec(50, 60))
    assert (wiring.latent_dim, wiring.decoder_dim, wiring.bridge) == (2000, 1000, "tanh")
    # W_a is 1000 x 1000, U_a 1000 x 2000, v_a 1000 long.
    from lengthwise.models.wiring import list_parameters

    assert dict(list_parameters(wiring))["attention"] == 1000 * 1000 + 1000 * 2000 + 1000
