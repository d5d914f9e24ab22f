"""Describe the machine that figures were measured on: a figure without its processor means nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

FEATURES = ("avx2", "avx512f", "amx_tile")
"""Instructions that decide how fast products are."""


def describe_machine(torch_version: str | None = None) -> str:
    """Return one sentence: processor, cores, load, versions."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = fields.get("flags", "").split()
    processor = fields.get("model name") or platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = [name for name in FEATURES if name in flags]
    versions = [f"{name} {version(package)}" for name, package in (("TensorFlow", "tensorflow"), ("Keras", "keras"))]
    if torch_version is not None:
        versions.append(f"PyTorch {torch_version}")
    return (
        f"{processor} ({', '.join(found) or 'no vector instructions known'}), {cores} cores, load "
        f"{os.getloadavg()[0]:.1f} at the start; Python {platform.python_version()}, {', '.join(versions)}."
    )
