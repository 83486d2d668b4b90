"""The report's page, from what has been found out."""

import dataclasses
from pathlib import Path

import jinja2
from markupsafe import Markup

from tinybert_tf.files import write_text

REPORT = "report.html"


@dataclasses.dataclass(frozen=True)
class Row:
    """A model in the report's table.

    Args:
        name: What it is.
        value: Its metric, a fraction.
        interval: The metric's 95 % interval; None if it was not computed.
        megabytes: Size of its file; None if it has none.
        milliseconds: Time per text; None if it was not measured.
        note: What else there is to say.
    """

    name: str
    value: float
    interval: tuple[float, float] | None = None
    megabytes: float | None = None
    milliseconds: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Sample:
    """A text and the answers that it got.

    Args:
        text: The text; a pair's second text follows in a line of its own.
        label: The right answer.
        answer: The model's answer.
        confidence: The model's probability of that answer.
        teacher: The teacher's answer, if there is one.
    """

    text: str
    label: str
    answer: str
    confidence: float | None = None
    teacher: str = ""


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart with its title and one sentence on how to read it."""

    title: str
    drawing: Markup
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    """All that the page shows; a part that is empty is left out.

    Args:
        title: Name of the task.
        question: What the report answers, in a sentence.
        verdict: The answer, in sentences.
        metric: Name of the metric in `rows`.
        rows: The models, the best known first.
        charts: The charts.
        classes: Rows of `ClassReport.rows`.
        confusion: Names of the classes, and how often each (row) is predicted as each (column).
        mistakes: The surest wrong answers.
        disagreements: Texts on which model and teacher differ.
        abstaining: Rows of the table of thresholds: wanted accuracy, threshold, coverage, accuracy.
        settings: Settings of the evaluation, by name.
        command: The command that repeats it.
        versions: Versions of the software, by name.
    """

    title: str
    question: str
    verdict: list[str]
    metric: str
    rows: list[Row]
    charts: list[Chart]
    classes: list[dict] = dataclasses.field(default_factory=list)
    confusion: tuple[list[str], list[list[int]]] | None = None
    mistakes: list[Sample] = dataclasses.field(default_factory=list)
    disagreements: list[Sample] = dataclasses.field(default_factory=list)
    abstaining: list[dict] = dataclasses.field(default_factory=list)
    settings: dict = dataclasses.field(default_factory=dict)
    command: str = ""
    versions: dict = dataclasses.field(default_factory=dict)


def write_report(path: Path, report: Report) -> None:
    """Writes the page. Texts of users are data in it: none of their markup is kept."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda value: f"{100 * value:.2f}"
    page = environment.get_template("page.html").render(
        **{f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
    )
    write_text(path, page)
