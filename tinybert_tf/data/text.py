"""A corpus of unlabelled text as a stream of documents; memory does not grow with its size."""

import glob
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tinybert_tf.data import packaged
from tinybert_tf.data.documents import MAX_DOCUMENT_CHARACTERS, Bad, BadLines, checked, documents_of, lines_of
from tinybert_tf.data.splits import bucket
from tinybert_tf.errors import InputError
from tinybert_tf.files import path_of

HELD_OUT_BUCKETS = range(2)  # buckets of a hundred: 2 % of the documents, by their text


class Corpus:
    """Documents from one or more sources, read as a stream.

    Args:
        sources: Globs of text files (an empty line ends a document) or of .csv, .tsv, .json, .jsonl or .parquet files
            (a row is a document), all but .parquet also as .gz; `tfds:NAME`; or the packaged `wiki_openings` and
            `movie_reviews`.
        field: Column or key of the text in tables, JSON objects and TFDS examples.
        without: Text files, one text per line, such as those that a student is evaluated on. Lines of the corpus that
            have the same letters and digits are left out.
        bad_lines: "skip" leaves out lines that cannot be read and counts them, "refuse" raises InputError.

    Attributes:
        left_out: The letters and digits of the lines that have been left out so far.
        bad_lines: Lines that cannot be read, as far as the files were read.

    Raises:
        InputError: A source does not exist or holds no text; or, while reading, a file or a line cannot be read.
    """

    def __init__(
        self, sources: Sequence[str], field: str = "text", without: Sequence[str] = (), bad_lines: str = "skip"
    ):
        self.field, self.left_out = field, set()
        self.bad_lines = BadLines(refuse=bad_lines == "refuse")
        self._without = {key_of(line) for file in without for _, line in lines_of(_existing(file))} - {""}
        self.shards = [shard for source in sources for shard in self._shards(source)]
        if next(self.documents_in(self.shards), None) is None:
            raise InputError("corpus", f"{', '.join(sources)} without any text", "text")
        if next(self.documents(), None) is None:
            got = f"{', '.join(sources)}, whose documents all fall into the 2 % that are held out"
            raise InputError("corpus", got, "more documents; an empty line, or one line of JSONL, ends one")

    def documents(self, order_seed: Sequence[int] | None = None, held_out: bool = False) -> Iterator[str]:
        """Yields the documents of the training part, or of the held-out slice (2 %, by a hash of the text).

        Args:
            order_seed: Seed that shuffles the files; None leaves them in the order in which they were named.
            held_out: Whether to yield the held-out slice.
        """
        shards = self.shards
        if order_seed is not None:
            order = np.random.default_rng(order_seed).permutation(len(shards))
            shards = [shards[i] for i in order]
        for document in self.documents_in(shards):
            if (bucket(document) in HELD_OUT_BUCKETS) == held_out:
                yield document

    def documents_in(self, shards: Sequence[Path | str]) -> Iterator[str]:
        """Yields the documents of some of the shards, the held-out ones among them."""
        for shard in shards:
            if isinstance(shard, Path):
                texts = documents_of(shard, self.field, self.bad_lines)
            elif shard.startswith("tfds:"):
                texts = self.bad_lines.good(shard, _tfds(shard.removeprefix("tfds:"), self.field), "example")
            else:
                texts = packaged.documents(shard)
            for text in texts:
                text = self._cleaned(text.strip()) if self._without else text.strip()
                for start in range(0, len(text), MAX_DOCUMENT_CHARACTERS):
                    yield text[start : start + MAX_DOCUMENT_CHARACTERS]

    def fingerprint(self) -> str:
        """Returns the SHA-256 of every file's name, size, first and last mebibyte, and of what is left out."""
        digest = hashlib.sha256()
        for shard in self.shards:
            digest.update(os.fsencode(getattr(shard, "name", shard)))
            if isinstance(shard, Path):
                digest.update(ends_of(shard))
        for key in sorted(self._without):
            digest.update(key.encode())
        return digest.hexdigest()

    def _cleaned(self, text: str) -> str:
        """Returns a document without the lines that are left out."""
        lines = text.splitlines()
        keys = [key_of(line) for line in lines]
        found = {key for key in (*keys, key_of(text)) if key in self._without}
        if not found:
            return text
        self.left_out |= found
        whole = len(lines) > 1 and key_of(text) in found
        return "" if whole else "\n".join(line for line, key in zip(lines, keys) if key not in found).strip()

    def _shards(self, source: str) -> list[Path | str]:
        if source in packaged.READERS or source.startswith("tfds:"):
            return [source]
        files = files_named(source)
        if not files:
            expected = f"files of text or tables, tfds:NAME, or {', '.join(packaged.READERS)}"
            raise InputError("corpus", f"{source!r}, which is not a file", expected)
        return files


def files_named(pattern: str) -> list[Path]:
    """Returns the file of this name, which may have brackets in it, or else the files that a glob finds; sorted."""
    path = path_of(pattern)
    found = [path] if path.is_file() else map(Path, glob.glob(str(path), recursive=True))
    return sorted(file for file in found if file.is_file())


def key_of(text: str) -> str:
    """Returns a text's letters and digits, in lower case: what makes it the same text."""
    return re.sub(r"[\W_]+", "", text.lower())


def _existing(file: str) -> Path:
    path = path_of(file)
    if not path.is_file():
        raise InputError("without", f"{file!r}, which is not a file", "text files, one text per line")
    return path


def _tfds(name: str, field: str) -> Iterator[tuple[int, str | Bad]]:
    import tensorflow_datasets as tfds

    try:
        dataset = tfds.load(name, split="train", shuffle_files=False)
    except Exception as error:  # TFDS passes on what its downloaders raise
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError("corpus", f"tfds:{name} ({reason})", "a dataset that TFDS has or can fetch") from None
    if not isinstance(dataset.element_spec, dict) or field not in dataset.element_spec:
        features = ", ".join(dataset.element_spec) if isinstance(dataset.element_spec, dict) else "no names"
        raise InputError("corpus_field", repr(field), f"one of the features of tfds:{name}: {features}")
    if dataset.element_spec[field].dtype.name != "string":
        raise InputError("corpus_field", f"{field!r} of {dataset.element_spec[field].dtype.name}", "a feature of text")
    for number, example in enumerate(dataset.as_numpy_iterator(), 1):
        yield number, checked(example[field].decode("utf-8", "surrogateescape"))


def ends_of(file: Path) -> bytes:
    """Returns the size of a file, its first and its last mebibyte: what its fingerprint is made of."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        first = stream.read(1 << 20)
        stream.seek(max(0, size - (1 << 20)))
        return str(size).encode() + first + stream.read()
