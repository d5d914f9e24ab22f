"""Python processes forked from one that has imported what they need: each begins in milliseconds.

Where signals, exit statuses or several commands at once are tested, a command needs a process of its own. It seldom
needs its imports again, which take most of a second for the application and five seconds with TensorFlow.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

APPLICATION = ("lengthwise.app.hydra_app", "lengthwise.sweeps.sweep", "lengthwise.sweeps.executors.local")
"""What the application imports without TensorFlow and MLflow."""

TRAINING = (*APPLICATION, "lengthwise.app.cli", "lengthwise.pipeline.preload")
"""What a command imports that trains or decodes."""


class Request(NamedTuple):
    """A process to be forked: its words are a script, or `-c` and a program, and what follows."""

    words: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    starts_session: bool


class Process(subprocess.Popen[Any]):
    """A process as `subprocess` starts it, but forked from the one that has imported `preload`.

    Args:
        words: A script, or `-c` and a program, and their arguments.
        preload: Modules that are imported already.
        options: As of `subprocess.Popen`: `cwd`, `env`, `stdout`, `stderr`, `text`, `start_new_session`.
    """

    def __init__(self, words: Sequence[str], *, preload: tuple[str, ...] = APPLICATION, **options: Any) -> None:
        self._preload = preload
        super().__init__(words, **options)

    def _execute_child(self, words: Sequence[str], *options: Any) -> None:
        # Private, and the same in Python 3.11 to 3.13: all else of Popen, above all its pipes, is as it always is.
        directory, environment = options[4:6]
        pipes = options[9:15]
        ends = [pipes[number] if pipes[number] >= 0 else default for default, number in enumerate((0, 3, 5))]
        request = Request(
            words=tuple(words),
            directory=str(directory or Path.cwd()),
            environment=dict(os.environ if environment is None else environment),
            starts_session=bool(options[20]),
        )
        self._status, reported = os.pipe()
        self.pid = request_process(_start_server(self._preload), request, [*ends, reported])
        os.close(reported)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        return self.poll()


def run(words: Sequence[str], *, timeout: float = 200, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a process to its end and return its status, output and errors; one that takes too long is killed."""
    pipe = subprocess.PIPE
    with Process(words, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


@cache
def _start_server(preload: tuple[str, ...]) -> socket.socket:
    """Start the process that others are forked from; it ends with this one."""
    here, there = socket.socketpair()
    command = [sys.executable, __file__, str(there.fileno()), *preload]
    nothing = subprocess.DEVNULL
    server = subprocess.Popen(command, pass_fds=[there.fileno()], stdin=nothing, stdout=nothing, start_new_session=True)
    server.returncode = 0  # nobody waits for it
    there.close()
    atexit.register(here.close)
    return here


def request_process(server: socket.socket, request: Request, descriptors: list[int]) -> int:
    """Ask for a process, whose input, output, errors and status are the descriptors; returns its number."""
    content = pickle.dumps(tuple(request))
    socket.send_fds(server, [struct.pack("q", len(content))], descriptors)
    server.sendall(content)
    return int(struct.unpack("q", server.recv(8))[0])


def serve(channel: socket.socket) -> Request:
    """Fork a process for each request; returns in those, never in the server."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([channel, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(statuses)
        if channel not in ready:
            continue
        header, descriptors, _, _ = socket.recv_fds(channel, 8, 4)
        if not header:
            os._exit(0)
        content = b""
        while len(content) < struct.unpack("q", header)[0]:
            content += channel.recv(1 << 20)
        request = Request(*pickle.loads(content))
        number = os.fork()
        if number == 0:
            signal.set_wakeup_fd(-1)
            for descriptor in (channel.detach(), woken, waker, *statuses.values()):
                os.close(descriptor)
            _become(request, descriptors)
            return request
        statuses[number] = descriptors.pop()
        for descriptor in descriptors:
            os.close(descriptor)
        channel.sendall(struct.pack("q", number))


def _report_ended(statuses: dict[int, int]) -> None:
    """Write the status of each process that has ended to whoever waits for it."""
    while statuses:
        number, status = os.waitpid(-1, os.WNOHANG)
        if not number:
            return
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(statuses[number], b"%d" % os.waitstatus_to_exitcode(status))
        os.close(statuses.pop(number))


def _become(request: Request, descriptors: list[int]) -> None:
    """Make this process, just forked, the one that is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request.starts_session:
        os.setsid()
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    tempfile.tempdir = None


def execute(words: Sequence[str]) -> None:
    """Run a script, or `-c` and a program, as the interpreter would."""
    is_program = words[0] == "-c"
    sys.argv = ["-c", *words[2:]] if is_program else list(words)
    sys.path[0] = "" if is_program else str(Path(words[0]).parent)
    main = sys.modules["__main__"] = ModuleType("__main__")
    if not is_program:
        main.__file__ = words[0]
    source = words[1] if is_program else Path(words[0]).read_text(encoding="utf-8")
    exec(compile(source, "<string>" if is_program else words[0], "exec"), main.__dict__)


def warm() -> None:
    """Compose a configuration, so that Hydra's plugins are found and its grammar is read before a process is forked."""
    from lengthwise.config.compose import compose_options

    compose_options(["seed=1"])


if __name__ == "__main__":
    for name in sys.argv[2:]:
        __import__(name)
    warm()
    execute(serve(socket.socket(fileno=int(sys.argv[1]))).words)
