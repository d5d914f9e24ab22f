"""Scores a trained model under the length rules of decoding that are not the run's own, without training it again."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from lengthwise.config.options import DecodingOptions
from lengthwise.decoding.inference import Inference
from lengthwise.decoding.stop_rule import gives_length, may_end
from lengthwise.evaluation.assessment import EXPOSURE_METRICS
from lengthwise.evaluation.metrics import score_predictions
from lengthwise.models.wiring import Wiring
from lengthwise.pipeline.results import RunResult

Rule = Literal["model", "oracle", "max"]
RULES: tuple[Rule, ...] = ("model", "oracle", "max")


def score_length_rules(result: RunResult) -> dict[str, float]:
    """Decode the held-out splits of a run under the other length rules, and score them.

    Only greedy decoding, which takes seconds; `lengthwise evaluate RUN decoding.length=...` scores any other.

    Args:
        result: The results under the run's own rule.

    Returns:
        Scores by name as `lengthwise evaluate` names them, such as `test/greedy_oracle/exact_match`: the primary metric
        and that of the exposure gap. Rules that decode as another does, as where no end is learnt, are left out.
    """
    decoding, models, kind = result.options.decoding, result.inference.models, result.dataset.spec.kind
    if decoding.name != "greedy":
        return {}
    names = dict.fromkeys([result.primary_metric, EXPOSURE_METRICS[kind]])
    found: dict[str, float] = {}
    for rule in list_other_rules(decoding, models.wiring):
        inference = Inference(models, replace(decoding, length=rule))
        for split in result.predictions:
            if split != "train":
                examples = result.dataset.splits[split]
                scores = score_predictions(inference.decode(examples), examples, kind, names=names)
                found |= {f"{split}/{decoding.name}_{rule}/{name}": value for name, value in scores.summary.items()}
    return found


def list_other_rules(decoding: DecodingOptions, wiring: Wiring) -> list[Rule]:
    """List the length rules by which a model is decoded otherwise than by its own, each kind of decoding once."""
    known = {_describe(decoding, wiring)}
    others: list[Rule] = []
    for rule in RULES:
        described = _describe(replace(decoding, length=rule), wiring)
        if described not in known:
            known.add(described)
            others.append(rule)
    return others


def _describe(decoding: DecodingOptions, wiring: Wiring) -> tuple[bool, bool]:
    """Return whether true lengths are given, and whether the model may end a sequence."""
    return gives_length(decoding, wiring), may_end(decoding, wiring)
