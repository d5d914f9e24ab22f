"""Ways to damage or forge a stored model, drawn at random, for the tests of loading models."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lengthwise.serving.artifact_files import CONFIG_NAME, SOURCE_CODEC_NAME, SPEC_NAME, TARGET_CODEC_NAME, WEIGHTS_NAME
from lengthwise.serving.checksums import CHECKSUMS_NAME, write_checksums

Mutation = Callable[[Path, np.random.Generator], None]

FILES = [CONFIG_NAME, SPEC_NAME, SOURCE_CODEC_NAME, TARGET_CODEC_NAME, WEIGHTS_NAME]
JSON_FILES = [SPEC_NAME, SOURCE_CODEC_NAME, TARGET_CODEC_NAME, CHECKSUMS_NAME]

VALUES: list[Any] = [None, True, False, 0, -1, -5, 1, 2.5, 1e308, 2**31, 2**63, 10**30, float("nan"), float("inf")]
VALUES += ["", "x", "x" * 5_000, "\0", "\ud800", "tokens", "features", "../../x", [], {}, [[]], [0] * 1_000, {"a": 1}]
TEXTS = ["[" * 20_000, '{"a":' * 20_000, "-", "9" * 5_000, "1e999", "NaN", '"\\ud800"', "&a [*a]", "<<: *x", "\t", "\0"]
TEXTS += ["!!python/object/apply:os.system ['touch hacked']", "${oc.env:HOME}", "${latent_dim}", "_target_: os.system"]
TEXTS += [
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]"
]


def flip_bits(model: Path, rng: np.random.Generator) -> None:
    path, content = _read(model, rng)
    for _ in range(rng.integers(1, 9)):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)


def truncate(model: Path, rng: np.random.Generator) -> None:
    path, content = _read(model, rng)
    path.write_bytes(content[: rng.integers(len(content))])


def splice(model: Path, rng: np.random.Generator) -> None:
    path, content = _read(model, rng)
    start, stop = sorted(rng.integers(len(content) + 1, size=2))
    content[start:stop] = rng.choice([rng.bytes(20), b"\0" * 2_000, b"", bytes(content[:50])])
    path.write_bytes(content)


def replace_text(model: Path, rng: np.random.Generator) -> None:
    (model / str(rng.choice(FILES))).write_text(str(rng.choice(TEXTS)), "utf-8", errors="surrogatepass")


def change_json(model: Path, rng: np.random.Generator) -> None:
    """Change, delete or add one value of a JSON file, at any depth."""
    path = model / rng.choice(JSON_FILES)
    content = json.loads(path.read_bytes())
    holder: Any = content
    while True:
        key = _draw_key(holder, rng)
        if not isinstance(holder[key], dict | list) or not holder[key] or rng.random() < 0.3:
            break
        holder = holder[key]
    match rng.integers(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder["another"] = _draw_value(rng)
        case _:
            holder[key] = _draw_value(rng)
    path.write_text(json.dumps(content))


def change_yaml(model: Path, rng: np.random.Generator) -> None:
    """Change, delete, repeat or add one line of the configuration."""
    path = model / CONFIG_NAME
    lines = path.read_text("utf-8").splitlines()
    index = rng.integers(len(lines))
    name = lines[index].partition(":")[0]
    match rng.integers(5):
        case 0:
            del lines[index]
        case 1:
            lines.insert(index, lines[index])
        case 2:
            lines.append(str(rng.choice(TEXTS)))
        case 3:
            lines[index] = f"{name}: {rng.choice(TEXTS)}"
        case _:
            lines[index] = f"{name}: {json.dumps(_draw_value(rng))}"
    path.write_text("\n".join(lines), "utf-8", errors="surrogatepass")


def change_weights(model: Path, rng: np.random.Generator) -> None:
    """Change one array of the weights, or how the archive stores them."""
    path = model / WEIGHTS_NAME
    with np.load(path) as archive:
        arrays: dict[str, Any] = dict(archive)
    name = str(rng.choice(list(arrays)))
    value = arrays[name]
    match rng.integers(10):
        case 0:
            value.flat[rng.integers(value.size)] = rng.choice([np.nan, np.inf, -np.inf])
        case 1:
            arrays[name] = value[..., None]
        case 2:
            arrays[name] = value.reshape(-1)[:-1]
        case 3:
            arrays[name] = value.astype(rng.choice(["float64", "int32", "complex64", "S3", ">f4"]))
        case 4:
            arrays[name] = np.array([{"a": 1}], object)
        case 5:
            arrays["another"] = arrays.pop(name)
        case 6:
            arrays["another"] = value
        case 7:
            arrays[name] = np.asfortranarray(value)
        case 8:
            return np.savez_compressed(path, **arrays)
        case _:
            return _write_claim(path, arrays, name)
    return np.savez(path, **arrays)


def _write_claim(path: Path, arrays: dict[str, Any], claimed: str) -> None:
    """Write an archive one of whose arrays claims to be far larger than it is."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in arrays.items():
            file = io.BytesIO()
            shape = (10**12,) if name == claimed else value.shape
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            archive.writestr(f"{name}.npy", file.getvalue() + value.tobytes())


