"""Files of questions: SQuAD's JSON and JSON lines; what is mended, left out, or refused in one line."""

import json
import sys
import types

import numpy as np
import pytest

from tests.data.squad_data import question, questions, squad_json
from tinybert_tf.data.question_files import read_questions, write_questions
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.squad import load_squad
from tinybert_tf.errors import InputError

CONTEXT = "A fine film 😀 is fine."


@pytest.fixture
def file(tmp_path):
    """A function that writes a file and returns its path."""

    def write(content, name="train.json"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


def test_squads_json(file):
    made = file(squad_json((CONTEXT, [question("a"), question("b", answers=[("film", 7), ("fine film", 2)])])))
    found = read_questions(made)
    assert found.ids == ["a", "b"] and found.contexts[0] is found.contexts[1]
    assert found.answers == [(("fine", 2),), (("film", 7), ("fine film", 2))]
    assert (found.mended, found.left_out) == (0, 0)


def test_one_question_per_line_also_with_columns_of_answers(file):
    rows = [
        {"question": "who?", "context": CONTEXT, "answers": {"text": ["fine"], "answer_start": [17]}},
        {"question": "what?", "context": CONTEXT, "answers": [{"text": "film", "answer_start": 7}], "id": 7},
    ]
    expected = Questions(["who?", "what?"], [CONTEXT] * 2, [(("fine", 17),), (("film", 7),)], ["0", "7"])
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    for content, name in [(lines, "a.jsonl"), (lines, "b.json"), (json.dumps({"data": rows}), "c.json")]:
        assert read_questions(file(content, name)) == expected
    assert read_questions(file(json.dumps(rows[0]), "one.jsonl")) == expected.take([0])


def test_written_files_are_read_again(tmp_path):
    answered = questions(("who?", CONTEXT, ["fine"]), ("what?", CONTEXT, ["😀"]), ("who?", "é 中", ["中"]))
    partly = questions(("who?", CONTEXT, ["fine"]), ("what?", CONTEXT, []))
    for made, version in [(answered, "1.1"), (partly, "v2.0")]:
        write_questions(tmp_path / "out.json", made)
        assert json.loads((tmp_path / "out.json").read_text())["version"] == version
        assert read_questions(tmp_path / "out.json", unanswerable=version == "v2.0") == made
    unlabelled = Questions(["who?"], [CONTEXT])
    write_questions(tmp_path / "out.json", unlabelled)
    assert read_questions(tmp_path / "out.json", answers_may_lack=True) == unlabelled


@pytest.mark.parametrize(
    ("given", "expected"),
    [("2", 2), (" 17 ", 17), (4, 2), (12, 17), (0, 2), (-1, 2), (999, 17), (2.0, 2), (None, 2), ("?", 2), (True, 2)],
)
def test_offsets_are_mended_and_counted_or_refused(file, given, expected, caplog):
    made = file(squad_json((CONTEXT, [question("a", answers=[("fine", given)]), question("b")])))
    with caplog.at_level("WARNING", logger="absl"):
        found = read_questions(made)
    assert found.answers[0] == (("fine", expected),) and found.mended == 1
    assert caplog.messages == [f"{made}: offsets of answers were mended in 1 questions: 'a'."]
    with pytest.raises(InputError) as error:
        read_questions(made, bad_lines="refuse")
    told = f"question 'a' whose answer 'fine' is not at {given!r} in its context; expected {expected}, as a number"
    assert str(error.value) == f"train_file: got {made}, {told} (--bad_lines=skip mends or leaves out)"


def test_offsets_in_bytes_or_in_javas_characters_are_mended(file):
    context = "😀 é 中 " * 20 + "fine"
    for start in (len(context.encode()) - 4, len(context.encode("utf-16-le")) // 2 - 4):
        found = read_questions(file(squad_json((context, [question(answers=[("fine", start)])]))))
        assert found.answers == [(("fine", len(context) - 4),)] and found.mended == 1


def test_an_answer_that_is_not_in_its_context(file, caplog):
    bad, half = question("a", answers=[("dull", 2)]), question("b", answers=[("dull", 2), ("film", 7), (" ", 1)])
    made = file(squad_json((CONTEXT, [bad, half])))
    with caplog.at_level("WARNING", logger="absl"):
        found = read_questions(made)
    assert (found.ids, found.answers, found.left_out) == (["b"], [(("film", 7),)], 1)
    assert "1 questions are left out, whose answers are not in their contexts: 'a'." in caplog.messages[-1]
    with pytest.raises(InputError, match=r"question 'a' whose answer 'dull' is not at 2 .*expected an answer in its"):
        read_questions(made, bad_lines="refuse")
    with pytest.raises(InputError, match="where 2 questions have no answer that is in their context; expected answers"):
        read_questions(file(squad_json((CONTEXT, [bad, half, question("c", answers=[("x", 0)])]))))


def test_questions_without_an_answer(file):
    rows = [question("a"), question("b", answers=[], is_impossible=True), question("c", is_impossible=True)]
    made = file(squad_json((CONTEXT, rows), version="v2.0"))
    found = read_questions(made, unanswerable=True)
    assert found.answers == [(("fine", 2),), (), ()]
    with pytest.raises(InputError) as error:
        load_squad("squad", dev_file=str(made))
    told = "with 2 questions without an answer, as in SQuAD 2.0 (the first has the id 'b')"
    assert (
        str(error.value) == f"dev_file: got {made} {told}; expected SQuAD 1.1, where all have one; or --task=squad_v2"
    )
    assert load_squad("squad_v2", dev_file=str(made)) == {"dev": found}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (squad_json((None, [question()])), "question 'q' without a context; expected a text in 'context'"),
        (squad_json((" \n", [question()])), "question 'q' without a context"),
        (squad_json((CONTEXT, [question(text=3)])), "question 'q' without a question"),
        (squad_json((CONTEXT + "\ud83d", [question()])), "whose context has half a surrogate pair; expected Unicode"),
        (squad_json((CONTEXT, [question(), question()])), "question 'q' twice; expected each id once"),
        (squad_json((CONTEXT, [{"id": "q", "question": "who?"}])), "question 'q' without answers; expected a list"),
        (squad_json((CONTEXT, [{"question": "who?", "answers": "fine"}])), "with the answers fine; expected a list of"),
        (squad_json((CONTEXT, [{"question": "who?", "answers": {"text": []}}])), "have no lists text and answer_start"),
        (squad_json(), "without any question; expected questions"),
        (squad_json((CONTEXT, None)), "with an article or a paragraph of another kind; expected SQuAD's JSON"),
        ('{"data": 3}', "with other content; expected SQuAD's JSON"),
        ('{"data": [', "which is not JSON"),
        (
            json.dumps({"context": CONTEXT} | question()) + "\n[3]\n",
            r"line 2: '\[3\]'; expected {.* per line",
        ),
        ("question,context\n", "which is not JSON"),
    ],
)
def test_other_content_is_refused_in_one_line(file, content, told):
    with pytest.raises(InputError, match=told) as error:
        read_questions(file(content))
    assert "\n" not in str(error.value) and error.value.argument == "train_file"


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"none.json \(No such file or directory\)"):
        read_questions(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"caf\xe9": 1}')
    with pytest.raises(InputError, match=r"line 1, with bytes .*; expected UTF-8"):
        read_questions(tmp_path / "latin.json")


