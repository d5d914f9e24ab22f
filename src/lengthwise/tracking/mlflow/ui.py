"""Serving MLflow's user interface with two processes instead of fifteen."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import IO

from lengthwise.config.paths import project_root
from lengthwise.credentials import hide_credentials
from lengthwise.errors import LengthwiseError, Terminated
from lengthwise.signals import terminate_by_exception
from lengthwise.tracking.mlflow.store import prepare_database, resolve_uri, sqlite_path
from lengthwise.tracking.mlflow.views import EXPERIMENTS_PAGE

_READY_TIMEOUT_SECONDS = 90.0
_END_TIMEOUT_SECONDS = 5.0
_SMALL = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def serve_ui(uri: str, port: int, host: str = "127.0.0.1", *, page: str = EXPERIMENTS_PAGE) -> int:
    """Serve MLflow's user interface until Ctrl-C or SIGTERM.

    Prints its address in one line as soon as it answers. Must be called from the main thread.

    Args:
        uri: The option `tracking.uri`; if that is a server, only its address is printed.
        port: The port; if it is taken, a free one is used and printed.
        host: The address to listen at. The interface asks for no password: any address but this machine's own lets
            everybody who reaches it change the runs.
        page: The part of the printed address from `#` on.

    Returns:
        The exit status: 0 after Ctrl-C, 143 after SIGTERM, that of MLflow if it ended by itself.

    Raises:
        LengthwiseError: MLflow did not start; the message has the last lines of its output.
    """
    resolved = resolve_uri(uri)
    if resolved.startswith("http"):
        print(f"The runs are on a server: {hide_credentials(resolved)}/{page}", flush=True)
        return 0
    path = sqlite_path(resolved)
    if path is not None:
        prepare_database(path)
    chosen = _free_port(host, port)
    if chosen != port:
        print(f"Port {port} is taken; using {chosen}.", flush=True)
    if host not in {"127.0.0.1", "localhost", "::1"}:
        print(f"Everybody who reaches {host} can see and change the runs: there is no password.", flush=True)
    with tempfile.TemporaryFile() as output, terminate_by_exception():
        return _serve(resolved, host, chosen, output, page)


def _serve(uri: str, host: str, port: int, output: IO[bytes], page: str) -> int:
    process: subprocess.Popen[bytes] | None = None
    try:
        process = _start(uri, host, port, output)
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _wait_until_ready(process, address, output)
        print(f"Runs: {address}/{page}  (Ctrl-C ends it)", flush=True)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    except Terminated:
        return 143
    finally:
        if process is not None:
            _end(process)


def _start(uri: str, host: str, port: int, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the server in a process group of its own, so that all of it can be ended."""
    path = sqlite_path(uri)
    root = project_root() if path is None else path.parent
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    return subprocess.Popen(
        [*command, "--backend-store-uri", uri, "--artifacts-destination", (root / "mlruns").as_uri()],
        cwd=root,
        env={**os.environ, **_SMALL},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, output: IO[bytes]) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    output.seek(0)
    lines = output.read().decode("utf-8", errors="replace").strip().splitlines()[-10:]
    why = "did not answer" if process.poll() is None else f"ended with status {process.returncode}"
    raise LengthwiseError(
        "\n".join([f"MLflow's user interface {why}. Last lines of its output:", *map(hide_credentials, lines)])
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, by force if they do not end by themselves."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_TIMEOUT_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, wanted))
            return int(probe.getsockname()[1])
    raise LengthwiseError(f"Nothing can listen at {host}. Give an address of this machine.")
