from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import pytest

from helpers.small_models import draw_texts
from lengthwise.errors import LengthwiseError
from lengthwise.serving.predictor import Predictor
from lengthwise.serving.stream import BATCHES_PER_CHUNK, decode_lines, describe_prediction, strip_ends


def test_lines_come_out_in_their_order_one_for_one(letters: Predictor) -> None:
    lines = draw_texts(900)
    counts: list[int] = []
    made = list(decode_lines(letters, lines, on_progress=counts.append))
    assert [each.value for each in made] == [each.value for each in letters.decode(lines)]
    assert counts == [256, 768, 900]


def test_no_more_is_read_than_a_chunk(letters: Predictor) -> None:
    read = 0

    def count() -> Iterator[str]:
        nonlocal read
        for _ in itertools.count():
            read += 1
            yield "ab"

    stream = decode_lines(letters, count())
    next(stream)
    assert read == 256, "the first answer comes after one batch"
    for _ in range(3 * 256):
        next(stream)
    assert read <= 256 * (1 + 2 + 4)
    assert BATCHES_PER_CHUNK * 256 == 8192


def test_a_file_is_cut_at_newlines_alone() -> None:
    text = "one\r\n\ntwo\x0bthree\u2028four\n\u0085\nlast"
    lines = list(strip_ends(io.StringIO(text, newline="\n")))
    assert lines == ["one", "", "two\x0bthree\u2028four", "\u0085", "last"]


def test_numbers_are_no_lines(numbers: Predictor) -> None:
    with pytest.raises(LengthwiseError, match="reads numbers"):
        next(decode_lines(numbers, ["1 2 3"]))


def test_a_prediction_as_json_holds_it(letters: Predictor) -> None:
    made = letters.decode(["ab?", ""], probabilities=True)
    described = describe_prediction(made[0])
    assert described["unknown_symbols"] == 1
    assert len(described["probabilities"]) == len(made[0].value.split()) + made[0].stopped  # type: ignore[union-attr]
    assert describe_prediction(made[1]) == {
        "prediction": "",
        "log_probability": None,
        "stopped": True,
        "unknown_symbols": 0,
        "probabilities": [],
    }
