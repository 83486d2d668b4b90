"""Leaves out the WordPieces that a corpus does not use: most of a multilingual model's size is its table of pieces."""

from collections.abc import Iterator

import keras
import numpy as np
from absl import logging
from tqdm import tqdm

from tinybert_tf.data.vocabulary import count_pieces, pieces_to_keep
from tinybert_tf.errors import naming
from tinybert_tf.models import BertClassifier, BertEncoder, BertMaskedLM, BertQuestionAnswerer, BertTokenizer
from tinybert_tf.models.vocabulary import with_pieces
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.settings.stages import VocabularyConfig
from tinybert_tf.stages.common import command, corpus_of, not_read, watch
from tinybert_tf.stages.job import Job, digests_of
from tinybert_tf.training.run_directory import RunDirectory


def run(config: VocabularyConfig) -> RunDirectory:
    """Writes the model with the pieces that the corpus uses, with its head if it has one, to `output_dir/model`."""
    return _Vocabulary(config).run()


def summary(folder: RunDirectory) -> str:
    """Returns how much smaller the model is, where it is, and what to run next."""
    results = folder.record["results"]
    before, after, unknown = results["before"], results["after"], f"{100 * results['unknown']:.2f} %"
    lines = [
        f"WordPieces  {before['pieces']:,} -> {after['pieces']:,}; {unknown} of the corpus's tokens are unknown words",
        f"Parameters  {before['parameters'] / 1e6:.1f} M -> {after['parameters'] / 1e6:.1f} M",
        f"Model       {folder.model}",
        f"Next        {command('all', teacher=folder.path)} --train_file=…",
    ]
    return "\n".join(lines)


class _Vocabulary(Job):
    stage = "vocabulary"

    def read(self) -> dict[str, str]:
        self.corpus = corpus_of(self.config)
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
        return {**digests_of(model=self.model), "corpus": self.corpus.fingerprint()}

    def work(self) -> dict:
        watch(self.corpus, self.folder)
        tokenizer = self.model.tokenizer
        counts = self._count(tokenizer)
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
        return results | not_read(self.corpus)

    def _count(self, tokenizer: BertTokenizer) -> np.ndarray:
        return count_pieces(tokenizer, tqdm(self._documents(), desc="vocabulary", unit=" documents"))

    def _documents(self) -> Iterator[str]:
        yield from self.corpus.documents()
        yield from self.corpus.documents(held_out=True)
