"""The one gate: what Hydra composed or a run stored becomes typed options here, or is refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lengthwise.config.options import PLUGIN_OPTIONS, RunOptions
from lengthwise.config.plain_yaml import check_references, check_yaml
from lengthwise.config.rules import check_given, check_rules
from lengthwise.config.upgrade import upgrade_config
from lengthwise.config.values import format_value, read_section, show_value
from lengthwise.credentials import hide_credentials
from lengthwise.errors import ConfigError

Scalar = str | int | float | bool | None
RawConfig = DictConfig
"""The type that Hydra composes, named here so that no other module needs OmegaConf."""

Options = TypeVar("Options")

OWN_SPLITS = ("validation_path", "test_path", "longer_path", "max_examples")
"""Options of datasets that say which examples of a run's own files are read, and for which split."""

_RESOLVER = re.compile(r"\$\{[^}]*:")


class Base(NamedTuple):
    """A stored configuration that another one starts from.

    Args:
        values: Its values; they take the place of those of the primary file.
        sections: Those that `values` holds, whose files are not read.
    """

    values: DictConfig
    sections: frozenset[str]


def parse_config(raw: DictConfig, *, overrides: Sequence[str] = ()) -> RunOptions:
    """Turn what Hydra composed into the options of one run.

    Args:
        raw: The composed configuration; Hydra's own part, if it has one, is ignored.
        overrides: Those of the command line, none of which may be without effect.

    Returns:
        The options, checked one by one and together.

    Raises:
        ConfigError: An option is unknown, missing, of the wrong type, out of range, or has no meaning beside another.
    """
    own = drop_hydra(raw) if "hydra" in raw else raw
    options = read_section(RunOptions, _resolve(own, prefix=""), prefix="")
    check_rules(options)
    check_given(options, overrides)
    return options


def drop_hydra(raw: DictConfig) -> DictConfig:
    """Return a copy without Hydra's own part, which is ten times as large as the options.

    Args:
        raw: The composed configuration.
    """
    own = OmegaConf.masked_copy(raw, [str(key) for key in raw if key != "hydra"])
    OmegaConf.set_struct(own, True)  # as in Hydra: a key that does not exist cannot be set without a +
    return own


def parse_plugin(kind: type[Options], raw: DictConfig | dict[str, Any]) -> Options:
    """Turn the options of one of Lengthwise's launchers or sweepers into their class.

    Args:
        kind: The class, one of `PLUGIN_OPTIONS`.
        raw: The options by name.

    Raises:
        ConfigError: As for `parse_config`.
    """
    prefix = PLUGIN_OPTIONS[kind].replace("/", ".").partition("=")[0]
    return read_section(kind, _resolve(OmegaConf.create(raw), prefix=prefix), prefix=prefix)


def parse_stored(text: str) -> RunOptions:
    """Read the configuration that a run has stored, of this version of the layout or an older one.

    Args:
        text: YAML as `dump_options` wrote it.

    Raises:
        ConfigError: The text is not YAML, or an option is refused as by `parse_config`.
    """
    check_yaml(text, name="the stored configuration")
    try:
        raw = OmegaConf.create(text)
    except Exception as error:  # YAML's errors are of many types
        raise ConfigError(
            "the stored configuration",
            "must be YAML",
            received=str(error).partition("\n")[0],
            remedy="Restore the file, or run the command again",
        ) from error
    if not isinstance(raw, DictConfig):
        raise ConfigError(
            "the stored configuration",
            "must be a mapping of options",
            received=show_value(text),
            remedy="Restore the file, or run the command again",
        )
    options = read_section(RunOptions, upgrade_config(_resolve(raw, prefix="")), prefix="")
    check_rules(options, chosen=())
    return options


def _resolve(raw: DictConfig, *, prefix: str) -> dict[str, Any]:
    """Return plain values, references to other options replaced; anything that would run a resolver is refused."""
    plain = OmegaConf.to_container(raw, resolve=False)
    check_references(plain, name=prefix or "the configuration")
    refuse_resolvers(plain, name=prefix)
    try:
        values = OmegaConf.to_container(raw, resolve=True)
    except (OmegaConfBaseException, RecursionError) as error:
        name = getattr(error, "full_key", None) or prefix or "the configuration"
        raise ConfigError(
            str(name),
            "refers to an option that has no value or does not exist",
            received=str(error).partition("\n")[0],
            remedy="Write the name of another option in ${...}, or the value itself",
        ) from error
    return {str(key): value for key, value in values.items()} if isinstance(values, dict) else {}


