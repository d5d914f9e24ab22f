"""Rules between options: a combination without meaning, or with an option that has no effect, is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from lengthwise.config.options import (
    CAPITALS_EVERY,
    DIGITS_ROWS,
    AdditionOptions,
    BeamOptions,
    DigitsOptions,
    ForecastOptions,
    ModelOptions,
    PairsOptions,
    RunOptions,
    SampleOptions,
    ScanOptions,
    SequencesOptions,
    SeriesOptions,
    SymbolTaskOptions,
)
from lengthwise.config.values import show_value
from lengthwise.errors import ConfigError

Refusals = Iterator[ConfigError]
Rule = Callable[[RunOptions], Refusals]

OwnOptions = PairsOptions | SequencesOptions | ForecastOptions | SeriesOptions
"""Options of datasets that read a file of the user's."""

TABLE_ENDINGS = (".csv", ".tsv", ".txt")
"""Ends of the names of files that hold tables as text."""

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


def reads_features(options: RunOptions) -> bool:
    """Return whether the data are real-valued steps, not symbols.

    Args:
        options: The options of one run.
    """
    return isinstance(options.dataset, DigitsOptions | SequencesOptions | ForecastOptions | SeriesOptions)


def _require(section: str, options: object, names: tuple[str, ...], *, because: str) -> Refusals:
    for name in names:
        if getattr(options, name) is None:
            remedy = f"Give {section}.{name} a value: `lengthwise options {name}` says which"
            yield ConfigError(f"{section}.{name}", f"is needed with {because}", received="null", remedy=remedy)


def _forbid(section: str, options: object, names: tuple[str, ...], *, without: str) -> Refusals:
    for name in names:
        value = getattr(options, name)
        if value is not None:
            rule, remedy = f"has no effect without {without}", f"Set {without}, or {section}.{name}=null"
            yield ConfigError(f"{section}.{name}", rule, received=show_value(value), remedy=remedy)


def _check_sampling(options: RunOptions) -> Refusals:
    model = options.model
    if model.feedback != "scheduled":
        yield from _forbid("model", model, SAMPLING + RAMP, without="model.feedback=scheduled")
        return
    yield from _require("model", model, SAMPLING, because="model.feedback=scheduled")
    if model.sampling_schedule == "constant":
        yield from _forbid("model", model, RAMP, without="model.sampling_schedule=linear or inverse_sigmoid")
    else:
        yield from _require("model", model, RAMP, because=f"model.sampling_schedule={model.sampling_schedule}")


def _check_schedule(options: RunOptions) -> Refusals:
    training = options.training
    if training.schedule == "plateau":
        yield from _require("training", training, PLATEAU, because="training.schedule=plateau")
    else:
        yield from _forbid("training", training, PLATEAU, without="training.schedule=plateau")


def _check_monitor(options: RunOptions) -> Refusals:
    training = options.training
    if training.monitor == "loss":
        yield from _forbid("training", training, MONITOR, without="a training.monitor other than loss")
        return
    yield from _require("training", training, ("monitor_every",), because=f"training.monitor={training.monitor}")
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


def _check_scan(options: RunOptions) -> Refusals:
    scan = options.dataset
    if not isinstance(scan, ScanOptions):
        return
    if scan.split != "length":
        yield from _forbid("dataset", scan, ("length_cut",), without="dataset.split=length")
    if scan.split != "simple":
        yield from _forbid("dataset", scan, ("train_fraction",), without="dataset.split=simple")


def _check_symbols(options: RunOptions) -> Refusals:
    task = options.dataset
    if not isinstance(task, SymbolTaskOptions):
        return
    if task.max_length < task.min_length:
        rule, remedy = f"must be at least dataset.min_length={task.min_length}", "Raise it, or lower dataset.min_length"
        yield ConfigError("dataset.max_length", rule, received=str(task.max_length), remedy=remedy)
    if task.name == "ambiguous" and task.min_length < CAPITALS_EVERY:
        rule = f"must be at least {CAPITALS_EVERY} with dataset=ambiguous: each right answer has a capital"
        remedy = f"Set dataset.min_length={CAPITALS_EVERY} or more"
        yield ConfigError("dataset.min_length", rule, received=str(task.min_length), remedy=remedy)
    if task.longer_length <= task.max_length:
        rule = f"must be more than dataset.max_length={task.max_length}: the split `longer` starts there"
        remedy = f"Set dataset.longer_length={2 * task.max_length}, or lower dataset.max_length"
        yield ConfigError("dataset.longer_length", rule, received=str(task.longer_length), remedy=remedy)


