"""The report's charts, as SVG that takes the page's colours."""

import dataclasses
import io
import re
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

_INK = "#010203"  # replaced by the colour of the page's text
BLUE, ORANGE, GREEN, GREY, VIOLET = "#4a86d8", "#e07b39", "#3f9e6b", "#8b8f97", "#9a6dd7"
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "tinybert_tf",  # the same ids in each run
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}
_PERCENT = FuncFormatter(lambda value, _: f"{100 * value:g} %")


@dataclasses.dataclass(frozen=True)
class Point:
    """A model in a chart: what it costs, its metric, and the metric's 95 % interval if there is one."""

    name: str
    cost: float
    value: float
    interval: tuple[float, float] | None


def pareto(points: Sequence[Point], baseline: tuple[str, float] | None, axis: str, value: str) -> Markup:
    """Draws models as points: what they cost, on a logarithmic axis, and how good they are.

    Args:
        points: The models.
        baseline: Name and metric of what costs next to nothing, as a line; None for no line.
        axis: What the cost is, with its unit.
        value: What the metric is.
    """
    with rc_context(_STYLE):
        figure, axes = _figure(4.6, 3.2)
        points = sorted(points, key=lambda point: point.cost)
        low, high = points[0].cost / 2, points[-1].cost * 2
        for point, colour in zip(points, (GREEN, BLUE, ORANGE, VIOLET)):
            if point.interval:
                axes.vlines(point.cost, *point.interval, color=colour, alpha=0.5, linewidth=2)
            axes.scatter(point.cost, point.value, s=70, color=colour, zorder=3, label=point.name)
        if baseline:
            axes.axhline(baseline[1], color=GREY, linestyle="--", linewidth=1.2)
            axes.annotate(baseline[0], (low, baseline[1]), (4, 4), textcoords="offset points")
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.margins(y=0.15)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:g}"))
        axes.yaxis.set_major_formatter(_PERCENT)
        axes.set(xlabel=axis, ylabel=value)
        figure.legend(loc="outside upper center", ncols=len(points), frameon=False, labelcolor=_INK)
        return _svg(figure, f"{value} of each model against {axis}")


def curves(
    lines: dict[str, tuple[Sequence[float], Sequence[float]]], axis: str, value: str, percent: str = ""
) -> Markup:
    """Draws one line per name through its points, `(xs, ys)`; `percent` names the axes of shares: "", "y" or "xy"."""
    with rc_context(_STYLE):
        figure, axes = _figure(4.6, 2.9)
        for (name, (xs, ys)), colour in zip(lines.items(), (BLUE, ORANGE, GREEN, GREY, VIOLET)):
            axes.plot(xs, ys, color=colour, label=name, linewidth=1.8, marker="o" if len(xs) < 15 else "", markersize=4)
        for name in percent:
            getattr(axes, f"{name}axis").set_major_formatter(_PERCENT)
        axes.set(xlabel=axis, ylabel=value)
        if len(lines) > 1:
            axes.legend(frameon=False, labelcolor=_INK)
        return _svg(figure, f"{value} against {axis}")


def reliability(series: dict[str, list[dict]]) -> Markup:
    """Draws accuracy against confidence, from `Confidence.bins`; calibrated answers lie on the diagonal."""
    with rc_context(_STYLE):
        figure, axes = _figure(4.6, 2.9)
        axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
        for (name, bins), colour in zip(series.items(), (ORANGE, BLUE)):
            xs, ys = [row["confidence"] for row in bins], [row["accuracy"] for row in bins]
            axes.plot(xs, ys, color=colour, linewidth=1.5, label=name)
            largest = max(row["examples"] for row in bins)
            axes.scatter(xs, ys, s=[8 + 90 * row["examples"] / largest for row in bins], color=colour)
        least = min(row["confidence"] for bins in series.values() for row in bins)
        axes.set_xlim(least - 0.03, 1.02)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_PERCENT)
        axes.set(xlabel="confidence", ylabel="share that is right")
        axes.legend(frameon=False, labelcolor=_INK)
        return _svg(figure, "share of right answers against confidence")


def histogram(lengths: np.ndarray, limit: int) -> Markup:
    """Draws how many texts have how many tokens, and the model's limit."""
    with rc_context(_STYLE):
        figure, axes = _figure(4.6, 2.4)
        width = max(1, -(-int(np.ptp(lengths)) // 40))  # whole tokens, so that equal bars hold equally many lengths
        axes.hist(lengths, bins=np.arange(lengths.min(), lengths.max() + width + 1, width) - 0.5, color=BLUE)
        axes.axvline(limit, color=ORANGE, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"{limit}: longer texts are cut",
            (limit, axes.get_ylim()[1]),
            (-6, -12),
            ha="right",
            textcoords="offset points",
        )
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="tokens", ylabel="texts")
        return _svg(figure, "number of texts by number of tokens")


def _figure(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, description: str) -> Markup:
    """Returns the figure as an element of a page, with a description for screen readers."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(_INK, "currentColor")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn, count=1), count=1
    )
    # Matplotlib escapes the texts that it draws.
    return Markup(drawn.replace("<svg", Markup('<svg role="img" aria-label="{}"').format(description), 1))
