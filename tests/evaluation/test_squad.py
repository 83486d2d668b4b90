"""SQuAD's metrics, against numbers worked out by hand and published ones."""

import json

import numpy as np
import pytest

from tests.data.squad_data import REAL
from tinybert_tf.data.question_files import read_questions
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.spans import Span
from tinybert_tf.evaluation import squad


def asked(*answers):
    """Questions with these texts as answers."""
    count = len(answers)
    return Questions(["who?"] * count, ["text"] * count, [tuple((text, 0) for text in texts) for texts in answers])


def spans(*rows):
    """Answers of (text, odds of no answer)."""
    return [Span(text, 0, len(text), 0.0, 1.0, odds, odds > 0) for text, odds in rows]


@pytest.mark.parametrize(
    ("prediction", "answer", "exact", "f1"),
    [
        ("The Broncos", "Broncos!", 1, 1),
        ("an apple, a day", "apple day", 1, 1),
        ("Santa Clara, California", "Santa Clara", 0, 2 * 2 / (3 + 2)),
        ("in in the park", "in park in in", 0, 2 * 3 / (3 + 4)),  # words count as often as they occur
        ("theatre", "tre", 0, 0),
        ("Beyonce", "Beyoncé", 0, 0),  # accents stay
        ("5 -- 10", "510", 0, 0),
        ("U.S.", "us", 1, 1),
        ("“fine”", "fine", 0, 0),  # only ASCII's punctuation goes
        ("", "fine", 0, 0),
        ("the", "a", 1, 1),
        ("", "", 1, 1),
    ],
)
def test_a_prediction_by_hand(prediction, answer, exact, f1):
    assert squad.exact_match(prediction, answer) == exact
    assert squad.f1(prediction, answer) == pytest.approx(f1, rel=1e-15)


def test_the_examples_of_the_published_metric_cards():
    """Those of `squad` and `squad_v2` in Hugging Face's `evaluate`."""
    made = asked(["1976"], ["Beyoncé and Bruno Mars"], ["climate change"])
    rows = [("1976", 0.0), ("Beyonce", 0.0), ("climate change", 0.0)]
    found = squad.evaluate(made, spans(*rows))
    assert found == {"exact_match": pytest.approx(2 / 3), "f1": pytest.approx(2 / 3)}
    found = squad.evaluate(made, spans(*rows), null_threshold=1.0)
    expected = {
        f"{part}{name}": pytest.approx(2 / 3) for part in ("", "has_answer_", "best_") for name in squad.METRICS
    }
    assert found == expected | {"best_exact_match_threshold": 0.0, "best_f1_threshold": 0.0}
    for text, value in (("1976", 1.0), ("1999", 0.0)):
        assert squad.evaluate(made.take([0]), spans((text, 0.0))) == {"exact_match": value, "f1": value}


def test_the_best_of_several_answers_counts():
    values = squad.scores(asked(["a fine film", "film"], ["the", "good story"], ["a", "the"]), ["film", "story", ""])
    assert values["exact_match"].tolist() == [1, 0, 1]
    assert values["f1"].tolist() == pytest.approx([1, 2 / 3, 1])


def test_questions_without_an_answer_by_hand():
    made = asked(["fine film"], ["good"], [], [])
    rows = spans(("fine", -2.0), ("good", 0.5), ("film", 1.0), ("dull", -1.0))
    assert squad.evaluate(made, rows, null_threshold=0.0) == {
        "exact_match": pytest.approx(1 / 4),  # only the third, to which "no answer" is given
        "f1": pytest.approx((2 / 3 + 0 + 1 + 0) / 4),
        "has_answer_exact_match": 0.0,
        "has_answer_f1": pytest.approx(1 / 3),
        "no_answer_exact_match": 0.5,
        "no_answer_f1": 0.5,
        "best_exact_match": 0.5,  # "no answer" to all; an answer to three is as good
        "best_exact_match_threshold": -3.0,
        "best_f1": pytest.approx((2 / 3 + 0 + 1 + 1) / 4),
        "best_f1_threshold": -2.0,
    }


def test_a_threshold_does_not_part_equal_odds():
    values, odds, answerable = np.array([1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([True, False, False])
    assert squad.best_threshold(values, odds, answerable) == (pytest.approx(2 / 3), -1.0)


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_is_better_than_the_best(seed):
    rng = np.random.default_rng(seed)
    answerable, odds = rng.random(40) < 0.6, rng.normal(size=40).round(1)
    values = rng.random(40) * answerable
    best, threshold = squad.best_threshold(values, odds, answerable)
    means = {t: np.where(odds > t, ~answerable, values).mean() for t in (-99.0, *odds)}
    assert best == pytest.approx(max(means.values()), rel=1e-14)
    assert np.where(odds > threshold, ~answerable, values).mean() == pytest.approx(best, rel=1e-14)


def test_intervals():
    rng = np.random.default_rng(0)
    values = (rng.random(2000) < 0.8).astype(float)
    low, high = squad.interval(values)
    assert low < values.mean() < high and high - low == pytest.approx(2 * 1.96 * (0.16 / 2000) ** 0.5, rel=0.1)
    assert squad.interval(values, values) == (0.0, 0.0)


def test_prediction_files(tmp_path):
    made = Questions(["who?"] * 2, ["é"] * 2, ids=["a", "b"])
    squad.write_predictions(tmp_path, made, spans(("é", -1.5), ("fine", 2.0)), with_null_odds=True)
    assert (tmp_path / "predictions.json").read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": ""\n}\n'
    assert json.loads((tmp_path / "null_odds.json").read_text()) == {"a": -1.5, "b": 2.0}


@pytest.mark.parametrize("name", ["dev-v1.1", "dev-v2.0-half"])
def test_real_answers_are_all_right(name):
    file = REAL / f"{name}.json"
    if not file.exists():
        pytest.skip(f"no {name}.json: TINYBERT_SQUAD names the folder that holds it")
    made = read_questions(file, unanswerable="v2" in name)
    given = [answers[0][0] if answers else "" for answers in made.answers]
    values = squad.scores(made, given)
    assert all(rows.min() == 1 for rows in values.values())
    assert squad.scores(made, [text + " zzz" for text in given])["exact_match"].max() == 0
