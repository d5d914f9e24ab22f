from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers.small_data import list_accepted
from lengthwise.data import pair_groups
from lengthwise.data.pair_groups import group_pairs
from lengthwise.data.symbol_store import SymbolStore
from lengthwise.data.vocabulary import UNKNOWN, Vocabulary

TEXTS = st.text(alphabet="ab", min_size=1, max_size=2)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=25)


def store(texts, unit="characters"):
    store = SymbolStore(unit)
    for start in range(0, len(texts), 4):
        store.add(texts[start : start + 4])
    return store.finish()


def group(pairs):
    """Groups from the code under test, and as a dictionary of lists."""
    (source, source_codec), (target, target_codec) = (store(side) for side in zip(*pairs, strict=True))
    targets = {}
    for source_text, target_text in pairs:
        targets.setdefault(source_text, {})[target_text] = None
    groups = group_pairs(source, target, (source_codec, target_codec))
    return groups, {source_text: list(found) for source_text, found in targets.items()}


def read(groups, split):
    """The source and all accepted targets of each example, as texts."""
    sources = [groups.codecs[0].decode(split.source[row]) for row in range(len(split))]
    targets = [[groups.codecs[1].decode(ids) for ids in accepted] for accepted in list_accepted(split)]
    return list(zip(sources, targets, strict=True))


@given(PAIRS, st.randoms())
def test_groups_and_splits_agree_with_a_dictionary(pairs, random):
    groups, targets = group(pairs)
    texts = list(targets)
    assert len(groups) == len(texts)
    assert groups.num_targets.tolist() == [len(targets[text]) for text in texts]
    order = random.sample(range(len(texts)), random.randint(1, len(texts)))
    firsts, every = groups.choose_first(np.array(order)), groups.choose_every(np.array(order))
    assert read(groups, firsts) == [(texts[index], targets[texts[index]]) for index in order]
    assert read(groups, every) == [
        (texts[index], [own, *(other for other in targets[texts[index]] if other != own)])
        for index in order
        for own in targets[texts[index]]
    ]
    assert (firsts.references is None) == all(len(targets[texts[index]]) == 1 for index in order)


def test_examples_of_a_source_with_too_many_targets_have_only_their_own(monkeypatch):
    monkeypatch.setattr(pair_groups, "MOST_REFERENCES", 2)
    groups, _ = group([("a", "a"), ("b", "a"), ("a", "b"), ("b", "b"), ("a", "ab")])
    assert read(groups, groups.choose_every(np.array([0, 1]))) == [
        *(("a", [own]) for own in ("a", "b", "ab")),
        ("b", ["a", "b"]),
        ("b", ["b", "a"]),
    ]
    assert read(groups, groups.choose_first(np.array([0]))) == [("a", ["a", "b", "ab"])]


@given(st.lists(st.text(alphabet="ab \u00e9\U0001f600", min_size=1).filter(str.strip), min_size=1), st.data())
def test_stored_texts_are_those_that_a_vocabulary_encodes(texts, data):
    unit = data.draw(st.sampled_from(["characters", "words"]))
    sequences, codec = store(texts, unit)
    assert codec.symbols == tuple(sorted({symbol for text in texts for symbol in codec.split(text)}))
    assert [sequences[index].tolist() for index in range(len(texts))] == [codec.encode(text).tolist() for text in texts]


def test_translated_pairs_have_unknown_symbols():
    groups, _ = group([("ab", "b"), ("b", "a")])
    only_b = Vocabulary(("b",), "characters")
    translated = groups.translate((only_b, groups.codecs[1]))
    assert translated.source[0].tolist() == [UNKNOWN, 4]
    assert translated.target is groups.target
