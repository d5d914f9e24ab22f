"""The presets of conf/model/: the options of each, and what it says about itself."""

from __future__ import annotations

from dataclasses import dataclass

from lengthwise.config.about import PresetAbout, take_about
from lengthwise.config.options import ModelOptions
from lengthwise.config.paths import conf_dir
from lengthwise.config.plain_yaml import read_yaml
from lengthwise.config.values import read_section
from lengthwise.errors import ConfigError

_FIRST = ("repeat", "stateful")


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A file of conf/model/.

    Args:
        name: Its stem, and the option `model.name`.
        about: What it has of its source.
        options: The model's options, as `model=NAME` composes them.
    """

    name: str
    about: PresetAbout
    options: ModelOptions


def list_presets() -> list[str]:
    """List the names of all presets: the two models of the question first, then the others by name."""
    names = [path.stem for path in (conf_dir() / "model").glob("*.yaml")]
    return sorted(names, key=lambda name: (name not in _FIRST, name))


def read_preset(name: str) -> Preset:
    """Read one preset.

    Args:
        name: Stem of a file of conf/model/.

    Raises:
        ConfigError: The file cannot be read, or an option is missing or refused; names the file.
    """
    path = conf_dir() / "model" / f"{name}.yaml"
    values = read_yaml(path)
    about = take_about(PresetAbout, values, path=path)
    try:
        options = read_section(ModelOptions, values, prefix="model")
    except ConfigError as error:
        problem = f"cannot be used: {str(error).rstrip('.')}"
        raise ConfigError(f"conf/model/{path.name}", problem, received=None, remedy="Correct the file") from error
    return Preset(name=name, about=about, options=options)
