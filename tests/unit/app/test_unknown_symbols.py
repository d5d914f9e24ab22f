from __future__ import annotations

import pytest

from lengthwise.app.unknown_symbols import UnknownSymbols


def test_the_symbols_and_their_texts_are_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = UnknownSymbols()
    for symbols in ((), ("h", "l", "l"), (), (" ", "h", "\x1b")):
        unknown.add(symbols)
    unknown.print_warning()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "6 symbols that the model does not know ('h', 'l', ' ', '\\x1b'), in 2 texts (2, 4): "
        "read as <unknown>, so do not rely on the answer.\n"
    )


def test_nothing_is_said_where_all_symbols_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = UnknownSymbols()
    unknown.add(())
    unknown.print_warning()
    assert capsys.readouterr().err == ""


def test_the_line_stays_short_whatever_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = UnknownSymbols()
    for index in range(1_000):
        unknown.add([f"{index}{'x' * 1_000}"] * 3)
    unknown.print_warning()
    line = capsys.readouterr().err
    assert line.startswith("3,000 symbols") or line.startswith("3000 symbols")
    assert "..." in line
    assert len(line) < 500
