"""Variants of questions and contexts: the answer survives, and its place follows the words before it."""

import numpy as np

from tinybert_tf.augmentation.augmenter import Place
from tinybert_tf.augmentation.questions import make_question_variants

CONTEXT = "a dull story and a fine film, and the fine play"
ANSWERS = (("fine film", CONTEXT.index("fine film")),)


def places_of(text, *words):
    return [Place(text.index(w), text.index(w) + len(w), ("x", "longerword", "fine film")) for w in words]


def variants(asked, *words, count=50):
    where = places_of(asked[0], "what"), places_of(asked[1], *words)
    return make_question_variants(asked, where, count, 0.6, np.random.default_rng(0))


def test_the_answer_survives_in_every_variant():
    made = variants(("what film", CONTEXT, ANSWERS), "dull", "story", "fine", "film", "play")
    assert {question for question, context, _ in made if context == CONTEXT} > {"x film"}
    changed = [(context, answers) for question, context, answers in made if question == "what film"]
    assert len(changed) > 20 and all(context != CONTEXT for context, _ in changed)
    for context, ((text, start),) in changed:
        assert text == "fine film" and context[start:].startswith("fine film, and the fine ")
    assert len({start for _, ((_, start),) in changed}) > 3  # also where the answer's words stand before it


def test_a_question_without_an_answer_changes_too():
    made = variants(("what film", CONTEXT, ()), "dull", "play")
    assert any(context != CONTEXT for _, context, _ in made) and all(answers == () for *_, answers in made)


def test_a_context_with_the_reserved_character_stays():
    context = CONTEXT + "\ue000"
    made = variants(("what film", context, ANSWERS), "dull")
    assert made and all(same == context for _, same, _ in made)


def test_draws_depend_on_the_generator_alone():
    asked = ("what film", CONTEXT, ANSWERS)
    assert variants(asked, "dull", "play") == variants(asked, "dull", "play")
