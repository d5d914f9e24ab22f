"""Score a trained run on a file that it has not seen, as a named split of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lengthwise.config.compose import change_decoding
from lengthwise.config.options import ForecastOptions, RunOptions, SeriesOptions, TrackingOptions
from lengthwise.config.parse import parse_stored
from lengthwise.data.assembly import NewSplit, hash_content
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.new_files import TrainedData, choose_file, read_split
from lengthwise.errors import ConfigError, LengthwiseError, count_noun, printable
from lengthwise.evaluation.anomalies import AnomalyScores, Windows, find_anomalies, write_anomaly_table
from lengthwise.evaluation.assessment import Assessment, assess_split
from lengthwise.evaluation.by_column import tabulate_own_columns
from lengthwise.evaluation.comparison import FeatureComparison, compare_features
from lengthwise.evaluation.figures.split import plot_split
from lengthwise.evaluation.samples import select_samples, tabulate_samples
from lengthwise.files import dump_json, refuse_links
from lengthwise.pipeline.experiment import check_data, list_files, load_data
from lengthwise.pipeline.progress import show_progress
from lengthwise.pipeline.reevaluation import describe_decoding, label_decoding, load_inference
from lengthwise.plotting import render_figure
from lengthwise.serving.artifact_files import find_artifact, read_stored_model
from lengthwise.tracking.amend import add_to_run
from lengthwise.tracking.runs.layout import CONFIG_NAME
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.session import choose_tracking

if TYPE_CHECKING:
    from lengthwise.decoding.inference import Inference
    from lengthwise.decoding.predictions import Predictions

OWN_NAMES = ("train", "val", "test", "longer")
"""Splits of a run's own data, whose scores a file must not replace."""

NUM_WORST, NUM_RANDOM = 20, 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def evaluate_file(
    directory: Path,
    overrides: Sequence[str],
    *,
    name: str | None,
    console: Console,
    tracking: TrackingOptions,
    is_named: bool = True,
) -> dict[str, float]:
    """Decode and score the examples of a file with a run's model, and add scores, samples and figures to the run.

    The file is read by the run's own vocabularies or scalers. The scores are those that the same examples have as a
    test split of the run, with the same baselines; these need the data trained on, and are left out where it has gone.

    Args:
        directory: Directory of a run that holds a trained model.
        overrides: `dataset.path=FILE`, where the examples stand in it, and how to decode.
        name: Of the split; None: the name of the file.
        console: Shows progress and results.
        tracking: Where the run is mirrored, as the user says.
        is_named: Whether the user names it; otherwise it is the project's default, and as in `choose_tracking`.

    Returns:
        The added scores by name, `split/metric`, or `split/LABEL/metric` under another decoding than the run's.

    Raises:
        ConfigError: An override or the name is refused.
        DataError: The file cannot be read, or has another form than the data trained on.
    """
    refuse_links(directory)
    stored = parse_stored(RunFiles(directory).read_text(CONFIG_NAME))
    tracking = choose_tracking(directory, tracking, stored=stored.tracking, is_named=is_named)
    model = read_stored_model(find_artifact(directory))
    data = TrainedData(spec=model.wiring.spec, source_codec=model.source_codec, target_codec=model.target_codec)
    options, label = _choose_options(stored, data, overrides)
    split = name or name_split(options)
    new = read_split(options.dataset, data, split)
    place = split if label is None else f"{split}_{label}"
    _check_name(split, RunFiles(directory).path("evaluations", f"{place}.json"), options)
    _describe(new, options, console)
    own = _load_trained_on(stored, directory, console)
    dataset = _make_dataset(options, data, name=split, new=new, own=own)
    decoded = _decode_split(load_inference(directory, options), options, dataset=dataset, own=own, console=console)
    prefix = split if label is None else f"{split}/{label}"
    metrics = {f"{prefix}/{metric}": value for metric, value in decoded.summary.items()}
    add_to_run(directory, tracking, metrics=metrics, files=_write_files(place, decoded, options))
    _print_split(decoded, options, console)
    add_to_run(directory, tracking, metrics={}, files=_draw_figures(place, decoded, options, console))
    console.print(f"\nfigures  {printable(str(directory / 'figures' / place))}_*.png", markup=False, soft_wrap=True)
    return metrics


