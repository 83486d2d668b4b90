"""Files of questions: SQuAD's own JSON, and one question per line with its context."""

import json
from collections.abc import Iterator
from pathlib import Path

from tinybert_tf.data.files import content_of
from tinybert_tf.data.question_reader import QuestionReader
from tinybert_tf.data.questions import Questions
from tinybert_tf.errors import InputError
from tinybert_tf.files import NOT_JSON, json_row, write_text

_SQUAD = 'SQuAD\'s JSON: {"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers"}]}]}]}'
_LINES = '{"question", "context"} per line, and "id" and "answers" if there are any'


def read_questions(
    path: str | Path,
    argument: str = "train_file",
    *,
    unanswerable: bool = False,
    answers_may_lack: bool = False,
    bad_lines: str = "skip",
) -> Questions:
    """Reads a file of SQuAD's JSON, or of JSON lines: one question per line, with its context.

    An answer's `answer_start` counts characters (Unicode code points). If it is text, or the answer stands elsewhere
    in the context, the nearest place is taken. `answers` may also be `{"text": […], "answer_start": […]}`, as Hugging
    Face's data sets write them.

    Args:
        path: The file.
        argument: Name of the argument that errors blame.
        unanswerable: Whether a question may have no answer, as in SQuAD 2.0.
        answers_may_lack: Whether the file may be without answers, as one that is only predicted on.
        bad_lines: "skip" mends offsets, and leaves out questions without any answer in their context, and counts
            both; "refuse" raises InputError.

    Raises:
        InputError: The file or a question in it cannot be used; the message names both.
    """
    reader = QuestionReader(path, argument, unanswerable, answers_may_lack, bad_lines)
    for row, context in _rows(content_of(str(path), argument), path, argument):
        reader.add(row, context)
    return reader.questions()


def write_questions(path: Path, questions: Questions) -> None:
    """Writes SQuAD's JSON: of version 2.0 if a question has no answer, else of 1.1."""
    unanswerable = questions.answers is not None and not all(questions.answers)
    paragraphs, before = [], None
    for place, context in enumerate(questions.contexts):
        if context != before:
            paragraphs.append({"context": context, "qas": []})
        row = {"id": questions.ids[place], "question": questions.questions[place]}
        if questions.answers is not None:
            answers = questions.answers[place]
            row["answers"] = [{"text": text, "answer_start": start} for text, start in answers]
            row |= {"is_impossible": not answers} if unanswerable else {}
        paragraphs[-1]["qas"].append(row)
        before = context
    content = {"version": "v2.0" if unanswerable else "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
    write_text(path, json.dumps(content, ensure_ascii=False) + "\n")


def _rows(text: str, path, argument: str) -> Iterator[tuple[dict, object]]:
    """Yields each question's object, and its context."""
    try:
        content = json.loads(text)
    except NOT_JSON as error:
        if not text.lstrip().startswith("{") or "\n" not in text.strip():
            raise InputError(argument, f"{path}, which is not JSON ({error})", _SQUAD) from None
        yield from _lines(text, path, argument)
        return
    data = content.get("data", [content]) if isinstance(content, dict) else content
    if not isinstance(data, list) or not all(isinstance(article, dict) for article in data):
        raise InputError(argument, f"{path} with other content", _SQUAD)
    for article in data:
        if "paragraphs" not in article:
            yield article, article.get("context")
            continue
        for paragraph in _objects(article["paragraphs"], path, argument):
            for row in _objects(paragraph.get("qas"), path, argument):
                yield row, paragraph.get("context")


def _objects(values: object, path, argument: str) -> list[dict]:
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise InputError(argument, f"{path} with an article or a paragraph of another kind", _SQUAD)
    return values


def _lines(text: str, path, argument: str) -> Iterator[tuple[dict, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = json_row(line)
        if row is None:
            raise InputError(argument, f"{path}, line {number}: {line[:40]!r}", _LINES)
        yield row, row.get("context")
