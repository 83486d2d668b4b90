"""The runtime without TensorFlow: the Keras model's answers, in a process that has neither Keras nor TensorFlow."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import PIECES
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertTokenizer
from tinybert_tf.tflite import TextClassifier, archive, classify
from tinybert_tf.tflite.classifier import answer as answer_of

TEXTS = ["a fine film", "dull", "", "The story is played, and it is a FINE one! good good good good good good good"]


def keras_answers(classifier, *texts, sequence_length=16):
    return tf.nn.softmax(classifier(classifier.tokenizer(*texts, sequence_length=sequence_length))).numpy()


@pytest.mark.parametrize("fixed", [False, True])
def test_equals_keras(make_classifier, export, fixed):
    classifier = make_classifier(labels=["bad", "good", "neither"])
    found = TextClassifier(export(classifier, fixed=fixed)).predict(TEXTS)
    np.testing.assert_allclose(found, keras_answers(classifier, TEXTS), atol=1e-5)


def test_pairs_cut_the_longer_text(make_classifier, export):
    classifier = make_classifier()
    pairs = TEXTS[::-1]
    found = TextClassifier(export(classifier, sequence_length=9)).predict(TEXTS, pairs)
    np.testing.assert_allclose(found, keras_answers(classifier, TEXTS, pairs, sequence_length=9), atol=1e-5)


def test_the_tokenizers_rules_travel_with_the_file(make_classifier, export):
    vocabulary = [*PIECES[:24], "é", "中", "##文", "ü", "##n\u0308", "##\x07"]
    rules = {"strip_accents": False, "tokenize_chinese_chars": False, "clean_text": False, "takes_pairs": False}
    classifier = make_classifier(tokenizer=BertTokenizer(vocabulary, sequence_length=16, **rules), num_segments=1)
    file = export(classifier)
    texts = ["É 中文 film", "中 ün\u0308 e\x07", "a\x07 film"]
    np.testing.assert_allclose(TextClassifier(file).predict(texts), keras_answers(classifier, texts), atol=1e-5)
    with pytest.raises(InputError, match=r"text_pairs: got second texts; expected one text per row"):
        TextClassifier(file)("a", "b")
    assert classify.main(["--model", str(file), "a", "--text_pair=b"]) == 2


def test_a_file_of_an_older_exporter_still_works(make_classifier, converted, tmp_path):
    classifier, settings = make_classifier(), {"labels": ["negative", "positive"], "sequence_length": 16}
    settings |= {"fixed_length": False, "lowercase": True, "signature": "serving_default", "output": "probabilities"}
    model = converted(classifier, "float32", 16, False)
    file = tmp_path / "older.tflite"
    file.write_bytes(archive.append_files(model, classifier.tokenizer.vocabulary, classifier.labels, settings))
    np.testing.assert_allclose(TextClassifier(file).predict(TEXTS), keras_answers(classifier, TEXTS), atol=1e-5)


def test_one_text_and_several(make_classifier, export):
    classifier = TextClassifier(export(make_classifier(labels=["bad", "good"])))
    one, several = classifier("a fine film"), classifier(["dull", "a fine film"])
    assert several[1] == one and set(one["probabilities"]) == {"bad", "good"}
    assert one["label"] == max(one["probabilities"], key=one["probabilities"].get)
    assert classifier("a", "b") == classifier(["a"], ["b"])[0] and classifier([]) == []


def test_regression(make_classifier, export):
    classifier = make_classifier(labels=["score"])
    expected = classifier(classifier.tokenizer(["a fine film"]))[0, 0]
    assert TextClassifier(export(classifier))("a fine film") == {"score": pytest.approx(float(expected), abs=1e-4)}


@pytest.mark.parametrize("number", [3.14159e-7, -2.5, 1234567.0])
def test_numbers_keep_their_digits_in_any_unit(number):
    assert answer_of(["score"], np.array([number], np.float32)) == {"score": pytest.approx(number, rel=1e-6)}


def test_several_labels(make_classifier, export):
    classifier = make_classifier(labels=["bad", "good", "neither"])
    classifier.multi_label = True
    path = export(classifier)
    expected = tf.sigmoid(classifier(classifier.tokenizer(TEXTS, sequence_length=16))).numpy()
    np.testing.assert_allclose(TextClassifier(path).predict(TEXTS), expected, atol=1e-5)
    for threshold in (0.3, 0.5, 0.999999):
        for answer, row in zip(TextClassifier(path, threshold=threshold)(TEXTS), expected, strict=True):
            assert answer["labels"] == [name for name, value in zip(classifier.labels, row) if value >= threshold]
            assert answer["probabilities"] == pytest.approx(dict(zip(classifier.labels, row)), abs=2e-5)
    assert "label" not in TextClassifier(path)("a fine film")


def test_an_unsure_file_gives_no_label(make_classifier, export, capsys):
    classifier = make_classifier(labels=["bad", "good", "neither"])
    expected = keras_answers(classifier, TEXTS)
    threshold = float(np.sort(expected.max(1))[1:3].mean())
    found = TextClassifier(export(classifier, abstain_below=threshold))
    answers, sure = found(TEXTS), expected.max(1) >= threshold
    labels = [classifier.labels[row.argmax()] if above else None for row, above in zip(expected, sure)]
    assert sure.sum() == 2 and [answer["label"] for answer in answers] == labels
    assert all(sum(answer["probabilities"].values()) == pytest.approx(1, abs=2e-5) for answer in answers)
    assert classify.main(["--model", str(export(classifier, abstain_below=threshold)), *filter(None, TEXTS)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == [label for label, text in zip(labels, TEXTS) if text]


def test_errors(make_classifier, export, tmp_path):
    with pytest.raises(InputError, match=r"model: got .*none\.tflite \(No such file"):
        TextClassifier(tmp_path / "none.tflite")
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(b"TFL3" * 100)
    with pytest.raises(InputError, match=r"expected a \.tflite file that --stage=export wrote"):
        TextClassifier(plain)
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(archive.append_files(b"TFL3", ["[PAD]"], ["a"], {"labels": ["a"]}))
    with pytest.raises(InputError, match="no fixed_length, lowercase, output"):
        TextClassifier(bare)
    path = export(make_classifier())
    with pytest.raises(InputError, match="num_threads: got 0; expected 1 or more"):
        TextClassifier(path, num_threads=0)
    with pytest.raises(InputError, match=r"model: got ~nobody-here/a\.tflite \(No such file"):
        TextClassifier("~nobody-here/a.tflite")
    path.write_bytes(b"\0" * 64 + path.read_bytes()[64:])
    with pytest.raises(InputError, match="expected a LiteRT file"):
        TextClassifier(path)


def test_needs_no_tensorflow(make_classifier, export):
    """TensorFlow and Keras cannot be imported there; the import takes less than a second of processor time."""
    code = f"""
        import sys, time
        sys.modules.update(dict.fromkeys(("tensorflow", "keras", "tf_keras", "absl", "tensorflow_text")))
        start = time.process_time()
        from tinybert_tf.tflite import TextClassifier
        seconds = time.process_time() - start
        print(TextClassifier({str(export(make_classifier()))!r})("a fine film")["label"], seconds)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    label, seconds = done.stdout.split()
    assert label in ("negative", "positive") and float(seconds) < 1


