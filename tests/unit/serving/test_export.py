from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from helpers.small_models import LETTERS, NUMBERS, WORDS, draw_texts, write_model
from lengthwise.config.compose import change_decoding
from lengthwise.data.vocabulary import TAGGED, Vocabulary
from lengthwise.errors import LengthwiseError
from lengthwise.serving.artifact import load_artifact
from lengthwise.serving.export import TextEndpoint, export_model
from lengthwise.serving.predictor import Predictor, load_predictor

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("unit", "overrides"),
    [
        ("characters", []),
        ("words", ["model.reverse_target=true", "model.attention=additive"]),
        ("words", ["decoding=beam"]),
        ("characters", ["decoding=sample", "model=repeat"]),
    ],
)
def test_a_saved_model_makes_the_strings_of_the_predictor(unit: str, overrides: list[str], tmp_path: Path) -> None:
    source, target = (LETTERS, WORDS) if unit == "characters" else (WORDS, LETTERS)
    predictor = load_predictor(write_model(tmp_path / "m", source, target, "dataset=copy", *overrides))
    export_model(predictor, tmp_path / "drawn" / "1")
    loaded = tf.saved_model.load(str(tmp_path / "drawn" / "1"))
    texts = draw_texts(200, unit=unit)
    made = loaded.signatures["serving_default"](source=tf.constant(texts))
    wanted = predictor.decode(texts)
    assert [text.decode() for text in made["prediction"].numpy()] == [each.value for each in wanted]
    assert made["stopped"].numpy().tolist() == [each.stopped for each in wanted]
    scores = [each.log_probability or 0.0 for each in wanted]
    np.testing.assert_allclose(made["log_probability"], scores, rtol=1e-4, atol=1e-5)
    with pytest.raises(LengthwiseError, match="exists already"):
        export_model(predictor, tmp_path / "drawn" / "1")


def test_words_are_parted_as_python_parts_them(tmp_path: Path) -> None:
    artifact = load_artifact(write_model(tmp_path / "m", WORDS, WORDS, "dataset=copy"))
    endpoint = TextEndpoint(artifact.models, artifact.options.decoding, WORDS, WORDS)
    spaces = [chr(code) for code in range(0x110000) if chr(code).isspace()]
    others = ["\u200b", "\ufeff", "\u180e", "_"]
    texts = [f"run{space}walk" for space in (*spaces, *others)] + [
        "  run \t",
        "",
        " \u3000 ",
        "run\u00a0 \u2003walk  jump",
    ]
    made = endpoint.decode(tf.constant(texts))["prediction"].numpy()
    assert [text.decode() for text in made] == [each.value for each in Predictor(artifact).decode(texts)]


@pytest.mark.parametrize("unit", ["|", ", ", TAGGED])
def test_separators_and_tags_part_symbols_as_in_python(unit: str, tmp_path: Path) -> None:
    codec = Vocabulary(("[V]", "[PST]", "a", "ae", "é"), unit)
    artifact = load_artifact(write_model(tmp_path / "m", codec, codec, "dataset=copy"))
    endpoint = TextEndpoint(artifact.models, artifact.options.decoding, codec, codec)
    texts = ["", "a", "é|ae|[V]", "a|", "|", "||", "a, ae, é", "a,ae", "aé[V][PST]", "[a[V]]x", "a\n[V", ", "]
    made = endpoint.decode(tf.constant(texts))["prediction"].numpy()
    assert [text.decode() for text in made] == [each.value for each in Predictor(artifact).decode(texts)]


@pytest.mark.parametrize("rule", ["model", "max"])
def test_numbers_too(rule: str, tmp_path: Path) -> None:
    artifact = load_artifact(write_model(tmp_path / "m", NUMBERS, NUMBERS, "dataset=digits"))
    predictor = Predictor(artifact, change_decoding(artifact.options, [f"decoding.length={rule}"]).decoding)
    export_model(predictor, tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    rng = np.random.default_rng(0)
    length = np.array([5, 0, 8, 1], np.int32)
    source = rng.normal(size=(4, 8, 3)).astype(np.float32)
    made = loaded(source=tf.constant(source), source_length=tf.constant(length))
    for row, wanted in enumerate(predictor.decode([source[row, : length[row]] for row in range(4)])):
        assert int(made["length"][row]) == len(wanted.value)
        np.testing.assert_allclose(made["prediction"][row, : len(wanted.value)], wanted.value, rtol=1e-4, atol=1e-4)
