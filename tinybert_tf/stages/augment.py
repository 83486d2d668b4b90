"""Augmentation: variants of a task's training texts, from a masked LM and word vectors."""

import itertools
import json
import time
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.augmentation.augmenter import Augmenter, make_pair_variants
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.data.tasks import Task
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.metrics import predictions_of
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.models import BertClassifier
from tinybert_tf.presets.resolve import load_classifier, load_masked_lm
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import AugmentConfig
from tinybert_tf.stages.common import run_directory_of, sequence_length_of, task_of
from tinybert_tf.training.run_directory import RunDirectory, digest_of, replace_text

FILE = "augmented.jsonl"
VARIANTS = ".variants.jsonl"  # what there is of it while the run lasts
_CHUNK = 500  # examples that are written together; a killed run goes on after the last whole chunk


def run(config: AugmentConfig) -> RunDirectory:
    """Writes `output_dir/augmented.jsonl`: every training example, each followed by its variants.

    Raises:
        InputError: a setting or an input that cannot be used; nothing has been written then.
    """
    folder = run_directory_of(config, "augment")
    task = task_of(config)
    examples = task.split("train")
    masked_lm = load_masked_lm(config.masked_lm, argument="masked_lm", head_required=True)
    vectors = WordVectors.load(config.vectors) if config.vectors else None
    teacher = load_classifier(config.teacher, argument="teacher") if config.teacher else None
    if teacher is not None:
        task.columns_of(teacher.labels)  # refuses other ones
        if task.is_regression and config.drop_flips:
            raise InputError("drop_flips", "true, for a regression", "classes, which can turn round")
    inputs = {"masked_lm": digest_of(masked_lm), "task": task.fingerprint()}
    inputs["vectors"] = vectors.fingerprint() if vectors else ""
    inputs["teacher"] = digest_of(teacher) if teacher else ""
    if folder.finished_with(inputs):
        return folder
    with folder.start(inputs):
        start = time.monotonic()
        augmenter = Augmenter(masked_lm, vectors, config.num_candidates, config.batch_tokens, config.masked_share)
        _write_variants(config, task, examples, augmenter, folder.path / VARIANTS)
        results = _finish_file(config, task, examples, teacher, folder.path)
        folder.finish(results | {"seconds": round(time.monotonic() - start, 1)})
    return folder


