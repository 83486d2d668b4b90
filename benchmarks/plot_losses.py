"""How did the losses of general distillation fall, in training and on held-out text, and in each layer?

It draws the metrics of a run.

    python benchmarks/plot_losses.py --run=runs/general --plot=losses.png
"""

import argparse
import json
from pathlib import Path

COLOURS = {"attention_loss": "#2b6cb0", "hidden_loss": "#c05621", "embedding_loss": "#2f855a"}


def plot(run: Path, file: Path) -> None:
    """Draws the losses by step, and those of each layer before and after training."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, colour in COLOURS.items():
        train = [(line["step"], line[name]) for line in lines if name in line]
        held_out = [(line["step"], line[f"held_out/{name}"]) for line in lines if f"held_out/{name}" in line]
        axes[0].plot(*zip(*train), color=colour, linewidth=1, alpha=0.5)
        axes[0].plot(*zip(*held_out), "o-", color=colour, markersize=4, label=name.replace("_", " "))
    axes[0].set(yscale="log", xlabel="step", title="Losses: training (line) and held out (dots)")
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
    figure.savefig(file, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/general"), help="a run of --stage=general")
    parser.add_argument("--plot", type=Path, default=Path("losses.png"), help="PNG file to draw the losses in")
    options = parser.parse_args()
    plot(options.run, options.plot)


if __name__ == "__main__":
    main()