def refuse_resolvers(value: object, *, name: str) -> None:
    """Refuse values that would call a resolver, which reads the environment or computes.

    Args:
        value: Plain values, references not replaced.
        name: Dotted name of the value.

    Raises:
        ConfigError: A text holds a resolver.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_resolvers(inner, name=f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            refuse_resolvers(inner, name=name)
    elif isinstance(value, str) and _RESOLVER.search(value):
        raise ConfigError(
            name,
            "may refer to another option, as in ${latent_dim}, but not to the environment or a function",
            received=show_value(value),
            remedy="Write the value itself",
        )


def replace_decoding(options: RunOptions, raw: DictConfig) -> RunOptions:
    """Return options with another decoding, checked as by `parse_config`.

    Args:
        options: Of a run.
        raw: A composed configuration, of which only the section `decoding` is read.

    Raises:
        ConfigError: As for `parse_config`.
    """
    chosen = _resolve(OmegaConf.masked_copy(raw, ["decoding"]), prefix="")
    changed = read_section(RunOptions, dataclasses.asdict(options) | chosen, prefix="")
    check_rules(changed, chosen=("decoding",))
    return changed


def build_base(options: RunOptions, chosen: Collection[str]) -> Base:
    """Return the options of a stored run as what another configuration starts from.

    Where runs are kept is the user's to say, so `output_dir` and `tracking` are left out.

    Args:
        options: Of the run.
        chosen: Sections for which the command chooses a file.
    """
    left_out = {"config_version", "output_dir", "tracking", "resume", "base", *chosen}
    values = {key: value for key, value in dataclasses.asdict(options).items() if key not in left_out}
    sections = frozenset(key for key, value in values.items() if isinstance(value, dict))
    return Base(OmegaConf.create(_protect(values)), sections)


def replace_dataset(
    options: RunOptions,
    raw: DictConfig,
    *,
    own: Mapping[str, Any] | None,
    given: Sequence[str],
    fixed: Mapping[str, Scalar],
) -> RunOptions:
    """Return options whose dataset reads another file, checked as by `parse_config`.

    Args:
        options: Of a run.
        raw: A composed configuration, of which only the section `dataset` is read.
        own: The run's own values of the section, of which only those in `given` change; None: all are composed.
        given: Names of options of the section.
        fixed: Values of the section that take the place of all others.

    Raises:
        ConfigError: As for `parse_config`.
    """
    composed = _resolve(OmegaConf.masked_copy(raw, ["dataset"]), prefix="")["dataset"]
    section = composed if own is None else {**own, **{name: composed[name] for name in given}}
    section = {**section, **fixed}
    section |= {name: None for name in OWN_SPLITS if name in section}
    changed = read_section(RunOptions, dataclasses.asdict(options) | {"dataset": section}, prefix="")
    check_rules(changed, chosen=())
    return changed


def dump_options(options: RunOptions) -> str:
    """Write options as the YAML that a run stores.

    Args:
        options: The options.

    Returns:
        Text that `parse_stored` reads back to equal options, but for credentials, which are hidden.
    """
    return OmegaConf.to_yaml(OmegaConf.create(_protect(dataclasses.asdict(options))))


def _protect(value: Any) -> Any:
    """Return the values without credentials, and with `${` escaped: once parsed it is text, not a reference."""
    if isinstance(value, dict):
        return {key: _protect(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_protect(inner) for inner in value]
    return hide_credentials(value).replace("${", "\\${") if isinstance(value, str) else value


def flatten_options(options: RunOptions) -> dict[str, Scalar]:
    """Flatten options to the parameters of a run.

    Args:
        options: The options.

    Returns:
        Value by dotted name, in the order of `options.py`; a list as on the command line; credentials are hidden.
    """
    flat: dict[str, Any] = {}
    for name, value in dataclasses.asdict(options).items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    flat = {name: format_value(value) if isinstance(value, tuple) else value for name, value in flat.items()}
    return {name: hide_credentials(value) if isinstance(value, str) else value for name, value in flat.items()}
