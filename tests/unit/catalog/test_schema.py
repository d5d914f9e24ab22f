"""The JSON Schema of the options, by a small validator of the words that it uses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.commands import read_output, use
from lengthwise.catalog.schema import build_schema
from lengthwise.config.paths import conf_dir

SCHEMA = build_schema()
TYPES = {"integer": int, "number": (int, float), "boolean": bool, "string": str, "array": list, "object": dict}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Tell whether a value fits a schema, for the words of JSON Schema that ours uses; others are an error."""
    known = {"$schema", "title", "description", "$defs", "type", "properties", "additionalProperties", "anyOf", "enum"}
    known |= {"$ref", "pattern", "items", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    assert schema.keys() <= known
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    checks = [
        "anyOf" not in schema or any(fits(value, each) for each in schema["anyOf"]),
        "enum" not in schema or value in schema["enum"],
        "type" not in schema or is_type(value, schema["type"]),
    ]
    if isinstance(value, str) and "pattern" in schema:
        checks.append(re.search(schema["pattern"], value) is not None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        checks.append(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        checks.append("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        checks.append("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    if isinstance(value, dict) and "properties" in schema:
        checks.append(all(key in schema["properties"] for key in value))
        checks += [fits(inner, schema["properties"].get(key, {})) for key, inner in value.items()]
    return all(checks)


def is_type(value: Any, names: str | list[str]) -> bool:
    for name in [names] if isinstance(names, str) else names:
        if name == "null":
            found = value is None
        else:
            found = isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        if found:
            return True
    return False


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.SafeLoader)


def test_every_file_of_the_configuration_fits() -> None:
    conf = conf_dir()
    assert fits(read(conf / "config.yaml"), SCHEMA)
    for group in ("model", "dataset", "training", "decoding", "tracking"):
        for path in (conf / group).glob("*.yaml"):
            values = {key: value for key, value in read(path).items() if key != "defaults"}
            assert fits({group: values}, SCHEMA), path
    for path in (conf / "experiment").glob("*.yaml"):
        assert fits(read(path), SCHEMA), path


@pytest.mark.parametrize(
    "values",
    [
        {"latent_dm": 3},
        {"latent_dim": 0},
        {"latent_dim": "wide"},
        {"study": "a b"},
        {"model": {"feedback": "teachr"}},
        {"model": {"dropout": 1.0}},
        {"model": {"bidirectional": 1}},
        {"dataset": {"name": "digitz"}},
        {"dataset": {"name": "scan", "num_symbols": 3}},
        {"training": {"epochs": 1.5}},
    ],
)
def test_what_the_gate_refuses_does_not_fit(values: dict[str, Any]) -> None:
    assert not fits(values, SCHEMA)


def test_null_words_and_references_fit() -> None:
    values = {"timesteps": "auto", "resume": None, "latent_dim": "${seed}", "model": {"embedding_dim": None}}
    assert fits(values, SCHEMA)


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(read_output(tmp_path, "options", "--json-schema")) == json.loads(json.dumps(SCHEMA))
    assert "seed of the weights" in SCHEMA["properties"]["seed"]["description"].lower()
    assert use("options", "dropout", "--json-schema") == 2
    assert "Leave the word out" in capsys.readouterr().err