def read_augmented(folder: str, task: Task, original_share: float) -> tuple[Examples, np.ndarray]:
    """Returns the examples of an augmentation, and how often each is to go into a pass, `[examples]`.

    Args:
        folder: of a finished augmentation.
        task: the one it was made for. A variant has the label of its original.
        original_share: of originals in a pass, where the file has fewer.

    Raises:
        InputError: it is not there, or was made for another task.
    """
    folder, argument = Path(folder).expanduser(), "augmented"
    file = folder / FILE if folder.is_dir() else folder
    if not file.is_file():
        raise InputError(argument, f"{folder} without {FILE}", "a finished run of --stage=augment")
    columns = {"source", "text"} | (set() if task.split("train").text_pairs is None else {"text_pair"})
    rows = []
    for number, line in enumerate(_lines(file), 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            rows.append(None)
        if not isinstance(rows[-1], dict) or columns - rows[-1].keys():
            expected = f"an object with {', '.join(sorted(columns))}"
            raise InputError(argument, f"{file}, line {number}: {line[:40].strip()!r}", expected)
    sources = np.array([row["source"] for row in rows])
    train = task.split("train")
    firsts = np.flatnonzero(np.concatenate([[True], sources[1:] != sources[:-1]]))
    pairs = train.text_pairs or itertools.repeat(None)
    known = [(rows[place]["text"], rows[place].get("text_pair")) for place in firsts]
    if known != list(zip(train.texts, pairs)):
        raise InputError(argument, f"{file}, of other training examples", f"an augmentation of {task.name}")
    texts = [row["text"] for row in rows]
    text_pairs = None if train.text_pairs is None else [row["text_pair"] for row in rows]
    labels = None if train.labels is None else train.labels[sources]
    repeats, variants = np.ones(len(rows), int), len(rows) - len(firsts)
    repeats[firsts] = max(1, round(original_share / (1 - original_share) * variants / len(firsts)))
    return Examples(texts, text_pairs, labels), repeats


def summary(folder: RunDirectory) -> str:
    """What a user wants to know at the end."""
    results = folder.record["results"]
    lines = []
    lines.append(f"{results['examples']:,} examples became {results['rows']:,} in {results['seconds']:.0f} s.")
    if results.get("flip_rate") is not None:
        of = f"{results['flips_looked_at']:,} variants"
        lines.append(f"The teacher's answer turns round on {100 * results['flip_rate']:.1f} % of {of}.")
    if results.get("dropped"):
        lines.append(f"{results['dropped']:,} of these were left out.")
    if results.get("mean_change") is not None:
        lines.append(f"The teacher's score changes by {results['mean_change']:.3f} on average.")
    lines += [
        f"Texts    {folder.path / FILE}",
        f"Next     python -m tinybert_tf.main --stage=task --augmented={folder.path}, with the same task",
    ]
    return "\n".join(lines)


def _write_variants(config: AugmentConfig, task: Task, examples: Examples, augmenter: Augmenter, file: Path) -> None:
    num_variants = config.num_variants or recipe_for(task.name).num_variants
    done = _resume(file)
    logging.info("Up to %d variants of each of %d %s examples.", num_variants, len(examples), task.name)
    pairs = examples.text_pairs or [None] * len(examples)
    with (
        file.open("a", encoding="utf-8") as stream,
        tqdm(total=len(examples), initial=done, desc="augment", unit="example", dynamic_ncols=True) as bar,
    ):
        for begin in range(done, len(examples), _CHUNK):
            numbers = range(begin, min(begin + _CHUNK, len(examples)))
            texts = [examples.texts[i] for i in numbers] + [pairs[i] for i in numbers if pairs[i] is not None]
            places = augmenter.places(texts)
            lines = []
            for k, i in enumerate(numbers):
                own = (examples.texts[i], pairs[i])
                where = (places[k], places[len(numbers) + k] if pairs[i] is not None else ())
                rng = np.random.default_rng([config.seed, i])
                variants = make_pair_variants(own, where, num_variants, config.replace_probability, rng)
                lines += [_line(i, *texts) for texts in (own, *variants)]
            stream.write("".join(lines))
            stream.flush()
            bar.update(len(numbers))


def _line(source: int, text: str, text_pair: str | None) -> str:
    row = {"source": source, "text": text} | ({} if text_pair is None else {"text_pair": text_pair})
    return json.dumps(row, ensure_ascii=False) + "\n"


def _lines(file: Path) -> list[str]:
    """The lines, with their ends, that are newlines alone: texts may hold what Unicode calls a line's end."""
    with file.open(encoding="utf-8", newline="\n") as stream:
        return stream.readlines()


def _resume(file: Path) -> int:
    """Cuts a partial file after its last whole chunk; returns how many examples it then holds."""
    if not file.exists():
        return 0
    size = whole = done = 0
    with file.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                break
            source = json.loads(line)["source"]
            if source // _CHUNK * _CHUNK > done:  # the first line of a chunk says that the ones before it are whole
                done, whole = source // _CHUNK * _CHUNK, size
            size += len(line)
    with file.open("r+b") as stream:
        stream.truncate(whole)
    return done


def _finish_file(config, task: Task, examples: Examples, teacher: BertClassifier | None, folder: Path) -> dict:
    """Looks at what the teacher says of the variants, leaves out what is not wanted, and gives the file its name."""
    lines = _lines(folder / VARIANTS)
    results = {"examples": len(examples), "rows": len(lines)}
    if teacher is not None:
        rows = [json.loads(line) for line in lines]
        turned, looked_at, change = _flips(config, task, teacher, rows)
        results |= {"flips_looked_at": looked_at}
        results |= {"mean_change": change} if task.is_regression else {"flip_rate": len(turned) / max(1, looked_at)}
        if config.drop_flips:
            lines = [line for i, line in enumerate(lines) if i not in turned]
            results |= {"dropped": len(turned), "rows": len(lines)}
    replace_text(folder / FILE, "".join(lines))
    (folder / VARIANTS).unlink()  # not before: a run killed in between goes on from all of the variants
    return results


def _flips(config, task: Task, teacher: BertClassifier, rows: list[dict]) -> tuple[set[int], int, float]:
    """Returns the variants on which the teacher's answer is another than on their original, how many were looked
    at, and the mean change of its first output."""
    first = {}
    for i, row in enumerate(rows):
        first.setdefault(row["source"], i)
    variants = np.array([i for i, row in enumerate(rows) if first[row["source"]] != i], np.int64)
    if not config.drop_flips and len(variants) > config.flip_sample:
        variants = np.sort(np.random.default_rng(config.seed).choice(variants, config.flip_sample, replace=False))
    originals = np.array([first[rows[i]["source"]] for i in variants], np.int64)
    wanted = np.unique(np.concatenate([variants, originals]))
    pairs = [rows[i]["text_pair"] for i in wanted] if "text_pair" in rows[0] else None
    length = sequence_length_of(config, task, teacher)
    tokens = TokenizedExamples(Examples([rows[i]["text"] for i in wanted], pairs), teacher.tokenizer, length)
    logits = predict_logits(teacher, tokens, title="teacher's answers")
    place = {row: k for k, row in enumerate(wanted)}
    ours, theirs = (np.array([place[i] for i in part], np.int64) for part in (variants, originals))
    answers = predictions_of(logits)
    turned = set() if task.is_regression else set(variants[answers[ours] != answers[theirs]].tolist())
    change = float(np.mean(np.abs(logits[ours, 0] - logits[theirs, 0]))) if len(variants) else 0.0
    return turned, len(variants), change
