"""Runs the product's own commands for benchmarks, each in its own process, unless they are finished."""

import json
import subprocess
import sys
import time
from pathlib import Path


def is_finished(folder: Path) -> bool:
    """Returns whether a run directory holds a finished run."""
    file = folder / "run.json"
    return file.is_file() and json.loads(file.read_text())["status"] == "finished"


def run_stage(stage: str, folder: Path, *flags: str, log: Path) -> None:
    """Runs or resumes a stage unless its folder holds a finished run; appends what it prints to `log`."""
    if is_finished(folder):
        return
    command = [sys.executable, "-m", "tinybert_tf.main", f"--stage={stage}", f"--output_dir={folder}", *flags]
    print(time.strftime("%H:%M:%S"), " ".join(command[1:]), flush=True)
    with log.open("a") as stream:
        subprocess.run(command, check=True, stdout=stream, stderr=stream)
