from __future__ import annotations

import pytest

from lengthwise.config.options import PairsOptions
from lengthwise.data.datasets.pairs import MOST_REFERENCES, load_pairs
from lengthwise.data.datasets.pairs import read_pairs as read_file
from lengthwise.errors import ConfigError, DataError

ROWS = [(f"go {index}", f"va {index}") for index in range(20)]


def _write(tmp_path, content):
    file = tmp_path / "some pairs.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


def _join(rows):
    return "".join(f"{source}\t{target}\n" for source, target in rows)


def _options(path, **changes):
    values = {
        "unit": "words",
        "max_examples": None,
        "validation_fraction": 0.1,
        "test_fraction": 0.2,
        "seed": 0,
        **changes,
    }
    return PairsOptions(name="pairs", path=path, **values)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_every_pair_is_in_one_split(tmp_path, read_pairs, unit):
    dataset = load_pairs(_options(_write(tmp_path, _join(ROWS)), unit=unit), "auto")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 14, "val": 2, "test": 4}
    pairs = read_pairs(dataset, "train")
    assert len(set(pairs)) == 14
    assert set(pairs) < set(ROWS)
    assert dataset.source_codec.unit == dataset.target_codec.unit == unit


@pytest.mark.parametrize(
    "content",
    [
        _join(ROWS).replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + _join(ROWS).encode(),
        _join(ROWS).rstrip("\n"),
        _join(ROWS) + "\n\n",
        _join(ROWS).replace("\n", "\r"),
        _join(ROWS).replace("\n", "\tCC-BY 2.0\tand more\n"),
    ],
)
def test_line_ends_byte_order_mark_and_further_columns_make_no_difference(tmp_path, content):
    plain = load_pairs(_options(_write(tmp_path, _join(ROWS)), unit="characters"), "auto")
    dataset = load_pairs(_options(_write(tmp_path, content), unit="characters"), "auto")
    assert dataset.content_hash == plain.content_hash
    assert dataset.skipped == plain.skipped


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path):
    path = _write(tmp_path, "a\u2028b\x0bc\x85d\te\n")
    assert read_file(path, None).targets == {"a\u2028b\x0bc\x85d": ["e"]}


def test_targets_of_one_source_stay_together(tmp_path, read_pairs):
    rows = [(source, f"{target} {way}") for source, target in ROWS for way in ("x", "y", "z")]
    dataset = load_pairs(_options(_write(tmp_path, _join(rows)), unit="characters"), "auto")
    sources = {name: {source for source, _ in read_pairs(dataset, name)} for name in dataset.splits}
    assert sum(map(len, sources.values())) == 20
    assert len(set.union(*sources.values())) == 20
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 14 * 3, "val": 2, "test": 4}
    decode = dataset.target_codec.decode
    for (_, target), accepted in zip(read_pairs(dataset, "train"), dataset.splits["train"].references, strict=True):
        written = [decode(ids) for ids in accepted]
        assert written[0] == target
        assert {text[-1] for text in written} == {"x", "y", "z"}
    assert {target[-1] for _, target in read_pairs(dataset, "test")} == {"x"}
    counts = {notice.reason: notice.count for notice in dataset.skipped}
    assert counts["test: further targets of a source, kept as references"] == 8
    assert counts["val: further targets of a source, kept as references"] == 4


def test_repeated_pairs_count_once_and_are_reported(tmp_path):
    dataset = load_pairs(_options(_write(tmp_path, _join([*ROWS, *ROWS[:3], ROWS[0]]))), "auto")
    plain = load_pairs(_options(_write(tmp_path, _join(ROWS))), "auto")
    assert dataset.content_hash == plain.content_hash
    assert [notice.count for notice in dataset.skipped if "repeat an earlier pair" in notice.reason] == [4]


def test_many_targets_of_one_source_do_not_take_memory_by_their_square(tmp_path):
    many = [("same", f"t{index}") for index in range(3_000)]
    for seed in range(20):
        dataset = load_pairs(_options(_write(tmp_path, _join([*many, *ROWS])), seed=seed), "auto")
        if len(dataset.splits["train"]) > 3_000:
            break
    assert max(map(len, dataset.splits["train"].references)) <= MOST_REFERENCES
    assert [notice.count for notice in dataset.skipped if "more than 100 targets" in notice.reason] == [3_000]


