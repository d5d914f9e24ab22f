"""The presets: their headers, and that they are what their papers say, by numbers the papers give."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from lengthwise.catalog.presets import NOTES, Preset, list_presets, read_header, read_preset
from lengthwise.config.compose import compose_options
from lengthwise.config.parse import parse_config
from lengthwise.config.paths import conf_dir
from lengthwise.data.dataset import DataSpec
from lengthwise.models.wiring import count_parameters, resolve_wiring

PRESETS = list_presets()
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
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for preset in PRESETS:
            composed = parse_config(compose("config", overrides=[f"model={preset.name}", "dataset=copy"]))
            assert composed.model == preset.options


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_header_tells_what_is_taken_what_not_and_whether_it_was_checked(preset: Preset) -> None:
    words = [word for word, _ in preset.notes]
    assert words == sorted(set(words), key=NOTES.index)
    assert words[:3] == ["Taken", "Not taken", "Widths"]
    assert {"Checked", "Not checked"} & set(words)
    assert preset.source.endswith(".")
    assert all(text.endswith(".") for _, text in preset.notes)


def test_a_header_is_read_line_by_line() -> None:
    text = "# A 2020: b.\n# Taken: one\n# two: three.\n# Checked: in c.\nname: x\n# Widths: no header.\n"
    assert read_header(text) == ("A 2020: b.", (("Taken", "one two: three."), ("Checked", "in c.")))
    assert read_header("name: x\n") == ("", ())


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
