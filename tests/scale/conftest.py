"""A small corpus with duplicates, and engines that do units of work without Beam."""

import json

import numpy as np
import pytest

from tests.conftest import PIECES, WORDS


class InOrder:
    """Does units one after another; it dies before unit number `dies_at`, counted over all stages.

    Args:
        dies_at: Number of units that are done before a kill.
        backwards: Whether units are done in the reverse order.
    """

    def __init__(self, dies_at=None, backwards=False):
        self.left, self.backwards, self.done = dies_at, backwards, []

    def infer(self, name, job, units):
        model = job.load()
        self.run([(name, lambda unit: job.write(unit, job.answer(model, job.read(unit))), units)])

    def run(self, stages):
        for name, work, units in stages:
            for unit in list(units)[:: -1 if self.backwards else 1]:
                if self.left is not None and len(self.done) == self.left:
                    raise KeyboardInterrupt
                work(unit)
                self.done.append((name, unit))


@pytest.fixture(scope="session")
def engine():
    return InOrder


@pytest.fixture(scope="session")
def tokenizer():
    from tinybert_tf.models import BertTokenizer

    return BertTokenizer(PIECES)


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory, tokenizer):
    """The folder of a random BERT."""
    from tinybert_tf.models import BertEncoder

    encoder = BertEncoder(len(tokenizer.vocabulary), 1, 2, 8, 16, max_sequence_length=32, tokenizer=tokenizer)
    encoder.save_to_preset(folder := tmp_path_factory.mktemp("model") / "plain")
    return str(folder)


@pytest.fixture(scope="session")
def texts():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(900)]


@pytest.fixture(scope="session")
def sources(tmp_path_factory, texts):
    """Three files: texts in JSON lines, with every ninth text again and two lines that are no text; and prose."""
    folder = tmp_path_factory.mktemp("texts")
    for i in range(3):
        lines = [json.dumps({"text": text}) for text in texts[i:600:3] + texts[:600:9]]
        (folder / f"{i}.jsonl").write_text("\n".join(['{"text": null}', *lines, '{"text": null}']))
    (folder / "prose.txt").write_text("\n\n".join(texts[590:]))
    return [f"{folder}/*.jsonl", f"{folder}/prose.txt"]


@pytest.fixture
def small_windows(monkeypatch):
    """Many windows and units, though the corpus is small."""
    monkeypatch.setattr("tinybert_tf.data.records.WINDOW_TOKENS", 1000)
    monkeypatch.setattr("tinybert_tf.data.records._SLICE_TOKENS", 50)
    monkeypatch.setattr("tinybert_tf.scale.parts.RUN_TOKENS", 700)
    monkeypatch.setattr("tinybert_tf.scale.parts._BATCH_DOCUMENTS", 30)


@pytest.fixture(scope="session")
def folder(sources, tokenizer, engine, tmp_path_factory):
    """Records of `sources`."""
    from tests.scale.records import prepared

    return prepared(tmp_path_factory.mktemp("records") / "run", sources, tokenizer, engine())
