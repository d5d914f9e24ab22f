"""Score the rows of a series as anomalies by their reconstruction errors (Malhotra et al. 2016, section 2.2)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lengthwise.data.dataset import Origin
from lengthwise.evaluation.comparison import FeatureComparison

RIDGE = 1e-6
"""Share of the mean variance that is added to each variance, so that errors which never vary have finite scores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowErrors:
    """Absolute reconstruction errors of single rows.

    Args:
        rows: `(scored rows,)` int64, ascending, rows of the user's file from 0.
        errors: `(scored rows, features)` float64, scaled; of a row in several windows the mean over these.
        is_anomalous: `(scored rows,)` bool, the user's labels; None where there are none.
    """

    rows: NDArray[np.int64]
    errors: NDArray[np.float64]
    is_anomalous: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AnomalyScores:
    """Anomaly scores of the rows of a split, with the threshold that validation gives.

    Args:
        rows: `(scored rows,)` int64, ascending, rows of the user's file from 0.
        scores: `(scored rows,)` float64, squared Mahalanobis distance of each error from those of normal validation
            rows.
        threshold: Score above which a row is an alarm.
        is_learnt: Whether the threshold is the one with the best F score on labelled validation rows; else a share of
            the validation rows is above it.
        is_anomalous: `(scored rows,)` bool, the user's labels; None where there are none.
        baselines: Name -> `(scored rows,)` float64, scores of the same rows without learning.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    threshold: float
    is_learnt: bool
    is_anomalous: NDArray[np.bool_] | None
    baselines: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def alarms(self) -> NDArray[np.bool_]:
        """Whether each row `(scored rows,)` is an alarm."""
        return np.asarray(self.scores > self.threshold)

    @property
    def summary(self) -> dict[str, float]:
        """Share of rows that are alarms; where both kinds of rows are labelled also how the alarms agree with them."""
        found = {"anomaly_alarms": float(self.alarms.mean())}
        if self.is_anomalous is None or self.is_anomalous.all() or not self.is_anomalous.any():
            return found
        # Imported here: it takes half a second, and hardly any run has labels of anomalies.
        from sklearn.metrics import average_precision_score, precision_recall_fscore_support

        precision, recall, f_score, _ = precision_recall_fscore_support(
            self.is_anomalous, self.alarms, average="binary", zero_division=0.0
        )
        return (
            found
            | {
                "anomaly_precision": float(precision),
                "anomaly_recall": float(recall),
                "anomaly_f_score": float(f_score),
                "anomaly_average_precision": float(average_precision_score(self.is_anomalous, self.scores)),
            }
            | {
                f"baseline_{name}_anomaly_average_precision": float(average_precision_score(self.is_anomalous, scores))
                for name, scores in self.baselines.items()
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Reconstructed windows of a series.

    Args:
        comparison: Windows and their reconstructions; steps that are missing count as zeros.
        starts: `(windows,)` first row of each window in the user's file.
        is_anomalous: `(rows,)` bool, the labels of all rows of the file; None where there are none.
    """

    comparison: FeatureComparison
    starts: NDArray[np.int64]
    is_anomalous: NDArray[np.bool_] | None = None

    @classmethod
    def of_split(cls, comparison: FeatureComparison, origin: Origin, name: str) -> Windows:
        """Return the windows of a split, whose places and labels its origin has."""
        return cls(comparison=comparison, starts=origin.rows[name], is_anomalous=origin.is_anomalous)


def find_anomalies(val: Windows, test: Windows, *, alarm_share: float) -> AnomalyScores:
    """Score the rows of windows as anomalies, and in two naive ways; see `score_anomalies`."""
    found = score_anomalies(measure_row_errors(val), measure_row_errors(test), alarm_share=alarm_share)
    return replace(found, baselines=score_naively(test))


def measure_row_errors(windows: Windows) -> RowErrors:
    """Average the absolute errors of each row over the windows that hold it: e = |x - x'|."""
    comparison = windows.comparison
    num_steps = comparison.target_length.max()
    error = np.abs(comparison.predicted - comparison.target)[:, :num_steps]
    place = (windows.starts[:, None] + np.arange(num_steps)).ravel()
    rows, inverse, count = np.unique(place, return_inverse=True, return_counts=True)
    flat = error.reshape(-1, error.shape[2])
    sums = [np.bincount(inverse, weights=feature, minlength=len(rows)) for feature in flat.T]
    labels = None if windows.is_anomalous is None else windows.is_anomalous[rows]
    return RowErrors(rows=rows, errors=np.stack(sums, axis=1) / count[:, None], is_anomalous=labels)