def remove(model: Path, rng: np.random.Generator) -> None:
    (model / rng.choice([*FILES, CHECKSUMS_NAME])).unlink()


def add_file(model: Path, rng: np.random.Generator) -> None:
    (model / str(rng.choice(["model.weights.h5", "extra.py", ".hidden", "__init__.py"]))).write_bytes(rng.bytes(100))


def swap(model: Path, rng: np.random.Generator) -> None:
    one, other = (model / name for name in rng.choice(FILES, 2, replace=False))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def link(model: Path, rng: np.random.Generator) -> None:
    """Put a link in place of a file: to the same content elsewhere, to itself, to nothing, to a folder."""
    path = model / rng.choice([*FILES, CHECKSUMS_NAME])
    copy = model.parent / "elsewhere"
    shutil.copy(path, copy)
    path.unlink()
    path.symlink_to(rng.choice([str(copy), path.name, "nothing", "."]))


def replace_by_no_file(model: Path, rng: np.random.Generator) -> None:
    path = model / rng.choice([*FILES, CHECKSUMS_NAME])
    path.unlink()
    if rng.random() < 0.5:
        path.mkdir()
    else:
        os.mkfifo(path)


MUTATIONS: dict[str, tuple[Mutation, int]] = {
    "bits": (flip_bits, 3),
    "truncation": (truncate, 2),
    "splice": (splice, 3),
    "text": (replace_text, 2),
    "json": (change_json, 6),
    "yaml": (change_yaml, 5),
    "weights": (change_weights, 4),
    "missing": (remove, 1),
    "extra": (add_file, 1),
    "swap": (swap, 1),
    "link": (link, 1),
    "no file": (replace_by_no_file, 1),
}
"""Each kind of mutation, and how often it is drawn relative to the others."""


def mutate(model: Path, rng: np.random.Generator) -> tuple[str, bool]:
    """Damage a stored model, or forge it: then its checksums fit what was written.

    Returns:
        The kind of mutation, and whether the checksums were written again.
    """
    weights = np.array([weight for _, weight in MUTATIONS.values()])
    kind = str(rng.choice(list(MUTATIONS), p=weights / weights.sum()))
    MUTATIONS[kind][0](model, rng)
    # Nothing may ever be written through a link, so models with links or missing files are not forged.
    is_forged = kind not in ("missing", "link", "no file") and bool(rng.random() < 0.6)
    if is_forged:
        forge(model)
    return kind, is_forged


def forge(model: Path) -> None:
    """Write the checksums of a stored model again, so that they fit its files."""
    (model / CHECKSUMS_NAME).unlink()
    write_checksums(model, FILES)


def _read(model: Path, rng: np.random.Generator) -> tuple[Path, bytearray]:
    path = model / rng.choice([*FILES, CHECKSUMS_NAME])
    return path, bytearray(path.read_bytes())


def _draw_key(holder: Any, rng: np.random.Generator) -> Any:
    return list(holder)[rng.integers(len(holder))] if isinstance(holder, dict) else int(rng.integers(len(holder)))


def _draw_value(rng: np.random.Generator) -> Any:
    return VALUES[rng.integers(len(VALUES))]
