from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.reference_loop import decode_sequence
from helpers.small_models import LETTERS, NUMBERS, WORDS, draw_texts, write_model
from lengthwise.config.compose import change_decoding
from lengthwise.data.vocabulary import STOP, UNKNOWN
from lengthwise.errors import LengthwiseError
from lengthwise.serving.artifact import load_artifact
from lengthwise.serving.predictor import MOST_STEPS, Prediction, Predictor


def redecode(predictor: Predictor, *overrides: str) -> Predictor:
    return Predictor(predictor.artifact, change_decoding(predictor.artifact.options, overrides).decoding)


@pytest.mark.slow
def test_text_becomes_what_the_reference_loop_makes(letters: Predictor) -> None:
    texts = [text for text in draw_texts(12) if text][:5]
    for text, made in zip(texts, letters.decode(texts), strict=True):
        ids = np.array([4 + LETTERS.symbols.index(c) if c in LETTERS.symbols else UNKNOWN for c in text], np.int32)
        wanted = decode_sequence(letters.artifact.models, ids, most_symbols=7, end=STOP)
        assert made.value == WORDS.decode(wanted)
        assert made.stopped == (len(wanted) < 7)
        assert made.num_unknown == sum(c not in LETTERS.symbols for c in text)


def test_empty_sources_are_answered_in_their_places(letters: Predictor, numbers: Predictor) -> None:
    made = letters.decode(["", "abc", ""])
    assert [prediction.value == "" for prediction in made] == [True, False, True]
    assert made[0] == Prediction(value="", stopped=True, log_probability=None)
    assert made[1] == letters.decode(["abc"])[0]
    assert letters.decode([]) == []
    assert letters.decode([""]) == [made[0]]
    assert numbers.decode([np.zeros((0, 3)), []])[1].value.shape == (0, 3)  # type: ignore[union-attr]
    assert not letters.encode(["", "a"])[0].any()


def test_numbers_come_back_in_the_unit_of_the_data(numbers: Predictor) -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(size=(6, 3))
    made = numbers.decode([source])[0]
    models = numbers.artifact.models
    state = models.encoder({"source": NUMBERS.encode(source)[None], "source_length": np.array([6], np.int32)})
    step = models.decoder(
        {"previous": tf.zeros((1, 3))} | {name: value for name, value in state.items() if name != "latent"}
    )
    assert isinstance(made.value, np.ndarray)
    np.testing.assert_allclose(made.value[0], np.asarray(step["values"])[0] * NUMBERS.scale + NUMBERS.shift, rtol=1e-4)
    assert made.log_probability is None


@pytest.mark.parametrize("reverse", [pytest.param("false", marks=pytest.mark.slow), "true"])
def test_probabilities_are_those_by_which_the_text_was_chosen(reverse: str, tmp_path: Path) -> None:
    written = write_model(tmp_path / "m", LETTERS, WORDS, "dataset=copy", f"model.reverse_target={reverse}")
    predictor = Predictor(load_artifact(written))
    for made in predictor.decode(draw_texts(20), probabilities=True):
        assert made.probabilities is not None
        assert isinstance(made.value, str)
        words = made.value.split()
        if made.log_probability is None:
            assert made.probabilities.shape == (0, WORDS.size)
            continue
        if "<" in made.value:
            continue
        emitted = [4 + WORDS.symbols.index(word) for word in words] + [STOP] * made.stopped
        assert made.probabilities.shape == (len(emitted), WORDS.size)
        np.testing.assert_allclose(made.probabilities.sum(axis=1), 1, rtol=1e-5)
        assert made.probabilities.argmax(axis=1).tolist() == emitted, "decoding was greedy"
        chosen = made.probabilities[np.arange(len(emitted)), emitted]
        assert np.log(chosen).sum() == pytest.approx(made.log_probability, abs=1e-4)


def test_the_best_texts_come_in_order_and_the_first_is_what_beam_decodes(letters: Predictor) -> None:
    beam = redecode(letters, "decoding=beam", "decoding.width=3")
    texts = draw_texts(6)
    for text, made, found in zip(texts, beam.decode(texts), beam.search(texts, 3), strict=True):
        assert len(found) == (3 if text else 0)
        if text:
            assert found[0].value == made.value
            assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    with pytest.raises(LengthwiseError, match=r"decoding\.width=4"):
        beam.search(texts, 4)
    with pytest.raises(LengthwiseError, match="decoding=beam"):
        letters.search(texts, 1)


def test_draws_follow_the_row_in_the_whole_input(letters: Predictor) -> None:
    drawn = redecode(letters, "decoding=sample", "decoding.temperature=2")
    texts = ["abc"] * 10 + [""] + ["abc"] * 5
    whole = [made.value for made in drawn.decode(texts)]
    assert len(set(whole)) > 3
    assert [made.value for made in drawn.decode(texts[6:], first_row=6)] == whole[6:]


def test_latents_are_the_encoders(letters: Predictor) -> None:
    latents = letters.encode(["abc", "a"])
    assert latents.shape == (2, 8)
    wanted = letters.artifact.models.encoder(
        {"source": np.array([[4, 5, 6], [4, 0, 0]], np.int32), "source_length": np.array([3, 1], np.int32)}
    )["latent"]
    np.testing.assert_allclose(latents, wanted, atol=1e-6)


@pytest.mark.slow
def test_the_precision_of_the_run_is_that_of_the_loaded_model(tmp_path: Path) -> None:
    written = write_model(tmp_path / "m", LETTERS, WORDS, "dataset=copy", "training.precision=float64")
    artifact = load_artifact(written)
    assert {variable.dtype for variable in artifact.models.network.trainable_variables} == {"float64"}
    assert keras.config.dtype_policy().name == "float32", "the process stays as it was"
    assert Predictor(artifact).decode(["abc"])[0].value


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (3, "reads text; got int"),
        (np.zeros((2, 3)), "reads text; got ndarray"),
        ("a" * (MOST_STEPS + 1), "Source 1 has 10,001 steps"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(letters: Predictor, source: object, words: str) -> None:
    with pytest.raises(LengthwiseError, match=words):
        letters.decode([source])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros((2, 4)), r"shape \(steps, 3\); got \(2, 4\)"),
        (np.zeros(3), r"got \(3,\)"),
        ([[1.0, 2.0, float("nan")]], "finite"),
        ("abc", "reads numbers; got str"),
        ([[1.0], [1.0, 2.0]], "reads numbers; got list"),
    ],
)
def test_numbers_that_cannot_be_read_are_refused(numbers: Predictor, source: object, words: str) -> None:
    with pytest.raises(LengthwiseError, match=words):
        numbers.decode([source])  # type: ignore[list-item]


def test_a_single_text_instead_of_a_list_is_refused(letters: Predictor) -> None:
    with pytest.raises(LengthwiseError, match="Put it into a list"):
        letters.decode("abc")


def test_unknown_symbols_are_named_and_counted(letters: Predictor) -> None:
    texts = ["abc", "aßx", "", "😀"]
    wanted = [(), ("ß", "x"), (), ("😀",)]
    assert letters.find_unknown(texts) == wanted
    assert [prediction.unknown for prediction in letters.decode(texts)] == wanted
    assert [prediction.num_unknown for prediction in letters.decode(texts)] == [0, 2, 0, 1]
