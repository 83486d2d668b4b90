"""In which order is a student solved in closed form? It draws the figure of docs/closed_form.md.

python benchmarks/plot_closed_form.py --plot=docs/images/closed_form.png
"""

import argparse
import itertools
from pathlib import Path

TEACHER, STUDENT, BLUE, GREY = "#dfe8f5", "#dff2e1", "#3465a4", "#888888"
TEACHER_ROWS = ((3, "embeddings"), (11, "layers that are skipped"), (19, "layer g(1)"), (34, "layers that are skipped"))


def plot(file: Path) -> None:
    """Draws the teacher on the left, the student's parts on the right, and what goes from one to the other."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    figure, axes = plt.subplots(figsize=(9.6, 6.2))
    axes.set(xlim=(0, 98), ylim=(0, 62))
    axes.axis("off")

    def box(x, y, width, height, text, colour, size=9):
        axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0.25", fc=colour, ec=GREY, lw=0.8))
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size)

    def arrow(x, y, to_x, to_y, colour=GREY, line="-"):
        style = {"arrowstyle": "-|>", "color": colour, "lw": 1.3, "ls": line}
        axes.annotate("", (to_x, to_y), (x, y), arrowprops=style, zorder=0)

    def note(x, y, text, colour=BLUE):
        axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)

    axes.text(13, 59, "Teacher, width D", ha="center", fontsize=11, weight="bold")
    axes.text(70, 59, "Student, width d, solved from bottom to top", ha="center", fontsize=11, weight="bold")
    rows = [*TEACHER_ROWS, (42, "layer g(2)")]
    for y, text in rows:
        box(3, y, 20, 5, text, TEACHER)
    for (y, _), (above, _) in itertools.pairwise(rows):
        arrow(13, y + 5.3, 13, above - 0.3)
    box(48, 3, 45, 5, "directions chosen; tables projected; layer norm fitted", STUDENT)
    for number, y in ((1, 14), (2, 38)):
        box(48, y, 21, 5.4, "queries and keys,\ncut to rank d/h per head", STUDENT, 8)
        box(72, y, 21, 5.4, "values cut, output fitted,\nlayer norm", STUDENT, 8)
        box(72, y + 8, 21, 5.4, "neurons chosen, inputs and\noutputs fitted, layer norm", STUDENT, 8)
        axes.text(94.4, y + 6.7, f"layer {number}", rotation=90, va="center", ha="left", fontsize=9)
        arrow(69.4, y + 2.7, 71.6, y + 2.7)
        arrow(82.5, y + 5.7, 82.5, y + 7.7)
    arrow(58.5, 8.3, 58.5, 13.7)
    arrow(75, 27.7, 60, 37.6)
    note(79, 33, "the student's own states x", "#555555")
    for y, to_y in ((5.5, 5.5), (21.5, 18), (44.5, 42)):
        arrow(23.6, y, 47.5, to_y, BLUE, "--")
    arrow(23.6, 13.5, 71.6, 24.7, BLUE, ":")
    note(35, 31, "targets: q, k, v, the sums before\neach layer norm, its outputs")
    note(33.5, 12, "candidates among\ntheir neurons")
    note(35, 7.2, "in the student's directions")
    for x, y in ((13, 50), (70, 54)):
        axes.text(x, y, "…", ha="center", fontsize=14)
    figure.savefig(file, dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, required=True, help="PNG to write")
    plot(parser.parse_args().plot)