@pytest.mark.parametrize("package", ["ai_edge_litert.interpreter", "tokenizers"])
def test_a_missing_package(make_classifier, export, monkeypatch, package):
    path = export(make_classifier())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match="no such package; expected pip install"):
        TextClassifier(path)


def test_command_line(make_classifier, export, capsys, monkeypatch):
    path = str(export(make_classifier()))
    assert classify.main(["--model", path, "a fine film", "dull", "--latency"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["a fine film", "dull"] and rows[0]["latency_ms"] > 0
    monkeypatch.setattr(sys, "stdin", __import__("io").TextIOWrapper(__import__("io").BytesIO(b"good\nbad \xff\n")))
    assert classify.main(["--model", path]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert classify.main(["--model", path, "--threshold=0.3", "a"]) == 2
    assert capsys.readouterr().err == "error: threshold: got 0.3; expected none: the model gives each text one answer\n"
    assert classify.main(["--model", "none.tflite", "a"]) == 2
    assert capsys.readouterr().err.startswith("error: model: got none.tflite")


@pytest.mark.parametrize(
    ("texts", "pairs", "message"),
    [
        (["a", "b"], ["c"], "text_pairs: got 1 texts; expected 2"),
        (["a", "b", "c"], "xyz", "text_pairs: got one text; expected 3, as many as texts"),
        ("a", ["b", "c"], "text_pairs: got 2 texts; expected 1"),
        (["a", None], None, "texts: got None; expected a text"),
        ("half \ud800", None, "texts: got half a surrogate pair; expected Unicode"),
        (["a"], [5], "text_pairs: got 5; expected a text"),
    ],
)
def test_what_is_no_text_is_one_line(make_classifier, export, texts, pairs, message):
    with pytest.raises(InputError, match=f"^{message}"):
        TextClassifier(export(make_classifier()))(texts, pairs)


def test_the_file_says_whether_it_reads_pairs(make_classifier, export):
    classifier = TextClassifier(export(make_classifier()))
    classifier.info["text_pairs"] = True
    with pytest.raises(InputError, match="text_pairs: got none; expected second texts: the model has learned from"):
        classifier("a")
    expected = [classifier("a", "b"), classifier("b", "a")]
    assert classifier(np.array(["a", "b"]), np.array(["b", "a"])) == expected
    classifier.info["text_pairs"] = False  # of a folder that says nothing
    assert classifier("a", "b") == expected[0]


def test_a_file_may_have_a_name_that_is_not_unicode(make_classifier, export, tmp_path):
    path = export(make_classifier())
    other = path.rename(tmp_path / "caf\udce9.tflite")
    assert TextClassifier(other)("a fine film")["label"] in ("negative", "positive")


def test_a_reader_that_has_enough_ends_the_command_quietly(make_classifier, export):
    command = [sys.executable, "-m", "tinybert_tf.tflite.classify", f"--model={export(make_classifier())}"]
    with subprocess.Popen([*command, *"ab" * 20], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait(60) == 141 and b"Traceback" not in process.stderr.read()
