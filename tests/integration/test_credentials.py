"""A secret in `tracking.uri` is found in nothing that is left, shown, sent or stored."""

from __future__ import annotations

from pathlib import Path

import pytest

import lengthwise
from helpers import forked
from helpers.commands import train, use

pytestmark = pytest.mark.slow

SECRET = "cAnAry5ecret"
ADDRESSES = [
    f"http://me:{SECRET}@127.0.0.1:9",
    f"http://{SECRET}@127.0.0.1:9",
    f"http://me:a/{SECRET}/b@127.0.0.1:9",
    f"http://127.0.0.1:9/?token={SECRET}",
    f"http://me:{SECRET}{'x' * 400}@127.0.0.1:9",
    f"postgresql://me:{SECRET}@127.0.0.1:9/runs?password={SECRET}",
]
SMALL = ["dataset=copy", "dataset.num_train=8", "dataset.num_validation=4", "dataset.num_test=4", "latent_dim=2"]
SMALL += ["training.epochs=1", "dataset.max_length=2", "dataset.longer_length=3"]


def find_secret(directory: Path) -> list[Path]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if SECRET.encode() in path.read_bytes() or SECRET in str(path)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one run under an address that holds the secret, and mirror it into a database by its own command."""
    directory = tmp_path_factory.mktemp("secret")
    train(*SMALL, f"output_dir={directory}/outputs", "study=one", f"tracking.uri='{ADDRESSES[0]}'")
    assert list(directory.glob("outputs/one/*/model"))
    return directory


def test_nothing_of_a_run_holds_it(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output_dir, store = f"output_dir={home}/outputs", f"tracking.uri=sqlite:///{home}/mlflow.db"
    use("sync", output_dir, store)
    use("evaluate", "latest", "decoding=beam", output_dir, f"tracking.uri='{ADDRESSES[2]}'")
    use("register", "latest", "name", output_dir, store)
    use("export", "latest", str(home / "exported"), output_dir)
    use("runs", "--json", output_dir)
    assert (home / "mlflow.db").stat().st_size
    assert list((home / "exported").iterdir())
    assert not find_secret(home)
    shown = capfd.readouterr()
    assert SECRET not in shown.out + shown.err


def test_a_loaded_model_does_not_hold_it(home: Path) -> None:
    predictor = lengthwise.load("latest", f"output_dir={home}/outputs", f"tracking.uri='{ADDRESSES[0]}'")
    assert SECRET not in repr(vars(predictor))


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_message_holds_it(tmp_path: Path, capfd: pytest.CaptureFixture[str], address: str) -> None:
    places = [f"output_dir={tmp_path}", f"tracking.uri='{address}'"]
    for wrong in (["latent_dim=0"], ["dataset=pairs", f"dataset.path='{address}'"], [f"model='{address}'"], ["x=1"]):
        train(*wrong, *places)
    train("-m", f"tracking.uri='{address}','{address}2'", "latent_dim=0", f"output_dir={tmp_path}")
    for flags in (["--cfg", "job"], ["--cfg", "all"], ["--info", "config"], ["--help"]):
        train(f"tracking.uri='{address}'", *flags)
    for command in ("runs", "sync", "reap"):
        use(command, *places)
    use("register", "latest", "name", *places)
    use("decode", address, "text", *places)
    for command in (["show", address], ["diff", address, address], ["report", address], ["models", address]):
        use(*command, f"output_dir={tmp_path}")
        use(*command, *places)
    for command in ("encode", "evaluate", "serve", "export"):
        use(command, address, "--file", address, "--output", f"{address}.csv", *places)
        use(command, address, f"dataset.path='{address}'", *places)
    for name in ("base", "weights", "resume"):
        train(f"{name}='{address}'", *places)
        train("-m", f"{name}='{address}'", "seed=1,2", *places)
    train("-m", "hydra/sweeper=tuned", f"hydra.sweeper.tune=\"tracking.uri='{address}','{address}2'\"", *places)
    train("-m", "hydra/launcher=ray", f"hydra.launcher.address='{address}'", "seed=1,2", "latent_dim=0", *places)
    shown = capfd.readouterr()
    assert SECRET not in shown.out + shown.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_nothing_of_a_sweep_holds_it(tmp_path: Path) -> None:
    app = Path(__file__).parents[1] / "helpers" / "sweep_app.py"
    places = [f"output_dir={tmp_path}", f"tracking.uri='{ADDRESSES[0]}','{ADDRESSES[1]}'"]
    done = forked.run([str(app), "-m", "seed=1,101", *places], cwd=tmp_path)
    assert list(tmp_path.rglob("manifest.json"))
    assert SECRET not in done.stdout + done.stderr
    assert not find_secret(tmp_path)
