"""Write a wiring as equations: what is computed at each step, with its sizes.

Letters: x, h and c are the encoder's input, state and cell state at source step s of S; z is the latent; g and m are
the decoder's state and cell state at target step t; y is the output, q the stop probability, k the context and v the
attentional vector. Capitals are weight matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

from lengthwise.models.wiring import Place, Wiring

Size = tuple[int, int]

CELL_NAMES = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}

_CELLS = {
    "lstm": (
        "LSTM(u; h, c):  i, f, o = sigmoid(W u + U h + b),  n = tanh(W' u + U' h + b')",
        "                c <- f * c + i * n,  h <- o * tanh(c)",
    ),
    "gru": (
        "GRU(u; h):  reset, update = sigmoid(W u + U h + b),  n = tanh(W' u + b' + reset * (U' h + b''))",
        "            h <- update * h + (1 - update) * n",
    ),
    "rnn": ("RNN(u; h):  h <- tanh(W u + U h + b)",),
}
"""The cells as in Keras: u is the input, * multiplies element by element."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One line of the calculation.

    Args:
        formula: What is computed.
        size: Size of the result, such as `256`, or of input and result, such as `93 -> 256`.
        weights: Shapes of its matrices, `(input, output)`. A recurrent layer has the matrix of its input, then that of
            its state, each for one gate.
        note: A remark.
    """

    formula: str
    size: str = ""
    weights: tuple[Size, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """The equations of a part.

    Args:
        title: Title of the part.
        equations: Its equations in the order of the calculation.
    """

    title: str
    equations: tuple[Equation, ...]


def write_equations(wiring: Wiring) -> tuple[Chapter, ...]:
    """Write a wiring as equations, part by part.

    Args:
        wiring: The wiring of the model.
    """
    return (
        Chapter(_title_encoder(wiring), tuple(_write_encoder(wiring))),
        Chapter("Bridge", tuple(_write_bridge(wiring))),
        Chapter(_title_decoder(wiring), tuple(_write_step(wiring))),
        Chapter("Output", tuple(_write_output(wiring))),
        Chapter("Feedback", tuple(_write_feedback(wiring))),
        Chapter("Length", tuple(_write_length(wiring))),
        Chapter("where", tuple(Equation(line) for line in _CELLS[wiring.cell])),
    )


def format_equations(chapters: tuple[Chapter, ...]) -> list[str]:
    """Lay out equations as lines, with the sizes in one column.

    Args:
        chapters: The result of `write_equations`.
    """
    sized = [each for chapter in chapters for each in chapter.equations if each.size or each.note]
    width = max((len(each.formula) for each in sized if each.size), default=0)
    size_width = max((len(each.size) for each in sized), default=0)
    lines: list[str] = []
    for chapter in chapters:
        lines += [""] * bool(lines) + [chapter.title]
        for each in chapter.equations:
            line = f"{each.formula:<{width}}  {each.size:<{size_width}}  {each.note}" if each.size else each.formula
            lines.append(f"  {line.rstrip()}")
    return lines


def _title_encoder(wiring: Wiring) -> str:
    direction = "from its end" if wiring.reverse_source else "from its start"
    if wiring.bidirectional:
        direction = "reversed, in both directions" if wiring.reverse_source else "in both directions"
    return f"Encoder: {_count(wiring.encoder_layers)} of {CELL_NAMES[wiring.cell]}, reads the source {direction}"


def _title_decoder(wiring: Wiring) -> str:
    order = ", produces the target from its end" if wiring.reverse_target else ""
    return f"Decoder, step t = 1, 2, ...: {_count(wiring.decoder_layers)} of {CELL_NAMES[wiring.cell]}{order}"


def _count(layers: int) -> str:
    return "1 layer" if layers == 1 else f"{layers} layers"


def _states(wiring: Wiring, hidden: str, cell: str, index: str) -> str:
    names = (hidden, cell) if wiring.cell == "lstm" else (hidden,)
    return ", ".join(f"{name}_{index}" for name in names)


def _map(source: int, target: int) -> str:
    return f"{source} -> {target}"


def _write_encoder(wiring: Wiring) -> list[Equation]:
    spec, size = wiring.spec, wiring.latent_dim
    equations = [_write_symbol("x_s", "source", "s", spec.source_size, wiring)]
    directions = 2 if wiring.bidirectional else 1
    units, width = size // directions, wiring.symbol_dim or spec.source_size
    cell = CELL_NAMES[wiring.cell]
    for rank in range(1, wiring.encoder_layers + 1):
        layer = "" if wiring.encoder_layers == 1 else str(rank)
        fed = "x_s" if rank == 1 else f"h{rank - 1}_s"
        h, c = f"h{layer}", f"c{layer}"
        weights = ((width, units), (units, units))
        if directions == 1:
            formula = f"{_states(wiring, h, c, 's')} = {cell}({fed}; {_states(wiring, h, c, '(s-1)')})"
            equations.append(Equation(formula, _map(width, units), weights, "starts from zeros"))
        else:
            formula = f"{_states(wiring, h, c, 's')} = [{cell} forward; {cell} backward]({fed})"
            sizes = f"{width} -> {units} + {units}"
            equations.append(Equation(formula, sizes, (*weights, *weights), "h_S: the last state of each"))
        width = size
    return equations


def _write_symbol(name: str, what: str, index: str, size: int, wiring: Wiring) -> Equation:
    if not wiring.is_tokens:
        return Equation(f"{name} = {what} step {index}", str(size))
    if wiring.symbol_dim is None:
        return Equation(f"{name} = one-hot {what} symbol {index}", str(size))
    embedded = (size, wiring.symbol_dim)
    return Equation(f"{name} = embedded {what} symbol {index}", _map(*embedded), (embedded,))


def _write_bridge(wiring: Wiring) -> list[Equation]:
    top = "" if wiring.encoder_layers == 1 else str(wiring.encoder_layers)
    equations = []
    if wiring.repeats_latent:
        parts = [f"{name}{top}_S" for name in wiring.carried]
        latent = parts[0] if len(parts) == 1 else f"[{'; '.join(parts)}]"
        equations.append(Equation(f"z = {latent}", str(wiring.conditioning_dim), note="an input of every step"))
    if not wiring.starts_from_latent:
        zeros = f"{_states(wiring, 'g', 'm', '0')} = 0"
        return [*equations, Equation(zeros, str(wiring.decoder_dim), note="the latent does not start the decoder")]
    for rank in range(1, wiring.decoder_layers + 1):
        equations += _write_start(wiring, rank)
    return equations


def _write_start(wiring: Wiring, rank: int) -> list[Equation]:
    """Write how decoder layer `rank`, from 1 at the bottom, starts: from the encoder layer as far from the top."""
    own = "" if wiring.decoder_layers == 1 else str(rank)
    encoder_rank = wiring.encoder_layers - wiring.decoder_layers + rank
    other = "" if wiring.encoder_layers == 1 else str(encoder_rank)
    equations = []
    for name, carried in zip("gm"[: len(wiring.state_names)], ("h", "c"), strict=False):
        state, final = f"{name}{own}_0", f"{carried}{other}_S"
        sizes = (wiring.latent_dim, wiring.decoder_dim)
        if carried not in wiring.carried:
            equations.append(Equation(f"{state} = 0", str(wiring.decoder_dim), note="the cell state is not carried"))
        elif wiring.bridge == "identity":
            equations.append(Equation(f"{state} = {final}", str(wiring.decoder_dim)))
        else:
            tanh = wiring.bridge == "tanh" and carried == "h"
            formula = f"{state} = tanh(B {final} + b)" if tanh else f"{state} = B {final} + b"
            equations.append(Equation(formula, _map(*sizes), (sizes,)))
    return equations


def _write_step(wiring: Wiring) -> list[Equation]:
    equations, inputs = [], []
    if wiring.repeats_latent:
        inputs.append("z")
    if wiring.feedback != "none":
        equations.append(_write_symbol("y_(t-1)", "target", "t-1", wiring.spec.target_size, wiring))
        inputs.append("y_(t-1)")
    top = "" if wiring.decoder_layers == 1 else str(wiring.decoder_layers)
    if wiring.attention == "additive":
        equations += _write_additive(wiring, f"g{top}_(t-1)")
        inputs.append("k_t")
    elif wiring.input_feeding:
        inputs.append("v_(t-1)")
    fed = inputs[0] if inputs else ""
    if len(inputs) > 1:
        equations.append(Equation(f"u_t = [{'; '.join(inputs)}]", str(wiring.decoder_input_dim)))
        fed = "u_t"
    equations += _write_layers(wiring, fed)
    if wiring.attention == "multiplicative":
        equations += _write_multiplicative(wiring, f"g{top}_t")
    return equations


def _write_layers(wiring: Wiring, fed: str) -> list[Equation]:
    """Write the decoder's layers, of which the first is fed `fed`; nothing where that is empty."""
    cell, units = CELL_NAMES[wiring.cell], wiring.decoder_dim
    equations = []
    for rank in range(1, wiring.decoder_layers + 1):
        layer = "" if wiring.decoder_layers == 1 else str(rank)
        width = wiring.decoder_input_dim if rank == 1 else units
        g, m = f"g{layer}", f"m{layer}"
        source = fed if rank == 1 else f"g{rank - 1}_t"
        formula = f"{_states(wiring, g, m, 't')} = {cell}({source or 'no input'}; {_states(wiring, g, m, '(t-1)')})"
        note = "" if source else "computed from the state only"
        equations.append(Equation(formula, _map(width, units), ((width, units), (units, units)), note))
    return equations


