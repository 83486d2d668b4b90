"""What a classifier's card shows: how to use it, for single texts or for pairs."""

import pytest

from tinybert_tf.presets.model_card import classifier_card

SETTINGS = {"seed": 1, "epochs": 3, "max_steps": 0, "learning_rate": 5e-5, "batch_size": 32, "sequence_length": 16}
RESULTS = {"dev": {"accuracy": 0.9}, "labels": ["no", "yes"], "parameters": 1000, "steps": 10}


@pytest.mark.parametrize(
    ("pairs", "uses"),
    [
        (False, ('tokenizer(["A fine film."])', '("A fine film.")')),
        (
            True,
            (
                'tokenizer(["A fine film."], ["I liked it."])',
                '({"text": "A fine film.", "text_pair": "I liked it."})',
                '("A fine film.", "I liked it.")',
            ),
        ),
    ],
)
def test_the_examples_are_of_texts_or_of_pairs(pairs, uses):
    record = {"settings": SETTINGS, "versions": {"tinybert-tf": "1"}, "results": RESULTS}
    card = classifier_card(record, "files", "minilm_l6", pairs=pairs)
    assert all(use in card for use in uses) and ("I liked it." in card) == pairs
