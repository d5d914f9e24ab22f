from __future__ import annotations

import hashlib
from pathlib import Path

from lengthwise.config.compose import compose_options
from lengthwise.pipeline.experiment import list_files
from lengthwise.tracking.runs.run_record import FileRecord


def test_a_run_records_the_files_that_it_reads(tmp_path: Path) -> None:
    paths = {"path": tmp_path / "a.tsv", "test_path": tmp_path / "b.tsv"}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    overrides = [f"dataset.{name}={path}" for name, path in paths.items()]
    assert list(list_files(compose_options(["dataset=pairs", *overrides]).dataset)) == [
        FileRecord(option=f"dataset.{name}", path=str(path), sha256=hashlib.sha256(name.encode()).hexdigest())
        for name, path in paths.items()
    ]
    assert list(list_files(compose_options(["dataset=g2p"]).dataset)) == []
    assert list(list_files(compose_options(["dataset=digits"]).dataset)) == []
