"""Corpus preparation: text is tokenized once, and each text is kept once, in records that other stages read."""

import hashlib
import json
import time

from tinybert_tf.data.records import Records, tokenizer_facts
from tinybert_tf.errors import InputError, naming
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.corpus import Preparation
from tinybert_tf.settings.stages import CorpusConfig
from tinybert_tf.stages.common import command, corpus_of
from tinybert_tf.stages.job import Job
from tinybert_tf.training.run_directory import RunDirectory


def run(config: CorpusConfig) -> RunDirectory:
    """Writes records of the corpus to `output_dir`; resumes an interrupted run."""
    return _Corpus(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns what the records hold, what was left out, and what to run next."""
    results = folder.record["results"]
    held_out = f"{results['held_out']:,} of them held out"
    lines = [
        f"Records  {results['documents']:,} documents, {held_out}; {results['tokens']:,} tokens",
        f"Left out {results['duplicates']:,} documents that others repeat, {results['left_out']:,} texts of --without, "
        f"{results['bad_lines']:,} lines that could not be read",
        f"Next     {command('general', corpus=folder.path, teacher=folder.record['settings']['teacher'])}",
    ]
    return "\n".join(lines)


class _Corpus(Job):
    stage = "corpus"
    free = ("runner", "pipeline_options")

    def read(self) -> dict[str, str]:
        config = self.config
        self.corpus = corpus_of(config)
        if isinstance(self.corpus, Records):
            raise InputError("corpus", f"{self.corpus.folder}, which holds records already", "text")
        with naming("teacher"):
            self.tokenizer = open_preset(config.teacher, load_weights=False).tokenizer
        return {"corpus": self.corpus.fingerprint(), "teacher": _digest(tokenizer_facts(self.tokenizer))}

    def prepare(self) -> None:
        self.engine = Engine(self.config.runner, self.config.pipeline_options)

    def work(self) -> dict:
        start = time.monotonic()
        preparation = Preparation(self.corpus, self.tokenizer, self.folder.path, self.config.num_shards)
        results = preparation.run(self.engine, self.folder.record["inputs"])
        return results | {"seconds": round(time.monotonic() - start, 1)}


def _digest(content: dict) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
