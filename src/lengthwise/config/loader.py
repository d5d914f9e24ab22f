"""Hydra's loader with checks: no file may name code, set a part of Hydra, send runs elsewhere, or hold too much.

Hydra instantiates callbacks and configures logging from what was composed, before a program sees any of it. So a file
is checked when it is read, what it sets when its place in the configuration is known, and all of it when composed.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import __version__, version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository, IConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.default_element import GroupDefault, ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from lengthwise.config.about import ABOUT
from lengthwise.config.overrides import PLACES, check_overrides
from lengthwise.config.parse import Base, refuse_resolvers
from lengthwise.config.paths import conf_dir, find_own_conf
from lengthwise.config.plain_yaml import check_references, check_yaml_file
from lengthwise.config.plugins import list_conf_dirs
from lengthwise.errors import ConfigError

PLUGINS: Mapping[str, frozenset[str]] = {
    "launcher": frozenset(
        {
            "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
            "hydra_plugins.lengthwise_local.launcher.LocalLauncher",
            "hydra_plugins.lengthwise_ray.launcher.RayLauncher",
            "hydra_plugins.lengthwise_slurm.launcher.SlurmLauncher",
        }
    ),
    "sweeper": frozenset(
        {
            "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
            "hydra_plugins.lengthwise_optuna.sweeper.OptunaSweeper",
            "hydra_plugins.lengthwise_tuned.sweeper.TunedSweeper",
        }
    ),
}
"""The classes that Hydra may instantiate, by the part of its configuration that names them: these and no others."""

_SETTABLE = {"mode", "searchpath", "help", *PLUGINS}
"""The parts of Hydra that a file may set; all others would make it write files, run code, or take no effect here."""

_MOST_FILES = 200
_HYDRA_VERSION = "1.3"


def make_search_path(directory: Path, *, extra: Path | None = None) -> ConfigSearchPath:
    """Return where files are looked for.

    Args:
        directory: Of the primary configuration.
        extra: A further directory of the user's; None: `conf` in the current directory, where it is there. The files
            of `directory` come first, then those of packages that add datasets.
    """
    if __version__.startswith(f"{_HYDRA_VERSION}."):
        version.setbase(_HYDRA_VERSION)  # later ones have one behaviour, and warn of being asked for it
    search_path = create_config_search_path(str(directory.resolve()))
    after = SearchPathQuery(provider="schema")
    for package, conf in list_conf_dirs():
        search_path.prepend(provider=f"the package {package}", path=f"file://{conf.resolve()}", anchor=after)
    extra = find_own_conf() if extra is None else extra
    if extra is not None:
        search_path.prepend(provider="command-line", path=f"file://{extra.resolve()}", anchor=after)
    return search_path


def compose_raw(overrides: Sequence[str]) -> DictConfig:
    """Compose the shipped configuration under some overrides, for a single run.

    Args:
        overrides: As on the command line, already checked.

    Returns:
        The composed configuration with Hydra's own part.
    """
    loader = CheckedLoader(make_search_path(conf_dir()))
    return loader.load_configuration("config", list(overrides), run_mode=RunMode.RUN, from_shell=False)


def has_option(composed: DictConfig, name: str) -> bool:
    """Tell whether a configuration has a section or an option.

    Args:
        composed: The configuration.
        name: Dotted name.
    """
    node: Any = composed
    for part in name.split("."):
        if not OmegaConf.is_dict(node) or part not in node:
            return False
        node = node[part]
    return True


class CheckedLoader(ConfigLoaderImpl):
    """Composes as Hydra does, from files that pass the checks.

    Args:
        search_path: Of `make_search_path`.
        base: What the primary file's values are replaced by; None: nothing.
    """

    def __init__(self, search_path: ConfigSearchPath, *, base: Base | None = None) -> None:
        super().__init__(search_path)
        self.repository = _CheckedRepository(search_path)
        self._base, self._primary = base, ""

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose one configuration; see Hydra's loader."""
        composed = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        _check_references(composed)
        for plugin, allowed in PLUGINS.items():
            _check_plugin(composed, plugin, allowed)
        return composed

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose a job of a sweep; its overrides may come from a file, so they are checked as the command line's."""
        check_overrides(sweep_overrides)
        return super().load_sweep_config(master_config, sweep_overrides)

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str], parsed_overrides: list[Override] | None = None
    ) -> tuple[list[Override], CachingConfigRepository]:
        self._primary = config_name or ""
        parsed = parsed_overrides  # given since Hydra 1.4
        if parsed is None:
            parsed = OverridesParser.create().parse_overrides(overrides=overrides)
        repository = _BoundedRepository(self.repository, primary=config_name, base=self._base)
        self._process_config_searchpath(config_name, parsed, repository)
        return parsed, repository

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        loaded = super()._load_single_config(default, repo)
        _drop_about(loaded.config)
        if loaded.path.startswith("file://"):  # not Hydra's own, and not of a plugin that is installed
            file = f"{loaded.path.removeprefix('file://')}/{default.config_path}.yaml"
            values = OmegaConf.to_container(loaded.config, resolve=False)
            _check_file(values, file)
            if not _may_set_places(default, loaded, primary=self._primary):
                _check_places(values, file)
        return loaded


