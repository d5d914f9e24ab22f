"""The composer is held against Hydra's own loader: equal options, or an equal refusal."""

from __future__ import annotations

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.types import RunMode

from lengthwise.config.composer import JobComposer
from lengthwise.config.hydra_errors import explain_error
from lengthwise.config.loader import CheckedLoader, make_search_path
from lengthwise.config.options import RunOptions
from lengthwise.config.parse import RawConfig, parse_config
from lengthwise.config.paths import conf_dir

Loader = JobComposer | ConfigLoaderImpl


@pytest.fixture
def loader() -> ConfigLoaderImpl:
    return CheckedLoader(make_search_path(conf_dir()))


@pytest.fixture
def master(loader: ConfigLoaderImpl) -> RawConfig:
    return loader.load_configuration("config", ["seed=1,2"], run_mode=RunMode.MULTIRUN)


def compose(loader: Loader, master: RawConfig, overrides: list[str]) -> RunOptions | str:
    try:
        return parse_config(loader.load_sweep_config(master, overrides))
    except Exception as error:
        return str(explain_error(error, overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seed=5", "latent_dim=8"],
        ["model=stateful", "dataset=copy", "training=quick", "training.epochs=3"],
        ["training.epochs=3", "training=quick"],
        ["seed=1", "seed=2"],
        ["timesteps=${latent_dim}"],
        ["study='a b'"],
        ["dataset={name: copy}"],
        ["model.nope=1"],
        ["+model.nope=1"],
        ["+seed=1"],
        ["modl=repeat"],
        ["model=nope"],
        ["model=repeat", "model=stateful"],
        ["latent_dim=none"],
    ],
)
def test_it_composes_what_hydra_composes(overrides: list[str], loader: ConfigLoaderImpl, master: RawConfig) -> None:
    composer = JobComposer(loader)
    expected = compose(loader, master, overrides)
    assert compose(composer, master, overrides) == expected
    assert compose(composer, master, overrides) == expected, "the first time left a trace"


def test_jobs_that_differ_in_values_cost_one_composition(
    loader: ConfigLoaderImpl, master: RawConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    composer, calls = JobComposer(loader), []
    original = loader.load_sweep_config
    monkeypatch.setattr(loader, "load_sweep_config", lambda *given: calls.append(given) or original(*given))
    found = [compose(composer, master, [f"seed={seed}", "model=repeat"]) for seed in range(20)]
    assert [options.seed for options in found if isinstance(options, RunOptions)] == list(range(20))
    assert len(calls) == 1
