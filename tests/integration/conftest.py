"""What holds for every test that runs commands: the pictures of their many small runs are drawn quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LAID_OUT = ("test_random_runs", "test_report")
"""Files whose pictures are drawn as users' are: every kind of them is among these, and has its own tests."""


@pytest.fixture(autouse=True, scope="module")
def _plain_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Draw without arranging labels and axes, two thirds of the time of a picture, which no test here looks at."""
    if request.path.stem in LAID_OUT:
        yield
        return
    from lengthwise import plotting

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plotting.STYLE, "figure.constrained_layout.use", False)
        yield
