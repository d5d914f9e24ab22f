"""More than two runs compared: every pair over the same examples, by Holm's method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest

from helpers.runs import make_manifest
from lengthwise.errors import LengthwiseError
from lengthwise.studies.diff.comparison import Comparison
from lengthwise.studies.diff.several import SeveralRuns, compare_several
from lengthwise.studies.report.numbers import MINUS
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.run_record import DatasetRecord, PrimaryMetric


def store(directory: Path, right: NDArray[np.bool_], *, data: str = "d", **params: object) -> StoredRun:
    (directory / "samples").mkdir(parents=True, exist_ok=True)
    np.save(directory / "samples" / "test_correct.npy", right.astype(np.uint8))
    manifest = make_manifest(
        name=directory.name,
        params={"seed": 0, **params},
        dataset=DatasetRecord(name="copy", sha256=data, split_sizes={"test": len(right)}),
        primary_metric=PrimaryMetric(name="test/exact_match", greater_is_better=True),
        summary={"test/exact_match": float(right.mean()), "test/error_rate": 0.5, "val/exact_match": 0.25},
    )
    return StoredRun(directory, manifest)


def compare(directory: Path, *rights: NDArray[np.bool_]) -> SeveralRuns:
    return compare_several([store(directory / "abcd"[place], right) for place, right in enumerate(rights)])


def holm(rights: list[NDArray[np.bool_]]) -> dict[tuple[int, int], bool]:
    """Return which pairs Holm's method rejects at 5 %, by McNemar's exact p-values, as in the textbook."""
    pairs = [(one, two) for one in range(len(rights)) for two in range(one + 1, len(rights))]
    p_values = {}
    for one, two in pairs:
        only = int((rights[two] & ~rights[one]).sum()), int((rights[one] & ~rights[two]).sum())
        p_values[one, two] = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
    rejected = dict.fromkeys(pairs, False)
    for place, pair in enumerate(sorted(pairs, key=p_values.__getitem__)):
        if p_values[pair] > 0.05 / (len(pairs) - place):
            break
        rejected[pair] = True
    return rejected


def test_pairs_are_decided_step_by_step(tmp_path: Path) -> None:
    place = np.arange(400)
    rights = [place < 200, place < 209, place < 215]  # p 0.004, 0.031 and 0.00006, of three pairs
    assert holm(rights) == {(0, 1): True, (0, 2): True, (1, 2): True}, (
        "the last at 5 %, which all pairs at 1.7 % refuse"
    )
    found = compare(tmp_path, *rights)
    assert [(pair.first, pair.second, pair.verdict) for pair in found.pairs] == [(0, 1, 1), (0, 2, 1), (1, 2, 1)]
    assert found.verdict == 1
    assert found.num_examples == 400
    assert found.pairs[1].difference.estimate.mean == pytest.approx(15 / 400)


def test_equal_models_are_called_different_on_few_pages(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pages = 60
    wrong = 0
    for _ in range(pages):
        found = compare(tmp_path, *(rng.random(100) < 0.5 for _ in range(4)))
        wrong += any(pair.verdict for pair in found.pairs)
    assert wrong <= 8, "binomial with p = 0.05: more than 8 of 60 has a chance of 0.5 %"


def test_the_page_has_a_column_a_run(tmp_path: Path) -> None:
    place = np.arange(200)
    runs = [
        store(tmp_path / "one", place < 100, latent_dim=8),
        store(tmp_path / "two", place < 190, latent_dim=16),
        store(tmp_path / "three", place < 101, latent_dim=8),
    ]
    comparison = Comparison(found=compare_several(runs))
    text = str(comparison)
    assert "B is better than A and C. No significant difference in the other 1 pair." in text
    report = comparison.describe()
    assert report.sections[0].tables[""].rows == (("latent_dim", "8", "16", "8"),)
    assert [row[0] for row in report.sections[1].tables[""].rows] == [f"B {MINUS} A", f"C {MINUS} A", f"C {MINUS} B"]
    assert "Every pair" in comparison.to_markdown()
    assert '"verdict": -1' in comparison.to_json()
    assert "<table" in comparison.to_html()


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    right = np.arange(10) < 5
    run = store(tmp_path / "a", right)
    with pytest.raises(LengthwiseError, match=r"^a is named twice"):
        compare_several([run, store(tmp_path / "b", right), run])
    with pytest.raises(LengthwiseError, match=r"^11 runs are too many"):
        compare_several([run] * 11)
    found = compare_several([run, store(tmp_path / "b", right), store(tmp_path / "c", right, data="other")])
    assert not found.num_examples
    assert [pair.verdict for pair in found.pairs] == [0, 0, 0]
