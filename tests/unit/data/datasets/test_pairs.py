from __future__ import annotations

import tracemalloc

import pytest

from helpers.small_data import list_accepted
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


def _options(path, unit="words", **changes):
    values = {
        "validation_path": None,
        "test_path": None,
        "longer_path": None,
        "source_column": 1,
        "target_column": 2,
        "tags_column": None,
        "tags_separator": None,
        "source_unit": unit,
        "target_unit": unit,
        "max_examples": None,
        "validation_fraction": 0.1,
        "test_fraction": 0.2,
        "seed": 0,
        **changes,
    }
    return PairsOptions(name="pairs", path=path, **values)


def _read_sources(file):
    sources = file.pairs.sources
    return [file.pairs.codecs[0].decode(sources[index]) for index in range(len(sources))]


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
    ],
)
def test_line_ends_and_byte_order_mark_make_no_difference(tmp_path, content):
    plain = load_pairs(_options(_write(tmp_path, _join(ROWS)), unit="characters"), "auto")
    dataset = load_pairs(_options(_write(tmp_path, content), unit="characters"), "auto")
    assert dataset.content_hash == plain.content_hash
    assert dataset.skipped == plain.skipped


def test_further_columns_are_left_out_and_counted(tmp_path):
    wide = [line + "\tCC-BY 2.0\tand more" for line in _join(ROWS).splitlines()]
    plain = load_pairs(_options(_write(tmp_path, _join(ROWS)), unit="characters"), "auto")
    dataset = load_pairs(_options(_write(tmp_path, "\n".join(wide)), unit="characters"), "auto")
    assert dataset.content_hash == plain.content_hash
    counts = {each.reason: each.count for each in dataset.skipped if each not in plain.skipped}
    assert counts == {"lines with further columns, which are not read": 20}


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path):
    path = _write(tmp_path, "a\u2028b\u2029c\te\n")
    assert _read_sources(read_file(path, _options(path, unit="characters"))) == ["a\u2028b\u2029c"]


@pytest.mark.parametrize("code", [0x00, 0x01, 0x08, 0x0B, 0x0C, 0x1B, 0x1F, 0x7F, 0x85, 0x9B])
def test_a_control_character_is_refused_by_its_line(tmp_path, code):
    path = _write(tmp_path, f"a\tb\nc{chr(code)}d\te\nf\tg{chr(code)}\n")
    message = rf"line 2: has the control character U\+{code:04X} at character 2; lines below that have one too: 1."
    with pytest.raises(DataError, match=message) as caught:
        read_file(path, _options(path, unit="characters"))
    assert str(caught.value).isprintable()


def test_a_carriage_return_within_a_line_is_refused(tmp_path):
    path = _write(tmp_path, "a\tb\r\nc\rd\te\r\n")
    with pytest.raises(DataError, match=r"line 2: has the control character U\+000D at character 2\. Remove it\."):
        read_file(path, _options(path))


@pytest.mark.parametrize("name", ["<padding>", "<start>", "<stop>", "<unknown>"])
def test_the_name_of_a_special_symbol_is_text_or_refused_as_a_word(tmp_path, read_pairs, name):
    rows = [(f"{source} {name}x", f"{target}{name}") for source, target in ROWS]
    dataset = load_pairs(_options(_write(tmp_path, _join(rows)), unit="characters"), "auto")
    assert set(read_pairs(dataset, "train")) < set(rows)
    assert set(read_pairs(load_pairs(_options(_write(tmp_path, _join(rows))), "auto"), "train")) < set(rows)
    path = _write(tmp_path, _join([*ROWS, ("a b", f"c {name} d")]))
    with pytest.raises(DataError, match=f"line 21: the target has the word {name}, the name of a special symbol"):
        load_pairs(_options(path), "auto")


@pytest.mark.parametrize("header", [("source", "target"), ("Input", "OUTPUT "), ("word", "pronunciation")])
def test_a_header_is_reported_and_used_as_a_pair(tmp_path, header):
    dataset = load_pairs(_options(_write(tmp_path, _join([header, *ROWS])), unit="characters"), "auto")
    (warning,) = [each for each in dataset.warnings if "header" in each]
    assert warning == (
        f"the first line ({header[0]} -> {header[1]}) looks like a header, and is used as a pair. If it is a header, "
        "remove it, or name the columns: dataset.source_column=NAME."
    )
    for rows in (ROWS, [*ROWS, header], [("source", "va 1"), *ROWS]):
        warnings = load_pairs(_options(_write(tmp_path, _join(rows)), unit="characters"), "auto").warnings
        assert not [each for each in warnings if "header" in each]


def test_a_header_below_blank_lines_is_found(tmp_path):
    path = _write(tmp_path, "\n\nx\ty\na\tb\n")
    assert read_file(path, _options(path)).header == ("x", "y")


