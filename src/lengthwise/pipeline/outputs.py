"""Write a run's samples and figures, and print its table of scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lengthwise.catalog.figure import plot_wiring
from lengthwise.data.dataset import Dataset
from lengthwise.data.scaler import Scaler
from lengthwise.data.vocabulary import Vocabulary
from lengthwise.decoding.predictions import Predictions
from lengthwise.evaluation.assessment import EXPOSURE_METRICS, PRIMARY_METRICS, Assessment
from lengthwise.evaluation.figures.curves import (
    Curve,
    plot_attention,
    plot_learning_curves,
    plot_outcomes,
    plot_score_by_length,
)
from lengthwise.evaluation.figures.sequences import plot_latents, plot_reconstructions
from lengthwise.evaluation.metrics import describe_metric
from lengthwise.evaluation.samples import select_samples, tabulate_samples
from lengthwise.models.wiring import Wiring
from lengthwise.plotting import save_figure
from lengthwise.tracking.runs.run import Run
from lengthwise.training.trainer import TrainingResult

NUM_WORST, NUM_RANDOM = 20, 20
NUM_RECONSTRUCTIONS = 10


def save_assessments(
    run: Run,
    dataset: Dataset,
    predictions: Mapping[str, Predictions],
    assessments: Mapping[str, Assessment],
    *,
    seed: int,
) -> None:
    """Write, for each scored split, its samples (worst first, then some at random) and its scores by target length."""
    for name, assessment in assessments.items():
        chosen = select_samples(assessment.scores, num_worst=NUM_WORST, num_random=NUM_RANDOM, seed=seed)
        samples = tabulate_samples(
            predictions[name], split=dataset.splits[name], scores=assessment.scores, dataset=dataset, chosen=chosen
        )
        for kind, table in (("samples", samples), ("by_length", assessment.by_length.to_table())):
            run.write_json(f"samples/{name}_{kind}.json", table.to_json_table())
            run.write_text(f"samples/{name}_{kind}.md", table.to_markdown())


def save_wiring(run: Run, wiring: Wiring, name: str) -> None:
    """Draw the model's wiring into `figures/wiring.png`, titled with its name."""
    save_figure(plot_wiring(wiring, title=name), run.path("figures", "wiring.png"))


def save_figures(
    run: Run,
    dataset: Dataset,
    training: TrainingResult,
    predictions: Mapping[str, Predictions],
    assessments: Mapping[str, Assessment],
    *,
    latents: NDArray[np.float32],
) -> None:
    """Draw the run's figures into `figures/`: learning curves, latents, scores by length, outcomes."""
    curves = {
        name: Curve(list(range(1, len(values) + 1)), values)
        for name, values in training.history.items()
        if name.startswith(("train/", "val/")) and name != "train/learning_rate"
    }
    save_figure(
        plot_learning_curves(curves, best_epoch=training.best_epoch), run.path("figures", "learning_curves.png")
    )
    val = dataset.splits["val"]
    latent_figure = plot_latents(latents, labels=val.labels, lengths=val.source_length)
    save_figure(latent_figure, run.path("figures", "latents.png"))
    primary = PRIMARY_METRICS[dataset.spec.kind]
    for name, assessment in assessments.items():
        if len(assessment.by_length.bins) > 1:
            figure = plot_score_by_length({name: assessment.by_length}, primary)
            save_figure(figure, run.path("figures", f"{name}_by_length.png"))
    if dataset.spec.kind == "tokens":
        shares = {name: assessment.outcomes for name, assessment in assessments.items()}
        save_figure(plot_outcomes(shares), run.path("figures", "outcomes.png"))
    else:
        _save_reconstructions(run, dataset, predictions["test"])


def _save_reconstructions(run: Run, dataset: Dataset, predictions: Predictions) -> None:
    split = dataset.splits["test"]
    shown = np.unique(np.linspace(0, len(split) - 1, NUM_RECONSTRUCTIONS).astype(np.int64))
    if split.labels is not None:
        # One of each class, up to the number shown.
        shown = np.unique(split.labels, return_index=True)[1][:NUM_RECONSTRUCTIONS]
    figure = plot_reconstructions(
        split.target[shown].astype(np.float64),
        predictions.values[shown].astype(np.float64),
        original_length=split.target_length[shown],
        reconstruction_length=predictions.length[shown],
        titles=None if split.labels is None else [str(label) for label in split.labels[shown]],
    )
    save_figure(figure, run.path("figures", "reconstructions.png"))


def save_attention(
    run: Run, dataset: Dataset, predictions: Predictions, attention: Mapping[int, NDArray[np.float32]]
) -> None:
    """Draw the attention weights of some examples of the test split into `figures/`.

    Args:
        run: The open run that takes the figures.
        dataset: The data; its codecs name the symbols.
        predictions: Decoded sequences of the test split.
        attention: By example index, weights `(steps, source steps)`; the last row may belong to the stop symbol.
    """
    split = dataset.splits["test"]
    for number, (index, weights) in enumerate(attention.items(), start=1):
        source = _name_steps(dataset.source_codec, split.source[index, : split.source_length[index]])
        made = _name_steps(dataset.target_codec, predictions.values[index, : predictions.length[index]])
        figure = plot_attention(weights, source=source, target=[*made, "end"][: len(weights)])
        save_figure(figure, run.path("figures", f"attention_{number}.png"))


def _name_steps(codec: Vocabulary | Scaler, values: NDArray[np.generic]) -> list[str]:
    if isinstance(codec, Vocabulary):
        return [codec.decode([symbol]) for symbol in values.tolist()]
    return [str(step) for step in range(1, len(values) + 1)]


def print_results(console: Console, run: Run, training: TrainingResult, assessments: Mapping[str, Assessment]) -> None:
    """Print the table of scores, and where the run and its figures are."""
    kind = next(iter(assessments.values())).scores.kind
    primary = PRIMARY_METRICS[kind]
    label = describe_metric(primary).label
    console.print(
        f"\n{training.epochs} epochs in {training.seconds:.1f} s; the best, epoch {training.best_epoch}, was kept "
        f"(validation loss {training.best_loss:.4f})\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("decoded freely, without padding")
    for split in assessments:
        table.add_column(split, justify="right")
    for name in next(iter(assessments.values())).scores.summary:
        table.add_row(
            describe_metric(name).label, *(f"{found.scores.summary[name]:.4f}" for found in assessments.values())
        )
    exposed = EXPOSURE_METRICS[kind]
    teacher_forced = [f"{found.exposure.teacher_forced[exposed]:.4f}" for found in assessments.values()]
    table.add_row(f"{describe_metric(exposed).label}, teacher-forced", *teacher_forced, style="dim")
    best = [_find_best_baseline(found, primary) for found in assessments.values()]
    table.add_row(f"{label}, best baseline ({best[0][0]})", *(f"{score:.4f}" for _, score in best), style="dim")
    console.print(table)
    console.print(f"\nrun      {run.directory}", soft_wrap=True)
    console.print(f"figures  {run.directory / 'figures'}", soft_wrap=True)
    console.print("browse   lengthwise ui")


def _find_best_baseline(assessment: Assessment, primary: str) -> tuple[str, float]:
    sign = 1 if describe_metric(primary).higher_is_better else -1
    name, scores = max(assessment.baselines.items(), key=lambda item: sign * item[1][primary])
    return name.replace("_", " "), scores[primary]