def _choose_options(stored: RunOptions, data: TrainedData, overrides: Sequence[str]) -> tuple[RunOptions, str | None]:
    """Return a run's options with the new file, and the label of another decoding than the run's; None for its own."""
    files = [line for line in overrides if line.lstrip("+").startswith("dataset")]
    decoding = [line for line in overrides if line not in files]
    options = choose_file(stored, data, files)
    if not decoding:
        return options, None
    options = change_decoding(options, decoding)
    return options, label_decoding(options)


def name_split(options: RunOptions) -> str:
    """Name a split by the file it is read from, in letters that a metric's name may have."""
    path = getattr(options.dataset, "path", None) or "file"
    stem = Path(path).name.partition(".")[0]
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-") or "file"
    return f"{name[:90]}_file" if name in OWN_NAMES else name[:90]


def _check_name(split: str, written: Path, options: RunOptions) -> None:
    """Refuse a name that is no name, is that of a split of the run, or that another file has been scored under."""
    remedy = "Choose another with --split NAME"
    if _NAME.fullmatch(split) is None or split in OWN_NAMES:
        rule = "must be letters, digits, '_', '.', '-', and not a split of the run's own data"
        raise ConfigError("--split", rule, received=repr(split), remedy=remedy)
    if written.is_file():
        files = json.loads(written.read_text(encoding="utf-8")).get("files")
        if files != [asdict(file) for file in list_files(options.dataset)]:
            rule = "is the name of a split that was read from another file"
            raise ConfigError("--split", rule, received=repr(split), remedy=remedy)


def _describe(new: NewSplit, options: RunOptions, console: Console) -> None:
    names = ", ".join(file.path for file in list_files(options.dataset))
    console.print(f"{count_noun(len(new.split), 'example')} of {printable(names)}", markup=False, soft_wrap=True)
    for skipped in new.skipped:
        console.print(f"  {printable(skipped.reason)}: {skipped.count:,}", markup=False, soft_wrap=True)
    for warning in new.warnings:
        console.print(f"  warning: {printable(warning)}", style="yellow", markup=False, soft_wrap=True)


def _load_trained_on(stored: RunOptions, directory: Path, console: Console) -> Dataset | None:
    """Load the data that a run was trained on, from which baselines and scaled errors are computed, if still there."""
    try:
        dataset = load_data(stored)
        check_data(directory, dataset)
    except LengthwiseError as error:
        what = "no anomaly scores and " if isinstance(stored.dataset, SeriesOptions) else ""
        what = f"no scaled errors and {what}" if isinstance(stored.dataset, ForecastOptions) else what
        text = f"  warning: {what}no baselines, which need the data trained on: {printable(str(error))}"
        console.print(text, style="yellow", markup=False, soft_wrap=True)
        return None
    return dataset


