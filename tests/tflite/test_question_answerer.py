"""The question answerer without TensorFlow, with a stand-in for LiteRT that finds a word."""

import json
import subprocess
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from tests.data.squad_data import VOCABULARY
from tinybert_tf.errors import InputError
from tinybert_tf.tflite import QuestionAnswerer, TextClassifier, archive, question_answerer

SETTINGS = {"kind": "question_answering", "labels": [], "sequence_length": 16, "fixed_length": False, "lowercase": True}
SETTINGS |= {"signature": "serving_default", "stride": 4, "max_question": 6, "max_answer": 3, "null_threshold": None}


class Finder:
    """Answers with the words of the context that the question has, and with "no answer" at a score of 3."""

    def __init__(self):
        self.lengths = []

    def __call__(self, token_ids, segment_ids, padding_mask):
        assert token_ids.dtype == segment_ids.dtype == padding_mask.dtype == np.int32
        self.lengths.append(token_ids.shape[1])
        question = set(token_ids[0, segment_ids[0] == 0].tolist())
        hits = [2.0 * (token in question and place > 0) for place, token in enumerate(token_ids[0].tolist())]
        logits = np.array([hits], np.float32)
        logits[0, 0] = 1.5
        return {"start_logits": logits, "end_logits": logits}


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A function that makes an answerer with other settings, and its stand-in."""

    def made(threshold=None, **settings):
        file, finder = tmp_path / "student.tflite", Finder()
        file.write_bytes(archive.append_files(b"model", VOCABULARY, [], SETTINGS | settings))
        monkeypatch.setattr(question_answerer, "open_runner", lambda *_: finder)
        return QuestionAnswerer(file, null_threshold=threshold), finder

    return made


@pytest.mark.parametrize("fixed", [False, True])
def test_the_answer_is_cut_from_the_original_text(make, fixed):
    answerer, finder = make(fixed_length=fixed)
    context = "😀 A Fine  CAFE\u0301s, and it is a dull story; the good film is played. " * 3
    found = answerer("who cafe", context)
    assert found["answer"] == "CAFE\u0301" and context[found["start"] : found["end"]] == found["answer"]
    assert not found["no_answer"] and 0 < found["probability"] < 1 and json.dumps(found)
    assert finder.lengths == sorted(finder.lengths) and len(finder.lengths) > 5 and max(finder.lengths) == 16
    assert set(finder.lengths) == {16} or not fixed


def test_no_answer(make):
    answerer, _ = make(null_threshold=0.0)
    none = answerer("who", "a dull story")
    assert (none["answer"], none["start"], none["end"], none["no_answer"]) == ("", None, None, True)
    assert answerer("film", "a dull film")["answer"] == "film"
    (span,) = answerer.predict(["film"], ["a dull film"])
    assert span.null_odds == 3.0 - 4.0 and span.score == 4.0
    assert make(-2.0, null_threshold=0.0)[0]("film", "a dull film")["no_answer"]
    assert not make()[0]("who", "a dull story")["no_answer"]  # a model that always answers


def test_several_questions_and_a_context_of_20000_characters(make):
    answerer, _ = make(sequence_length=384, stride=128, max_question=64)
    contexts = ["a dull story " * 1600 + "film", "a good film"]
    long, short = answerer.predict(["film?", "good"], contexts)
    assert (long.text, long.start, short.text) == ("film", 20_800, "good")
    with pytest.raises(InputError, match="contexts: got 1 texts; expected 2, as many as questions"):
        answerer.predict(["film?", "good"], contexts[:1])


@pytest.mark.parametrize(
    ("question", "context", "told"),
    [
        ("who", " ", "context: got ' '; expected a text"),
        ("who", None, "context: got None; expected a text"),
        ("", "a film", "question: got ''; expected a text"),
        ("who", "\x07\u200b", "context: got that of the question '0', without a word; expected a text"),
        ("who", "a \ud83d", "context: got half a surrogate pair; expected Unicode"),
        ("who " * 7, "a film", "max_question: got 7 WordPieces in the question 'who who who who who who who'; exp"),
    ],
)
def test_what_is_no_question(make, question, context, told):
    with pytest.raises(InputError) as error:
        make()[0](question, context)
    assert str(error.value).startswith(told)


def test_files_of_another_kind(make, tmp_path):
    with pytest.raises(InputError, match=r"null_threshold: got 0\.5; expected none: the model gives every"):
        make(0.5)
    with pytest.raises(
        InputError, match="'question_answering'; expected one for TextClassifier; QuestionAnswerer reads"
    ):
        TextClassifier(tmp_path / "student.tflite")
    with pytest.raises(InputError, match="'classification'; expected one for QuestionAnswerer; TextClassifier reads"):
        make(kind="classification")
    with pytest.raises(InputError, match=r"of the kind 'x'; expected one for QuestionAnswerer$"):
        make(kind="x")
    settings = {name: value for name, value in SETTINGS.items() if name != "stride"}
    with zipfile.ZipFile(tmp_path / "old.tflite", "w") as file:
        for name, text in archive.texts_of(VOCABULARY, [], settings).items():
            file.writestr(name, text)
    with pytest.raises(InputError, match="no stride in its settings"):
        QuestionAnswerer(tmp_path / "old.tflite")


def test_needs_no_tensorflow(make, tmp_path):
    make()
    script = f"""
        import sys
        sys.modules.update(dict.fromkeys(("tensorflow", "keras", "tf_keras", "absl", "tensorflow_text")))
        from tests.tflite.test_question_answerer import Finder
        from tinybert_tf.tflite import QuestionAnswerer, question_answerer

        question_answerer.open_runner = lambda *_: Finder()
        print(QuestionAnswerer({str(tmp_path / "student.tflite")!r})("film", "a dull film")["answer"])
        print({{"sklearn", "scipy"}} & set(sys.modules))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["film", "set()"], done.stderr
