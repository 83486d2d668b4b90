"""`--stage=export --variants=int8_pq`: the texts whose frequent WordPieces are stored whole."""

import json

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.exporters import litert
from tinybert_tf.models import BertClassifier
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.stages import export

pytestmark = pytest.mark.usefixtures("conversions")
SPECIAL = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


@pytest.fixture
def coded(monkeypatch):
    """The tiny vocabulary is too small for codes; here it counts as one that is not."""
    monkeypatch.setattr(export, "has_codes", lambda model, variant: variant == "int8_pq")


@pytest.fixture
def ranked(student, coded, tmp_path, monkeypatch):
    """A function that exports to int8_pq and returns the WordPieces as `convert` gets them, the most frequent first."""
    vocabulary, convert = BertClassifier.from_preset(student).tokenizer.vocabulary, litert.convert
    runs = (tmp_path / f"export_{i}" for i in range(9))

    def export_to(**options):
        given = []

        def watched(*args):
            given.append(args[-1])
            return convert(*args[:-1], None)

        monkeypatch.setattr(litert, "convert", watched)
        options = {"model": str(student), "variants": ("int8_pq",)} | options
        export.run(ExportConfig(output_dir=str(next(runs)), **options))
        return given[0] if given[0] is None else [vocabulary[i] for i in given[0]]

    return export_to


def test_the_pieces_of_the_training_texts_keep_their_rows(student, reviews, ranked, tmp_path):
    """Those of the texts that are given, or else of those that the model has learned."""
    learned = ranked()
    assert set(learned[:5]) == SPECIAL and len(set(learned)) == len(learned)
    assert ranked(test_file=str(reviews / "test.csv")) == learned
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "".join(f"{learned[-1]},{'bad' if i % 2 else 'good'}\n" for i in range(40)))
    given = {"train_file": str(other), "test_file": str(reviews / "test.csv")}
    assert ranked(**given)[5] == learned[-1] != learned[5]
    assert ranked(variants=("int8",)) is None


def test_no_texts_are_counted_for_a_plain_table(student, tmp_path):
    run = export.run(ExportConfig(model=str(student), variants=("int8_pq",), output_dir=str(tmp_path / "export")))
    assert "counted texts" not in run.record["inputs"]


def test_without_training_texts_a_line_says_which_pieces_keep_their_rows(student, ranked, caplog):
    (student / "run.json").unlink()
    with caplog.at_level("WARNING", "absl"):
        assert ranked(model=str(student / "model")) is None
    assert "The WordPieces with the lowest ids count as frequent: task: got nothing" in caplog.text


def test_other_training_texts_make_another_run(student, coded, reviews, tmp_path):
    own = tmp_path / "train.csv"
    own.write_text((reviews / "train.csv").read_text())
    record = json.loads((student / "run.json").read_text())
    record["settings"]["train_file"] = str(own)
    (student / "run.json").write_text(json.dumps(record))
    config = ExportConfig(model=str(student), variants=("int8_pq",), output_dir=str(tmp_path / "export"))
    export.run(config)
    own.write_text(own.read_text().replace("film", "plot"))
    with pytest.raises(InputError, match="counted texts"):
        export.run(config)
