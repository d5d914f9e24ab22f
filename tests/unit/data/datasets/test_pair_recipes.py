"""Each command of docs/pairs.md reads a file of the form that it names."""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import train
from helpers.small_data import list_accepted
from lengthwise.config.compose import compose_options
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.vocabulary import UNKNOWN, Vocabulary
from lengthwise.tracking.runs.manifest import read_manifest

DOCUMENT = Path(__file__).parents[4] / "docs" / "pairs.md"
COMMANDS = {
    re.search(r"dataset\.path=(\S+)", line).group(1): shlex.split(line)[2:]  # type: ignore[union-attr]
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    if line.startswith("    python train.py ")
}
VERBS = ("walk", "talk", "jump", "look", "play", "turn", "call", "ask", "want", "need", "open", "close")


def join(rows: list[tuple[str, ...]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def inflect(verbs: tuple[str, ...]) -> str:
    return join([(v, v + ending, f"V;{tag}") for v in verbs for tag, ending in (("PST", "ed"), ("V.PTCP;PRS", "ing"))])


def describe(subjects: tuple[str, ...], kind: str) -> str:
    return join([(f"A {s} slept .", f"{s} ( x _ 1 ) AND sleep . agent ( x _ 2 , x _ 1 )", kind) for s in subjects])


FILES = {
    "eng.trn": inflect(VERBS[:8]),
    "eng.dev": inflect(VERBS[8:10]),
    "eng.tst": inflect(VERBS[10:]),
    "train.tsv": describe(VERBS[:8], "in_distribution"),
    "dev.tsv": describe(VERBS[:2], "in_distribution"),
    "test.tsv": describe(VERBS[2:4], "in_distribution"),
    "gen.tsv": describe(VERBS[4:6], "prim_to_subj_common"),
    "tasks_train_simple.txt": "".join(f"IN: jump {n} times OUT: {'I_JUMP ' * n}\n" for n in range(1, 12)),
    "tasks_test_simple.txt": "IN: jump 3 times OUT: I_JUMP I_JUMP I_JUMP\n",
    "ice_train.tsv": "ab\tou p\nab\ta p\nba\tp ou\nbaa\tp ou a\n",
    "ice_dev.tsv": "bab\tp ou p\n",
    "ice_test.tsv": "aab\tou a p\naab\ta a p\n",
    "fra.txt": join([(f"Go {n}.", f"Va {n} !", "CC-BY 2.0 (France) Attribution: tatoeba.org") for n in range(12)]),
    "answers.csv.gz": 'id,question,answer\n1,"How, then?","So, ""well"""\n'
    + "".join(f"{n},Q{n},A\n" for n in range(9)),
}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Dataset]:
    for name, text in FILES.items():
        content = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    monkeypatch.chdir(tmp_path)

    def load_by_path(path: str) -> Dataset:
        options = compose_options(COMMANDS[path])
        return load_dataset(options.dataset, options.timesteps)

    return load_by_path


def sizes(dataset: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in dataset.splits.items()}


def symbols(codec: object) -> set[str]:
    assert isinstance(codec, Vocabulary)
    return set(codec.symbols)


def test_tags_are_symbols_behind_the_lemma(load: Callable[[str], Dataset], read_pairs: Callable[..., object]) -> None:
    dataset = load("eng.trn")
    assert sizes(dataset) == {"train": 16, "val": 4, "test": 4}
    assert {"[V]", "[PST]", "[V.PTCP]", "[PRS]", "w"} < symbols(dataset.source_codec)
    assert not {"[", ";", "[V;PST]"} & symbols(dataset.source_codec)
    pairs = read_pairs(dataset, "train")
    assert pairs[:2] == [("walk[V][PST]", "walked"), ("walk[V][V.PTCP][PRS]", "walking")]  # type: ignore[index]
    assert dataset.splits["train"].source.length[0] == len("walk") + 2


def test_own_splits_and_a_second_test(load: Callable[[str], Dataset]) -> None:
    dataset = load("train.tsv")
    assert sizes(dataset) == {"train": 8, "val": 2, "test": 2, "longer": 2}
    assert "AND" in symbols(dataset.target_codec)
    counts = {each.reason: each.count for each in dataset.skipped}
    assert counts["longer: lines with further columns, which are not read"] == 2
    assert counts["val: kept, source is in train too"] == 2  # the file above has copied them


def test_lines_of_scan(load: Callable[[str], Dataset], read_pairs: Callable[..., object]) -> None:
    dataset = load("tasks_train_simple.txt")
    assert sizes(dataset) == {"train": 10, "val": 1, "test": 1}
    assert read_pairs(dataset, "test") == [("jump 3 times", "I_JUMP I_JUMP I_JUMP")]
    assert symbols(dataset.target_codec) == {"I_JUMP"}


def test_phones_and_further_pronunciations(load: Callable[[str], Dataset]) -> None:
    dataset = load("ice_train.tsv")
    assert sizes(dataset) == {"train": 4, "val": 1, "test": 1}
    assert symbols(dataset.source_codec) == {"a", "b"}
    assert symbols(dataset.target_codec) == {"a", "ou", "p"}
    references = list_accepted(dataset.splits["test"])
    assert [len(ids) for ids in references[0]] == [3, 3]


def test_a_third_column_is_not_read(load: Callable[[str], Dataset]) -> None:
    dataset = load("fra.txt")
    assert sum(sizes(dataset).values()) == 12
    assert "C" not in symbols(dataset.target_codec)


def test_quoted_csv_with_a_header(load: Callable[[str], Dataset], read_pairs: Callable[..., list[object]]) -> None:
    dataset = load("answers.csv.gz")
    pairs = [pair for name in dataset.splits for pair in read_pairs(dataset, name)]
    assert len(pairs) == 10
    if ("How, then?", 'So, "well"') not in pairs:  # where it is not in train, its own letters are unknown
        assert any((split.source == UNKNOWN).any() for split in dataset.splits.values())
    assert ("question", "answer") not in pairs
    assert {each.reason for each in dataset.skipped} >= {"line 1, read as the names of the columns"}


@pytest.mark.slow
def test_a_recipe_ends_in_a_finished_run(load: Callable[[str], Dataset], tmp_path: Path) -> None:
    """The one with what no other test trains on: sources with tags, read with attention."""
    path = "eng.trn"
    splits = sizes(load(path)).keys() - {"train"}
    small = ["training.epochs=1", "latent_dim=2", "tracking=directory", f"output_dir={tmp_path / 'out'}"]
    assert train(*COMMANDS[path], *small) == 0
    (run,) = (tmp_path / "out" / "scratch").iterdir()
    manifest = read_manifest(run)
    assert not manifest.missing
    assert {f"{name}/exact_match" for name in splits} <= manifest.summary.keys()
    assert {f"{name}/baseline_majority_target_exact_match" for name in splits} <= manifest.summary.keys()
    assert {"attention_1.png", "outcomes.png", "latents.png"} <= {file.name for file in (run / "figures").iterdir()}


def test_every_recipe_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert len(COMMANDS) == 6
    assert [path for path in COMMANDS if f'load("{path}")' not in source] == []
