"""Details of a study below its answer: data, budget, seeds, time, code, and the commands that reproduce it."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from lengthwise.config.about import StudyAbout
from lengthwise.config.values import format_value
from lengthwise.studies.axes import Value
from lengthwise.studies.report.numbers import format_count
from lengthwise.studies.study import Study
from lengthwise.tracking.runs.manifest import Manifest

_DIRECTORIES = ("output_dir=", "tracking=", "tracking.")
"""Overrides that say only where runs are kept."""

_BUDGET = {
    "epochs": ("at most {}", ("epoch", "epochs")),
    "batches_per_epoch": ("{} an epoch", ("batch", "batches")),
    "batch_size": ("batches of {}", None),
    "optimizer": ("{}", None),
    "learning_rate": ("learning rate {}", None),
    "schedule": ("schedule {}", None),
    "clip_norm": ("gradients clipped at {}", None),
    "early_stopping_patience": ("stopped after {} without a better score on validation", ("epoch", "epochs")),
    "keep": ("{} weights kept", None),
}
"""Option of `training` -> how its value is described, and the noun for what it counts."""


def list_details(study: Study, sweeps: Sequence[Manifest], about: StudyAbout | None) -> dict[str, str]:
    """List what is known of a study beside its results, name -> text.

    Args:
        study: The study.
        sweeps: The manifests of its sweeps.
        about: What the study's overlay says about itself; None where there is none.
    """
    manifests = [*sweeps, *(run.manifest for run in study.runs)]
    constant = _find_constant(study)
    details = {
        "Data": "; ".join(_describe_data(study)),
        "Preset": format_value(constant["model.name"]) if "model.name" in constant else "",
        "Budget": _describe_budget(study, constant),
        "Seeds": ", ".join("none" if seed is None else str(seed) for seed in study.seeds),
        "Runs": _describe_runs(study),
        "Time": _describe_time(study, sweeps),
        "Code": _describe_code(manifests),
    }
    newest = max(manifests, key=lambda manifest: manifest.started)
    if about is not None:
        details["Expected"] = f"About {about.minutes} minutes on two cores. {about.expected}"
        details["Not as in the source"] = about.differences or ""
    details["Versions"] = ", ".join(f"{name} {version}" for name, version in newest.versions.items())
    return {name: text for name, text in details.items() if text}


def list_commands(study: Study, sweeps: Sequence[Manifest]) -> tuple[str, ...]:
    """List the commands that reproduce a study, without the directories of the machine it ran on."""
    manifests = sorted([*sweeps, *(run.manifest for run in study.runs)], key=lambda each: each.started)
    commands = []
    for manifest in manifests:
        if manifest.record.parent is None:
            words = [word for word in manifest.record.command if not word.startswith(_DIRECTORIES)]
            commands.append(shlex.join(words))
    checkouts = [each.git for each in manifests if each.git is not None]
    commits = {checkout.commit for checkout in checkouts if checkout.commit is not None}
    checkout_line = []
    if len(commits) == 1:
        changed = "   # and the changes in the runs' git.diff" if any(each.dirty for each in checkouts) else ""
        checkout_line = [f"git checkout {commits.pop()}{changed}"]
    return (*checkout_line, *dict.fromkeys(commands), f"lengthwise report {' '.join(study.names)}")


def _find_constant(study: Study) -> dict[str, Value]:
    params = [run.manifest.record.params for run in study.runs]
    return {name: value for name, value in params[0].items() if all(own.get(name) == value for own in params)}


def _describe_data(study: Study) -> list[str]:
    found = {}
    for run in study.runs:
        data = run.manifest.record.dataset
        if data is not None:
            sizes = ", ".join(f"{size:,} {split}" for split, size in data.split_sizes.items())
            found[data.name, data.sha256] = f"{data.name} ({sizes}; sha256 {data.sha256[:12]})"
    names = Counter(name for name, _ in found)
    kept = {name: next(text for (own, _), text in found.items() if own == name) for name in names}
    return [
        text
        if names[name] == 1
        else f"{text.partition('; sha256')[0]}), {names[name]} drawings: {_say_when(study, name)}"
        for name, text in kept.items()
    ]


def _say_when(study: Study, name: str) -> str:
    """Say whether the data differ only between seeds, as they may, or also between runs of one seed."""
    seeds: dict[object, set[str]] = {}
    for run in study.runs:
        data = run.manifest.record.dataset
        if data is not None and data.name == name:
            seeds.setdefault(run.manifest.record.seed, set()).add(data.sha256)
    return "each seed has its own" if all(len(own) == 1 for own in seeds.values()) else "they differ within a seed"


def _describe_budget(study: Study, constant: Mapping[str, Value]) -> str:
    parts = []
    for option, (template, nouns) in _BUDGET.items():
        value = constant.get(f"training.{option}")
        if value is not None:
            text = format_count(value, *nouns) if nouns and isinstance(value, int) else format_value(value)
            parts.append(template.format(text))
    for metric, noun in (("training/updates", "updates"), ("training/presentations", "examples presented")):
        counts = [count for run in study.runs if math.isfinite(count := run.score(metric))]
        if counts:
            ends = f"{min(counts):,.0f}" if min(counts) == max(counts) else f"{min(counts):,.0f} to {max(counts):,.0f}"
            parts.append(f"{ends} {noun}")
    return ", ".join(parts)


def _describe_runs(study: Study) -> str:
    counts = Counter(run.manifest.status.lower() for run in study.runs)
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    replaced = len(study.runs) - sum(len(condition.runs) for condition in study.conditions)
    return listed + (f"; {replaced} of them replaced by a later run of the same condition and seed" if replaced else "")


def _describe_time(study: Study, sweeps: Sequence[Manifest]) -> str:
    runs = sum(run.manifest.duration_seconds or 0 for run in study.runs) / 60
    known = [sweep.duration_seconds for sweep in sweeps if sweep.duration_seconds is not None]
    return f"{runs:.1f} min of runs" + (f", {sum(known) / 60:.1f} min of sweeps" if known else "")


def _describe_code(manifests: Sequence[Manifest]) -> str:
    found = []
    for manifest in manifests:
        if manifest.git is not None and manifest.git.commit is not None:
            found.append(manifest.git.commit[:10] + (" with uncommitted changes" if manifest.git.dirty else ""))
    return ", ".join(f"commit {state}" for state in dict.fromkeys(found))
