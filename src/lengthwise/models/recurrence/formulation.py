"""Choose how the loops of the graph under construction are written: for TensorFlow's own loops, or for XLA."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_is_for_xla: ContextVar[bool] = ContextVar("is_for_xla", default=False)


def is_for_xla() -> bool:
    """Return whether the graph under construction will be compiled by XLA."""
    return _is_for_xla.get()


@contextlib.contextmanager
def formulate_for_xla() -> Iterator[None]:
    """Have what is traced inside use operations that XLA compiles; numbers of rows and steps must be known."""
    token = _is_for_xla.set(True)
    try:
        yield
    finally:
        _is_for_xla.reset(token)
