"""The trained model in MLflow's `pyfunc` format: text or arrays in and out, nothing pickled.

MLflow's format for Keras pickles custom classes, which then fail to load elsewhere. Here `loader_module` names this
module instead, so that only the package and the artifact are needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lengthwise import __version__
from lengthwise.errors import LengthwiseError
from lengthwise.serving.predictor import Predictor, load_predictor

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature


METADATA = {
    "unknown_symbols": "read as <unknown>, and counted in the column unknown_symbols",
    "empty_source": "gives an empty prediction with the log_probability 0",
}
"""What the signature cannot say; stored beside it in `MLmodel`."""


class PyfuncModel:
    """The object that `mlflow.pyfunc.load_model` wraps."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def predict(self, model_input: Any) -> Any:
        """Decode.

        Args:
            model_input: Texts: one, a list, an array or a Series of them, or a DataFrame with a single column, such as
                `source`. For a model of features an array `(examples, steps, features)`.

        Returns:
            A DataFrame with the columns `prediction`, `log_probability` and `unknown_symbols`; or an array
            `(examples, steps, features)` with NaN after the end of each example.

        Raises:
            LengthwiseError: A text is missing or is no text, or there are several columns.
        """
        if self.predictor.is_tokens:
            return _predict_texts(self.predictor, model_input)
        made = [np.asarray(prediction.value) for prediction in self.predictor.decode(list(np.asarray(model_input)))]
        steps = max((len(value) for value in made), default=0)
        padded = np.full((len(made), steps, self.predictor.artifact.target_codec.size), np.nan)
        for row, value in enumerate(made):
            padded[row, : len(value)] = value
        return padded


def _predict_texts(predictor: Predictor, model_input: Any) -> pd.DataFrame:
    import pandas as pd

    predictions = predictor.decode(_list_texts(model_input))
    return pd.DataFrame(
        {
            "prediction": [prediction.value for prediction in predictions],
            "log_probability": [prediction.log_probability or 0.0 for prediction in predictions],
            "unknown_symbols": [prediction.num_unknown for prediction in predictions],
        }
    )


def _list_texts(model_input: Any) -> list[str]:
    import pandas as pd

    if isinstance(model_input, str):
        return [model_input]
    if isinstance(model_input, pd.DataFrame):
        if model_input.shape[1] != 1:
            columns = ", ".join(str(name) for name in model_input.columns)
            message = f"The model reads one column of texts; got {columns or 'none'}. Give only that column."
            raise LengthwiseError(message)
        model_input = model_input.iloc[:, 0]
    texts = list(model_input)
    for place, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise LengthwiseError(f"The model reads text; text {place} is {text!r:.40}. Give a string.")
    return texts


def _load_pyfunc(data_path: str) -> PyfuncModel:
    """Load the model; the name is MLflow's."""
    return PyfuncModel(load_predictor(Path(data_path)))


def write_mlflow_model(directory: Path, data: Path, predictor: Predictor, example: Any) -> None:
    """Write a trained model in MLflow's format.

    Args:
        directory: A new one, to hold `MLmodel`.
        data: The directory written by `save_artifact`; it is copied.
        predictor: The same model.
        example: One source as a person gives it: text, or an array `(steps, features)`.
    """
    import mlflow.pyfunc
    import pandas as pd

    is_tokens = predictor.is_tokens
    model_input = pd.DataFrame({"source": [example]}) if is_tokens else np.asarray(example, np.float64)[None]
    mlflow.pyfunc.save_model(
        path=directory,
        loader_module=__name__,
        data_path=data,
        signature=_build_signature(predictor),
        input_example=model_input,
        metadata=METADATA,
        pip_requirements=[f"lengthwise=={__version__}"],
    )


def _build_signature(predictor: Predictor) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    if predictor.is_tokens:
        names = {"prediction": "string", "log_probability": "double", "unknown_symbols": "long"}
        made = Schema([ColSpec(kind, name) for name, kind in names.items()])
        # Without a name, so that a list of texts is taken as well as a DataFrame.
        return ModelSignature(inputs=Schema([ColSpec("string")]), outputs=made)
    artifact = predictor.artifact
    read, made_size = artifact.source_codec.size, artifact.target_codec.size
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("float64"), (-1, -1, read))]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1, -1, made_size))]),
    )
