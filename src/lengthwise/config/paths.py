"""Find the project, its configuration files and the directory of its runs."""

from __future__ import annotations

from pathlib import Path

from lengthwise.config.options import RunOptions
from lengthwise.errors import ConfigError, LengthwiseError

_PACKAGE = Path(__file__).resolve().parents[1]


def _checkout() -> Path | None:
    """Return the repository that this package is run from; None where it is installed."""
    root = _PACKAGE.parent.parent
    is_checkout = _PACKAGE.parent.name == "src" and (root / "conf" / "config.yaml").is_file()
    return root if is_checkout else None


def project_root() -> Path:
    """Return the directory that relative paths of options are taken from.

    Returns:
        The checkout that holds `conf/` beside `src/`; the current directory where the package is installed without one.
    """
    return _checkout() or Path.cwd()


def find_output_dir(options: RunOptions) -> Path:
    """Return the directory that the runs of some options are in, absolute.

    Args:
        options: Of a run or a command, of which `output_dir` is read.
    """
    return project_root() / options.output_dir


def conf_dir() -> Path:
    """Return the directory of the configuration's YAML files.

    Returns:
        `lengthwise/conf` of an installed package, else the checkout's `conf/`.

    Raises:
        LengthwiseError: There is neither, so the installation is incomplete.
    """
    shipped = _PACKAGE / "conf"
    if (shipped / "config.yaml").is_file():
        return shipped
    checkout = _checkout()
    if checkout is None:
        raise LengthwiseError(f"No configuration files at {shipped}. Install lengthwise again.")
    return checkout / "conf"


def find_own_conf() -> Path | None:
    """Return the user's own directory of YAML files.

    Returns:
        `conf` in the current directory, if it holds a group such as `dataset/`; None where there is none, and where it
        holds a whole configuration, `config.yaml`, as in a checkout.

    Raises:
        ConfigError: A file has the name of one of Lengthwise's, which would be read instead of it.
    """
    own, shipped = Path.cwd() / "conf", conf_dir()
    groups = [path.name for path in shipped.iterdir() if path.is_dir() and path.name != "hydra"]
    if not any((own / group).is_dir() for group in groups) or (own / "config.yaml").exists():
        return None
    for group in groups:
        for file in sorted((own / group).glob("*.yaml")):
            other = shipped / group / file.name
            if other.is_file() and other.read_bytes() != file.read_bytes():
                rule = "has the name of a file of Lengthwise, which is read instead"
                remedy = f"Give it another name, and choose it with {group}=NAME"
                raise ConfigError(f"conf/{group}/{file.name}", rule, received=None, remedy=remedy)
    return own


def find_ending(path: str) -> str:
    """Return the ending of a file's name that says what it holds, in lower case; `.gz` says only that it is compressed.

    Args:
        path: As the user wrote it.

    >>> find_ending("data/Rows.CSV.gz")
    '.csv'
    """
    return Path(path.lower().removesuffix(".gz")).suffix