def test_answers_are_known_of_all_questions_or_of_none(file):
    rows = [question("a"), {"id": "b", "question": "who?"}]
    with pytest.raises(InputError, match="question 'b' without answers; expected answers to all or to none"):
        load_squad("squad", test_file=str(file(squad_json((CONTEXT, rows)))))
    found = load_squad("squad", test_file=str(file(squad_json((CONTEXT, rows[1:])))))
    assert found["test"].answers is None and found["test"].take([0]).ids == ["b"]


def test_the_fingerprint_is_that_of_the_content():
    rows = [("who?", CONTEXT, ["fine"]), ("what?", CONTEXT, ["film"])]
    made = questions(*rows)
    assert made.fingerprint() == questions(*rows).take([0, 1]).fingerprint()
    others = [questions(*rows[::-1]), questions(rows[0]), questions(("who?", CONTEXT, ["film"]), rows[1])]
    assert len({made.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_tfds(monkeypatch):
    """Rows as TFDS gives them: bytes, and a column per part of the answers."""
    answers = {"text": np.array([b"fine", "😀".encode()], object), "answer_start": np.array([2, 12], np.int32)}
    none = {"text": np.array([], object), "answer_start": np.array([], np.int32)}
    row = {"id": b"a", "question": b"who?", "context": CONTEXT.encode(), "title": b"t", "answers": answers}
    rows = [row | {"is_impossible": np.False_}, row | {"id": b"b", "answers": none, "is_impossible": np.True_}]
    rows = {"squad/v1.1": [row], "squad/v2.0": rows}

    class Builder:
        def __init__(self, name):
            self.name = name

        def download_and_prepare(self):
            pass

        def as_dataset(self, split, shuffle_files):
            assert split in ("train", "validation") and not shuffle_files
            return types.SimpleNamespace(as_numpy_iterator=lambda: iter(rows[self.name]))

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", types.SimpleNamespace(builder=Builder))
    gold = (("fine", 2), ("😀", 12))
    assert load_squad("squad")["train"] == Questions(["who?"], [CONTEXT], [gold], ["a"])
    assert load_squad("squad_v2")["dev"].answers == [gold, ()]
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", types.SimpleNamespace(builder={}.__getitem__))
    with pytest.raises(InputError, match=r"task: got squad/v1.1 .*; expected data that TFDS has or can fetch"):
        load_squad("squad")
