"""`python -m tinybert_tf.main` in processes of their own, forked from one that has imported TensorFlow once."""

import dataclasses
import importlib
import multiprocessing
import multiprocessing.process
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.stages.preloaded"])


@dataclasses.dataclass
class Command:
    """A stage's command that runs; it leads a process group of its own, and writes into two files."""

    process: multiprocessing.process.BaseProcess
    folder: tempfile.TemporaryDirectory

    def finish(self, timeout=300) -> subprocess.CompletedProcess:
        self.process.join(timeout)
        assert self.process.exitcode is not None, f"it still runs after {timeout} s"
        out, err = (Path(self.folder.name, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess([], self.process.exitcode, out, err)


def start(flags, file_size_bytes=None, **environment) -> Command:
    """Starts a command; with `file_size_bytes` no file of it may become longer, as if the disk were full."""
    folder = tempfile.TemporaryDirectory()
    process = FORKING.Process(target=_main, args=(flags, os.environ | environment, folder.name, file_size_bytes))
    process.start()
    return Command(process, folder)


def run(flags, **options) -> subprocess.CompletedProcess:
    return start(flags, **options).finish()


def call(module, *args) -> None:
    """Calls a module's `main`; for a process whose parent does not import the module."""
    importlib.import_module(module).main(*args)


def kill_when(flags, seen, timeout=240) -> None:
    """Starts a command and kills it, and all that it has started, as soon as `seen()`; it may not end before."""
    command = start(flags)
    deadline = time.monotonic() + timeout
    while command.process.is_alive() and time.monotonic() < deadline and not seen():
        time.sleep(0.01)
    os.killpg(command.process.pid, signal.SIGKILL)
    command.process.join()
    assert command.process.exitcode == -signal.SIGKILL


def _main(flags, environment, folder, file_size_bytes):
    """What the forked process does: all that a new one would, but for its imports."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT)
        os.dup2(file, descriptor)
        os.close(file)
    if file_size_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size_bytes, file_size_bytes))
    from tinybert_tf import main

    sys.exit(main.main(["tinybert_tf.main", *flags]))