def _encoder_output(wiring: Wiring) -> str:
    return "h_s" if wiring.encoder_layers == 1 else f"h{wiring.encoder_layers}_s"


def _write_additive(wiring: Wiring, query: str) -> list[Equation]:
    units, size, memory = wiring.decoder_dim, wiring.latent_dim, _encoder_output(wiring)
    weights = ((units, units), (size, units), (units, 1))
    score = f"a_ts = softmax over s of w . tanh(Q {query} + K {memory})"
    return [
        Equation(score, f"Q {_map(units, units)}, K {_map(size, units)}", weights),
        Equation(f"k_t = sum over s of a_ts {memory}", str(size)),
    ]


def _write_multiplicative(wiring: Wiring, query: str) -> list[Equation]:
    units, size, memory = wiring.decoder_dim, wiring.latent_dim, _encoder_output(wiring)
    combined = (size + units, units)
    note = "also an input of the next step; v_0 = 0" if wiring.input_feeding else ""
    return [
        Equation(f"a_ts = softmax over s of {query} . K {memory}", f"K {_map(size, units)}", ((size, units),)),
        Equation(f"k_t = sum over s of a_ts {memory}", str(size)),
        Equation(f"v_t = tanh(C [k_t; {query}])", _map(*combined), (combined,), note),
    ]


