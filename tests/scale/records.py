"""What tests of records share: records of a small corpus, and what they hold."""

from collections import Counter

import numpy as np

from tinybert_tf.data.text import Corpus
from tinybert_tf.scale.corpus import Preparation


def prepared(folder, sources, tokenizer, engine, **options):
    folder.mkdir(exist_ok=True)
    corpus = Corpus(sources, **options)
    Preparation(corpus, tokenizer, folder, num_shards=5).run(engine, {"corpus": corpus.fingerprint()})
    return folder


def documents(tokenizer, texts):
    return Counter(tuple(row) for row in tokenizer.tokenize(sorted(set(texts))).to_list())


def read(records, pieces):
    """Returns the documents of pieces as tuples of ids."""
    found = []
    for piece in pieces:
        tokens, sizes = records._read(piece)
        found += [tuple(row.tolist()) for row in np.split(tokens, np.cumsum(sizes)[:-1])]
    return Counter(found)


def content(folder):
    return {file.relative_to(folder): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
