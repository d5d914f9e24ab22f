"""Rules between options: a combination without meaning, or with an option that has no effect, is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lengthwise.config.options import BeamOptions, ModelOptions, RunOptions, SampleOptions
from lengthwise.config.rules.data import DATA_RULES, reads_features
from lengthwise.config.rules.refusals import Refusals, Rule, forbid, require
from lengthwise.config.values import show_value
from lengthwise.errors import ConfigError

SAMPLING = ("sampling_rate", "sampling_unit", "sampling_schedule")
RAMP = ("sampling_ramp", "sampling_ramp_unit")
PLATEAU = ("plateau_divisor", "plateau_patience")
MONITOR = ("monitor_every", "monitor_examples")

SHARES_WITHOUT_EFFECT: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pairs": {
        "validation_fraction": ("validation_path",),
        "test_fraction": ("test_path",),
        "seed": ("validation_path", "test_path"),
    },
    "sequences": dict.fromkeys(("validation_fraction", "test_fraction", "seed"), ("split_column",)),
}
"""Dataset -> its options, and those beside which they have no effect."""


def check_rules(options: RunOptions, *, chosen: Collection[str] = ("model", "decoding")) -> None:
    """Refuse options that are valid one by one but not together.

    Args:
        options: The options of one run.
        chosen: The sections that were chosen for this command. In a section that a run has stored, an option without
            effect is no reason to refuse the run.

    Raises:
        ConfigError: The first rule that does not hold.
    """
    for rule in (*RULES, *(rule for section in chosen for rule in EFFECT_RULES[section])):
        for refusal in rule(options):
            raise refusal


def check_given(options: RunOptions, overrides: Sequence[str]) -> None:
    """Refuse an option of the command line that has no effect beside the others, though its usual value may stand.

    Args:
        options: The options of one run.
        overrides: Those of the command line, such as `latent_dim=32`.

    Raises:
        ConfigError: `latent_dim` is given while a parameter budget chooses the width, or a share to hold out, or its
            seed, while the user's files say what is held out.
    """
    given = {override.partition("=")[0] for override in overrides}
    budget = options.model.parameter_budget
    if budget is not None and "latent_dim" in given:
        rule = f"has no effect with model.parameter_budget={budget}, which chooses the width"
        remedy = "Leave it out, or set model.parameter_budget=null"
        raise ConfigError("latent_dim", rule, received=str(options.latent_dim), remedy=remedy)
    data = options.dataset
    for name, others in SHARES_WITHOUT_EFFECT.get(data.name, {}).items():
        if f"dataset.{name}" in given and all(getattr(data, other) is not None for other in others):
            rule = f"has no effect with {' and '.join(f'dataset.{other}' for other in others)}: no share is held out"
            received = show_value(getattr(data, name))
            raise ConfigError(f"dataset.{name}", rule, received=received, remedy="Leave it out")


def _check_sampling(options: RunOptions) -> Refusals:
    model = options.model
    if model.feedback != "scheduled":
        yield from forbid("model", model, SAMPLING + RAMP, without="model.feedback=scheduled")
        return
    yield from require("model", model, SAMPLING, because="model.feedback=scheduled")
    if model.sampling_schedule == "constant":
        yield from forbid("model", model, RAMP, without="model.sampling_schedule=linear or inverse_sigmoid")
    else:
        yield from require("model", model, RAMP, because=f"model.sampling_schedule={model.sampling_schedule}")


def _check_schedule(options: RunOptions) -> Refusals:
    training = options.training
    if training.schedule == "plateau":
        yield from require("training", training, PLATEAU, because="training.schedule=plateau")
    else:
        yield from forbid("training", training, PLATEAU, without="training.schedule=plateau")


def _check_monitor(options: RunOptions) -> Refusals:
    training = options.training
    if training.monitor == "loss":
        yield from forbid("training", training, MONITOR, without="a training.monitor other than loss")
        return
    yield from require("training", training, ("monitor_every",), because=f"training.monitor={training.monitor}")
    is_of_features = training.monitor.startswith("mean_")
    if is_of_features != reads_features(options):
        rule = f"is no score of dataset={options.dataset.name}, whose steps are {_name_steps(options)}"
        names = "mean_absolute_error, mean_squared_error" if not is_of_features else "exact_match, token_accuracy"
        remedy = f"Choose loss, {names}{', error_rate' if is_of_features else ''}"
        yield ConfigError("training.monitor", rule, received=repr(training.monitor), remedy=remedy)


def _name_steps(options: RunOptions) -> str:
    return "numbers, not symbols" if reads_features(options) else "symbols, not numbers"


def _check_smoothing(options: RunOptions) -> Refusals:
    smoothing = options.training.label_smoothing
    if smoothing and reads_features(options):
        rule = f"has no meaning with dataset={options.dataset.name}, whose steps are {_name_steps(options)}"
        remedy = "Set training.label_smoothing=0, or choose a dataset of symbols"
        yield ConfigError("training.label_smoothing", rule, received=f"{smoothing:g}", remedy=remedy)


def _check_dropout(options: RunOptions) -> Refusals:
    model = options.model
    if model.dropout_places != "all" and not model.dropout:
        rule, remedy = "has no effect with model.dropout=0", "Set model.dropout, or leave it at all"
        yield ConfigError("model.dropout_places", rule, received=repr(model.dropout_places), remedy=remedy)
    if model.dropout and model.dropout_places == "layers" and model.encoder_layers == model.decoder_layers == 1:
        rule = "has no effect with one layer in encoder and decoder, between which nothing is dropped"
        remedy = "Add input or head, or set model.encoder_layers=2"
        yield ConfigError("model.dropout_places", rule, received=repr(model.dropout_places), remedy=remedy)


def _check_cell(options: RunOptions) -> Refusals:
    model = options.model
    if model.carry == "hc" and model.cell != "lstm":
        rule = f"has no meaning with model.cell={model.cell}, which has no cell state"
        yield ConfigError("model.carry", rule, received="'hc'", remedy="Set model.carry=h, or model.cell=lstm")


def _check_layers(options: RunOptions) -> Refusals:
    model = options.model
    if model.conditioning != "repeat" and model.decoder_layers > model.encoder_layers:
        rule = f"must be at most model.encoder_layers={model.encoder_layers} since each starts from the encoder's"
        remedy = "Give the encoder as many layers, or set model.conditioning=repeat"
        yield ConfigError("model.decoder_layers", rule, received=str(model.decoder_layers), remedy=remedy)


def _check_bidirectional(options: RunOptions) -> Refusals:
    if options.model.bidirectional and options.latent_dim % 2:
        rule = "must be even with model.bidirectional=true: each direction has half of it"
        remedy = f"Set latent_dim={options.latent_dim + 1}, or model.bidirectional=false"
        yield ConfigError("latent_dim", rule, received=str(options.latent_dim), remedy=remedy)


def _check_embedding(options: RunOptions) -> Refusals:
    size = options.model.embedding_dim
    if size is not None and reads_features(options):
        rule = f"has no meaning with dataset={options.dataset.name}, whose steps are {_name_steps(options)}"
        remedy = "Set model.embedding_dim=null, or choose a dataset of symbols"
        yield ConfigError("model.embedding_dim", rule, received=str(size), remedy=remedy)


def _check_head(options: RunOptions) -> Refusals:
    model = options.model
    if model.head == "none" and not reads_features(options):
        rule = f"is needed with dataset={options.dataset.name}: states between -1 and 1 cannot be scores of symbols"
        yield ConfigError("model.head", rule, received="'none'", remedy="Set model.head=auto or model.head=dense")
    if _lacks_head(options, model) and model.decoder_dim != "auto":
        rule = "cannot be chosen without a head: the decoder's state is the output, so its width is that of the output"
        remedy = "Set model.head=dense, or model.decoder_dim=auto"
        yield ConfigError("model.decoder_dim", rule, received=str(model.decoder_dim), remedy=remedy)


def _lacks_head(options: RunOptions, model: ModelOptions) -> bool:
    return model.head == "none" or (model.head == "auto" and reads_features(options))


def _check_attention(options: RunOptions) -> Refusals:
    model = options.model
    if model.input_feeding and model.attention != "multiplicative":
        rule = f"has no effect with model.attention={model.attention}: only multiplicative has a vector to feed"
        remedy = "Set model.attention=multiplicative, or model.input_feeding=false"
        yield ConfigError("model.input_feeding", rule, received="true", remedy=remedy)


def _check_budget(options: RunOptions) -> Refusals:
    model = options.model
    if model.parameter_budget is not None and model.decoder_dim != "auto":
        rule = "cannot be set while model.parameter_budget chooses the widths"
        remedy = "Set model.decoder_dim=auto, or model.parameter_budget=null"
        yield ConfigError("model.decoder_dim", rule, received=str(model.decoder_dim), remedy=remedy)


def _check_decoding(options: RunOptions) -> Refusals:
    if options.decoding.name != "greedy" and reads_features(options):
        rule = f"must be greedy with dataset={options.dataset.name}: a step of features is a value, not a distribution"
        remedy = "Set decoding=greedy, or choose a dataset of symbols"
        yield ConfigError("decoding", rule, received=repr(options.decoding.name), remedy=remedy)


def _check_bridge(options: RunOptions) -> Refusals:
    model = options.model
    if model.conditioning == "repeat" and model.bridge != "auto":
        rule = "has no effect with model.conditioning=repeat: the decoder does not start from the encoder's state"
        remedy = "Set model.bridge=auto, or model.conditioning=initial_state or both"
        yield ConfigError("model.bridge", rule, received=repr(model.bridge), remedy=remedy)


def _check_sample(options: RunOptions) -> Refusals:
    decoding = options.decoding
    if isinstance(decoding, SampleOptions) and decoding.top_k == 1:
        for name, neutral in (("temperature", 1.0), ("top_p", None)):
            value = getattr(decoding, name)
            if value != neutral:
                rule = "has no effect with decoding.top_k=1: the most probable symbol is always drawn"
                remedy = f"Set decoding.{name}={show_value(neutral)}, or raise decoding.top_k"
                yield ConfigError(f"decoding.{name}", rule, received=show_value(value), remedy=remedy)


def _check_length_penalty(options: RunOptions) -> Refusals:
    decoding = options.decoding
    if not isinstance(decoding, BeamOptions) or decoding.length_penalty == "auto":
        return
    reasons = {
        "decoding.width=1, which keeps one hypothesis": decoding.width == 1,
        f"decoding.length={decoding.length}, by which all hypotheses have the same length": decoding.length != "model",
        "model.length=oracle, by which all hypotheses have the same length": options.model.length == "oracle",
    }
    for reason, holds in reasons.items():
        if holds:
            rule, received = f"has no effect with {reason}", f"{decoding.length_penalty:g}"
            yield ConfigError("decoding.length_penalty", rule, received=received, remedy="Leave it at auto")


RULES: tuple[Rule, ...] = (
    *DATA_RULES,
    _check_sampling,
    _check_schedule,
    _check_monitor,
    _check_smoothing,
    _check_cell,
    _check_layers,
    _check_bidirectional,
    _check_embedding,
    _check_head,
    _check_attention,
    _check_budget,
    _check_decoding,
)
"""Rules for every run."""

EFFECT_RULES: Mapping[str, tuple[Rule, ...]] = {
    "model": (_check_bridge, _check_dropout),
    "decoding": (_check_sample, _check_length_penalty),
}
"""Section -> rules for a new choice of it, by which a value that would have no effect is refused."""