def test_targets_of_one_source_stay_together(tmp_path, read_pairs):
    rows = [(source, f"{target} {way}") for source, target in ROWS for way in ("x", "y", "z")]
    dataset = load_pairs(_options(_write(tmp_path, _join(rows)), unit="characters"), "auto")
    sources = {name: {source for source, _ in read_pairs(dataset, name)} for name in dataset.splits}
    assert sum(map(len, sources.values())) == 20
    assert len(set.union(*sources.values())) == 20
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 14 * 3, "val": 2, "test": 4}
    decode = dataset.target_codec.decode
    for (_, target), accepted in zip(read_pairs(dataset, "train"), list_accepted(dataset.splits["train"]), strict=True):
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
    assert max(map(len, list_accepted(dataset.splits["train"]))) <= MOST_REFERENCES
    assert [notice.count for notice in dataset.skipped if "more than 100 targets" in notice.reason] == [3_000]


def test_blank_lines_and_what_lies_beyond_max_examples_are_counted(tmp_path):
    path = _write(tmp_path, "\n" + _join(ROWS[:6]) + "  \n" + _join(ROWS[6:]))
    assert _read_sources(read_file(path, _options(path), max_examples=10)) == [source for source, _ in ROWS[:10]]
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
        ("a\tb\n".encode("utf-16"), r"some pairs\.txt, line 1: is not UTF-8: the file is UTF-16\."),
        (b"a\tb\n\nc d\n", r"some pairs\.txt, line 3: has no tab\. Write source, a tab, target on each line\."),
        (b"a\tb\n \td\n", r"some pairs\.txt, line 2: has a blank source\."),
        (b"a\tb\r\nc\t\r\n", r"some pairs\.txt, line 2: has a blank target\."),
        (b"a\tb\nc\t \te\n", r"some pairs\.txt, line 2: has a blank target\."),
        (b"a\tb\nc\td\n", r"some pairs\.txt: has 2 different sources, too few to split"),
        (b"a\tb\n" * 50, r"some pairs\.txt: has 1 different source, too few to split"),
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


def test_a_file_may_give_one_of_the_splits(tmp_path, read_pairs):
    test = tmp_path / "test.txt"
    test.write_text("go 3\tva trois\ngo 3\tva 3\nnew\tva 4\n", encoding="utf-8")
    path = _write(tmp_path, _join(ROWS))
    dataset = load_pairs(_options(path, "characters", test_path=str(test)), "auto")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 18, "val": 2, "test": 2}
    assert len(list_accepted(dataset.splits["test"])[0]) == 2
    assert {*read_pairs(dataset, "train"), *read_pairs(dataset, "val")} == set(ROWS)
    dataset = load_pairs(_options(path, "characters", validation_path=str(test)), "auto")
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 16, "val": 2, "test": 4}
    both = _options(path, "characters", validation_path=str(test), test_path=str(test), seed=0)
    assert read_pairs(load_pairs(both, "auto"), "train") == ROWS


@pytest.mark.parametrize(
    ("line", "changes", "message"),
    [
        (
            "a|b\tx||y",
            {"target_unit": "|"},
            r"line 1: the target has nothing between two separators '\|', or at an end",
        ),
        ("a|<stop>\tx", {"source_unit": "|"}, "the source has the symbol <stop>, the name of a special symbol"),
        ("a[b]\tx\tV", {"source_unit": "characters", "tags_column": 3}, "brackets mark tags"),
        ("a\tx\tV W", {"tags_column": 3}, "spaces within tags"),
        ("a\tx\tV;;W", {"tags_column": 3}, "has a blank tag"),
        ("a\tx\t ", {"tags_column": 3}, "has a blank tag"),
        ("a\tx", {"tags_column": 3}, r"line 1: has 2 columns, and column 3 is to be read"),
        ("a\tx", {"source_column": "a", "target_column": 2}, r"line 1: holds a header and no pairs"),
        ("a\tx", {"source_column": "b"}, r"line 1: has no column of the name 'b' in its header \(a, x\)"),
    ],
)
def test_columns_units_and_tags_that_a_line_does_not_fit(tmp_path, line, changes, message):
    path = _write(tmp_path, line + "\n")
    with pytest.raises(DataError, match=message):
        read_file(path, _options(path, **changes))


def test_the_source_may_be_the_target(tmp_path, read_pairs):
    dataset = load_pairs(_options(_write(tmp_path, "".join(f"go {n}\n" for n in range(20))), target_column=1), "auto")
    assert all(source == target for source, target in read_pairs(dataset, "train"))


def test_one_long_line_does_not_lengthen_the_others(tmp_path):
    rows = [(f"{index:060}", "b" * (50 + index % 9)) for index in range(4_000)]
    path = _write(tmp_path, _join([*rows, ("0" * 5_000, "b")]))
    tracemalloc.start()
    dataset = load_pairs(_options(path, unit="characters"), "auto")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dataset.spec.source_timesteps == 5_000
    assert peak < 40e6, "one padded array of the sources would have 80 MB"