def score_naively(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Score rows without learning: by their distance from the mean of the rows, and from the row before.

    Args:
        windows: Windows, of which only the true steps are read.

    Returns:
        By name, Euclidean distances `(rows,)` in scaled units, in the order of `measure_row_errors`.
    """
    comparison = windows.comparison
    num_steps = int(comparison.target_length.max())
    place = (windows.starts[:, None] + np.arange(num_steps)).ravel()
    _, first = np.unique(place, return_index=True)
    values = comparison.target[:, :num_steps].reshape(-1, comparison.num_features)[first]
    before = np.concatenate([values[:1], values[:-1]])
    distances = {"mean": values - values.mean(axis=0), "last_value": values - before}
    return {name: np.linalg.norm(difference, axis=1) for name, difference in distances.items()}


def score_anomalies(val: RowErrors, test: RowErrors, *, alarm_share: float) -> AnomalyScores:
    """Score rows by the errors of normal validation rows, with a threshold that validation gives.

    Mean and covariance of the errors are those of all validation rows that are not labelled as anomalies (the paper's
    set v_N1, which here is also that of the threshold). The score of a row is (e - mean)' covariance^-1 (e - mean).

    Args:
        val: Errors of the validation rows.
        test: Errors of the rows to score, of the test split or of another file.
        alarm_share: Share of the normal validation rows above the threshold, where validation has no labelled anomaly.
    """
    is_normal = np.ones(len(val.rows), bool) if val.is_anomalous is None else ~val.is_anomalous
    # Validation without a normal row tells nothing about normal errors: all its rows stand for them.
    normal = val.errors[is_normal] if is_normal.any() else val.errors
    mean, precision = _fit_normal(normal)
    val_scores, test_scores = (_measure_distance(part.errors, mean, precision) for part in (val, test))
    is_learnt = bool(is_normal.any() and not is_normal.all())
    if is_learnt:
        threshold = _choose_threshold(~is_normal, val_scores)
    else:
        threshold = float(np.quantile(val_scores, 1 - alarm_share, method="higher"))
    return AnomalyScores(
        rows=test.rows,
        scores=test_scores,
        threshold=threshold,
        is_learnt=is_learnt,
        is_anomalous=test.is_anomalous,
    )


def _fit_normal(errors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean `(features,)` and inverse covariance `(features, features)` by maximum likelihood, with a ridge."""
    mean = errors.mean(axis=0)
    centred = errors - mean
    covariance = centred.T @ centred / len(errors)
    ridge = RIDGE * float(np.trace(covariance)) / len(covariance) + np.finfo(np.float64).eps
    return mean, np.linalg.inv(covariance + ridge * np.eye(len(covariance)))


def _measure_distance(
    errors: NDArray[np.float64], mean: NDArray[np.float64], precision: NDArray[np.float64]
) -> NDArray[np.float64]:
    centred = errors - mean
    distance: NDArray[np.float64] = ((centred @ precision) * centred).sum(axis=1)
    return distance


def _choose_threshold(is_anomalous: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the threshold with the best F score (beta 1), so that scores above it are alarms."""
    from sklearn.metrics import precision_recall_curve  # as above

    precision, recall, thresholds = precision_recall_curve(is_anomalous, scores)
    total = precision + recall
    f_score = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)[:-1]
    # Alarms of the curve are scores equal to the threshold too.
    return float(np.nextafter(thresholds[int(f_score.argmax())], -np.inf))


def write_anomaly_table(found: AnomalyScores, origin: Origin) -> str:
    """Return anomaly scores as CSV, one row of the user's file a line, with date and label where there are any."""
    dates = None if origin.dates is None else origin.dates[found.rows]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    has_labels = found.is_anomalous is not None
    writer.writerow(["row", *([] if dates is None else ["date"]), "score", "alarm", *(["label"] if has_labels else [])])
    for place, (row, score, alarm) in enumerate(zip(found.rows, found.scores, found.alarms, strict=True)):
        date = [] if dates is None else [str(dates[place])]
        label = [] if found.is_anomalous is None else [int(found.is_anomalous[place])]
        writer.writerow([int(row) + 1, *date, f"{score:.6g}", int(alarm), *label])
    return text.getvalue()
