from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.corners import AXES, CONTROLS, cover_pairs
from helpers.model_mutations import forge, mutate
from helpers.small_data import SPECS, build_options
from helpers.small_models import LETTERS, NUMBERS, WORDS, write_model
from lengthwise.errors import RunError
from lengthwise.models.bundle import build_models
from lengthwise.models.wiring import resolve_wiring
from lengthwise.serving.artifact import Artifact, load_artifact
from lengthwise.serving.artifact_files import SPEC_NAME, WEIGHTS_NAME, find_artifact
from lengthwise.serving.checksums import CHECKSUMS_NAME
from lengthwise.serving.weights import load_weights, write_weights

NUM_MUTATIONS = 1_000


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("stored")
    return [
        write_model(home / "text", LETTERS, WORDS, "dataset=copy"),
        write_model(home / "numbers", NUMBERS, NUMBERS, "dataset=digits"),
    ]


def list_weights(artifact: Artifact) -> list[np.ndarray]:
    return [variable.numpy() for variable in artifact.models.network.trainable_variables]


def check_loaded(artifact: Artifact) -> None:
    """Whatever loads must be usable: sizes that fit each other, finite weights, an encoder that runs."""
    spec = artifact.models.wiring.spec
    assert (artifact.source_codec.size, artifact.target_codec.size) == (spec.source_size, spec.target_size)
    assert spec.timesteps >= 1
    assert all(np.isfinite(weights).all() for weights in list_weights(artifact))
    shape, dtype = ((1, 3), np.int32) if spec.kind == "tokens" else ((1, 3, spec.source_size), np.float32)
    latent = artifact.models.network.begin(np.zeros(shape, dtype), np.array([3], np.int32))[0]
    assert latent.shape == (1, artifact.models.wiring.latent_dim)


@pytest.mark.slow
def test_a_damaged_or_forged_model_is_refused_in_one_message_or_is_usable(stored: list[Path], tmp_path: Path) -> None:
    originals = [load_artifact(model) for model in stored]
    found: list[str] = []
    for seed in range(NUM_MUTATIONS):
        rng = np.random.default_rng(seed)
        model, original = tmp_path / "model", originals[seed % 2]
        shutil.copytree(stored[seed % 2], model)
        kind, is_forged = mutate(model, rng)
        try:
            loaded = load_artifact(model)
            check_loaded(loaded)
            if not is_forged:
                assert (loaded.options, loaded.source_codec) == (original.options, original.source_codec)
                for one, other in zip(list_weights(loaded), list_weights(original), strict=True):
                    np.testing.assert_array_equal(one, other)
        except RunError as error:
            if str(model) not in str(error) or "\n" in str(error) or len(str(error)) > 1_000:
                found.append(f"{seed} {kind}: a message of {len(str(error))} characters, {str(error)[:300]!r}")
        except Exception as error:
            found.append(f"{seed} {kind}, forged {is_forged}: {type(error).__name__}: {str(error)[:300]}")
        shutil.rmtree(model)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, "source_codec.json", SPEC_NAME, "config.yaml"])
def test_a_damaged_file_is_named(name: str, stored: list[Path], tmp_path: Path) -> None:
    model = shutil.copytree(stored[0], tmp_path / "model")
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[:-1])
    with pytest.raises(RunError, match=rf"does not hold a whole model: {name} has .* bytes instead of"):
        load_artifact(model)
    (model / name).write_bytes(content[:-1] + b"?")
    with pytest.raises(RunError, match=f"{name} differs from its checksum"):
        load_artifact(model)
    (model / name).unlink()
    with pytest.raises(RunError, match=f"{name} cannot be read"):
        load_artifact(model)


@pytest.mark.parametrize("value", [0, -5, 2.5, True, "5", None, 10**9])
def test_impossible_timesteps_are_refused(value: Any, stored: list[Path], tmp_path: Path) -> None:
    model = shutil.copytree(stored[0], tmp_path / "model")
    spec = json.loads((model / SPEC_NAME).read_bytes())
    (model / SPEC_NAME).write_text(json.dumps(spec | {"timesteps": value}))
    forge(model)
    with pytest.raises(RunError, match=r"data\.json must give a whole number from 1 to 1,000,000 as timesteps"):
        load_artifact(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float, stored: list[Path], tmp_path: Path) -> None:
    model = shutil.copytree(stored[0], tmp_path / "model")
    with np.load(model / WEIGHTS_NAME) as archive:
        arrays = dict(archive)
    arrays["decoder/head/bias"][2] = value
    np.savez(model / WEIGHTS_NAME, **arrays)
    forge(model)
    with pytest.raises(RunError, match=r"weights\.npz holds NaN or infinity in decoder/head/bias"):
        load_artifact(model)


def test_a_model_of_an_earlier_version_is_refused_with_the_remedy(stored: list[Path], tmp_path: Path) -> None:
    model = shutil.copytree(stored[0], tmp_path / "model")
    (model / CHECKSUMS_NAME).unlink()
    with pytest.raises(RunError, match=r"an earlier version of Lengthwise wrote it\. Train the run again"):
        load_artifact(model)


def test_no_link_between_a_run_and_its_model_is_followed(stored: list[Path], tmp_path: Path) -> None:
    for part in ("model", "model/data", "model/data/lengthwise"):
        run = tmp_path / part.replace("/", "-")
        (run / part).parent.mkdir(parents=True)
        (run / part).symlink_to(stored[0])
        with pytest.raises(RunError, match="is a link"):
            find_artifact(run)


def test_weights_have_the_same_names_whatever_else_the_process_has_built(tmp_path: Path) -> None:
    for index, corner in enumerate(cover_pairs(AXES | CONTROLS)[:8]):
        changes = {key: value for key, value in corner.items() if key != "kind"}
        wiring = resolve_wiring(build_options(**changes), 8, SPECS[corner["kind"]])
        written, models = build_models(wiring), build_models(wiring)
        path = tmp_path / f"{index}.npz"
        write_weights(path, written)
        load_weights(path, path.read_bytes(), models)
        pairs = zip(written.network.get_weights(), models.network.get_weights(), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)


def test_a_model_holds_its_weights_and_nothing_of_the_optimiser(stored: list[Path]) -> None:
    weights = list_weights(load_artifact(stored[0]))
    with np.load(stored[0] / WEIGHTS_NAME, allow_pickle=False) as archive:
        assert [archive[name].shape for name in archive] == [value.shape for value in weights]
        assert {name.rsplit("/", 1)[1] for name in archive} == {"kernel", "recurrent_kernel", "bias"}
