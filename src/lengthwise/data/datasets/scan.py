"""Generate SCAN, commands to actions, from its grammar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lengthwise.config.options import ScanOptions
from lengthwise.data.assembly import TextExamples, Timesteps, assemble_texts
from lengthwise.data.dataset import Dataset
from lengthwise.data.datasets.registry import load_dataset
from lengthwise.data.splitting import count_share
from lengthwise.data.vocabulary import build_vocabulary
from lengthwise.errors import ConfigError

PRIMITIVES = {"walk": "I_WALK", "look": "I_LOOK", "run": "I_RUN", "jump": "I_JUMP"}
TURNS = {"left": "I_TURN_LEFT", "right": "I_TURN_RIGHT"}
TIMES = {"": 1, " twice": 2, " thrice": 3}

PAPER_CUT = 22
"""Longest output trained on in the paper's length split (experiment 2)."""

PAPER_TRAIN_FRACTION = 0.8

HELD_OUT = {"addprim_jump": ("jump", 1_467), "addprim_turn_left": ("turn left", 2_189)}
"""Primitive of each split of experiment 3, and how often it is repeated in training: a tenth of it."""


class Command(NamedTuple):
    """A command and its actions, both as words separated by spaces."""

    text: str
    actions: str


@load_dataset.register
def load_scan(options: ScanOptions, timesteps: Timesteps) -> Dataset:
    """Generate SCAN (Lake and Baroni 2018, arXiv 1711.00350) and split it.

    - `simple` (experiment 1): training takes a random share, 16,728 of the 20,910 commands or `train_fraction` of them
      rounded down (0.01 gives 209, 0.64 gives 13,382, as in the paper's size variants); the test is all the rest, as in
      the paper. The paper's own draw is not published; here the seed draws it. Smaller shares are parts of larger ones.
    - `length` (experiment 2): training takes commands of up to `length_cut` actions, the test the longer ones (16,990
      and 3,920 at 22; the cuts 24 to 40 are those of Newman et al. 2020, arXiv 2010.07174).
    - `addprim_jump`, `addprim_turn_left` (experiment 3): training takes every command without the primitive, and the
      primitive as a command of its own, repeated to a tenth of training (1,467 and 2,189 times); the test is all other
      commands with the primitive.

    The seed draws validation from the training commands, which then leave training. The repeated primitive stays in
    training, its only examples there.

    Args:
        options: Split and seed.
        timesteps: Most actions; commands with more are left out.

    Returns:
        The dataset, words to words; the vocabularies are those of the grammar, the same for every split.

    Raises:
        ConfigError: A split would be empty.
    """
    commands = generate_commands()
    split_rng, validation_rng, order_rng = np.random.default_rng(options.seed).spawn(3)
    in_train = _choose_train(commands, options, split_rng)
    train, val = _carve_validation(np.flatnonzero(in_train), options, validation_rng)
    if options.split in HELD_OUT:
        primitive, repeats = HELD_OUT[options.split]
        (index,) = (position for position, command in enumerate(commands) if command.text == primitive)
        train = np.concatenate([train, np.full(repeats, index)])
    parts = {"train": train, "val": val, "test": np.flatnonzero(~in_train & ~_is_primitive(commands, options))}
    splits = {name: _take_commands(commands, order_rng.permutation(indices)) for name, indices in parts.items()}
    codecs = (
        build_vocabulary([*PRIMITIVES, *TURNS, *TIMES, "turn opposite around and after"], "words"),
        build_vocabulary([*PRIMITIVES.values(), *TURNS.values()], "words"),
    )
    return assemble_texts("scan", splits, codecs=codecs, timesteps=timesteps)


def generate_commands() -> list[Command]:
    """Generate the 20,910 commands of the grammar (section 2 and supplementary figures 6 and 7), in a fixed order."""
    repeated = [
        Command(phrase.text + times, " ".join([phrase.actions] * count))
        for phrase in _generate_phrases()
        for times, count in TIMES.items()
    ]
    both = [
        command
        for first in repeated
        for second in repeated
        for command in (
            Command(f"{first.text} and {second.text}", f"{first.actions} {second.actions}"),
            Command(f"{first.text} after {second.text}", f"{second.actions} {first.actions}"),
        )
    ]
    return repeated + both


def _generate_phrases() -> list[Command]:
    phrases = [Command(verb, action) for verb, action in PRIMITIVES.items()]
    for verb, action in {**PRIMITIVES, "turn": ""}.items():
        for direction, turn in TURNS.items():
            once = f"{turn} {action}".strip()
            phrases += [
                Command(f"{verb} {direction}", once),
                Command(f"{verb} opposite {direction}", f"{turn} {once}"),
                Command(f"{verb} around {direction}", " ".join([once] * 4)),
            ]
    return phrases


def _choose_train(commands: Sequence[Command], options: ScanOptions, rng: np.random.Generator) -> NDArray[np.bool_]:
    if options.split == "simple":
        fraction = PAPER_TRAIN_FRACTION if options.train_fraction is None else options.train_fraction
        # The small number: a product such as 16,727.999... must not lose an example to rounding.
        num_train = int(fraction * len(commands) + 1e-6)
        if num_train < 2:
            _refuse_share("dataset.train_fraction", fraction, num_train)
        return rng.permutation(len(commands)) < num_train
    if options.split == "length":
        cut = PAPER_CUT if options.length_cut is None else options.length_cut
        return np.array([command.actions.count(" ") < cut for command in commands])
    primitive = HELD_OUT[options.split][0]
    return np.array([primitive not in command.text for command in commands])


def _is_primitive(commands: Sequence[Command], options: ScanOptions) -> NDArray[np.bool_]:
    """Return `(commands,)`, True for the command that is the held-out primitive itself."""
    primitive = HELD_OUT[options.split][0] if options.split in HELD_OUT else None
    return np.array([command.text == primitive for command in commands])


def _carve_validation(
    indices: NDArray[np.int64], options: ScanOptions, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    num_val = count_share(len(indices), options.validation_fraction)
    if num_val >= len(indices):
        _refuse_share("dataset.validation_fraction", options.validation_fraction, len(indices))
    shuffled = rng.permutation(indices)
    return shuffled[num_val:], shuffled[:num_val]


def _refuse_share(option: str, received: float, num_commands: int) -> None:
    raise ConfigError(
        option,
        f"must leave commands for training and for validation, of {num_commands}",
        received=str(received),
        remedy="Choose another share",
    )


def _take_commands(commands: Sequence[Command], indices: NDArray[np.int64]) -> TextExamples:
    chosen = [commands[index] for index in indices]
    return TextExamples(sources=[command.text for command in chosen], targets=[command.actions for command in chosen])
