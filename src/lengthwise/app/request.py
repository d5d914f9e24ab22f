"""What a command of `lengthwise` was given on the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lengthwise.config.options import RunOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A command line, read.

    Args:
        words: What is neither a flag nor an option, such as a run and the texts to decode.
        overrides: `OPTION=VALUE`, as for `python train.py`.
        flags: The command's own flags by name.
    """

    words: tuple[str, ...]
    overrides: tuple[str, ...]
    flags: argparse.Namespace

    @property
    def first(self) -> str | None:
        """The first word; None where there is none."""
        return self.words[0] if self.words else None

    def compose(self) -> RunOptions:
        """Compose the options that the overrides give.

        Raises:
            ConfigError: An override is refused.
        """
        from lengthwise.config.compose import compose_options

        return compose_options(self.overrides)
