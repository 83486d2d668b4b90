"""Draws the losses of a run of general distillation: `python benchmarks/plot_losses.py runs/general losses.png`."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"attention_loss": "#2b6cb0", "hidden_loss": "#c05621", "embedding_loss": "#2f855a"}


def main(run: str, output: str) -> None:
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, colour in COLOURS.items():
        train = [(line["step"], line[name]) for line in lines if name in line]
        held_out = [(line["step"], line[f"held_out/{name}"]) for line in lines if f"held_out/{name}" in line]
        axes[0].plot(*zip(*train), color=colour, linewidth=1, alpha=0.5)
        axes[0].plot(*zip(*held_out), "o-", color=colour, markersize=4, label=name.replace("_", " "))
    axes[0].set(yscale="log", xlabel="update", title="Losses: training (line) and held out (dots)")
    axes[0].legend(frameon=False, fontsize=9)

    last = next(line for line in reversed(lines) if "held_out/loss" in line)
    first = next(line for line in lines if "held_out/loss" in line)
    layers = sorted(int(n.rsplit("_", 1)[1]) for n in last if n.startswith("held_out/attention_loss_"))
    for kind, (colour, offset) in {"attention_loss": ("#2b6cb0", -0.2), "hidden_loss": ("#c05621", 0.2)}.items():
        names = [f"held_out/{kind}_{layer}" for layer in layers]
        places = [layer + offset for layer in layers]
        axes[1].bar(places, [first[n] for n in names], 0.38, color=colour, alpha=0.25)
        axes[1].bar(places, [last[n] for n in names], 0.38, color=colour, label=kind.replace("_", " "))
    axes[1].set(
        yscale="log", xlabel="student layer", xticks=layers, title="Held out by layer: untrained (pale), trained"
    )
    axes[1].legend(frameon=False, fontsize=9)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.2)
    figure.savefig(output, dpi=130)


if __name__ == "__main__":
    main(*sys.argv[1:])
