"""Augmentation: variants of a task's training texts, from a masked LM and word vectors."""

import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.augmentation.file import FILE, cut_to_whole_chunks, read_lines
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError
from tinybert_tf.evaluation.metrics import predictions_of, same_answers
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.files import write_text, write_whole
from tinybert_tf.kinds.classification import classifier_of, name_classes
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.variants import CHUNK, Variants, VariantShards
from tinybert_tf.settings.stages import AugmentConfig
from tinybert_tf.stages.common import command, task_length
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.run_directory import RunDirectory

VARIANTS = ".variants.jsonl"  # the unfinished file, while the run lasts
SHARDS = ".shards"  # what a runner's workers write
_NO_VARIANTS = (
    "No text has a variant: a word changes if it is one WordPiece of --masked_lm or has neighbours among --vectors, "
    "and if it is not one of --stop_words."
)


def run(config: AugmentConfig) -> RunDirectory:
    """Writes `output_dir/augmented.jsonl`: every training example, each followed by its variants."""
    return _Augment(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns how many variants there are, the teacher's label flips, where the texts are, and what to run next."""
    results = folder.record["results"]
    lines = [f"{results['examples']:,} examples became {results['rows']:,} in {results['seconds']:.0f} s."]
    if results["rows"] == results["examples"]:
        lines.append(_NO_VARIANTS)
    if results.get("flip_rate") is not None:
        of = f"{results['flips_looked_at']:,} variants"
        lines.append(f"The teacher's label flips for {100 * results['flip_rate']:.1f} % of {of}.")
    if results.get("dropped"):
        lines.append(f"{results['dropped']:,} of these were left out.")
    if results.get("mean_change") is not None:
        lines.append(f"The teacher's score changes by {results['mean_change']:.3f} on average.")
    lines += [
        f"Texts    {folder.path / FILE}",
        f"Next     {command('task', augmented=folder.path)}, with the same task",
    ]
    return "\n".join(lines)


class _Augment(Job):
    stage = "augment"
    free = ("runner", "pipeline_options")

    def read(self) -> dict[str, str]:
        config = self.config
        self.variants = Variants(config)
        self.kind, self.task, self.examples = self.variants.kind, self.variants.task, self.variants.examples
        if config.teacher and not self.kind.has_flips:
            raise InputError("teacher", config.teacher, f"none: {self.task.name} has no labels that could flip")
        self.teacher = classifier_of(config.teacher, "teacher") if config.teacher else None
        if self.teacher is not None:
            name_classes(self.teacher, self.task, "teacher", config.teacher_labels)
            self.length = task_length(config, self.task, self.teacher)
            if self.task.is_regression and config.drop_flips:
                raise InputError("drop_flips", "true, for a regression", "classes: a number has no label that flips")
        return {
            **digests_of(masked_lm=self.variants.masked_lm),
            "task": self.task.fingerprint(),
            "vectors": self.variants.vectors.fingerprint() if self.variants.vectors else "",
            "stop_words": hashlib.sha256("\n".join(sorted(self.variants.stop_words)).encode()).hexdigest(),
            **(digests_of(teacher=self.teacher) if self.teacher else {"teacher": ""}),
        }

    def prepare(self) -> None:
        self.engine = Engine(self.config.runner, self.config.pipeline_options) if self.config.runner else None

    def work(self) -> dict:
        start = time.monotonic()
        file, count = self.folder.path / VARIANTS, len(self.examples)
        logging.info("Up to %d variants of each of %d %s examples.", self.variants.num_variants, count, self.task.name)
        if self.engine is None:
            self._write_variants(file)
        else:
            self._write_shards(file)
        results = self._finish_file(file)
        return results | {"seconds": round(time.monotonic() - start, 1)}

    def _write_variants(self, file: Path) -> None:
        done, count = cut_to_whole_chunks(file, CHUNK), len(self.examples)
        with (
            file.open("a", encoding="utf-8") as stream,
            tqdm(total=count, initial=done, desc="augment", unit="example", dynamic_ncols=True) as bar,
        ):
            for begin in range(done, count, CHUNK):  # a killed run resumes after the last whole chunk
                stream.writelines(self.variants.lines(begin))
                stream.flush()
                bar.update(min(CHUNK, count - begin))

    def _write_shards(self, file: Path) -> None:
        """Has a runner make the variants, and joins its shards to one file."""
        shards = VariantShards(self.config, len(self.examples), self.folder.path / SHARDS)
        shards.run(self.engine, self.folder.record["inputs"])
        with write_whole(file) as stream:
            for number in range(shards.num_shards):
                stream.writelines(read_lines(shards.file(number)))

    def _finish_file(self, variants: Path) -> dict:
        """Counts the teacher's label flips, drops such variants if asked to, and gives the file its name."""
        lines = read_lines(variants)
        if len(lines) == len(self.examples):
            logging.warning(_NO_VARIANTS)
        results = {"examples": len(self.examples), "rows": len(lines)}
        if self.teacher is not None:
            flipped, looked_at, change = self._flips([json.loads(line) for line in lines])
            regression = self.task.is_regression
            results |= {"flips_looked_at": looked_at}
            results |= {"mean_change": change} if regression else {"flip_rate": len(flipped) / max(1, looked_at)}
            if self.config.drop_flips:
                lines = [line for i, line in enumerate(lines) if i not in flipped]
                results |= {"dropped": len(flipped), "rows": len(lines)}
        write_text(self.folder.path / FILE, "".join(lines))
        variants.unlink()  # not earlier: a run killed before this resumes from all variants
        shutil.rmtree(self.folder.path / SHARDS, ignore_errors=True)
        return results

    def _flips(self, rows: list[dict]) -> tuple[set[int], int, float]:
        """Returns the variants that flip the teacher's label, the number of variants that were looked at, and the mean
        change of the teacher's first output."""
        config, first = self.config, {}
        for i, row in enumerate(rows):
            first.setdefault(row["source"], i)
        variants = np.array([i for i, row in enumerate(rows) if first[row["source"]] != i], np.int64)
        if not config.drop_flips and len(variants) > config.flip_sample:
            rng = np.random.default_rng(config.seed)
            variants = np.sort(rng.choice(variants, config.flip_sample, replace=False))
        originals = np.array([first[rows[i]["source"]] for i in variants], np.int64)
        wanted = np.unique(np.concatenate([variants, originals]))
        logits = self._teachers_logits([rows[i] for i in wanted])
        place = {row: k for k, row in enumerate(wanted)}
        ours, theirs = (np.array([place[i] for i in part], np.int64) for part in (variants, originals))
        answers = predictions_of(logits, self.task.multi_label)
        changed = variants[~same_answers(answers[ours], answers[theirs])]
        flipped = set() if self.task.is_regression else set(changed.tolist())
        change = float(np.mean(np.abs(logits[ours, 0] - logits[theirs, 0]))) if len(variants) else 0.0
        return flipped, len(variants), change

    def _teachers_logits(self, rows: list[dict]) -> np.ndarray:
        pairs = None if self.examples.text_pairs is None else [row["text_pair"] for row in rows]
        examples = Examples([row["text"] for row in rows], pairs)
        tokens = TokenizedExamples(examples, self.teacher.tokenizer, self.length)
        return predict_logits(self.teacher, tokens, title="teacher's answers")
