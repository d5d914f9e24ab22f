"""Equations and diagrams: the sizes they print are those that are built, and what they say is what the decoder does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from helpers.corners import AXES, CONTROLS, cover_pairs, list_corners
from helpers.small_data import SPECS, build_options
from lengthwise.catalog.diagram import NUM_STEPS, draw_wiring
from lengthwise.catalog.equations import format_equations, write_equations
from lengthwise.models.bundle import SequenceModel
from lengthwise.models.wiring import GATES, Wiring, resolve_wiring

ALL_PAIRS = cover_pairs(AXES | CONTROLS)


def resolve(corner: dict[str, Any], latent_dim: int = 8) -> Wiring:
    options = {key: value for key, value in corner.items() if key != "kind"}
    return resolve_wiring(build_options(**options), latent_dim, SPECS[corner.get("kind", "tokens")])


def list_built_shapes(wiring: Wiring) -> Counter[tuple[int, int]]:
    """Return the shapes of all matrices that are built, those of a recurrent layer for one gate."""
    model = SequenceModel(wiring, name="sequence_model")
    model.build()
    shapes: Counter[tuple[int, int]] = Counter()
    for variable in model.variables:
        name = variable.path.rpartition("/")[2]
        if name == "bias" or len(variable.shape) < 2:
            continue
        rows, columns = variable.shape
        is_recurrent = "cell/" in variable.path
        shapes[rows, columns // GATES[wiring.cell] if is_recurrent else columns] += 1
    return shapes


def check_shapes(corner: dict[str, Any]) -> None:
    wiring = resolve(corner)
    written = Counter(
        shape for chapter in write_equations(wiring) for equation in chapter.equations for shape in equation.weights
    )
    assert written == list_built_shapes(wiring)


@pytest.mark.parametrize("corner", ALL_PAIRS[::6], ids=lambda corner: "-".join(map(str, corner.values())))
def test_some_corners_have_the_matrices_that_are_written(corner: dict[str, Any]) -> None:
    check_shapes(corner)


@pytest.mark.slow
def test_all_corners_have_the_matrices_that_are_written() -> None:
    for corner in [*list_corners(AXES), *ALL_PAIRS]:
        check_shapes(corner)


def test_the_first_reference_model_is_written_out() -> None:
    lines = format_equations(write_equations(resolve({"kind": "features"}, 16)))
    assert lines == [
        "Encoder: 1 layer of LSTM, reads the source from its start",
        "  x_s = source step s                     2",
        "  h_s, c_s = LSTM(x_s; h_(s-1), c_(s-1))  2 -> 16  starts from zeros",
        "",
        "Bridge",
        "  z = h_S                                 16       an input of every step",
        "  g_0, m_0 = 0                            3        the latent does not start the decoder",
        "",
        "Decoder, step t = 1, 2, ...: 1 layer of LSTM",
        "  g_t, m_t = LSTM(z; g_(t-1), m_(t-1))    16 -> 3",
        "",
        "Output",
        "  y_t = g_t                               3        no layer: the state is the output",
        "",
        "Feedback",
        "  None: no step is fed a previous output, neither in training nor when decoding.",
        "",
        "Length",
        "  Always 5 steps; padding is learnt as zeros.",
        "",
        "where",
        "  LSTM(u; h, c):  i, f, o = sigmoid(W u + U h + b),  n = tanh(W' u + U' h + b')",
        "                  c <- f * c + i * n,  h <- o * tanh(c)",
    ]


def test_layers_are_joined_counted_from_the_top() -> None:
    wiring = resolve({"conditioning": "initial_state", "encoder_layers": 3, "decoder_layers": 2, "carry": "hc"})
    bridge = next(chapter for chapter in write_equations(wiring) if chapter.title == "Bridge")
    assert [equation.formula for equation in bridge.equations] == [
        "g1_0 = h2_S",
        "m1_0 = c2_S",
        "g2_0 = h3_S",
        "m2_0 = c3_S",
    ]


@pytest.mark.parametrize(
    ("corner", "formulas"),
    [
        (
            {"feedback": "teacher", "attention": "additive", "conditioning": "both"},
            ["a_ts = softmax over s of w . tanh(Q g_(t-1) + K h_s)", "u_t = [z; y_(t-1); k_t]"],
        ),
        (
            {"feedback": "teacher", "attention": "multiplicative", "input_feeding": True, "cell": "gru"},
            ["u_t = [z; y_(t-1); v_(t-1)]", "v_t = tanh(C [k_t; g_t])", "p_t = softmax(V v_t + b)"],
        ),
        ({"conditioning": "initial_state"}, ["m_0 = 0", "g_t, m_t = LSTM(no input; g_(t-1), m_(t-1))"]),
        (
            {"conditioning": "initial_state", "bridge": "tanh", "carry": "hc"},
            ["g_0 = tanh(B h_S + b)", "m_0 = B c_S + b"],
        ),
        ({"kind": "features", "length": "stop"}, ["q_t = sigmoid(r . g_t + b)", "Ends when q_t > 0.5"]),
        ({"feedback": "scheduled", "sampling_unit": "sequence"}, ["by a coin tossed once for each sequence"]),
    ],
)
def test_what_a_corner_adds_is_written(corner: dict[str, Any], formulas: list[str]) -> None:
    text = "\n".join(format_equations(write_equations(resolve(corner))))
    for formula in formulas:
        assert formula in text


def test_the_diagram_of_the_second_reference_model() -> None:
    corner = {"conditioning": "initial_state", "feedback": "teacher", "length": "stop", "carry": "hc"}
    assert draw_wiring(resolve(corner, 16)) == [
        "                                      y_1                     y_2                     y_3",
        "                                       ▲                       ▲                       ▲",
        "                                softmax 16 -> 9         softmax 16 -> 9         softmax 16 -> 9",
        "                                       ▲                       ▲                       ▲",
        "┌────────────────────┐        ┌────────┴────────┐     ┌────────┴────────┐     ┌────────┴────────┐",
        "│      encoder       │  h, c  │     decoder     │     │     decoder     │     │     decoder     │",
        "│        LSTM        ├───────►│      LSTM       ├────►│      LSTM       ├────►│      LSTM       ├────►",
        "│      11 -> 16      │        │     9 -> 16     │     │     9 -> 16     │     │     9 -> 16     │",
        "└────────────────────┘        └─────────────────┘     └─────────────────┘     └─────────────────┘",
        "    ▲                           ▲                       ▲                       ▲",
        "  x_1 ... x_S                 start                    y_1                     y_2",
        "",
        "y      the true output in training, its own when decoding",
        "end    with y_t = the stop symbol",
    ]


def test_every_diagram_shows_each_input_of_each_step_and_fits_on_a_line() -> None:
    for corner in [*list_corners(AXES), *ALL_PAIRS]:
        wiring = resolve(corner)
        lines = draw_wiring(wiring)
        assert max(map(len, lines)) <= 118, corner
        (below,) = [line for line in lines if line.startswith("    ▲")]
        inputs = wiring.repeats_latent + (wiring.feedback != "none") + (wiring.context_dim > 0)
        assert below.count("▲") == 1 + NUM_STEPS * inputs, corner
        cells = next(line for line in lines if line.count("►") >= NUM_STEPS and line.startswith("│"))
        assert ("├" in cells[:22]) == wiring.starts_from_latent
        assert ("0 ─►" in cells) != wiring.starts_from_latent
        assert any("└── z ─" in line for line in lines) == wiring.repeats_latent
