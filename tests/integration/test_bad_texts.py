"""Texts of the user's that cannot be used: one message with file, place and remedy, status 2, no run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from helpers.bad_files import BadFile, list_bad_files
from helpers.commands import train
from lengthwise.config.compose import compose_options
from lengthwise.config.options import RunOptions
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.errors import ConfigError, DataError


def write(bad: BadFile, directory: Path) -> Path:
    directory.mkdir()
    path = directory / bad.name
    if callable(bad.content):
        bad.content(path)
    else:
        path.write_bytes(bad.content)
    return path


@cache
def compose(words: tuple[str, ...], name: str) -> RunOptions:
    return compose_options([*words, f"dataset.path={name}"])


def test_bad_texts_are_refused_with_their_place(tmp_path: Path) -> None:
    found = list(list_bad_files())
    assert len(found) >= 100
    for number, bad in enumerate(found):
        path = write(bad, tmp_path / str(number))
        options = compose(bad.dataset, bad.name)
        with pytest.raises((DataError, ConfigError)) as caught:
            load_dataset(replace(options.dataset, path=str(path)), options.timesteps)
        message = str(caught.value)
        assert [words for words in bad.words if words not in message] == [], (message, bad)
        # What is wrong with the examples of all files together names the dataset or the option.
        assert any(name in message for name in (bad.name, "dataset=pairs: ", "timesteps must ")), message
        assert message.isprintable()
        assert message.count(". ") >= 1, "a remedy follows the problem"


@pytest.mark.slow
def test_a_bad_text_ends_the_command_with_one_message_and_leaves_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, bad in enumerate(list(list_bad_files())[::12]):
        path = write(bad, tmp_path / str(number))
        places = [f"output_dir={tmp_path / 'outputs'}", "tracking=directory"]
        assert train(*bad.dataset, f"dataset.path={path}", *places) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "Traceback" not in error
        assert not (tmp_path / "outputs").exists()


def test_windows_line_ends_and_a_byte_order_mark_are_taken(tmp_path: Path) -> None:
    text = "source,target\n" + "".join(f"{n},{n}\n" for n in range(20))
    hashes = set()
    for number, content in enumerate((text, text.replace("\n", "\r\n"), "\ufeff" + text, text.rstrip())):
        (tmp_path / f"{number}.csv").write_bytes(content.encode())
        named = ["dataset.source_column=source", "dataset.target_column=target"]
        options = compose_options(["dataset=pairs", f"dataset.path={tmp_path}/{number}.csv", *named])
        hashes.add(load_dataset(options.dataset, options.timesteps).content_hash)
    assert len(hashes) == 1