class _CheckedRepository(ConfigRepository):
    """Finds files by Hydra's rules; what the user names must be a directory of files."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        for element in config_search_path.get_path():
            if element.provider.startswith("hydra.searchpath") and self._get_scheme(element.path) != "file":
                rule = "must name directories: a package would be imported"
                remedy = "Write hydra.searchpath=[file:///DIR]"
                raise ConfigError("hydra.searchpath", rule, received=repr(element.path), remedy=remedy)
        super().initialize_sources(config_search_path)
        self.sources = [
            # By its scheme: Hydra's search for plugins may execute the class' module again, and make another class.
            _CheckedFiles(source.provider, source.path) if source.scheme() == "file" else source
            for source in self.sources
        ]


class _BoundedRepository(CachingConfigRepository):
    """Keeps what was read, and counts how often files are asked for: their defaults may name each other many times."""

    def __init__(self, delegate: IConfigRepository, *, primary: str | None, base: Base | None) -> None:
        super().__init__(delegate)
        self._num_loaded, self._primary, self._base = 0, primary, base
        self._chosen: set[str] = set()

    def load_config(self, config_path: str) -> ConfigResult | None:
        self._num_loaded += 1
        if self._num_loaded > _MOST_FILES:
            rule = f"must not be composed of more than {_MOST_FILES} files"
            remedy = "Look for a file whose defaults name itself, or others many times"
            raise ConfigError("the configuration", rule, received=None, remedy=remedy)
        loaded = super().load_config(config_path)
        if loaded is None:
            return None
        if config_path != self._primary:
            self._check_overrides(loaded, config_path)
            return loaded
        self._chosen |= _list_overridden(loaded)
        if self._base is None:
            return loaded
        return _replace_values(loaded, self._base)

    def _check_overrides(self, loaded: ConfigResult, config_path: str) -> None:
        """Refuse a choice that the primary file makes too: Hydra would take that of the primary file."""
        _check_tracking(loaded, config_path)
        for group in sorted(_list_overridden(loaded) & self._chosen):
            rule = f"has no effect in {config_path}.yaml: {self._primary}.yaml overrides it"
            remedy = f"Take it out, and give {group}=NAME on the command line"
            raise ConfigError(f"override /{group}", rule, received=None, remedy=remedy)


def _list_overridden(loaded: ConfigResult) -> set[str]:
    """Return the groups whose choice a file overrides."""
    defaults = loaded.defaults_list or []
    return {
        each.group.lstrip("/") for each in defaults if isinstance(each, GroupDefault) and each.override and each.group
    }


def _replace_values(loaded: ConfigResult, base: Base) -> ConfigResult:
    """Return the primary file with the values of a stored configuration, and without the choice of their files."""
    defaults = [
        each
        for each in loaded.defaults_list or []
        if not (isinstance(each, GroupDefault) and each.group in base.sections)
    ]
    return dataclasses.replace(loaded, config=OmegaConf.merge(loaded.config, base.values), defaults_list=defaults)


class _CheckedFiles(FileConfigSource):
    """A directory of files that are checked before they are parsed."""

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path, self._normalize_file_name(config_path))
        if not file.is_file():
            return super().load_config(config_path)  # raises
        state = file.stat()
        read = _read_file(self.provider, self.path, config_path, (state.st_ino, state.st_mtime_ns, state.st_size))
        return copy.deepcopy(read)


@functools.lru_cache(maxsize=256)
def _read_file(provider: str, directory: str, config_path: str, _state: tuple[int, int, int]) -> ConfigResult:
    """Check and parse a file, once as long as it stays as it is: each command composes twice, a process many times."""
    source = FileConfigSource(provider, directory)
    check_yaml_file(Path(source.path, source._normalize_file_name(config_path)))
    return source.load_config(config_path)


def _drop_about(config: object) -> None:
    """Leave out what a file says about itself: a study at the root, a preset below `model`."""
    if isinstance(config, DictConfig):
        with open_dict(config):
            config.pop(ABOUT, None)
        if "model" in config:
            _drop_about(config._get_node("model"))


def _check_file(values: object, file: str) -> None:
    """Refuse what a file sets of Hydra beyond the parts that may be set, and any name of code.

    Args:
        values: What the file holds, at its place in the configuration.
        file: Its path.
    """
    if not isinstance(values, Mapping):
        return
    hydra = values.get("hydra", {})
    for key in hydra if isinstance(hydra, Mapping) else [str(hydra)]:
        if key not in _SETTABLE:
            rule = f"cannot be set in a file: of Hydra only {', '.join(sorted(_SETTABLE))} can"
            raise ConfigError(f"hydra.{key}", rule, received=file, remedy="Take it out of the file")
    for name in _find_code(values):
        if name not in {f"hydra.{plugin}._target_" for plugin in PLUGINS}:
            rule = "cannot be set in a file: no option names code to run"
            raise ConfigError(name, rule, received=file, remedy="Take it out of the file")


def _may_set_places(default: ResultDefault, loaded: ConfigResult, *, primary: str) -> bool:
    """Tell whether a file may say where runs and jobs go: Lengthwise's own, the primary one, and those it chooses."""
    is_chosen = (default.parent, default.package) in {(primary, "tracking"), ("hydra/config", "hydra.launcher")}
    return default.primary or is_chosen or loaded.path == f"file://{conf_dir().resolve()}"


