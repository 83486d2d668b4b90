"""Leaves out WordPieces that a corpus does not use, or uses seldom: most of a small model is its table of pieces."""

from collections.abc import Iterator

import keras
import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.data.examples import Examples
from tinybert_tf.data.records import Records
from tinybert_tf.data.vocabulary import check_size, count_pieces, frequent_pieces, pieces_to_keep
from tinybert_tf.errors import InputError, naming
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM, BertQuestionAnswerer, BertTokenizer
from tinybert_tf.models.vocabulary import with_pieces
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.settings.stages import VocabularyConfig
from tinybert_tf.stages.common import command, corpus_of, not_read, watch
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.stages.learned import LEARNED, learned_data, learned_texts
from tinybert_tf.training.run_directory import RunDirectory


def run(config: VocabularyConfig) -> RunDirectory:
    """Writes the model with the pieces that the corpus uses, with its head if it has one, to `output_dir/model`."""
    return _Vocabulary(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns how much smaller the model is, where it is, and what to run next."""
    results = folder.record["results"]
    before, after, unknown = results["before"], results["after"], f"{100 * results['unknown']:.2f} %"
    respelt = 100 * results["respelt"] / max(1, results["tokens"])
    lines = [
        f"WordPieces  {before['pieces']:,} -> {after['pieces']:,}; {unknown} of the corpus's tokens are unknown words",
        f"Left out    {respelt:.2f} % of these tokens, which are spelt in others now",
        f"Parameters  {before['parameters'] / 1e6:.1f} M -> {after['parameters'] / 1e6:.1f} M",
        f"Model       {folder.model}",
    ]
    following = command("all", teacher=folder.path) + " --train_file=…"
    if results.get(LEARNED):
        following = command("export", model=folder.path)
    lines.append(f"Next        {following}")
    return "\n".join(lines)


class _Vocabulary(Job):
    stage = "vocabulary"

    def read(self) -> dict[str, str]:
        self.learned = learned_data(self.config.model)
        self.corpus = corpus_of(self.config) if self.config.corpus else None
        if isinstance(self.corpus, Records):
            raise InputError(
                "corpus", f"{self.corpus.folder}, which holds records", "text, whose WordPieces are counted"
            )
        with naming("model"):
            source = open_preset(self.config.model)
            kind = BertEncoder
            if source.is_classifier:
                kind = BertClassifier
            elif source.answers_questions:
                kind = BertQuestionAnswerer
            elif BertMaskedLM.architecture in source.heads and source.has("cls.predictions.transform.dense"):
                kind = BertMaskedLM
            keras.utils.set_random_seed(0)  # of a pooler that the folder lacks: the same each time
            self.model = kind.from_pretrained(source)
        if self.config.vocabulary_size:
            check_size(self.config.vocabulary_size, self.model.tokenizer.vocabulary)
        self.texts = [] if self.corpus else learned_texts(self.config.model, "corpus")
        fingerprint = self.corpus.fingerprint() if self.corpus else Examples(self.texts).fingerprint()
        return {**digests_of(model=self.model), "corpus": fingerprint}

    def work(self) -> dict:
        if self.corpus:
            watch(self.corpus, self.folder)
        tokenizer = self.model.tokenizer
        counts = self._count(tokenizer)
        if self.config.vocabulary_size:
            kept = frequent_pieces(tokenizer.vocabulary, counts, self.config.vocabulary_size)
        else:
            kept = pieces_to_keep(tokenizer.vocabulary, counts, self.config.min_count)
        logging.info("%d of %d WordPieces stay.", len(kept), len(counts))
        cut = with_pieces(self.model, kept)
        cut.save_to_preset(self.folder.model)
        sizes = [(len(model.tokenizer.vocabulary), model.count_params()) for model in (self.model, cut)]
        before, after = ({"pieces": pieces, "parameters": parameters} for pieces, parameters in sizes)
        dropped = counts.sum() - counts[kept].sum()  # pieces that are too rare are spelt in others, if these do
        results = {"before": before, "after": after, "tokens": int(counts.sum()), "respelt": int(dropped)}
        if dropped:  # a character that only they had has become an unknown word
            tokenizer, counts = cut.tokenizer, self._count(cut.tokenizer)
        results["unknown"] = float(counts[tokenizer.unk_id] / max(1, counts.sum()))
        return results | {LEARNED: self.learned} | (not_read(self.corpus) if self.corpus else {})

    def _count(self, tokenizer: BertTokenizer) -> np.ndarray:
        return count_pieces(tokenizer, tqdm(self._documents(), desc="vocabulary", unit=" documents"))

    def _documents(self) -> Iterator[str]:
        yield from self.texts
        if self.corpus:
            yield from self.corpus.documents()
            yield from self.corpus.documents(held_out=True)