def _make_dataset(options: RunOptions, data: TrainedData, *, name: str, new: NewSplit, own: Dataset | None) -> Dataset:
    """Return the new split as a dataset, with the training split that the run's baselines are computed from."""
    split, codecs = {name: new.split}, (data.source_codec, data.target_codec)
    return Dataset(
        name=options.dataset.name,
        spec=data.spec,
        splits=split if own is None else {"train": own.splits["train"], **split},
        source_codec=codecs[0],
        target_codec=codecs[1],
        content_hash=hash_content(split, codecs),
        skipped=new.skipped,
        warnings=new.warnings,
        origin=new.origin,
        forecast=None if own is None else own.forecast,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _DecodedSplit:
    """What was decoded of a dataset's new split, its scores, and the anomaly scores of its rows, which series have."""

    dataset: Dataset
    predictions: Predictions
    assessment: Assessment
    anomalies: AnomalyScores | None

    @property
    def summary(self) -> dict[str, float]:
        """Score by name, without the name of the split."""
        scores = {name.partition("/")[2]: value for name, value in self.assessment.summary.items()}
        return scores if self.anomalies is None else scores | self.anomalies.summary


def _decode_split(
    inference: Inference, options: RunOptions, *, dataset: Dataset, own: Dataset | None, console: Console
) -> _DecodedSplit:
    """Decode and score the new split, the last of its dataset."""
    *_, (name, split) = dataset.splits.items()
    with show_progress(console, f"decoding {name}", len(split)) as on_progress:
        predictions = inference.decode(split, on_progress=on_progress)
    assessment = assess_split(dataset, name, predictions=predictions, teacher_forced=inference.score(split))
    anomalies = None
    if isinstance(options.dataset, SeriesOptions) and own is not None:
        anomalies = _score_anomalies(inference, options.dataset.alarm_share, dataset, assessment, own)
    return _DecodedSplit(dataset=dataset, predictions=predictions, assessment=assessment, anomalies=anomalies)


def _score_anomalies(
    inference: Inference, alarm_share: float, dataset: Dataset, assessment: Assessment, own: Dataset
) -> AnomalyScores | None:
    """Score the rows of a series as anomalies by the errors of the run's own validation rows."""
    comparison, val = assessment.scores.comparison, own.splits["val"]
    if not isinstance(comparison, FeatureComparison) or dataset.origin is None or own.origin is None:
        return None
    normal = compare_features(inference.decode(val), val)
    return find_anomalies(
        Windows.of_split(normal, own.origin, "val"),
        Windows.of_split(comparison, dataset.origin, assessment.split),
        alarm_share=alarm_share,
    )


def _write_files(place: str, decoded: _DecodedSplit, options: RunOptions) -> dict[str, str]:
    """Return what is written into the run, by path: the scores with the file and its hash, samples and tables."""
    assessment, dataset, found = decoded.assessment, decoded.dataset, decoded.anomalies
    split = dataset.splits[assessment.split]
    content = {
        "files": [asdict(file) for file in list_files(options.dataset)],
        "examples": len(split),
        "sha256": dataset.content_hash,
        "skipped": {each.reason: each.count for each in dataset.skipped},
        "decoding": asdict(options.decoding),
        "scores": {assessment.split: decoded.summary},
    }
    scores = assessment.scores
    chosen = select_samples(scores, num_worst=NUM_WORST, num_random=NUM_RANDOM, seed=options.seed)
    tables = {
        "samples": tabulate_samples(decoded.predictions, split=split, scores=scores, dataset=dataset, chosen=chosen),
        "by_length": assessment.by_length.to_table(),
    }
    by_column = tabulate_own_columns(dataset, scores.comparison)
    if by_column is not None:
        tables["by_column"] = by_column
    written = {f"evaluations/{place}.json": dump_json(content, indent=1)}
    for kind, table in tables.items():
        written[f"samples/{place}_{kind}.json"] = dump_json(table.to_json_table(), indent=1)
        written[f"samples/{place}_{kind}.md"] = table.to_markdown()
    if found is not None and dataset.origin is not None:
        written[f"samples/{place}_anomalies.csv"] = write_anomaly_table(found, dataset.origin)
    return written


def _print_split(decoded: _DecodedSplit, options: RunOptions, console: Console) -> None:
    """Print the scores beside those of the baselines."""
    from lengthwise.pipeline.results import print_split

    title = f"{describe_decoding(options)}, without padding"
    print_split(console, decoded.dataset, decoded.assessment, decoded.anomalies, title=title)


def _draw_figures(place: str, decoded: _DecodedSplit, options: RunOptions, console: Console) -> dict[str, bytes]:
    """Return the figures of a split by path; none where one cannot be drawn, for the scores are there."""
    try:
        figures = plot_split(
            decoded.dataset,
            decoded.assessment,
            decoded.predictions,
            model=options.model.name,
            anomalies=decoded.anomalies,
        )
        return {f"figures/{place}_{name}.png": render_figure(figure) for name, figure in figures.items()}
    except Exception as error:
        reason = printable(f"{type(error).__name__}: {error}")
        console.print(f"figures not drawn ({reason})", style="red", markup=False, soft_wrap=True)
        return {}
