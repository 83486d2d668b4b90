"""What is each part of TinyBERT worth? The main table and the ablations of docs/results/, from real runs.

Every student gets the same number of steps. Each run is a command of the product in its own process. Finished runs are
not repeated and interrupted ones resume, so the script can be stopped and started at will. The tables show the runs
that are finished.

    python benchmarks/task_distillation.py --runs=runs/benchmark              # main rows and ablations, a night
    python benchmarks/task_distillation.py --runs=runs/benchmark --rows=main --seeds=42
    python benchmarks/task_distillation.py --runs=runs/benchmark --rows=none  # only the tables
"""

import argparse
import dataclasses
import json
import statistics
from pathlib import Path

import numpy as np
from product import is_finished, run_stage
from task_distillation_rows import ABLATIONS, MAIN, MPNET, WITH_BIAS, Row

BUDGETS = {"movie_reviews": (600, 300), "wiki_topics": (200, 100)}  # steps of the two phases
GENERAL = 2000
MPNET_GENERAL = 300  # after MiniLM's steps; each takes as long as four of those
FIRST_SEED = 42


class Runs:
    """All runs of a task in one folder.

    Args:
        base: The folder.
        task: Name of the task.
    """

    def __init__(self, base: Path, task: str):
        self.base, self.task = base, task

    def folder(self, name: str, seed: int | None = None) -> Path:
        """Returns the folder of a run."""
        return self.base / ("shared" if seed is None else self.task) / (name if seed is None else f"{name}-{seed}")

    def places(self, seed: int) -> dict[str, Path | int]:
        """Returns the values that the flags of rows may refer to."""
        intermediate, prediction = BUDGETS[self.task]
        return {
            "steps": intermediate + prediction,
            "intermediate": intermediate,
            "prediction": prediction,
            "teacher": self.folder("teacher", seed),
            "general": self.folder("general"),
            "full": self.folder("full", seed),
            "mpnet_teacher": self.folder("mpnet_teacher", FIRST_SEED),
            "mpnet_general": self.folder("mpnet_general"),
            "mpnet_general_bias": self.folder("mpnet_general_bias"),
            "augment": self.folder("augment", FIRST_SEED),
        }

    def prepare(self, seed: int) -> None:
        """Makes the teacher, the general student and the augmentation."""
        corpus = "--corpus=wiki_openings,movie_reviews"
        long = ("--eval_steps=500", "--save_steps=500")
        svd = ("--student_init=svd", "--learning_rate=3e-3")
        self.run("general", self.folder("general"), f"--max_steps={GENERAL}", corpus, *svd, *long)
        self.run("masked_lm", self.folder("masked_lm"), corpus, "--eval_steps=200", "--save_steps=200")
        self.run(
            "finetune",
            self.folder("teacher", seed),
            f"--task={self.task}",
            f"--seed={seed}",
            "--eval_steps=234",
            "--save_steps=234",
        )
        teacher, guesser = self.folder("teacher", FIRST_SEED), self.folder("masked_lm")
        if seed == FIRST_SEED:
            self.run(
                "augment",
                self.folder("augment", FIRST_SEED),
                f"--task={self.task}",
                f"--masked_lm={guesser}",
                f"--teacher={teacher}",
            )

    def prepare_mpnet(self) -> None:
        """Makes the large teacher, of one seed, and its general students after MiniLM's, without and with its bias."""
        often = ("--eval_steps=100", "--save_steps=100")
        flags = ("--model=mpnet_base", "--epochs=1", "--learning_rate=3e-5", f"--seed={FIRST_SEED}", *often)
        self.run("finetune", self.folder("mpnet_teacher", FIRST_SEED), f"--task={self.task}", *flags)
        corpus, start = "--corpus=wiki_openings,movie_reviews", f"--student={self.folder('general')}"
        flags = ("--teacher=mpnet_base", start, f"--max_steps={MPNET_GENERAL}", "--learning_rate=1e-3", corpus, *often)
        self.run("general", self.folder("mpnet_general"), *flags)
        self.run("general", self.folder("mpnet_general_bias"), *flags, WITH_BIAS)

    def make(self, name: str, row: Row, seed: int) -> None:
        """Trains a row's model and evaluates it."""
        flags = [flag.format(**self.places(seed)) for flag in row.flags]
        self.run(row.stage, self.folder(name, seed), f"--task={self.task}", f"--seed={seed}", *flags)
        self.evaluate(name, seed, row.teacher)

    def evaluate(self, name: str, seed: int, teacher: str = "teacher") -> None:
        """Evaluates a model beside its teacher."""
        out = self.folder(f"evaluate-{name}", seed)
        model, teacher = self.folder(name, seed), self.places(seed)[teacher]
        self.run("evaluate", out, f"--task={self.task}", f"--model={model}", f"--teacher={teacher}")

    def run(self, stage: str, folder: Path, *flags: str) -> None:
        """Runs one command of the product, unless it is finished."""
        run_stage(stage, folder, *flags, log=self.base / "log.txt")

    def right(self, name: str, seed: int) -> np.ndarray | None:
        """Returns 1 or 0 for each test example, correct or not; None before the run. The large teacher has one seed."""
        seed = FIRST_SEED if name == "mpnet_teacher" else seed
        file = self.folder(f"evaluate-{name}", seed) / "predictions.jsonl"
        if not is_finished(file.parent):
            return None
        rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        return np.array([row["prediction"] == row["label"] for row in rows], float)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Returns the difference in points and its 95 % interval, by a paired bootstrap over the test examples."""
    rng = np.random.default_rng(0)
    each = ours - theirs
    drawn = [each[rng.integers(len(each), size=len(each))].mean() for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{100 * each.mean():+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def table(runs: Runs, rows: dict[str, Row], seeds: list[int], against: str) -> list[str]:
    """Returns a Markdown table of the finished runs."""
    lines = [
        "| | accuracy | of the teacher's | seeds | difference to " + against + ", points |",
        "| --- | --- | --- | --- | --- |",
    ]
    reference = {seed: runs.right(against, seed) for seed in seeds}
    for name, row in rows.items():
        own = seeds[:1] if name == "mpnet_teacher" else seeds
        right = {seed: found for seed in own if (found := runs.right(name, seed)) is not None}
        if not right:
            continue
        values = [100 * found.mean() for found in right.values()]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        teacher = {seed: runs.right(row.teacher, seed) for seed in right}
        kept = [100 * found.mean() / teacher[seed].mean() for seed, found in right.items() if teacher[seed] is not None]
        pairs = [(found, reference[seed]) for seed, found in right.items() if reference[seed] is not None]
        ours, theirs = (np.mean([pair[i] for pair in pairs], axis=0) if pairs else None for i in (0, 1))
        difference = "" if name == against or not pairs else _difference(ours, theirs)
        kept = f"{np.mean(kept):.1f} %" if kept and not name.endswith("teacher") else ""
        lines.append(f"| {row.title} | {np.mean(values):.2f}{spread} | {kept} | {len(values)} | {difference} |")
    return lines


def plot(runs: Runs, rows: dict[str, Row], seeds: list[int], file: Path) -> None:
    """Draws each row's accuracy: a mark per seed, the mean with its binomial 95 % interval, the teacher as a line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = {name: [r for seed in seeds if (r := runs.right(name, seed)) is not None] for name in rows}
    found = {name: values for name, values in found.items() if values}
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(found) + 1.1))
    for place, values in enumerate(reversed(found.values())):
        accuracies = [100 * value.mean() for value in values]
        mean = np.mean(accuracies)
        error = 1.96 * (mean * (100 - mean) / len(values[0])) ** 0.5
        axes.errorbar(mean, place, xerr=error, fmt="o", color="#225588", ecolor="#aabbcc", capsize=3)
        axes.plot(accuracies, [place] * len(accuracies), "|", color="#222222", markersize=9)
        axes.annotate(f"{mean:.1f}", (mean, place), (0, 5), textcoords="offset points", ha="center", fontsize=8)
    axes.set_yticks(range(len(found)), [rows[name].title for name in reversed(found)])
    axes.set_ylim(-0.6, len(found) - 0.3)
    if "teacher" in found:
        axes.axvline(100 * np.mean(found["teacher"]), color="#bb5533", linewidth=1, linestyle="--", zorder=0)
    axes.set_xlabel(f"accuracy on {runs.task}, %, and the 95 % interval of one run")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark"), help="folder for all runs")
    parser.add_argument("--task", default="movie_reviews", choices=BUDGETS, help="task that students learn")
    parser.add_argument("--rows", default="main,ablations", help="main, ablations, mpnet, none, or names of rows")
    parser.add_argument("--seeds", default="42,43,44", help="seeds of main and mpnet; ablations use the first one")
    parser.add_argument("--plot", type=Path, help="PNG file to draw the tables in")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    runs, wanted = Runs(options.runs, options.task), options.rows.split(",")
    everything = MAIN | ABLATIONS | MPNET
    for seed in seeds:
        chosen = [n for n in everything if n in wanted or (n in MAIN and "main" in wanted)]
        chosen += [n for n in ABLATIONS if "ablations" in wanted and seed == seeds[0]]
        chosen += [n for n in MPNET if "mpnet" in wanted]
        if chosen:
            runs.prepare(seed)
            runs.evaluate("teacher", seed)
        if any(name in MPNET for name in chosen):
            runs.prepare_mpnet()
            runs.evaluate("mpnet_teacher", FIRST_SEED, "mpnet_teacher")
            runs.make("full", MAIN["full"], seed)
        for name in dict.fromkeys(chosen):
            runs.make(name, everything[name], seed)
    main_rows = {"teacher": Row("teacher, MiniLM-L6 fine-tuned", "", ())} | MAIN
    print("\n".join(table(runs, main_rows, seeds, "full")), "\n")
    ablations = {"two_phases": ABLATIONS["two_phases"], "no_general": MAIN["no_general"]} | ABLATIONS
    print("\n".join(table(runs, ablations, seeds[:1], "two_phases")), "\n")
    mpnet = {"mpnet_teacher": Row("MPNet, fine-tuned: the teacher", "", ())} | main_rows
    mpnet = {name: mpnet[name] for name in ("mpnet_teacher", "teacher", "labels_only", "full")} | MPNET
    mpnet["full"] = dataclasses.replace(mpnet["full"], title="full recipe, MiniLM as teacher")
    print("\n".join(table(runs, mpnet, seeds, "mpnet_teacher")))
    if options.plot:
        indented = {
            name: row if name == "two_phases" else dataclasses.replace(row, title=f"– {row.title}")
            for name, row in ABLATIONS.items()
        }
        plot(runs, main_rows | indented, seeds, options.plot)


if __name__ == "__main__":
    main()
