"""Resolve a model's options to a wiring: no `auto` left, every width a number; and count its parameters.

Needs no TensorFlow, so that presets can be listed, drawn and counted without its start-up time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from lengthwise.config.options import ModelOptions
from lengthwise.data.dataset import DataSpec
from lengthwise.errors import ConfigError

Place = Literal["input", "layers", "head"]
"""Where units may be dropped, as the option `dropout_places` has it."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Number of gates of each cell; its kernels have that many columns per unit."""

BUDGET_TOLERANCE = 0.02
"""Largest relative difference from `parameter_budget`."""

WIDEST = 65_536
"""Largest width that is tried, in units; the upper bound of the option `latent_dim`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """What `build_models` builds. A field that is not listed here means what the option of the same name means.

    Args:
        has_head: Whether a dense layer turns the decoder's state into the output.
        spec: Kind and sizes of the data.
        bridge: What turns the encoder's final state into the decoder's initial one; `identity`: nothing.
    """

    spec: DataSpec
    conditioning: Literal["repeat", "initial_state", "both"]
    feedback: Literal["none", "teacher", "scheduled", "own"]
    length: Literal["fixed", "stop", "oracle"]
    carry: Literal["h", "hc"]
    cell: Literal["lstm", "gru", "rnn"]
    encoder_layers: int
    decoder_layers: int
    latent_dim: int
    decoder_dim: int
    bidirectional: bool
    embedding_dim: int | None
    has_head: bool
    bridge: Literal["identity", "linear", "tanh"]
    dropout: float
    dropout_places: Literal["all", "input", "layers", "head", "input+layers", "input+head", "layers+head"]
    reverse_source: bool
    reverse_target: bool
    attention: Literal["none", "additive", "multiplicative"]
    input_feeding: bool
    sampling_unit: Literal["step", "sequence"] | None

    @property
    def is_tokens(self) -> bool:
        """Whether the data are symbols, not real values."""
        return self.spec.kind == "tokens"

    @property
    def repeats_latent(self) -> bool:
        """Whether the latent is an input of every step."""
        return self.conditioning in ("repeat", "both")

    @property
    def starts_from_latent(self) -> bool:
        """Whether the latent is the decoder's initial state."""
        return self.conditioning in ("initial_state", "both")

    @property
    def carried(self) -> tuple[Literal["h", "c"], ...]:
        """Names of the encoder's final states that the decoder gets."""
        return ("h", "c") if self.carry == "hc" else ("h",)

    @property
    def state_names(self) -> tuple[Literal["h", "c"], ...]:
        """Names of one layer's states."""
        return ("h", "c") if self.cell == "lstm" else ("h",)

    @property
    def symbol_dim(self) -> int | None:
        """Width of an embedded symbol; None for one-hot symbols and for features."""
        return self.embedding_dim if self.is_tokens else None

    @property
    def conditioning_dim(self) -> int:
        """Width of what is an input of every step, units; 0 where nothing is repeated."""
        return self.latent_dim * len(self.carried) if self.repeats_latent else 0

    @property
    def num_handed_over(self) -> int:
        """Numbers of the encoder's final states that reach the decoder; those that attention reads are not counted."""
        return self.latent_dim * len(self.carried) * (self.decoder_layers if self.starts_from_latent else 1)

    @property
    def feedback_dim(self) -> int:
        """Width of the previous output as an input; 0 without feedback."""
        if self.feedback == "none":
            return 0
        return self.symbol_dim or self.spec.target_size

    def find_dropout(self, place: Place) -> float:
        """Return the share of the units that training drops at a place."""
        drops = self.dropout_places == "all" or place in self.dropout_places.split("+")
        return self.dropout if drops else 0.0

    @property
    def context_dim(self) -> int:
        """Width of what attention adds to a step's input: the context, or the last attentional vector; else 0."""
        if self.attention == "additive":
            return self.latent_dim
        return self.decoder_dim if self.input_feeding else 0

    @property
    def decoder_input_dim(self) -> int:
        """Width of the decoder's input: conditioning, feedback and context, in this order."""
        return self.conditioning_dim + self.feedback_dim + self.context_dim

    @property
    def runs_in_parallel(self) -> bool:
        """Whether all inputs of the decoder are known before its first step, so that training needs no step loop."""
        return self.feedback in ("none", "teacher") and self.context_dim == 0

    @property
    def has_stop_symbol(self) -> bool:
        """Whether a target has one step more than its length, the stop symbol."""
        return self.length == "stop" and self.is_tokens

    @property
    def learns_stop_probability(self) -> bool:
        """Whether a stop probability is learnt beside the values."""
        return self.length == "stop" and not self.is_tokens


