from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.data.codec import parse_codec
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import TAGGED, UNKNOWN, Vocabulary, build_vocabulary

TEXTS = st.lists(st.text(alphabet="ab é😀\t", max_size=6), max_size=6)


@given(TEXTS, TEXTS, st.sampled_from(["characters", "words"]))
def test_encoding_many_texts_is_encoding_each(known, texts, unit):
    vocabulary = build_vocabulary(known, unit)
    encoded = vocabulary.encode_all(texts)
    assert len(encoded) == len(texts)
    for index, text in enumerate(texts):
        assert encoded[index].tolist() == vocabulary.encode(text).tolist()


def test_symbols_are_sorted_and_counted_from_four():
    vocabulary = build_vocabulary(["b a", "é"], "characters")
    assert vocabulary.symbols == (" ", "a", "b", "é")
    assert vocabulary.encode("é ax").tolist() == [7, 4, 5, UNKNOWN]
    assert vocabulary.size == 8
    assert vocabulary.decode([7, 4, 5, UNKNOWN]) == "é a<unknown>"


@pytest.mark.parametrize(
    ("unit", "text", "symbols"),
    [
        ("|", "n|ae|t", ["n", "ae", "t"]),
        (", ", "a, b,c", ["a", "b,c"]),
        (" ", "", []),
        (TAGGED, "go[V][PST]", ["g", "o", "[V]", "[PST]"]),
        (TAGGED, "[a\n]", ["[a\n]"]),
        (TAGGED, "[a[b]]", ["[", "a", "[b]", "]"]),
    ],
)
def test_separators_and_tags_cut_texts(unit, text, symbols):
    vocabulary = build_vocabulary([text, text], unit)
    assert list(vocabulary.split(text)) == symbols
    assert vocabulary.symbols == tuple(sorted(set(symbols)))
    encoded = vocabulary.encode_all([text, text])
    assert encoded.length.tolist() == [len(symbols)] * 2
    assert vocabulary.encode(text).tolist() == encoded.values.tolist()[: len(symbols)]
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_a_vocabulary_survives_json(unit):
    vocabulary = build_vocabulary(['a "b" \\ é\u2028 😀'], unit)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.encode("é b").tolist() == vocabulary.encode("é b").tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "kind"),
        ('{"kind": "scaler"}', "vocabulary"),
        ('{"kind": "vocabulary", "unit": "bytes", "symbols": []}', "unit"),
        ('{"kind": "vocabulary", "unit": "words", "symbols": "ab"}', "list"),
        ('{"kind": "vocabulary", "unit": "words", "symbols": [1]}', "texts"),
        ('{"kind": "vocabulary", "unit": "words", "symbols": ["a", "a"]}', "differ"),
    ],
)
def test_a_bad_stored_vocabulary_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_json(text)


def test_a_stored_codec_tells_its_kind():
    vocabulary, scaler = build_vocabulary(["ab"], "characters"), Scaler((0.1,), (3.0,))
    assert parse_codec(vocabulary.to_json()) == vocabulary
    assert parse_codec(scaler.to_json()) == scaler
    for text in ("[]", json.dumps({"kind": "pickle"})):
        with pytest.raises(ValueError, match="neither"):
            parse_codec(text)
