"""Augmentation: variants of a task's training texts, from a masked LM and word vectors."""

import hashlib
import json
import time
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.augmentation.augmenter import Augmenter, read_stop_words
from tinybert_tf.augmentation.file import FILE, cut_to_whole_chunks, read_lines
from tinybert_tf.augmentation.word_vectors import WordVectors
from tinybert_tf.data.batches import TokenizedExamples
from tinybert_tf.data.examples import Examples
from tinybert_tf.errors import InputError, naming
from tinybert_tf.evaluation.metrics import predictions_of, same_answers
from tinybert_tf.evaluation.prediction import predict_logits
from tinybert_tf.files import write_text
from tinybert_tf.kinds import kind_of
from tinybert_tf.kinds.classification import classifier_of, name_classes
from tinybert_tf.models import BertMaskedLM
from tinybert_tf.settings.recipes import recipe_for
from tinybert_tf.settings.stages import AugmentConfig
from tinybert_tf.stages.common import command, task_length
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.run_directory import RunDirectory

VARIANTS = ".variants.jsonl"  # the unfinished file, while the run lasts
_NO_VARIANTS = (
    "No text has a variant: a word changes if it is one WordPiece of --masked_lm or has neighbours among --vectors, "
    "and if it is not one of --stop_words."
)
_CHUNK = 500  # examples that are written together; a killed run resumes after the last whole chunk


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

    def read(self) -> dict[str, str]:
        config = self.config
        self.kind = kind_of(config)(config)
        self.task = self.kind.task
        self.examples = self.task.split("train")
        with naming("masked_lm"):
            self.masked_lm = BertMaskedLM.from_preset(config.masked_lm, new_head=False)
        self.vectors = WordVectors.load(config.vectors) if config.vectors else None
        self.stop_words = read_stop_words(config.stop_words)
        if config.teacher and not self.kind.has_flips:
            raise InputError("teacher", config.teacher, f"none: {self.task.name} has no labels that could flip")
        self.teacher = classifier_of(config.teacher, "teacher") if config.teacher else None
        if self.teacher is not None:
            name_classes(self.teacher, self.task, "teacher", config.teacher_labels)
            self.length = task_length(config, self.task, self.teacher)
            if self.task.is_regression and config.drop_flips:
                raise InputError("drop_flips", "true, for a regression", "classes: a number has no label that flips")
        return {
            **digests_of(masked_lm=self.masked_lm),
            "task": self.task.fingerprint(),
            "vectors": self.vectors.fingerprint() if self.vectors else "",
            "stop_words": hashlib.sha256("\n".join(sorted(self.stop_words)).encode()).hexdigest(),
            **(digests_of(teacher=self.teacher) if self.teacher else {"teacher": ""}),
        }

    def work(self) -> dict:
        start = time.monotonic()
        variants = self.folder.path / VARIANTS
        self._write_variants(variants)
        results = self._finish_file(variants)
        return results | {"seconds": round(time.monotonic() - start, 1)}

    def _write_variants(self, file: Path) -> None:
        config, examples = self.config, self.examples
        augmenter = Augmenter(
            self.masked_lm,
            self.vectors,
            config.num_candidates,
            config.batch_tokens,
            config.masked_share,
            self.stop_words,
        )
        num_variants = config.num_variants or recipe_for(self.task.name).num_variants
        done = cut_to_whole_chunks(file, _CHUNK)
        logging.info("Up to %d variants of each of %d %s examples.", num_variants, len(examples), self.task.name)
        firsts, seconds = self.kind.columns(examples)
        with (
            file.open("a", encoding="utf-8") as stream,
            tqdm(total=len(examples), initial=done, desc="augment", unit="example", dynamic_ncols=True) as bar,
        ):
            for begin in range(done, len(examples), _CHUNK):
                numbers = range(begin, min(begin + _CHUNK, len(examples)))
                texts = [firsts[i] for i in numbers] + ([seconds[i] for i in numbers] if seconds else [])
                places = augmenter.places(texts)
                lines = []
                for k, i in enumerate(numbers):
                    where = (places[k], places[len(numbers) + k] if seconds else ())
                    lines += self.kind.variant_lines(examples, i, where, config, num_variants)
                stream.write("".join(lines))
                stream.flush()
                bar.update(len(numbers))

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
