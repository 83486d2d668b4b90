"""What `--stage=all` prints at its end: teacher and student side by side, times, and what to run next."""

from tinybert_tf.data.squad import TASKS as QUESTION_TASKS
from tinybert_tf.evaluation.baselines import NAMES, TFIDF
from tinybert_tf.report.page import REPORT
from tinybert_tf.report.verdict import worth_it
from tinybert_tf.stages.common import command
from tinybert_tf.training.run_directory import RunDirectory


def summary(folder: RunDirectory) -> str:
    """Returns a table of teacher and student: results, the share that is kept, sizes and operations."""
    results = folder.record["results"]
    lines = []
    split, values = next(iter(results["splits"].items()))
    ours, theirs = results["model"], results["teacher"]
    lines.append(
        f"{split + ', ' + format(values['examples'], ',') + ' examples':32}{'teacher':>12}{'student':>12}{'':>4}ratio"
    )
    for name, value in values.get("metrics", {}).items():
        other = values["teacher_metrics"][name]
        lines.append(
            _row(name, f"{100 * other:.2f}", f"{100 * value:.2f}", f"{100 * value / other:.2f} % kept" if other else "")
        )
    for name, value in values.get("errors", {}).items():
        lines.append(_row(name, f"{values['teacher_errors'][name]:.4g}", f"{value:.4g}", ""))
    rows = (
        ("parameters", "parameters", 1e6, "M"),
        ("float32", "size_bytes", 1e6, "MB"),
        ("operations", "flops", 1e9, "GFLOP"),
    )
    for title, key, unit, suffix in rows:
        name = f"{title}, {ours['length']} tokens" if key == "flops" else title
        ratio = f"{theirs[key] / ours[key]:.1f} x less"
        lines.append(_row(name, f"{theirs[key] / unit:.2f} {suffix}", f"{ours[key] / unit:.2f} {suffix}", ratio))
    linear = values.get("baselines", {}).get(TFIDF, {"metrics": {}})
    for name, value in linear["metrics"].items():
        lines.append(f"{NAMES[TFIDF] + ', ' + name:44}{100 * value:>12.2f}    trained in seconds")
    if "agreement" in values:
        lines.append(_row("same answer", "", f"{100 * values['agreement']:.2f} %", ""))
    lines += ["", *worth_it(values)] if linear["metrics"] else []
    times = ", ".join(f"{name} {_minutes(value)}" for name, value in results["seconds"].items())
    lines += ["", f"Time     {times}"] if times else [""]
    report = folder.path / "evaluation" / REPORT
    lines += [
        f"Student  {folder.path / 'student' / 'model'}",
        f"Report   {report}" if report.is_file() else f"Details  {report.parent}",
        f"Next     {command('predict', model=folder.path / 'student')} {_asked(folder)}",
    ]
    return "\n".join(lines)


def _asked(folder: RunDirectory) -> str:
    of_questions = folder.record["settings"].get("task") in QUESTION_TASKS
    return "--question='…' --context='…'" if of_questions else "--text='…'"


def _row(name: str, teacher: str, student: str, ratio: str) -> str:
    return f"{name:32}{teacher:>12}{student:>12}    {ratio}".rstrip()


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
