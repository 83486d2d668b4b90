"""The curves of a training run, from the files in its folder."""

import json
from pathlib import Path


def training_curves(model: Path, metric: str) -> dict[str, tuple[list, list]]:
    """Returns steps and values of the loss and of a metric on dev, by what they are; {} where no run is known.

    Args:
        model: The run directory of a model, or its folder `model`. Of a run in phases, the last one counts.
        metric: Name of the metric.
    """
    run = model.parent if model.name == "model" else model
    files = sorted(run.glob("metrics.jsonl")) or sorted(
        run.glob("*/metrics.jsonl"), key=lambda file: file.stat().st_mtime
    )
    if not files:
        return {}
    curves = {}
    for name, key in (("loss", "loss"), (f"{metric.replace('_', ' ')} on dev", f"held_out/{metric}")):
        points = [(line["step"], line[key]) for line in _lines(files[-1]) if key in line]
        if len(points) > 1:
            curves[name] = tuple(map(list, zip(*points)))
    return curves


def _lines(file: Path):
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:  # a line that a kill cut off
            return
