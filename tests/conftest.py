"""What holds for every test: how a process that runs tests is set up."""

from __future__ import annotations

import gc
import signal
import sys

import pytest


def pytest_configure() -> None:
    """Let Ctrl-C reach processes that tests start, also where the tests themselves run in a shell's background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Free the graphs of a module's tests before those of the next are traced, so that a worker stays small."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
