"""The stage that leaves WordPieces out: a smaller model with its head, and counts."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import PIECES
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer
from tinybert_tf.settings.stages import VocabularyConfig
from tinybert_tf.stages import vocabulary
from tinybert_tf.stages.learned import learned_data

LETTERS = sorted({letter for piece in PIECES[5:] for letter in piece.removeprefix("##") if letter.isalpha()})
SPELLABLE = [*PIECES, *(p for a in LETTERS for p in (a, f"##{a}") if p not in PIECES)]


@pytest.fixture
def student(make_classifier, tmp_path):
    """A run directory of a student that has learned good films and bad ones."""
    options = {"tokenizer": BertTokenizer(SPELLABLE, sequence_length=16), "vocabulary_size": len(SPELLABLE)}
    make_classifier(labels=["bad", "good"], **options).save_to_preset(tmp_path / "student" / "model")
    (tmp_path / "train.csv").write_text("text,label\n" + 20 * "a good film,good\nthe bad story,bad\n")
    settings = {"train_file": str(tmp_path / "train.csv"), "sequence_length": 8}
    record = {"stage": "task", "status": "finished", "settings": settings, "results": {}}
    (tmp_path / "student" / "run.json").write_text(json.dumps(record))
    return tmp_path / "student"


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


@pytest.mark.usefixtures("eagerly")
def test_a_student_keeps_what_is_frequent_in_its_training_texts_and_what_spells_the_rest(student, tmp_path):
    words = {"good", "film", "the", "bad", "story"}
    size = 5 + 2 * len(LETTERS) + len(".,!'") + len(words)
    config = VocabularyConfig(model=str(student), vocabulary_size=size, output_dir=str(tmp_path / "run"))
    folder = vocabulary.run(config)
    results = folder.record["results"]
    assert results["after"]["pieces"] == size and results["respelt"] == results["unknown"] == 0
    whole, cut = BertClassifier.from_preset(student), BertClassifier.from_preset(folder.path)
    assert {piece for piece in cut.tokenizer.vocabulary[5:] if len(piece.removeprefix("##")) > 1} == words

    covered = ["the good film", "a bad story , a film !", "stat"]
    theirs, ours = whole.tokenizer(covered), cut.tokenizer(covered)
    pieces = np.array(cut.tokenizer.vocabulary)[np.asarray(ours["token_ids"])]
    np.testing.assert_array_equal(np.array(SPELLABLE)[np.asarray(theirs["token_ids"])], pieces)
    np.testing.assert_array_equal(np.asarray(cut(ours)), np.asarray(whole(theirs)))

    respelt = [model.tokenizer.tokenize(["dull playing , unfine x"]).flat_values.numpy() for model in (whole, cut)]
    assert len(respelt[1]) > len(respelt[0]) and all((ids == 1).sum() == 1 for ids in respelt)  # x is in no piece
    assert learned_data(str(folder.path)) == learned_data(str(student)) != {}
    assert f"--stage=export --model={folder.path}" in vocabulary.summary(folder)
    assert vocabulary.run(config).was_finished


def test_what_cannot_be_cut_is_refused_before_anything_is_written(student, make_classifier, tmp_path):
    options = {"output_dir": str(tmp_path / "run")}
    with pytest.raises(InputError, match=r"vocabulary_size: got 30; expected a number from \d+, .*, to \d+, all"):
        vocabulary.run(VocabularyConfig(model=str(student), vocabulary_size=30, **options))
    (tmp_path / "train.csv").unlink()
    with pytest.raises(InputError, match=r"corpus: got nothing, and .*'s own cannot be read \(train_file: .*\)"):
        vocabulary.run(VocabularyConfig(model=str(student), **options))
    make_classifier().save_to_preset(tmp_path / "model")
    with pytest.raises(InputError, match=r"corpus: got nothing; expected texts, because .* has learned a task"):
        vocabulary.run(VocabularyConfig(model=str(tmp_path / "model"), **options))
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="min_count: got 2; expected 1 with --vocabulary_size"):
        VocabularyConfig(min_count=2, vocabulary_size=8000)
    with pytest.raises(InputError, match=r"without: got .*; expected a --corpus"):
        VocabularyConfig(without=("test.txt",))