def _check_addition(options: RunOptions) -> Refusals:
    task = options.dataset
    if isinstance(task, AdditionOptions) and task.longer_digits <= task.num_digits:
        rule = f"must be more than dataset.num_digits={task.num_digits}: the split `longer` starts there"
        remedy = f"Set dataset.longer_digits={task.num_digits + 1}, or lower dataset.num_digits"
        yield ConfigError("dataset.longer_digits", rule, received=str(task.longer_digits), remedy=remedy)


def _check_path(options: RunOptions) -> Refusals:
    data = options.dataset
    if isinstance(data, OwnOptions) and data.path is None:
        yield refuse_no_path(data)


def _check_tags(options: RunOptions) -> Refusals:
    data = options.dataset
    if isinstance(data, PairsOptions) and data.tags_column is None:
        yield from _forbid("dataset", data, ("tags_separator",), without="dataset.tags_column=COLUMN")


def refuse_no_path(data: OwnOptions) -> ConfigError:
    """Build the refusal of a dataset of the user's without its file.

    Args:
        data: Its options.
    """
    rule = f"must name a file with dataset={data.name}"
    return ConfigError("dataset.path", rule, received="null", remedy="Add dataset.path=FILE")


def _check_fractions(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, DigitsOptions | PairsOptions | SequencesOptions | ForecastOptions | SeriesOptions):
        return
    if isinstance(data, PairsOptions) and not (data.validation_path is None and data.test_path is None):
        return
    if isinstance(data, SequencesOptions) and data.split_column is not None:
        return
    held_out = data.validation_fraction + data.test_fraction
    if held_out >= 1:
        rule = f"and dataset.test_fraction={data.test_fraction:g} must leave something to train on"
        remedy = "Lower one of them until their sum is below 1"
        yield ConfigError("dataset.validation_fraction", rule, received=f"{data.validation_fraction:g}", remedy=remedy)


def _check_sequences(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, SequencesOptions) or data.path is None:
        return
    table = ("time_column", "split_column", "columns")
    if data.path.lower().endswith(TABLE_ENDINGS):
        yield from _require("dataset", data, ("id_column",), because=f"dataset.path={data.path}")
    else:
        yield from _forbid("dataset", data, ("id_column", *table), without="a .csv as dataset.path")
    if not data.path.lower().endswith(".npy"):
        yield from _forbid("dataset", data, ("lengths_path",), without="a .npy as dataset.path")


def _check_forecast(options: RunOptions) -> Refusals:
    data = options.dataset
    if not isinstance(data, ForecastOptions):
        return
    for name in sorted(set(data.target_columns or ()) & set(data.known_columns or ())):
        rule = "must not name a column that is known ahead: there is nothing to forecast"
        remedy = "Take it out of one of dataset.target_columns and dataset.known_columns"
        yield ConfigError("dataset.target_columns", rule, received=repr(name), remedy=remedy)
    if data.period is not None and data.period > data.history:
        rule = f"must be at most dataset.history={data.history}: the season before the forecast is read from there"
        yield ConfigError(
            "dataset.period", rule, received=str(data.period), remedy="Raise dataset.history, or lower it"
        )


def _check_timesteps(options: RunOptions) -> Refusals:
    if isinstance(options.dataset, SeriesOptions | ForecastOptions) and options.timesteps == "auto":
        yield refuse_no_window(options.dataset)
    if options.dataset.name == "digits" and options.timesteps not in ("auto", DIGITS_ROWS):
        rule = f"must be auto or {DIGITS_ROWS} with dataset=digits, whose images have {DIGITS_ROWS} rows"
        yield ConfigError("timesteps", rule, received=str(options.timesteps), remedy="Leave timesteps=auto")


def refuse_no_window(data: SeriesOptions | ForecastOptions) -> ConfigError:
    """Build the refusal of data that are cut into windows without the length of these.

    Args:
        data: Their options.
    """
    what = "of a window" if data.name == "series" else "to forecast"
    rule = f"must be a number with dataset={data.name}: the rows {what}"
    return ConfigError("timesteps", rule, received="auto", remedy="Choose one, such as timesteps=24")


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
    _check_scan,
    _check_symbols,
    _check_addition,
    _check_path,
    _check_tags,
    _check_fractions,
    _check_sequences,
    _check_forecast,
    _check_timesteps,
    _check_decoding,
)
"""Rules for every run."""

EFFECT_RULES: Mapping[str, tuple[Rule, ...]] = {
    "model": (_check_bridge, _check_dropout),
    "decoding": (_check_sample, _check_length_penalty),
}
"""Section -> rules for a new choice of it, by which a value that would have no effect is refused."""
