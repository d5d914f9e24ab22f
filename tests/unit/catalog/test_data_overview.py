from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lengthwise.app.cli import run_command
from lengthwise.catalog.data_overview import LengthBin, format_overview, survey_data
from lengthwise.config.compose import compose_options
from lengthwise.data.datasets.registry import load_dataset

TRAIN = "a\tA\nab\tB\nab\tB\nabc\tC\nabc\tCC\nbca\tA\x20B\n"
VAL = "ab\tB\nxa\tA\n"
TEST = "".join(f"{'a' * steps}\tAA\n" for steps in (1, 9))


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    names = {"path": TRAIN, "validation_path": VAL, "test_path": TEST}
    for name, text in names.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return ["dataset=pairs", *(f"dataset.{name}={tmp_path / name}" for name in names)]


def test_what_was_counted_by_hand(overrides: list[str]) -> None:
    options = compose_options(overrides)
    overview = survey_data(load_dataset(options.dataset, options.timesteps))
    train, val, test = (overview.splits[name] for name in ("train", "val", "test"))
    assert (train.num_examples, train.num_sources, train.num_repeated) == (5, 4, 0)
    assert (train.source.median, train.source.percentile_95, train.source.longest) == (3, 3, 3)
    assert (train.target.median, train.target.longest) == (1, 3)
    assert (val.source.unknown_share, val.target.unknown_share, train.source.unknown_share) == (0.25, 0.0, 0.0)
    assert train.examples == (("a", "A"), ("ab", "B"), ("abc", "C"))
    assert test.source.longest == 9
    assert overview.shared_sources == {"train and val": 1, "train and test": 1, "val and test": 0}
    assert (overview.source_size, overview.target_size, overview.source_unit) == (3, 4, "characters")
    # Nine targets of 1, 1, 1, 1, 1, 2, 2, 2 and 3 steps: eight of them are 89 %.
    assert overview.timesteps_keeping == {95: 3, 99: 3, 100: 3}
    cut = survey_data(load_dataset(options.dataset, 2), load_dataset(options.dataset, options.timesteps))
    assert cut.timesteps == 2
    assert cut.timesteps_keeping == overview.timesteps_keeping, "targets that are left out count too"
    assert overview.bins[0] == LengthBin(low=1, high=1, num_sources=2, num_targets=5)
    assert [each.num_targets for each in overview.bins] == [5, 3, 1, 0, 0, 0, 0, 0, 0]
    assert sum(each.num_sources for each in overview.bins) == 9


def test_long_ranges_are_drawn_in_ten_bins() -> None:
    options = compose_options(["dataset=copy", "dataset.num_train=50", "dataset.longer_length=24"])
    overview = survey_data(load_dataset(options.dataset, options.timesteps))
    assert len(overview.bins) <= 10
    assert all(
        each.high + 1 == following.low for each, following in zip(overview.bins, overview.bins[1:], strict=False)
    )
    lines = format_overview(overview)
    assert all(line.isascii() for line in lines)
    assert max(line.count("#") for line in lines) <= 40
    assert max(len(line) for line in lines if "#" in line) <= 80


def test_numbers_are_shown_in_the_unit_of_the_data(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.arange(300.0).reshape(60, 5))
    options = compose_options(["dataset=series", f"dataset.path={tmp_path / 'rows.npy'}", "timesteps=4"])
    overview = survey_data(load_dataset(options.dataset, options.timesteps))
    shown = "(0, 1, 2, 3 ...) (5, 6, 7, 8 ...) (10, 11, 12, 13 ...) ..."
    assert overview.splits["train"].examples[0] == (shown, shown)
    assert overview.splits["train"].source.unknown_share is None
    assert "every target has 4 steps" in format_overview(overview)


def test_the_command(overrides: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["data", *overrides, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["splits"]["train"]["num_examples"] == 5
    assert {"reason": "train: lines that repeat an earlier pair, merged with it", "count": 1} in content["skipped"]
    assert run_command(["data", *overrides, "timesteps=1"]) == 2
    assert "must leave examples in the split test" in capsys.readouterr().err
    assert run_command(["data", *overrides, "timesteps=2"]) == 0
    out = capsys.readouterr().out
    assert "train: left out, target longer than timesteps=2: 1\n" in out
    assert "sources shared between splits: 1 in train and val, 1 in train and test\n" in out
    assert run_command(["data", "model=repeat"]) == 2
