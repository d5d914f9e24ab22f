from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from helpers.corners import AXES, CONTROLS, cover_pairs
from helpers.small_data import SPECS, build_options
from lengthwise.catalog.figure import plot_wiring
from lengthwise.models.wiring import Wiring, resolve_wiring
from lengthwise.plotting import BLUE, GREEN, ORANGE, PINK, save_figure


def resolve(kind: str = "tokens", **changes: Any) -> Wiring:
    return resolve_wiring(build_options(**changes), 8, SPECS[kind])


def list_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def list_colours(figure: Figure) -> set[str]:
    return {str(line.get_color()) for line in figure.axes[0].lines}


def test_every_axis_has_its_colour_and_only_where_it_is() -> None:
    for corner in cover_pairs(AXES | CONTROLS)[::4]:
        wiring = resolve(**{key: value for key, value in corner.items() if key != "kind"}, kind=corner["kind"])
        colours = list_colours(plot_wiring(wiring))
        assert (BLUE in colours) == wiring.starts_from_latent
        assert (GREEN in colours) == wiring.repeats_latent
        assert (ORANGE in colours) == (wiring.feedback != "none")
        assert (PINK in colours) == (wiring.attention != "none")


@pytest.mark.parametrize(
    ("kind", "changes", "shown", "missing"),
    [
        ("features", {}, ["state = output", "always\n5 steps", "0", "z"], ["start", "stop"]),
        ("tokens", {"feedback": "teacher", "length": "stop"}, ["start", "stop", "softmax 8 → 9"], ["$q_1$"]),
        ("features", {"length": "stop", "head": "dense"}, ["$q_3$", "stop", "dense 8 → 3"], ["always\n5 steps"]),
        ("tokens", {"length": "oracle", "attention": "additive"}, ["length\ngiven", "$k_2$"], ["stop", "$v_1$"]),
        ("tokens", {"conditioning": "initial_state", "bridge": "tanh", "carry": "hc"}, ["tanh", "h, c"], ["z"]),
        ("tokens", {"encoder_layers": 3, "decoder_layers": 2}, ["3 x LSTM", "2 x LSTM"], ["LSTM"]),
        ("tokens", {"reverse_source": True}, ["$x_{S-1}$"], ["$x_2$"]),
    ],
)
def test_what_a_wiring_has_is_written_into_it(
    kind: str, changes: dict[str, Any], shown: list[str], missing: list[str]
) -> None:
    texts = list_texts(plot_wiring(resolve(kind, **changes)))
    assert set(shown) <= set(texts)
    assert not set(missing) & set(texts)


def test_a_picture_is_written(tmp_path: Path) -> None:
    path = tmp_path / "wiring.png"
    figure = plot_wiring(resolve(feedback="scheduled", attention="multiplicative", input_feeding=True), title="a_$b")
    save_figure(figure, path)
    pixels = imread(path)
    assert pixels.shape[1] == 1290
    assert pixels[..., :3].min() < 0.5