def test_blank_lines_and_what_lies_beyond_max_examples_are_counted(tmp_path):
    path = _write(tmp_path, "\n" + _join(ROWS[:6]) + "  \n" + _join(ROWS[6:]))
    assert read_file(path, 10).targets.keys() == {source for source, _ in ROWS[:10]}
    dataset = load_pairs(_options(path, max_examples=10), "auto")
    counts = {notice.reason: notice.count for notice in dataset.skipped if "unknown" not in notice.reason}
    assert counts == {"blank lines": 2, "lines after the first dataset.max_examples pairs": 10}


def test_unseen_symbols_are_unknown_and_counted(tmp_path, read_pairs):
    dataset = load_pairs(_options(_write(tmp_path, _join(ROWS))), "auto")
    assert [source for source, _ in read_pairs(dataset, "test")] == ["go <unknown>"] * 4
    counts = {notice.reason: notice.count for notice in dataset.skipped}
    reason = "symbols that are not in train, read as <unknown>"
    assert counts == {
        f"{name}: kept, {side} has {reason}": size
        for name, size in (("val", 2), ("test", 4))
        for side in ("source", "target")
    }


def test_long_targets_are_left_out_and_counted(tmp_path):
    rows = [(source, "long " * 9 if index < 10 else target) for index, (source, target) in enumerate(ROWS)]
    dataset = load_pairs(_options(_write(tmp_path, _join(rows))), 2)
    dropped = sum(notice.count for notice in dataset.skipped if "timesteps=2" in notice.reason)
    assert dropped == 10
    assert sum(map(len, dataset.splits.values())) == 10
    with pytest.raises(ConfigError, match="timesteps must leave examples in the split"):
        load_pairs(_options(_write(tmp_path, _join(rows))), 1)


def test_the_seed_decides_the_split(tmp_path):
    path = _write(tmp_path, _join(ROWS))
    first, again, other = (load_pairs(_options(path, seed=seed), "auto") for seed in (0, 0, 1))
    assert first.content_hash == again.content_hash != other.content_hash


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"some pairs\.txt: is empty\."),
        (b" \r\n\n\t", r"some pairs\.txt: is empty\."),
        (b"\xef\xbb\xbf\n", r"some pairs\.txt: is empty\."),
        (b"a\tb\nc\td\xe9\n", r"some pairs\.txt, line 2: is not UTF-8\. Store the file as UTF-8\."),
        ("a\tb\n".encode("utf-16"), r"some pairs\.txt, line 1: is not UTF-8\."),
        (b"a\tb\n\nc d\n", r"some pairs\.txt, line 3: has no tab\. Write source, a tab, target on each line\."),
        (b"a\tb\n \td\n", r"some pairs\.txt, line 2: has a blank source\."),
        (b"a\tb\r\nc\t\r\n", r"some pairs\.txt, line 2: has a blank target\."),
        (b"a\tb\nc\t \te\n", r"some pairs\.txt, line 2: has a blank target\."),
        (b"a\tb\nc\td\n", r"some pairs\.txt: holds 2 different sources, too few to split"),
        (b"a\tb\n" * 50, r"some pairs\.txt: holds 1 different sources, too few to split"),
    ],
)
def test_a_bad_file_gets_one_message_with_its_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        load_pairs(_options(_write(tmp_path, content)), "auto")


def test_a_missing_file_a_directory_and_no_path(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.txt: no such file\. Check dataset\.path\."):
        load_pairs(_options(str(tmp_path / "nowhere.txt")), "auto")
    with pytest.raises(DataError, match=r"is a directory\. Name a file in dataset\.path\."):
        load_pairs(_options(str(tmp_path)), "auto")
    with pytest.raises(ConfigError, match=r"^dataset\.path must name a file with dataset=pairs; got null\."):
        load_pairs(_options(None), "auto")
    below_a_file = _write(tmp_path, "a\tb\n") + "/inside"
    with pytest.raises(DataError, match=r"cannot be read: Not a directory\."):
        load_pairs(_options(below_a_file), "auto")
