"""Figures show what they should, and none stays open."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import rcParams

from lengthwise.evaluation.by_length import score_by_length
from lengthwise.evaluation.figures.curves import (
    Curve,
    plot_attention,
    plot_learning_curves,
    plot_outcomes,
    plot_score_by_length,
)
from lengthwise.evaluation.figures.projection import project_latents
from lengthwise.evaluation.figures.sequences import plot_latents, plot_reconstructions
from lengthwise.evaluation.outcomes import classify_outcomes
from lengthwise.plotting import LINES, escape_text, save_figure

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def nothing_stays_open():
    before = dict(rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(rcParams) == before


@pytest.fixture
def scores(score_tokens):
    targets = [[4] * length for length in range(1, 9) for _ in range(3)]
    return score_tokens([row if len(row) < 5 else row[:-1] for row in targets], targets)


def legend_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_learning_curves_have_a_panel_a_metric_and_one_look_a_split():
    epochs = [1, 2, 3]
    curves = {
        "val/exact_match": Curve(epochs, [0.1, 0.5, 0.9]),
        "train/loss": Curve(epochs, [2.0, 0.2, 0.02]),
        "val/loss": Curve(epochs, [2.0, 0.4, float("nan")]),
    }
    figure = plot_learning_curves(curves, best_epoch=2)
    loss, match = figure.axes
    assert [panel.get_title(loc="left") for panel in (loss, match)] == ["loss", "exact match"]
    assert loss.get_ylabel() == "loss (logarithmic)"
    assert loss.get_yscale() == "log"
    assert match.get_ylabel() == "share of the sequences"
    assert {panel.get_xlabel() for panel in figure.axes} == {"epoch"}
    assert legend_texts(figure) == ["train", "val", "best epoch"]
    train, val, best = loss.get_lines()
    assert train.get_ydata().tolist() == [2.0, 0.2, 0.02]
    assert match.get_lines()[0].get_color() == val.get_color() != train.get_color()
    assert list(best.get_xdata()) == [2, 2]


def test_curves_without_a_metric_are_refused():
    with pytest.raises(ValueError, match="named split/metric"):
        plot_learning_curves({"loss": Curve([1], [1.0])})
    with pytest.raises(ValueError, match="named split/metric"):
        plot_learning_curves({})


def test_score_by_length_shades_the_trained_range_and_counts_examples(scores):
    result = score_by_length(scores, trained_max_length=4)
    figure = plot_score_by_length({"repeat": result, "$stateful$": result}, "exact_match")
    axes, counts = figure.axes
    line = axes.get_lines()[0]
    assert line.get_xdata().tolist() == list(range(1, 9))
    assert line.get_ydata().tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert axes.get_xlabel() == "target length (steps)"
    assert axes.get_ylabel() == "exact match (share of the sequences)"
    assert legend_texts(figure) == ["repeat", r"\$stateful\$", "trained lengths", "examples"]
    bars = [patch.get_height() for patch in counts.patches if patch.get_label() == "_nolegend_"]
    assert bars[:8] == [3] * 8
    shade = next(patch for patch in counts.patches if patch.get_label() == "trained lengths")
    assert shade.get_x() + shade.get_width() == 4.5


def test_score_by_length_says_when_all_is_beyond(scores):
    figure = plot_score_by_length({"": score_by_length(scores, trained_max_length=0)}, "error_rate")
    assert figure.axes[0].get_title(loc="left") == "Error rate by target length (all beyond the trained 0)"
    with pytest.raises(ValueError, match="a metric is one of"):
        plot_score_by_length({"": score_by_length(scores, trained_max_length=0)}, "perplexity")


def test_outcomes_stack_up_to_one(scores):
    share = classify_outcomes(scores).share()
    figure = plot_outcomes({"val": share, "test": share})
    bars = figure.axes[0].patches
    assert len(bars) == 8
    assert [bar.get_height() for bar in bars[::2]] == pytest.approx(share.parts)
    tops = [bar.get_y() + bar.get_height() for bar in bars]
    assert max(tops) == pytest.approx(1)
    assert legend_texts(figure) == ["wrong content", "stopped late", "stopped early", "right"]
    assert len({bar.get_hatch() for bar in bars}) == 4
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["val", "test"]


def test_attention_has_symbols_on_both_axes(tmp_path):
    weights = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    figure = plot_attention(weights, source=["a", " ", "$"], target=["AH", "$x$"])
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), weights)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣", r"\$"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["AH", r"\$x\$"]
    save_figure(figure, tmp_path / "attention.png")
    with pytest.raises(ValueError, match=r"must be 1 target by 3 source steps, got \(2, 3\)"):
        plot_attention(weights, source=["a", "b", "c"], target=["AH"])


def test_wide_reconstructions_are_pictures_with_missing_steps_blank(tmp_path):
    original = np.linspace(0, 1, 2 * 5 * 4).reshape(2, 5, 4)
    figure = plot_reconstructions(
        original,
        original[:, :4] + 0.25,
        original_length=np.array([5, 5]),
        reconstruction_length=np.array([4, 2]),
        titles=["7", "$1"],
    )
    above, below, difference = figure.axes[:3]
    np.testing.assert_array_equal(above.images[0].get_array(), original[0])
    blank = np.isnan(np.ma.filled(below.images[1].get_array(), np.nan)).all(axis=1)
    assert blank.tolist() == [False, False, True, True, True]
    shown = np.ma.filled(difference.images[1].get_array(), np.nan)[:2]
    np.testing.assert_allclose(shown, 0.25)
    error = (2 * 4 * 0.25 + original[1, 2:].sum()) / 20
    assert above.get_xticklabels()[1].get_text() == f"\\$1\nerror {error:#.2g}"
    assert [axes.get_ylabel() for axes in figure.axes[:3]] == ["original", "reconstruction", "difference"]
    save_figure(figure, tmp_path / "digits.png")


def test_narrow_reconstructions_are_lines():
    original = np.arange(12.0).reshape(2, 3, 2)
    figure = plot_reconstructions(
        original, original - 1, original_length=np.array([3, 3]), reconstruction_length=np.array([3, 3])
    )
    assert len(figure.axes) == 4
    np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_ydata(), original[0, :, 0])
    np.testing.assert_array_equal(figure.axes[2].get_lines()[1].get_ydata(), [-1, -1, -1])
    assert figure.axes[2].get_xlabel() == "step"
    assert legend_texts(figure) == [
        "original, feature 1",
        "reconstruction, feature 1",
        "original, feature 2",
        "reconstruction, feature 2",
    ]
    with pytest.raises(ValueError, match="equal examples and features"):
        plot_reconstructions(
            original, original[:1], original_length=np.array([3, 3]), reconstruction_length=np.array([3])
        )


def test_principal_components_of_a_known_cloud():
    rng = np.random.default_rng(2)
    spread = rng.normal(size=(500, 2)) * [3.0, 1.0]
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    latents = spread @ turn[:2] + 5
    centred = spread - spread.mean(axis=0)
    variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    projection = project_latents(latents)
    assert projection.explained == pytest.approx(tuple(variances / variances.sum()))
    np.testing.assert_allclose(np.square(projection.points).sum(axis=0), variances, rtol=1e-9)
    few = project_latents(latents[:4])
    many = project_latents(np.pad(latents[:4], ((0, 4), (0, 0)), mode="wrap"))
    assert few.explained == pytest.approx(many.explained)
    np.testing.assert_allclose(few.points, many.points[:4], atol=1e-9)


def test_latents_without_variance_or_a_second_dimension():
    assert project_latents(np.ones((3, 5))).explained == (0, 0)
    line = project_latents(np.array([[1.0], [3.0]]))
    assert line.points.tolist() == [[-1, 0], [1, 0]]
    assert line.explained == (1, 0)
    for wrong in (np.ones(3), np.ones((0, 3)), np.array([[np.nan]])):
        with pytest.raises(ValueError, match="latents must"):
            project_latents(wrong)


def test_latents_are_coloured_by_class_or_length(tmp_path):
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(2500, 6)) * [5, 2, 1, 1, 1, 1]
    by_class = plot_latents(latents[:60], labels=np.arange(60) % 3)
    axes = by_class.axes[0]
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2"]
    assert [len(points.get_offsets()) for points in axes.collections] == [20, 20, 20]
    share = project_latents(latents[:60]).explained[0]
    assert axes.get_xlabel() == f"first principal component ({share:.0%} of the variance)"
    assert axes.get_title(loc="left") == "60 latents of 6 dimensions in two, by class"
    by_length = plot_latents(latents, lengths=np.arange(2500))
    assert by_length.axes[0].get_title(loc="left").startswith("2,000 of 2,500 latents")
    assert by_length.axes[1].get_ylabel() == "source length (steps)"
    assert len(plot_latents(latents[:5]).axes[0].collections) == 1
    names = plot_latents(latents[:6], labels=np.array(["cat", "a$", "dog"] * 2))
    assert [text.get_text() for text in names.axes[0].texts] == [r"a\$", "cat", "dog"]
    save_figure(names, tmp_path / "names.png")


def test_a_saved_figure_is_whole_and_let_go(tmp_path, scores):
    figure = plot_outcomes({"test": classify_outcomes(scores).share()})
    save_figure(figure, tmp_path / "outcomes.png")
    assert (tmp_path / "outcomes.png").read_bytes().startswith(PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["outcomes.png"]
    assert figure.axes == []


def test_lines_differ_without_colour():
    assert len({line.linestyle for line in LINES}) == len(LINES)
    assert len({line.marker for line in LINES}) == len(LINES)


def test_text_of_the_data_is_drawn_as_it_is():
    assert escape_text("a  b\n$c$") == r"a b \$c\$"
    assert escape_text("  ") == "␣␣"
    assert escape_text("abcdef", max_width=4) == "abc…"