def resolve_wiring(model: ModelOptions, latent_dim: int, spec: DataSpec) -> Wiring:
    """Resolve what the options leave to the data.

    Args:
        model: Options that passed the gate.
        latent_dim: Size of the latent in units; a parameter budget is solved for it instead.
        spec: Kind and sizes of the data.

    Raises:
        ConfigError: If the parameter budget cannot be met within 2 %.
    """
    if model.parameter_budget is None:
        return _resolve_width(model, latent_dim, spec)
    return _solve_budget(model, model.parameter_budget, spec)


def _resolve_width(model: ModelOptions, latent_dim: int, spec: DataSpec) -> Wiring:
    has_head = model.head == "dense" or (model.head == "auto" and spec.kind == "tokens")
    decoder_dim = model.decoder_dim
    if decoder_dim == "auto":
        decoder_dim = latent_dim if has_head else spec.target_size
    bridge: Literal["identity", "linear", "tanh"]
    bridge = ("identity" if decoder_dim == latent_dim else "linear") if model.bridge == "auto" else model.bridge
    resolved: dict[str, Any] = {
        "latent_dim": latent_dim,
        "decoder_dim": decoder_dim,
        "has_head": has_head,
        "bridge": bridge,
        "spec": spec,
    }
    chosen = {field.name: getattr(model, field.name) for field in fields(Wiring) if field.name not in resolved}
    return Wiring(**chosen, **resolved)


def _solve_budget(model: ModelOptions, budget: int, spec: DataSpec) -> Wiring:
    """Find the width whose parameter count is nearest to the budget, by bisection, since the count grows with it."""
    step = 2 if model.bidirectional else 1

    def count(width: int) -> int:
        return count_parameters(_resolve_width(model, width * step, spec))

    low, high = 1, WIDEST // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(middle) <= budget else (low, middle - 1)
    width = min((low, min(low + 1, WIDEST // step)), key=lambda candidate: abs(count(candidate) - budget))
    if abs(count(width) - budget) > BUDGET_TOLERANCE * budget:
        raise ConfigError(
            "model.parameter_budget",
            "must be met within 2 % by a whole number of units",
            received=f"{budget}, where {width * step} units make {count(width)} parameters",
            remedy=f"Take a budget near {count(width)}",
        )
    return _resolve_width(model, width * step, spec)


def count_parameters(wiring: Wiring) -> int:
    """Return the number of trainable parameters, by arithmetic, without building the model."""
    return sum(count for _, count in list_parameters(wiring))


def list_parameters(wiring: Wiring) -> list[tuple[str, int]]:
    """Return the trainable parameters part by part, as `(part, number)`."""
    parts = [
        ("symbol embeddings", _count_embeddings(wiring)),
        ("encoder", _count_encoder(wiring)),
        ("bridge", _count_bridge(wiring)),
        ("decoder", _count_decoder(wiring)),
        ("attention", _count_attention(wiring)),
        ("head", (wiring.decoder_dim + 1) * wiring.spec.target_size if wiring.has_head else 0),
        ("stop head", wiring.decoder_dim + 1 if wiring.learns_stop_probability else 0),
    ]
    return [(part, number) for part, number in parts if number]


def _count_layer(wiring: Wiring, input_dim: int, units: int) -> int:
    # Keras' GRU with reset_after (the cuDNN form) has a bias for the input and one for the recurrent product.
    biases = 2 if wiring.cell == "gru" else 1
    return GATES[wiring.cell] * units * (input_dim + units + biases)


def _count_embeddings(wiring: Wiring) -> int:
    if wiring.symbol_dim is None:
        return 0
    num_symbols = wiring.spec.source_size
    if wiring.feedback != "none":
        num_symbols += wiring.spec.target_size
    return wiring.symbol_dim * num_symbols


def _count_encoder(wiring: Wiring) -> int:
    directions = 2 if wiring.bidirectional else 1
    first = wiring.symbol_dim or wiring.spec.source_size
    inputs = [first] + [wiring.latent_dim] * (wiring.encoder_layers - 1)
    return sum(directions * _count_layer(wiring, input_dim, wiring.latent_dim // directions) for input_dim in inputs)


def _count_bridge(wiring: Wiring) -> int:
    if wiring.bridge == "identity" or not wiring.starts_from_latent:
        return 0
    return wiring.decoder_layers * len(wiring.carried) * (wiring.latent_dim + 1) * wiring.decoder_dim


def _count_decoder(wiring: Wiring) -> int:
    inputs = [wiring.decoder_input_dim] + [wiring.decoder_dim] * (wiring.decoder_layers - 1)
    return sum(_count_layer(wiring, input_dim, wiring.decoder_dim) for input_dim in inputs)


def _count_attention(wiring: Wiring) -> int:
    encoder_dim, decoder_dim = wiring.latent_dim, wiring.decoder_dim
    if wiring.attention == "additive":
        return (encoder_dim + decoder_dim + 1) * decoder_dim
    if wiring.attention == "multiplicative":
        return encoder_dim * decoder_dim + (encoder_dim + decoder_dim) * decoder_dim
    return 0
