"""A run as an object: what it is, what it scored, its model, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from lengthwise.errors import RunError
from lengthwise.python.rows import write_rows
from lengthwise.tracking.runs.find import StoredRun
from lengthwise.tracking.runs.journal import read_journal
from lengthwise.tracking.runs.layout import JOURNAL_NAME
from lengthwise.tracking.runs.manifest import Manifest, read_manifest
from lengthwise.tracking.runs.run_files import RunFiles
from lengthwise.tracking.runs.run_record import Value

if TYPE_CHECKING:
    import pandas as pd

    from lengthwise.serving.predictor import Predictor

_SHOWN_METRICS = 6


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a run has drawn; a notebook shows it.

    Args:
        path: Its file, a PNG.
    """

    path: Path

    def _repr_png_(self) -> bytes:
        return RunFiles(self.path.parents[1]).read_bytes(f"figures/{self.path.name}")


@dataclass(frozen=True, slots=True)
class Run:
    """A run, read from its directory whenever it is asked.

    Args:
        directory: The run's directory.
    """

    directory: Path

    @property
    def manifest(self) -> Manifest:
        """All that the run has recorded of itself."""
        return read_manifest(self.directory)

    @property
    def name(self) -> str:
        """Its name, which every command takes."""
        return self.directory.name

    @property
    def study(self) -> str:
        """The study that it belongs to."""
        return self.manifest.record.study

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED or KILLED."""
        return self.manifest.status

    @property
    def options(self) -> Mapping[str, Value]:
        """Every option by its dotted name."""
        return self.manifest.record.params

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its scores, `split/metric`."""
        return self.manifest.summary

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of its figures, for `figure`."""
        return tuple(sorted(path.stem for path in (self.directory / "figures").glob("*.png")))

    def figure(self, name: str) -> Figure:
        """Return a figure, such as `learning_curves`.

        Raises:
            RunError: The run has no such figure; the message lists those it has.
        """
        path = RunFiles(self.directory).find("figures", f"{name}.png") if name in self.figures else None
        if path is None:
            raise RunError(f"{self.name} has no figure {name!r}. It has: {', '.join(self.figures) or 'none'}.")
        return Figure(path)

    def load(self, *overrides: str) -> Predictor:
        """Load the trained model; arguments as in `lengthwise.load`.

        Raises:
            RunError: The run holds no whole model.
            ConfigError: An override is refused.
        """
        from lengthwise.serving.loading import load_run

        return load_run(self.directory, overrides)

    def history(self) -> pd.DataFrame:
        """Return the metrics of every epoch: a row an epoch, a column a metric."""
        import pandas as pd

        entries, _ = read_journal(self.directory / JOURNAL_NAME)
        known, values = self.metrics, dict[str, dict[int, float]]()
        for entry in entries:
            if entry.key not in known:
                values.setdefault(entry.key, {})[entry.step] = entry.value
        return pd.DataFrame(values).sort_index().rename_axis("epoch")

    def __repr__(self) -> str:
        return f"<Run {self.study}/{self.name}: {self.status}>"

    def _repr_html_(self) -> str:
        manifest = self.manifest
        primary = manifest.record.primary_metric
        order = sorted(manifest.summary.items(), key=lambda item: primary is None or item[0] != primary.name)
        scores = ", ".join(f"{name} {value:.4g}" for name, value in order[:_SHOWN_METRICS])
        described = f"{manifest.record.study}/{manifest.name} ({manifest.status.lower()})"
        return write_rows({"run": described, "scores": scores, "directory": str(self.directory)})


class Runs(Sequence[Run]):
    """Runs, newest first.

    Args:
        stored: The runs.
    """

    def __init__(self, stored: Sequence[StoredRun]) -> None:
        self._runs = tuple(Run(each.directory) for each in stored)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Run]: ...

    def __getitem__(self, index: int | slice) -> Run | Sequence[Run]:
        return self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run: name, study, status, seconds, every option and every metric, under their names."""
        import pandas as pd

        manifests = [run.manifest for run in self._runs]
        rows = [
            {
                "run": manifest.name,
                "study": manifest.record.study,
                "status": manifest.status,
                "seconds": manifest.duration_seconds,
                **{name: value for name, value in manifest.record.params.items() if name != "study"},
                **manifest.summary,
            }
            for manifest in manifests
        ]
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        return f"<{len(self._runs)} runs>"

    def _repr_html_(self) -> str:
        """Show the options that vary and the primary metrics."""
        frame = self.to_frame()
        if frame.empty:
            return "<p>No runs.</p>"
        fixed = ["run", "status"]
        options = [
            name for run in self._runs[:1] for name in run.options if name in frame and frame[name].nunique() > 1
        ]
        primary = {each.name for run in self._runs if (each := run.manifest.record.primary_metric) is not None}
        shown: str = frame[[*fixed, *options, *sorted(primary & set(frame.columns))]].to_html(index=False)
        return shown
