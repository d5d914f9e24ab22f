"""Show the presets: a table of all, and one model in full."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from rich import box
from rich.console import Console
from rich.table import Table

from lengthwise.catalog.diagram import draw_wiring
from lengthwise.catalog.equations import CELL_NAMES, format_equations, write_equations
from lengthwise.catalog.presets import Preset
from lengthwise.config.about import PresetAbout
from lengthwise.config.options import ModelOptions
from lengthwise.config.values import format_value
from lengthwise.data.dataset import DataSpec
from lengthwise.models.wiring import Wiring, count_parameters, list_parameters, resolve_wiring

TUTORIAL_SYMBOLS = DataSpec(kind="tokens", source_size=71, target_size=93, source_timesteps=16, timesteps=59)
"""The sizes of the ten-minute tutorial of Keras: its first 10,000 English and French sentences."""

EIGHT_FEATURES = DataSpec(kind="features", source_size=8, target_size=8, source_timesteps=8, timesteps=8)
"""The sizes of the handwritten digits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One model of the table; the texts are as they are shown.

    Args:
        preset: Name of the preset.
        conditioning: The option `model.conditioning`.
        feedback: The option `model.feedback`.
        length: The option `model.length`.
        cell: Cell of encoder and decoder; `bi-` where the encoder reads in both directions.
        layers: Layers of encoder and decoder.
        carried: Final states that the encoder passes on.
        reversed: Whether the source is read, or the target produced, from its end.
        attention: The option `model.attention`, and whether it feeds its vector to the next step.
        parameters: Number of trainable parameters.
        title: Whose model it is.
    """

    preset: str
    conditioning: str
    feedback: str
    length: str
    cell: str
    layers: str
    carried: str
    reversed: str
    attention: str
    parameters: str
    title: str


def tabulate_presets(presets: Sequence[Preset], latent_dim: int, spec: DataSpec) -> list[Row]:
    """Write a row for each preset.

    Args:
        presets: The presets, in the order of the rows.
        latent_dim: Size of the latent, units.
        spec: Sizes of the data.

    Raises:
        ConfigError: A preset's parameter budget cannot be met.
    """
    return [_write_row(preset, resolve_wiring(_fit(preset.options, spec), latent_dim, spec)) for preset in presets]


def _fit(options: ModelOptions, spec: DataSpec) -> ModelOptions:
    """Leave out embeddings where there are no symbols: with them the preset would be refused."""
    return replace(options, embedding_dim=None) if spec.kind == "features" else options


def _write_row(preset: Preset, wiring: Wiring) -> Row:
    backward = [name for name in ("source", "target") if getattr(wiring, f"reverse_{name}")]
    return Row(
        preset=preset.name,
        conditioning=wiring.conditioning.replace("_", " "),
        feedback=wiring.feedback,
        length=wiring.length,
        cell=f"{'bi-' if wiring.bidirectional else ''}{CELL_NAMES[wiring.cell]}",
        layers=f"{wiring.encoder_layers}+{wiring.decoder_layers}",
        carried=", ".join(wiring.carried),
        reversed=", ".join(backward) or "-",
        attention=f"{wiring.attention.replace('none', '-')}{', fed' if wiring.input_feeding else ''}",
        parameters=f"{count_parameters(wiring):,}",
        title=preset.about.title,
    )


def describe_sizes(latent_dim: int, spec: DataSpec) -> str:
    """Describe the sizes that the numbers of parameters are for.

    Args:
        latent_dim: Size of the latent, units.
        spec: Sizes of the data.
    """
    what = "symbols" if spec.kind == "tokens" else "features"
    return f"latent_dim={latent_dim}, {spec.source_size} source and {spec.target_size} target {what}"


def describe_model(options: ModelOptions, wiring: Wiring, preset: Preset, *, width: int) -> list[str]:
    """Write one model in full: what it is, its diagram, its equations, its parameters part by part.

    Args:
        options: The options of the model.
        wiring: The wiring of the model.
        preset: The preset of that name; what it says about itself is shown if no option differs from it.
        width: Characters of a line of text.

    Returns:
        Lines; those of the diagram have up to 118 characters, whatever the width.
    """
    lines = textwrap.wrap(f"{preset.name}: {preset.about.title}", width)
    notes = _list_notes(preset.about)
    names = [field.name for field in fields(options)]
    changed = [name for name in names if getattr(options, name) != getattr(preset.options, name)]
    if changed:
        notes = {"Changed": ", ".join(f"{name}={format_value(getattr(options, name))}" for name in changed)}
    for word, text in notes.items():
        lines += textwrap.wrap(f"{word + ':':<13}{text}", width, subsequent_indent=" " * 13, break_on_hyphens=False)
    lines.append("")
    lines += [describe_sizes(wiring.latent_dim, wiring.spec), "", *draw_wiring(wiring), ""]
    lines += [*format_equations(write_equations(wiring)), "", "Parameters"]
    parts = [*list_parameters(wiring), ("total", count_parameters(wiring))]
    return lines + [f"  {part:<18}{number:>14,}" for part, number in parts]


def _list_notes(about: PresetAbout) -> dict[str, str]:
    notes = {
        "Source": about.source,
        "Taken": about.taken,
        "Not taken": about.not_taken,
        "Widths": about.widths,
        "Checked": about.checked,
        "Not checked": about.not_checked,
    }
    return {word: text for word, text in notes.items() if text is not None}


def print_presets(rows: Sequence[Row], latent_dim: int, spec: DataSpec) -> None:
    """Print the table for a terminal, the sources below it.

    Args:
        rows: The result of `tabulate_presets`.
        latent_dim: Size of the latent, units.
        spec: Sizes of the data.
    """
    columns = [name for name in Row.__slots__ if name != "title"]
    table = Table(box=box.SIMPLE)
    for column in columns:
        is_number = column == "parameters"
        stays_whole = is_number or column in ("preset", "feedback")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=stays_whole, overflow="fold")
    for row in rows:
        table.add_row(*(getattr(row, column) for column in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(table)
    print(f"Layers of encoder and decoder; parameters with {describe_sizes(latent_dim, spec)}.\n")
    for row in rows:
        print(f"{row.preset:<29} {row.title}")
    print("\n`lengthwise models PRESET` shows one in full: its wiring, equations and parameters.")


def format_markdown(rows: Sequence[Row]) -> list[str]:
    """Write the table as Markdown.

    Args:
        rows: The result of `tabulate_presets`.

    Returns:
        Lines.
    """
    columns = Row.__slots__
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(_align(name) for name in columns)}|"]
    for row in rows:
        entries = [getattr(row, name).replace("|", "\\|") for name in columns]
        lines.append(f"| `{entries[0]}` | {' | '.join(entries[1:])} |")
    return lines


def _align(name: str) -> str:
    return "---:" if name == "parameters" else "---"
