"""One trained run, used in every way a user would, in this process and in others: the same strings everywhere."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow import MlflowClient
from rich.console import Console

from helpers import forked
from helpers.commands import read_output, train
from lengthwise.pipeline import stages
from lengthwise.pipeline.results import RunResult
from lengthwise.serving.artifact import Artifact
from lengthwise.serving.predictor import Predictor
from lengthwise.tracking.runs.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NUM_INPUTS = 1_000
TRAIN = ["dataset=addition", "dataset.num_train=3000", "dataset.num_validation=100", "dataset.num_test=100"]
TRAIN += ["model=stateful", "latent_dim=24", "training=quick", "training.learning_rate=0.01", "study=served"]
ENVIRONMENT = os.environ | {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # where MLflow looks for its server
}
LENGTHWISE = ["-c", "from lengthwise.app.cli import main; main()"]


class Trained(NamedTuple):
    home: Path
    run: Path
    texts: list[str]
    wanted: list[str]

    @property
    def places(self) -> list[str]:
        return [f"output_dir={self.home}/outputs", f"tracking.uri=sqlite:///{self.home}/mlflow.db"]


def run_script(home: Path, script: str) -> Any:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=home, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def use(trained: Trained, *words: str, stdin: str = "") -> str:
    return read_output(trained.home, *words, *trained.places, stdin=stdin)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Train, and keep what the fitted model itself makes of the texts."""
    home = tmp_path_factory.mktemp("served")
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("0123456789+x "), rng.integers(0, 9))) for _ in range(NUM_INPUTS)]
    (home / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    wanted: list[str] = []
    write_outputs = stages.write_outputs

    def decode_and_write_outputs(run: Run, result: RunResult, console: Console) -> Any:
        missing = write_outputs(run, result, console)
        source, target = result.dataset.source_codec, result.dataset.target_codec
        models = result.inference.models
        fitted = Predictor(Artifact(options=result.options, models=models, source_codec=source, target_codec=target))
        wanted.extend(str(prediction.value) for prediction in fitted.decode(texts))
        return missing

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        patch.setattr(stages, "write_outputs", decode_and_write_outputs)
        assert train(*TRAIN, f"output_dir={home}/outputs", f"tracking.uri=sqlite:///{home}/mlflow.db") == 0
        assert len(set(wanted)) > 20, "a model that makes one answer to all would prove nothing"
        (run,) = (home / "outputs" / "served").iterdir()
        yield Trained(home, run, texts, wanted)


@pytest.fixture(scope="module")
def made_elsewhere(trained: Trained) -> dict[str, list[str]]:
    """Load the run in another process, by each of two ways, and return what it makes of the texts by each."""
    script = f"""
import json, lengthwise, sys
assert "tensorflow" not in sys.modules
import mlflow.pyfunc, pandas
texts = json.load(open("texts.json"))
model = mlflow.pyfunc.load_model({str(trained.run / "model")!r})
by_pyfunc = model.predict(pandas.DataFrame({{"source": texts}}))["prediction"].tolist()
predictor = lengthwise.load("best:served", *{trained.places!r})
print(json.dumps({{"pyfunc": by_pyfunc, "load": [made.value for made in predictor.decode(texts)]}}))
"""
    made: dict[str, list[str]] = run_script(trained.home, script)
    return made


@pytest.mark.parametrize("way", ["load", "pyfunc"])
def test_loaded_in_another_process(trained: Trained, made_elsewhere: dict[str, list[str]], way: str) -> None:
    assert made_elsewhere[way] == trained.wanted


@pytest.mark.parametrize("name", ["latest", "id", "directory"])
def test_decoded_on_the_command_line(trained: Trained, name: str) -> None:
    reference = {"latest": "latest", "id": trained.run.name[-6:-2], "directory": str(trained.run)}[name]
    (trained.home / "texts.txt").write_text("".join(f"{text}\n" for text in trained.texts), encoding="utf-8")
    made = use(trained, "decode", reference, "--file", "texts.txt").split("\n")
    assert made == [*trained.wanted, ""]
    lines = use(trained, "decode", reference, "--file", "-", "--json", stdin="12+3\n\n").splitlines()
    answers = [json.loads(line) for line in lines]
    assert [each["stopped"] for each in answers][1]
    assert answers[1]["prediction"] == ""
    assert answers[0]["log_probability"] < 0


def test_registered_and_loaded_by_its_alias(trained: Trained) -> None:
    names = use(trained, "register", "latest", "adder", "--alias", "champion")
    assert names.split() == ["models:/adder/1", "models:/adder@champion"]
    assert use(trained, "register", "latest", "adder") == "models:/adder/1\n", "once is enough"
    made = use(trained, "decode", "models:/adder@champion", *trained.texts[:5])
    assert made.split("\n") == [*trained.wanted[:5], ""]


def test_exported_and_loaded_with_tensorflow_alone(trained: Trained) -> None:
    use(trained, "export", "latest", "exported/1")
    script = """
import json, sys, tensorflow as tf
endpoint = tf.saved_model.load("exported/1").signatures["serving_default"]
made = endpoint(source=tf.constant(json.load(open("texts.json"))))["prediction"].numpy()
assert not any(name.startswith("lengthwise") for name in sys.modules)
print(json.dumps([text.decode() for text in made]))
"""
    assert run_script(trained.home, script) == trained.wanted


@contextmanager
def start_server(home: Path, start: Callable[..., subprocess.Popen[Any]], url: str) -> Iterator[None]:
    with (home / "server.log").open("w") as log:
        server = start(cwd=home, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(1200):
            time.sleep(0.1)
            assert server.poll() is None, (home / "server.log").read_text(encoding="utf-8")[-3000:]
            try:
                urllib.request.urlopen(url, timeout=5).read()
                break
            except OSError:
                continue
        yield
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(url: str, content: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request, timeout=120).read())


def test_served_over_http(trained: Trained) -> None:
    port = find_port()
    command = [*LENGTHWISE, "serve", "latest", "--port", str(port), *trained.places]
    start = partial(forked.Process, command, preload=forked.TRAINING)
    with start_server(trained.home, start, f"http://127.0.0.1:{port}/"):
        made = post(f"http://127.0.0.1:{port}/decode", {"sources": trained.texts})
    assert [each["prediction"] for each in made["predictions"]] == trained.wanted


def test_served_by_mlflow(trained: Trained) -> None:
    port = find_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--model-uri", str(trained.run / "model")]
    with start_server(trained.home, partial(subprocess.Popen, command), f"http://127.0.0.1:{port}/ping"):
        content = {"dataframe_split": {"columns": ["source"], "data": [[text] for text in trained.texts]}}
        made = post(f"http://127.0.0.1:{port}/invocations", content)
    assert [each["prediction"] for each in made["predictions"]] == trained.wanted


def test_scored_again_under_other_rules(trained: Trained) -> None:
    before = json.loads((trained.run / "manifest.json").read_text(encoding="utf-8"))
    for change in (["decoding=beam", "decoding.length=oracle"], ["decoding=beam", "decoding.width=2"]):
        use(trained, "evaluate", "latest", *change)
    after = json.loads((trained.run / "manifest.json").read_text(encoding="utf-8"))
    added = after.pop("summary")
    kept = before.pop("summary")
    assert after == before, "status, times and all else stay"
    assert {key: added[key] for key in kept} == kept
    assert "test/beam_oracle/exact_match" in added
    assert "longer/beam_model_width-2/exact_match" in added
    assert added["test/beam_oracle/length_error"] == 0
    client = MlflowClient(f"sqlite:///{trained.home}/mlflow.db")
    experiment = client.get_experiment_by_name("served")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/beam_oracle/exact_match"] == added["test/beam_oracle/exact_match"]


def test_an_interrupt_ends_a_long_file_at_a_whole_line(trained: Trained) -> None:
    lines = trained.home / "many.txt"
    lines.write_text("12+345\n" * 1_000_000, encoding="utf-8")
    output = trained.home / "made.txt"
    with output.open("w") as file:
        command = [*LENGTHWISE, "decode", "latest", "--file", str(lines), *trained.places]
        pipe = subprocess.PIPE
        process = forked.Process(
            command, preload=forked.TRAINING, cwd=trained.home, stdout=file, stderr=pipe, text=True
        )
        while output.stat().st_size < 20_000:
            time.sleep(0.1)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    made = output.read_text(encoding="utf-8")
    assert made.endswith("\n")
    assert len(set(made.split())) == 1
