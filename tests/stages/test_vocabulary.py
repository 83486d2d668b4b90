"""The stage that leaves WordPieces out: a smaller model with its head, and counts."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import PIECES
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.settings.stages import VocabularyConfig
from tinybert_tf.stages import vocabulary


@pytest.mark.usefixtures("eagerly")
def test_a_classifier_gets_smaller_and_answers_the_same(make_classifier, tmp_path):
    model = make_classifier()
    model.save_to_preset(tmp_path / "model")
    (tmp_path / "mine.csv").write_text("text\nthe film is fine\ndull films\n")
    options = {"model": str(tmp_path / "model"), "corpus": (str(tmp_path / "mine.csv"),)}
    config = VocabularyConfig(output_dir=str(tmp_path / "run"), **options)
    folder = vocabulary.run(config)
    results = folder.record["results"]
    assert results["before"]["pieces"] == len(PIECES) and results["after"]["pieces"] == 5 + 7  # and ##n, of "fine"
    assert results["tokens"] == 7 and results["unknown"] == 0 and results["respelt"] == 0
    text = vocabulary.summary(folder)
    assert f"{len(PIECES)} -> 12" in text and f"--teacher={folder.path}" in text
    cut = BertClassifier.from_preset(folder.path)
    answers = [np.asarray(m(m.tokenizer(["dull films is fine"]))) for m in (model, cut)]
    np.testing.assert_array_equal(*answers)
    assert vocabulary.run(config).was_finished


@pytest.mark.usefixtures("eagerly")
def test_rare_pieces_are_spelt_in_others(make_encoder, tmp_path):
    make_encoder().save_to_preset(tmp_path / "model")
    (tmp_path / "mine.txt").write_text("film film\n\nfilm story\n\nxyz")
    options = {"model": str(tmp_path / "model"), "corpus": (str(tmp_path / "mine.txt"),), "min_count": 2}
    results = vocabulary.run(VocabularyConfig(output_dir=str(tmp_path / "run"), **options)).record["results"]
    assert results["respelt"] == 1 and results["unknown"] == pytest.approx(2 / 5)  # no pieces are left for "story"
    assert "film" in BertEncoder.from_preset(tmp_path / "run").tokenizer.vocabulary


@pytest.mark.usefixtures("eagerly")
def test_a_model_without_a_pooler_is_the_same_when_the_command_is_repeated(make_encoder, tmp_path):
    make_encoder().save_to_preset(tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "pooler" not in name}
    assert len(kept) == len(weights) - 2
    save_file(kept, tmp_path / "model" / "model.safetensors")
    (tmp_path / "mine.txt").write_text("film film")
    options = {"model": str(tmp_path / "model"), "corpus": (str(tmp_path / "mine.txt"),)}
    config = VocabularyConfig(output_dir=str(tmp_path / "run"), **options)
    assert not vocabulary.run(config).was_finished and vocabulary.run(config).was_finished
