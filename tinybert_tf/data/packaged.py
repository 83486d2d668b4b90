"""The packaged texts, each parsed in one place: documents for a corpus, and labelled rows for a task."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from tinybert_tf import assets
from tinybert_tf.data.splits import split_of


class Row(NamedTuple):
    """A text, the key that decides its split, and its class, or None if the source gives none."""

    key: str
    text: str
    label: str | None


def movie_reviews() -> list[Row]:
    """Returns snippets of film reviews, "negative" or "positive" by the sign of the mean of some twenty ratings."""
    file = assets.fetch("movie_reviews") / "movieReviewSnippets_GroundTruth.txt"
    lines = (line.split("\t", 2) for line in file.read_text(encoding="utf-8").splitlines())
    signs = {-1: "negative", 0: None, 1: "positive"}
    return [Row(key, text, signs[(float(r) > 0) - (float(r) < 0)]) for key, r, text in lines]


def wiki_openings() -> list[Row]:
    """Returns the openings of Wikipedia articles under their titles, by topic."""
    file = assets.fetch("wiki_openings") / "summaries_en-us.json"
    articles = json.loads(file.read_text(encoding="utf-8"))
    unknown = (None, "", "Uncategorized")
    return [Row(title, a["extract"], None if a["topic"] in unknown else a["topic"]) for title, a in articles.items()]


# By the asset's name. A new asset is a line in `assets/table.py` and a reader here.
READERS = {"movie_reviews": movie_reviews, "wiki_openings": wiki_openings}


def documents(asset: str) -> Iterator[str]:
    """Yields the texts of an asset, except those that the packaged tasks evaluate on."""
    rows = READERS[asset]()
    held_out = {row.text for row in rows if split_of(row.key) != "train"}  # by text, which may have two keys
    return (row.text for row in rows if row.text not in held_out)
