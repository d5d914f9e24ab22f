"""What holds for every test: how a process that runs tests is set up."""

from __future__ import annotations

import gc
import itertools
import signal
import sys

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C reach processes that tests start, also where the tests themselves run in a shell's background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


PARTS = {
    "test_inference": 4,
    "test_option_effects": 3,
    "test_overlays": 3,
    "test_presets": 3,
    "test_random_runs": 4,
    "test_sweep_faults": 2,
}
"""Files that take long, and the number of parts that different processes run."""

TOGETHER = {"test_notebooks": "test_python"}
"""Files that run in one process with another: their sweeps share the process that workers are forked from."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, which trains its runs and compiles its functions once."""
    for path, group in itertools.groupby(items, key=lambda item: item.path):
        tests = list(group)
        for index, test in enumerate(tests):
            part = index * PARTS.get(path.stem, 1) // len(tests)
            name = TOGETHER.get(path.stem, path.stem)
            test.add_marker(pytest.mark.xdist_group(f"{path.parent.name}-{name}-{part}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Trace graphs faster: most of the tests' time is tracing small models, each of them once.

    TensorFlow's graph optimiser (Grappler) rewrites each graph without changing what it computes, which pays for graphs
    that run often. Golden tests, and commands that tests start as processes, run with it, as users do. The garbage
    collector's many passes over the graphs' Python objects are made fewer.
    """
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        # Keras seeds TensorFlow's stateful random operations too. Nothing here uses them, and TensorFlow would make the
        # kernels of all operations again: a fifth of the time of a model that is run step by step.
        tf.random.set_seed = lambda _seed: None


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Free the graphs of a module's tests before those of the next are traced, so that a worker stays small.

    A collection visits a million objects: one after each of two hundred modules would take a minute of each worker.
    """
    global _largest_mb
    if nextitem is None or nextitem.path != item.path:
        from lengthwise.sweeps.executors.worker import measure_memory_mb

        if measure_memory_mb() > _largest_mb:
            if "tensorflow" in sys.modules:
                from tensorflow.python.eager import context

                context.context().clear_kernel_cache()  # which holds functions of the graphs
            gc.collect()
            _largest_mb = measure_memory_mb() + 100


_largest_mb = 0.0
"""Memory that a worker may take before its next collection: what was left after the last, and some room."""
