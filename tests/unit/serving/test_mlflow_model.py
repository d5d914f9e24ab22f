from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.small_models import LETTERS, NUMBERS, WORDS, draw_texts, write_model
from lengthwise.errors import LengthwiseError
from lengthwise.serving.mlflow_model import PyfuncModel, write_mlflow_model
from lengthwise.serving.predictor import Predictor, load_predictor
from lengthwise.tracking.mlflow.logged_model import read_description

pytestmark = pytest.mark.slow


@pytest.fixture
def _mlflow_warns() -> object:
    # MLflow's own imports warn of what it will change, none of which is Lengthwise's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write(directory: Path, *, is_text: bool) -> tuple[Path, Predictor]:
    codecs = (LETTERS, WORDS, "dataset=copy") if is_text else (NUMBERS, NUMBERS, "dataset=digits")
    data = write_model(directory / "lengthwise", *codecs)
    predictor = load_predictor(data)
    write_mlflow_model(directory / "model", data, predictor, "abc" if is_text else np.zeros((4, 3)))
    return directory / "model", predictor


@pytest.mark.usefixtures("_mlflow_warns")
def test_text_through_pyfunc(tmp_path: Path) -> None:
    import mlflow.pyfunc
    import pandas as pd

    written, predictor = write(tmp_path, is_text=True)
    texts = draw_texts(50)
    made = mlflow.pyfunc.load_model(str(written)).predict(pd.DataFrame({"source": texts}))
    wanted = predictor.decode(texts)
    assert made["prediction"].tolist() == [each.value for each in wanted]
    assert made["unknown_symbols"].tolist() == [each.num_unknown for each in wanted]
    described = yaml.safe_load((written / "MLmodel").read_text(encoding="utf-8"))
    assert read_description(tmp_path) == described, "it is one that MLflow is sent"
    assert described["flavors"]["python_function"]["loader_module"] == "lengthwise.serving.mlflow_model"
    assert "<unknown>" in described["metadata"]["unknown_symbols"]
    assert {"inputs", "outputs"} <= described["signature"].keys()
    assert (written / "input_example.json").is_file()
    assert (written / "serving_input_example.json").is_file()


@pytest.mark.usefixtures("_mlflow_warns")
def test_texts_may_come_in_any_container(tmp_path: Path) -> None:
    import mlflow.pyfunc
    import pandas as pd

    written, predictor = write(tmp_path, is_text=True)
    model = mlflow.pyfunc.load_model(str(written))
    wanted = [each.value for each in predictor.decode(["abc", "h"])]
    texts = ["abc", "h"]
    for given in (
        texts,
        np.array(texts),
        pd.Series(texts),
        pd.DataFrame({"source": texts}),
        pd.DataFrame({"x": texts}),
    ):
        assert model.predict(given)["prediction"].tolist() == wanted
    assert model.predict("abc")["prediction"].tolist() == wanted[:1]
    with pytest.raises(LengthwiseError, match=r"one column of texts; got a, b\."):
        PyfuncModel(predictor).predict(pd.DataFrame({"a": texts, "b": texts}))
    for missing in (["abc", None], pd.DataFrame({"source": ["abc", None]}), {"source": texts}):
        with pytest.raises(LengthwiseError, match=r"The model reads text; text [12] is .* Give a string"):
            model.predict(missing)


@pytest.mark.usefixtures("_mlflow_warns")
def test_nothing_is_pickled(tmp_path: Path) -> None:
    written, _ = write(tmp_path, is_text=True)
    for path in written.rglob("*"):
        if path.is_file():
            assert path.suffix in ("", ".yaml", ".json", ".txt", ".npz"), path
            assert not path.read_bytes().startswith(b"\x80"), f"{path} begins as a pickle does"
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(array.dtype.kind == "f" for array in arrays.values())


@pytest.mark.usefixtures("_mlflow_warns")
def test_numbers_through_pyfunc(tmp_path: Path) -> None:
    import mlflow.pyfunc

    written, predictor = write(tmp_path, is_text=False)
    source = np.random.default_rng(0).normal(size=(5, 6, 3))
    made = mlflow.pyfunc.load_model(str(written)).predict(source)
    for row, wanted in enumerate(predictor.decode(list(source))):
        np.testing.assert_allclose(made[row, : len(wanted.value)], wanted.value, rtol=1e-5)
        assert np.isnan(made[row, len(wanted.value) :]).all()
