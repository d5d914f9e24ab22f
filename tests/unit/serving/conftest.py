from __future__ import annotations

import pytest

from helpers.small_models import LETTERS, NUMBERS, WORDS, write_model
from lengthwise.serving.predictor import Predictor, load_predictor


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load_predictor(write_model(tmp_path_factory.mktemp("letters") / "m", LETTERS, WORDS, "dataset=copy"))


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load_predictor(write_model(tmp_path_factory.mktemp("numbers") / "m", NUMBERS, NUMBERS, "dataset=digits"))