def _write_output(wiring: Wiring) -> list[Equation]:
    size, units = wiring.spec.target_size, wiring.decoder_dim
    top = _top(wiring)
    weights = ((units, size),)
    if wiring.is_tokens:
        equations = [
            Equation(f"p_t = softmax(V {top} + b)", _map(units, size), weights),
            Equation("y_t = the most probable symbol", note="or the one that the decoding strategy chooses"),
        ]
    elif wiring.has_head:
        equations = [Equation(f"y_t = V {top} + b", _map(units, size), weights)]
    else:
        equations = [Equation(f"y_t = {top}", str(size), note="no layer: the state is the output")]
    if wiring.learns_stop_probability:
        equations.append(Equation(f"q_t = sigmoid(r . {top} + b)", _map(units, 1), ((units, 1),), "stop probability"))
    if wiring.dropout:
        equations.append(
            Equation(f"Training drops a share of {wiring.dropout:g} of the input of {_write_places(wiring)}.")
        )
    return equations


def _write_places(wiring: Wiring) -> str:
    if wiring.dropout_places == "all":
        return "every layer and of the output layer"
    names: dict[Place, str] = {"input": "the first layers", "layers": "the other layers", "head": "the output layer"}
    return " and of ".join(name for place, name in names.items() if wiring.find_dropout(place))


def _top(wiring: Wiring) -> str:
    if wiring.attention == "multiplicative":
        return "v_t"
    return "g_t" if wiring.decoder_layers == 1 else f"g{wiring.decoder_layers}_t"


def _write_feedback(wiring: Wiring) -> list[Equation]:
    first = "y_0 = the start symbol" if wiring.is_tokens else "y_0 = 0"
    own = "its own y_(t-1)"
    if wiring.feedback == "none":
        return [Equation("None: no step is fed a previous output, neither in training nor when decoding.")]
    coin = "for each step" if wiring.sampling_unit == "step" else "once for each sequence"
    training = {
        "teacher": "the true y_(t-1)",
        "scheduled": f"the true y_(t-1) or {own}, by a coin tossed {coin}",
        "own": own,
    }[wiring.feedback]
    return [Equation(f"{first}."), Equation(f"Training: {training}."), Equation(f"Decoding: {own}.")]


def _write_length(wiring: Wiring) -> list[Equation]:
    most = wiring.spec.timesteps
    if wiring.length == "fixed":
        learnt = "padding is learnt as a symbol" if wiring.is_tokens else "padding is learnt as zeros"
        return [Equation(f"Always {most} steps; {learnt}.")]
    if wiring.length == "oracle":
        return [Equation("No end is learnt: the length must be given.")]
    sign = "y_t = the stop symbol" if wiring.is_tokens else "q_t > 0.5"
    return [Equation(f"Ends when {sign}, at the latest after {most} steps.")]
