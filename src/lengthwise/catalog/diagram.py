"""Draw a wiring as text: the encoder, and three steps of the decoder with all of their inputs."""

from __future__ import annotations

from lengthwise.catalog.equations import CELL_NAMES
from lengthwise.models.wiring import Wiring

NUM_STEPS = 3

_ENCODER_WIDTH, _CELL_WIDTH, _CELL_GAP = 22, 19, 5
_LATENT_COLUMN, _MEMORY_COLUMN = 19, 16
"""Where the lines of the latent and of the encoder's outputs leave the encoder."""

_ARROWS = (2, 9, 16)
"""Columns within a cell at which its inputs arrive, the first input in the first."""

_OUTPUT_ROW, _HEAD_ROW, _VECTOR_ROW = 0, 2, 4


class _Canvas:
    """Characters by row and column, of any size."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def put(self, row: int, column: int, text: str) -> None:
        while len(self.rows) <= row:
            self.rows.append([])
        line = self.rows[row]
        line.extend(" " * (column + len(text) - len(line)))
        line[column : column + len(text)] = text

    def put_centred(self, row: int, centre: int, text: str) -> None:
        self.put(row, centre - len(text) // 2, text)

    def put_box(self, row: int, column: int, width: int, lines: tuple[str, ...]) -> None:
        self.put(row, column, f"┌{'─' * (width - 2)}┐")
        for offset, text in enumerate(lines, 1):
            self.put(row + offset, column, f"│{text:^{width - 2}}│")
        self.put(row + len(lines) + 1, column, f"└{'─' * (width - 2)}┘")

    def put_column(self, column: int, first: int, last: int) -> None:
        for row in range(first, last + 1):
            crosses = row < len(self.rows) and self.rows[row][column : column + 1] == ["─"]
            self.put(row, column, "┼" if crosses else "│")

    def to_lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.rows]


def draw_wiring(wiring: Wiring) -> list[str]:
    """Draw a wiring with characters.

    Args:
        wiring: The wiring of the model.

    Returns:
        Lines, of at most 118 characters.
    """
    canvas = _Canvas()
    # Multiplicative attention stands between the cells and the output layer.
    cell_row = 6 if wiring.attention == "multiplicative" else 4
    bridge = _name_bridge(wiring)
    gap = max(len(bridge) + 4, 7)
    columns = [_ENCODER_WIDTH + gap + step * (_CELL_WIDTH + _CELL_GAP) for step in range(NUM_STEPS)]
    _draw_encoder(canvas, wiring, cell_row)
    _draw_states(canvas, wiring, cell_row, columns, bridge)
    if wiring.attention == "multiplicative":
        canvas.put(_VECTOR_ROW, _MEMORY_COLUMN, f"┌── h_1 ... h_S {'─' * (columns[-1] - _MEMORY_COLUMN - 13)}")
        canvas.put(_VECTOR_ROW + 1, _MEMORY_COLUMN, "│")
        canvas.put(cell_row, _MEMORY_COLUMN, "┴")
    for step, column in enumerate(columns, 1):
        _draw_outputs(canvas, wiring, cell_row, column + _CELL_WIDTH // 2, step)
    _draw_inputs(canvas, wiring, cell_row + 5, columns)
    canvas.put(cell_row + 5, 4, "▲")
    canvas.put(cell_row + 6, 2, "x_S ... x_1" if wiring.reverse_source else "x_1 ... x_S")
    return [*canvas.to_lines(), "", *_explain(wiring)]


def _name_bridge(wiring: Wiring) -> str:
    if not wiring.starts_from_latent:
        return ""
    parts: list[str] = list(wiring.carried)
    if wiring.bridge != "identity":
        parts = [f"tanh(B {name})" if wiring.bridge == "tanh" and name == "h" else f"B {name}" for name in parts]
    return ", ".join(parts)


def _name_layers(layers: int, cell: str) -> str:
    return cell if layers == 1 else f"{layers} x {cell}"


def _draw_encoder(canvas: _Canvas, wiring: Wiring, row: int) -> None:
    size = wiring.symbol_dim or wiring.spec.source_size
    cell = f"{'bi-' if wiring.bidirectional else ''}{CELL_NAMES[wiring.cell]}"
    lines = ("encoder", _name_layers(wiring.encoder_layers, cell), f"{size} -> {wiring.latent_dim}")
    canvas.put_box(row, 0, _ENCODER_WIDTH, lines)


def _draw_states(canvas: _Canvas, wiring: Wiring, row: int, columns: list[int], bridge: str) -> None:
    """Draw the decoder's cells and the states between them; the first starts from the encoder, or from zeros."""
    lines = (
        "decoder",
        _name_layers(wiring.decoder_layers, CELL_NAMES[wiring.cell]),
        f"{wiring.decoder_input_dim or 'no input'} -> {wiring.decoder_dim}",
    )
    for column in columns:
        canvas.put_box(row, column, _CELL_WIDTH, lines)
        canvas.put(row + 2, column + _CELL_WIDTH - 1, f"├{'─' * (_CELL_GAP - 1)}►")
    if wiring.starts_from_latent:
        length = columns[0] - _ENCODER_WIDTH
        canvas.put(row + 2, _ENCODER_WIDTH - 1, f"├{'─' * (length - 1)}►")
        canvas.put_centred(row + 1, _ENCODER_WIDTH + length // 2, bridge)
    else:
        canvas.put(row + 2, columns[0] - 4, "0 ─►")


def _draw_outputs(canvas: _Canvas, wiring: Wiring, cell_row: int, centre: int, step: int) -> None:
    values = f"y_{step}, q_{step}" if wiring.learns_stop_probability else f"y_{step}"
    canvas.put_centred(_OUTPUT_ROW, centre, values)
    canvas.put(1, centre, "▲")
    size = f"{wiring.decoder_dim} -> {wiring.spec.target_size}"
    head = "the state itself"
    if wiring.has_head:
        head = f"{'softmax' if wiring.is_tokens else 'dense'} {size}"
    if wiring.learns_stop_probability:
        head = f"{head}, stop" if wiring.has_head else "the state, stop"
    canvas.put_centred(_HEAD_ROW, centre, head)
    canvas.put(_HEAD_ROW + 1, centre, "▲")
    if wiring.attention == "multiplicative":
        canvas.put_centred(_VECTOR_ROW, centre, f"► attend: v_{step} ")
        canvas.put(_VECTOR_ROW + 1, centre, "▲")
    canvas.put(cell_row, centre, "┴")


def _draw_inputs(canvas: _Canvas, wiring: Wiring, row: int, columns: list[int]) -> None:
    """Draw the inputs of each step from below: what it is fed, and what comes from the encoder along a line."""
    for arrow, names in zip(_ARROWS, _list_inputs(wiring), strict=False):
        for step, column in enumerate(columns):
            canvas.put(row, column + arrow, "▲")
            canvas.put_centred(row + 1, column + arrow, names[step])
    if wiring.repeats_latent:
        _draw_line(canvas, row, row + 2, _LATENT_COLUMN, [column + _ARROWS[0] for column in columns], " z ")
    if wiring.attention == "additive":
        place = _ARROWS[len(_list_inputs(wiring)) - 1]
        lower = row + 2 + wiring.repeats_latent
        _draw_line(canvas, row, lower, _MEMORY_COLUMN, [column + place for column in columns], " h_1 ... h_S ")


def _draw_line(canvas: _Canvas, top: int, row: int, start: int, ends: list[int], label: str) -> None:
    """Draw a line from the encoder's bottom along `row` and up to the columns `ends`, below their names."""
    canvas.put_column(start, top, row - 1)
    canvas.put(row, start, f"└{'─' * (ends[-1] - start - 1)}")
    for end in ends:
        canvas.put_column(end, top + 2, row - 1)
        canvas.put(row, end, "┘" if end == ends[-1] else "┴")
    canvas.put(row, start + 3, label)


def _list_inputs(wiring: Wiring) -> list[tuple[str, ...]]:
    """Return the name of each input of a step, at each of the steps."""
    inputs: list[tuple[str, ...]] = []
    if wiring.repeats_latent:
        inputs.append(("│",) * NUM_STEPS)
    if wiring.feedback != "none":
        inputs.append(("start" if wiring.is_tokens else "0", *(f"y_{step}" for step in range(1, NUM_STEPS))))
    if wiring.attention == "additive":
        inputs.append(tuple(f"k_{step}" for step in range(1, NUM_STEPS + 1)))
    elif wiring.input_feeding:
        inputs.append(("v_0=0", *(f"v_{step}" for step in range(1, NUM_STEPS))))
    return inputs


def _explain(wiring: Wiring) -> list[str]:
    """Describe in words what the picture cannot show."""
    lines = []
    if wiring.repeats_latent:
        states = "h and c" if wiring.carry == "hc" else "h" if wiring.cell == "lstm" else "the state"
        lines.append(f"z      the latent, {states} at the source's end, the same at every step")
    feedback = {
        "none": None,
        "teacher": "the true output in training, its own when decoding",
        "scheduled": f"the true output or its own in training, by a coin for each {wiring.sampling_unit}; then its own",
        "own": "its own output, in training and when decoding",
    }[wiring.feedback]
    lines.append(f"y      {feedback or 'the output; it is not fed back'}")
    if wiring.attention == "additive":
        lines.append("k      the context: attention over the encoder's outputs, queried with the state before the step")
    if wiring.attention == "multiplicative":
        lines.append("v      attention over the encoder's outputs, queried with the state after the step")
    if wiring.learns_stop_probability:
        lines.append("q      the stop probability")
    ends = {
        "fixed": f"after {wiring.spec.timesteps} steps, always; padding is learnt",
        "stop": "with q_t > 0.5" if wiring.learns_stop_probability else "with y_t = the stop symbol",
        "oracle": "none: the length must be given",
    }[wiring.length]
    lines.append(f"end    {ends}")
    if wiring.reverse_target:
        lines.append("order  y_1 is the target's last step")
    return lines
