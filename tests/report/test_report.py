"""The report's page: what stands in it, and that texts of users are only text."""

import dataclasses
import html.parser
import json

import numpy as np
import pytest

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.evaluation import metrics
from tinybert_tf.evaluation.calibration import Confidence
from tinybert_tf.report import charts
from tinybert_tf.report.curves import training_curves
from tinybert_tf.report.findings import Findings
from tinybert_tf.report.page import Report, Row, write_report
from tinybert_tf.report.verdict import worth_it

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
INT8 = {"size_bytes": 15e6, "milliseconds_a_text": 2.0, "metrics": {"accuracy": 0.7}, "agreement": 0.9}
FILES = {"int8": INT8, "float32": INT8 | {"size_bytes": 57e6}, "teacher": INT8 | {"size_bytes": 90e6}}


class Page(html.parser.HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "use", "img", "link", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += f" {data}"


@dataclasses.dataclass
class Model:
    """As much of a classifier as the report asks for."""

    labels: list

    def count_params(self):
        return 14_350_000


def findings_of(kind, teacher=True):
    """What could be known of a model on 40 texts."""
    rng = np.random.default_rng(0)
    texts = [f"{SCRIPT} film {i}" for i in range(40)]
    several = kind == "multi_label"
    classes = ("score",) if kind == "numbers" else ("bad", "<b>good</b>", "odd")
    logits = {name: rng.normal(size=(40, len(classes))) for name in ("model", "teacher", "tfidf", "majority")}
    if kind == "numbers":
        labels, names = logits["model"][:, 0] + rng.normal(size=40), ("pearson", "spearman")
    elif several:
        labels, names = (rng.random((40, 3)) < 0.5).astype(np.int64), ("micro_f1", "macro_f1")
    else:
        labels, names = rng.integers(3, size=40), ("accuracy",)
    task = Task("mine", classes, names, {}, multi_label=several)
    values = {"metrics": metrics.compute(names, labels, logits["model"]), "truncated": 1}
    values["intervals"] = dict.fromkeys(names, (0.1, 0.9))
    values["baselines"] = {
        key: {
            "metrics": metrics.compute(names, labels, logits[key]),
            "difference_intervals": dict.fromkeys(names, (-1, 1)),
        }
        for key in ("tfidf", "majority")
    }
    if teacher:
        values["teacher_metrics"] = metrics.compute(names, labels, logits["teacher"])
        values["difference_intervals"] = dict.fromkeys(names, (-0.1, 0.1))
    else:
        del logits["teacher"]
    dev = None if kind == "numbers" else Confidence.of(logits["model"], labels, 1.5)
    who = Model(list(classes)) if teacher else None
    known = (Examples(texts, None, labels), Model(list(classes)), who, logits, rng.integers(4, 60, size=40), 64)
    return Findings(task, *known, values, None if dev is None else 1.5, dev, {"loss": ([1, 2, 3], [3.0, 2.0, 1.0])})


@pytest.mark.parametrize("teacher", [True, False])
@pytest.mark.parametrize("kind", ["classes", "multi_label", "numbers"])
def test_every_kind_of_task(tmp_path, kind, teacher):
    metric = {"classes": "accuracy", "multi_label": "micro_f1", "numbers": "pearson"}[kind]
    files = {name: found | {"metrics": {metric: 0.7}} for name, found in FILES.items() if teacher or name != "teacher"}
    report = findings_of(kind, teacher).report(files, "python -m …", {"seed": 42}, {"keras": "3"})
    write_report(tmp_path / "report.html", report)
    page = Page((tmp_path / "report.html").read_text())

    assert page.open == []
    assert not [tag for tag, _ in page.elements if tag in ("script", "img", "link", "iframe")]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    addresses = [value for _, found in page.elements for name, value in found.items() if name in ("src", "href")]
    assert all(address.startswith("#") for address in addresses)  # nothing is fetched
    assert "The surest mistakes" in page.text and SCRIPT in page.text
    assert ("teacher" in page.text) == teacher
    assert ("Answering only when sure" in page.text) == (kind != "numbers")
    assert ("Which classes are confused" in page.text) == (kind == "classes")
    assert ("Each class" in page.text) == (kind != "numbers")
    drawn = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert len(drawn) == (4 if kind == "numbers" else 6) and all(drawn)


def test_the_verdict_says_what_the_numbers_say():
    values = {"metrics": {"accuracy": 0.8}, "baselines": {"tfidf": {"metrics": {"accuracy": 0.7}}}}
    baseline = values["baselines"]["tfidf"]
    baseline["difference_intervals"] = {"accuracy": (0.05, 0.15)}
    (good,) = worth_it(values)
    assert good.startswith("It is better than TF-IDF with a linear model") and "70.00, +10.00 points" in good
    baseline["difference_intervals"] = {"accuracy": (-0.01, 0.15)}
    (bad,) = worth_it(values)
    assert bad.startswith("It is not shown to be better") and bad.endswith("not worth it as it is.")
    assert worth_it({"metrics": {"accuracy": 0.8}}) == []


def test_numbers_stand_in_the_table(tmp_path):
    rows = [Row("student", 0.8630, (0.847, 0.878), 57.4, 3.71), Row("TF-IDF", 0.7894)]
    write_report(tmp_path / "report.html", Report("mine", "?", ["yes"], "accuracy", rows, []))
    text = " ".join(Page((tmp_path / "report.html").read_text()).text.split())
    assert "student 86.30 84.70 to 87.80 57.4 3.71 TF-IDF 78.94" in text


def test_charts_are_the_same_each_time():
    points = [charts.Point("a & b", 1.0, 0.8, (0.7, 0.9)), charts.Point("c", 9.0, 0.9, None)]
    drawn = [charts.pareto(points, ("TF-IDF", 0.5), "MB", "accuracy") for _ in range(2)]
    assert drawn[0] == drawn[1] and "a &amp; b" in drawn[0] and "currentColor" in drawn[0]


def test_curves_of_a_run_and_of_none(tmp_path):
    assert training_curves(tmp_path, "accuracy") == {}
    (tmp_path / "joint").mkdir()
    lines = [{"step": 0, "held_out/accuracy": 0.5}, {"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.0}]
    lines += [{"step": 20, "held_out/accuracy": 0.75}]
    (tmp_path / "joint" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3')
    expected = {"loss": ([10, 20], [3.0, 2.0]), "accuracy on dev": ([0, 20], [0.5, 0.75])}
    assert training_curves(tmp_path, "accuracy") == training_curves(tmp_path / "model", "accuracy") == expected
