"""Each decoding options class has a strategy and a file in conf/decoding/."""

from __future__ import annotations

import typing

import pytest

from lengthwise.config.options import DecodingOptions
from lengthwise.config.paths import conf_dir
from lengthwise.decoding.strategies.registry import decode_batch


def test_every_options_class_has_a_strategy_and_a_file() -> None:
    names = set()
    for options in typing.get_args(DecodingOptions):
        registered = decode_batch.dispatch(options) is not decode_batch.dispatch(object)
        assert registered, f"decoding/strategies/ has no strategy for {options.__name__}"
        names |= set(typing.get_args(typing.get_type_hints(options)["name"]))
    files = {path.stem for path in (conf_dir() / "decoding").glob("*.yaml")}
    assert names == files, "conf/decoding/ holds one file for each strategy of config/options.py"


def test_options_without_a_strategy_are_a_mistake_of_the_code() -> None:
    with pytest.raises(TypeError, match="no module in decoding/strategies/ registers a strategy for object"):
        decode_batch(object(), None, {}, {}, None, None)
