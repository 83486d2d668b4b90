"""Runs `docs/quickstart.ipynb` from the first cell to the last, and writes the outputs into it.

pip install -e '.[bench]'
python benchmarks/notebook.py
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"


def shown(text: str) -> str:
    """Returns what a terminal shows of a text: what follows each line's last carriage return; without LiteRT's log."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(line for line in lines if not line.startswith("INFO: Created TensorFlow Lite"))


def tidy(outputs: list) -> list:
    """Returns a cell's outputs with all that it printed in one, without the states of a progress bar that are past."""
    printed = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    others = [output for output in outputs if output["output_type"] != "stream"]
    return [*([nbformat.v4.new_output("stream", name="stdout", text=shown(printed))] if printed else []), *others]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebook", type=Path, default=NOTEBOOK)
    path = parser.parse_args().notebook
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where `tinybert` is
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell["metadata"] = {}  # times of the run
        if cell["cell_type"] == "code":
            cell["outputs"] = tidy(cell["outputs"])
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
