"""Every job of every study in conf/experiment/ is composed here and passes the gate, and no two are the same."""

from __future__ import annotations

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from lengthwise.config.composer import JobComposer
from lengthwise.config.loader import CheckedLoader, make_search_path
from lengthwise.config.parse import parse_config
from lengthwise.config.paths import conf_dir
from lengthwise.sweeps.jobs import build_job

STUDIES = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
NEEDED = {name: ["dataset.path=x"] for name in ("compare", "keras_seq2seq")}


@pytest.mark.parametrize("study", STUDIES)
def test_every_job_of_a_study_passes_the_gate(study: str) -> None:
    arguments = [f"experiment={study}", *NEEDED.get(study, [])]
    loader = CheckedLoader(make_search_path(conf_dir()))
    master = loader.load_configuration("config", arguments, run_mode=RunMode.MULTIRUN)
    assert master.hydra.mode == RunMode.MULTIRUN, "the study's name is the whole command"
    swept = [f"{key}={value}" for key, value in master.hydra.sweeper.params.items()]
    overrides = OverridesParser.create().parse_overrides([*swept, *arguments])
    (grid,) = BasicSweeper.split_arguments(overrides, None)
    composer = JobComposer(loader)
    jobs = [
        build_job(number, tuple(each), parse_config(composer.load_sweep_config(master, each)), version="1")
        for number, each in enumerate(grid)
    ]
    assert len(jobs) > 1
    assert len({job.identity for job in jobs}) == len(jobs)
    assert {job.options.study for job in jobs} == {study}
