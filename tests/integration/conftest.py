"""What holds for every test that runs commands: the pictures of their many small runs are drawn quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LAID_OUT = ("test_incomplete_runs", "test_random_runs", "test_report", "test_serving")
"""Files whose runs are drawn as users' runs are, with every kind of picture among them."""


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
