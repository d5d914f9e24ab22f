"""`train.py`, whose runs make their operations one by one: each of their models is used once, and tracing takes longer.

For commands whose jobs are many and whose graphs are tested elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

from lengthwise.config.options import RunOptions
from lengthwise.pipeline.command import EXPERIMENT, Launch


def run_job(options: RunOptions, launch: Launch) -> float | None:
    from step_by_step import step_by_step  # beside this file; it imports TensorFlow, which only workers need

    with step_by_step():
        return EXPERIMENT.run(options, launch)


if __name__ == "__main__":
    import step_by_step_app  # not as `__main__`: workers know the function by the name of its module

    from lengthwise.app.hydra_app import main  # only here: workers, which import this file too, have no use for Hydra

    main(replace(EXPERIMENT, run=step_by_step_app.run_job))
