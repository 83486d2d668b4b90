"""The packaged tasks."""

import numpy as np
import pytest

from tinybert_tf import assets
from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.text import Corpus


@pytest.mark.assets
@pytest.mark.parametrize(
    "name, labels, sizes",
    [
        ("movie_reviews", 2, {"train": 7479, "dev": 1021, "test": 2066}),
        ("wiki_topics", 11, {"train": 6262, "dev": 926, "test": 1845}),
    ],
)
def test_packaged_tasks_have_fixed_splits_that_share_no_text(name, labels, sizes):
    task = load_task(name)
    assert {name: len(part) for name, part in task.splits.items()} == sizes
    assert len(task.labels) == labels
    texts = [text for part in task.splits.values() for text in part.texts]
    assert len(set(texts)) == len(texts)
    for part in task.splits.values():
        assert set(part.labels) == set(range(labels))
    assert task.report_split == "test"


@pytest.mark.assets
def test_packaged_labels_are_those_of_the_source():
    reviews = load_task("movie_reviews").splits["test"]
    by_text = dict(zip(reviews.texts, reviews.labels))
    file = assets.fetch("movie_reviews") / "movieReviewSnippets_GroundTruth.txt"
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    checked = [by_text[text] == (not rating.startswith("-")) for _, rating, text in rows if text in by_text]
    assert len(checked) >= len(reviews) and np.mean(checked) > 0.999  # but for texts that stand twice


@pytest.mark.assets
@pytest.mark.parametrize(("task", "corpus"), [("movie_reviews", "movie_reviews"), ("wiki_topics", "wiki_openings")])
def test_what_a_task_evaluates_on_is_in_no_corpus(task, corpus):
    splits = load_task(task).splits
    evaluated = {text.strip() for name in ("dev", "test") for text in splits[name].texts}
    source = Corpus([corpus])
    texts = {text for held_out in (False, True) for text in source.documents(held_out=held_out)}
    assert len(texts) > 5000 and not evaluated & texts
