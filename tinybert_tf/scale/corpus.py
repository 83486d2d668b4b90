"""A corpus becomes records in two steps: parts of the text are tokenized, then shards are gathered from all parts.

Which shard a document belongs to, and its place there, follow from the SHA-256 of its text. So duplicates meet in one
shard, the order is random, and the shards are the same bytes whoever wrote them. Memory holds the tokens of one run of
documents, or of one shard, but never those of a corpus: no document goes through Beam, whose runner on one machine
would hold all of them.
"""

import copy
import dataclasses
import functools
import json
import shutil
from pathlib import Path

import numpy as np
from absl import logging

from tinybert_tf.data.documents import BadLines
from tinybert_tf.data.records import (
    OFFSETS,
    RECORDS_FILE,
    SHARDS,
    TOKENS,
    VERSION,
    ShardFacts,
    crc32_of,
    gathered,
    shard_folder,
    tokenizer_facts,
)
from tinybert_tf.data.text import HELD_OUT_BUCKETS, Corpus
from tinybert_tf.errors import InputError
from tinybert_tf.files import json_text, read_json, sweep, write_folder, write_text
from tinybert_tf.scale.beam import Engine
from tinybert_tf.scale.parts import read_parts, write_part
from tinybert_tf.scale.units import keep_only_from
from tinybert_tf.tokenizer import BertTokenizer

_PARTS = "parts"
_FACTS = "shard.json"
_SUMS = ("documents", "held_out", "tokens", "duplicates")


class Preparation:
    """The units of work that make records of a corpus; a worker gets a copy.

    Args:
        corpus: The text.
        tokenizer: The tokenizer.
        folder: Folder of the records.
        num_shards: Number of shards.
    """

    def __init__(self, corpus: Corpus, tokenizer: BertTokenizer, folder: Path, num_shards: int):
        self.corpus, self.folder, self.num_shards = copy.copy(corpus), folder.absolute(), num_shards
        self.corpus.shards = [source.absolute() if isinstance(source, Path) else source for source in corpus.shards]
        self._config = json.dumps(tokenizer.get_config())
        self.num_parts = min(len(self.corpus.shards), num_shards)

    def run(self, engine: Engine, inputs: dict[str, str]) -> dict:
        """Does what is missing and writes `records.json`; returns what was read and written, by name.

        Args:
            engine: What does the units.
            inputs: SHA-256 of each input of the run, by name; where they are others than before, all is done again.

        Raises:
            InputError: The corpus cannot be read, or has no training document.
        """
        if not (self.folder / RECORDS_FILE).exists():
            keep_only_from(inputs, self.folder / _PARTS, [self.folder / SHARDS, self.folder / _PARTS])
            self._work(engine)
            self._finish()
        shutil.rmtree(self.folder / _PARTS, ignore_errors=True)
        content = read_json(self.folder / RECORDS_FILE, "output_dir")
        return {name: content[name] for name in (*_SUMS, "left_out", "bad_lines")}

    def _work(self, engine: Engine) -> None:
        parts = [i for i in range(self.num_parts) if not self._part(i).exists()]
        shards = [i for i in range(self.num_shards) if not shard_folder(self.folder, i).exists()]
        if parts or shards:
            message = "%d of %d parts of the corpus are to be read, and %d of %d shards to be written."
            logging.info(message, len(parts), self.num_parts, len(shards), self.num_shards)
            (self.folder / SHARDS).mkdir(exist_ok=True)
            engine.run([("read", self.read_part, parts), ("write", self.write_shard, shards)])

    def read_part(self, number: int) -> None:
        """Tokenizes every so many-th source of the corpus."""
        sources = self.corpus.shards[number :: self.num_parts]
        bad_lines = self.corpus.bad_lines = BadLines(self.corpus.bad_lines.refuse)  # it counts a line once
        self.corpus.left_out = set()
        documents = self.corpus.documents_in(sources)
        with write_folder(self._part(number)) as folder:
            count = write_part(folder, documents, _tokenizer_of(self._config), self.num_shards)
            facts = {"documents": count, "bad_lines": bad_lines.count}
            write_text(folder / "part.json", json_text(facts | {"left_out": sorted(self.corpus.left_out)}))

    def write_shard(self, number: int) -> None:
        """Gathers the documents of a shard, each text once."""
        keys, sizes, tokens = read_parts([self._part(i) for i in range(self.num_parts)], number)
        held_out = np.isin(keys[:, 0] % np.uint64(100), HELD_OUT_BUCKETS)
        order = np.lexsort((keys[:, 1], keys[:, 0], ~held_out))
        keys = keys[order]
        first = np.ones(len(keys), bool)
        first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        order = order[first]
        offsets = np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64)
        count = int(held_out[order].sum())
        with write_folder(shard_folder(self.folder, number)) as folder:
            np.save(folder / TOKENS, gathered(tokens, sizes, order))
            np.save(folder / OFFSETS, offsets)
            facts = ShardFacts(
                documents=len(order),
                held_out=count,
                tokens=int(offsets[-1]),
                held_out_tokens=int(offsets[count]),
                duplicates=len(first) - len(order),
                crc32={name: crc32_of(folder / name) for name in (TOKENS, OFFSETS)},
            )
            write_text(folder / _FACTS, json_text(dataclasses.asdict(facts)))

    def _part(self, number: int) -> Path:
        return self.folder / _PARTS / f"{number:05d}"

    def _finish(self) -> None:
        facts = [read_json(shard_folder(self.folder, i) / _FACTS, "output_dir") for i in range(self.num_shards)]
        results = {name: sum(fact[name] for fact in facts) for name in _SUMS}
        if sum(fact["tokens"] - fact["held_out_tokens"] for fact in facts) == 0:
            raise InputError("corpus", "text without any WordPiece to train on", "more text")
        parts = [read_json(self._part(i) / "part.json", "output_dir") for i in range(self.num_parts)]
        left_out = set().union(*(part["left_out"] for part in parts))
        results |= {"left_out": len(left_out), "bad_lines": sum(part["bad_lines"] for part in parts)}
        tokenizer = tokenizer_facts(_tokenizer_of(self._config))
        content = {"version": VERSION, "tokenizer": tokenizer, **results, "shards": facts}
        sweep(self.folder / SHARDS)
        write_text(self.folder / RECORDS_FILE, json_text(content))


@functools.lru_cache(maxsize=1)
def _tokenizer_of(config: str) -> BertTokenizer:
    """Returns a worker's tokenizer, which takes as long to make as to read some thousand texts."""
    return BertTokenizer.from_config(json.loads(config))