def _check_places(values: object, file: str) -> None:
    """Refuse a file that says where runs and jobs go; arguments as for `_check_file`."""
    for name in PLACES:
        inner: Any = values
        for part in name.split("."):
            inner = inner.get(part) if isinstance(inner, Mapping) else None
        if inner is not None:
            rule = "cannot be set in this file: where runs and jobs go is for the command to say"
            raise ConfigError(name, rule, received=file, remedy="Take it out, and give it on the command line")


def _check_tracking(loaded: ConfigResult, config_path: str) -> None:
    """Refuse a file that chooses a file of conf/tracking/ other than Lengthwise's own."""
    own = {path.stem for path in (conf_dir() / "tracking").glob("*.yaml")}
    for each in loaded.defaults_list or []:
        if isinstance(each, GroupDefault) and (each.group or "").lstrip("/") == "tracking" and each.value not in own:
            rule = f"must be one of {', '.join(sorted(own))} in {config_path}.yaml: where runs go is for you to say"
            remedy = "Take it out, and give tracking=NAME on the command line"
            raise ConfigError("/tracking", rule, received=repr(each.value), remedy=remedy)


def _find_code(value: object, *, name: str = "") -> Iterator[str]:
    """Yield the dotted names of the keys by which Hydra instantiates, such as `_target_`, anywhere in a value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            inner_name = f"{name}.{key}" if name else str(key)
            if str(key).startswith("_"):
                yield inner_name
            yield from _find_code(inner, name=inner_name)
    elif isinstance(value, list):
        for inner in value:
            yield from _find_code(inner, name=name)


def _check_references(composed: DictConfig) -> None:
    """Refuse more references than a file may hold in all files together, before any is replaced."""
    values = OmegaConf.to_container(composed, resolve=False)
    hydra = values.pop("hydra") if isinstance(values, dict) else {}
    check_references([values, *(hydra[part] for part in sorted(_SETTABLE - {"help"}))], name="the configuration")


def _check_plugin(composed: DictConfig, plugin: str, allowed: frozenset[str]) -> None:
    """Refuse a launcher or a sweeper of another class, and code among its options.

    Args:
        composed: The whole configuration; references are replaced, since Hydra does so before it instantiates.
        plugin: `launcher` or `sweeper`.
        allowed: The classes.
    """
    name = f"hydra.{plugin}"
    values = OmegaConf.to_container(composed.hydra, resolve=False)
    raw = values.get(plugin) if isinstance(values, dict) else None
    if not isinstance(raw, dict) or raw.get("_target_") not in allowed:
        received = repr(raw.get("_target_")) if isinstance(raw, dict) else repr(raw)
        remedy = f"Choose one by its name, as in hydra/{plugin}=NAME"
        raise ConfigError(
            f"{name}._target_", "must be a class of Lengthwise or Hydra", received=received, remedy=remedy
        )
    refuse_resolvers(raw, name=name)
    resolved = OmegaConf.to_container(composed.hydra[plugin], resolve=True)
    found = [each for each in _find_code(resolved, name=name) if each != f"{name}._target_"]
    if found:
        rule = "cannot be set: no option names code to run"
        raise ConfigError(found[0], rule, received=None, remedy=f"Set only what `lengthwise options {name}` lists")
