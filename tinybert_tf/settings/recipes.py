"""How long and how fast each task is distilled: data, which flags override."""

import dataclasses

TASK_NAMES = (
    *("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "ax"),  # GLUE
    *("movie_reviews", "wiki_topics"),  # packaged
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of task distillation for one task. Epochs are passes over the data given, augmented or not.

    Args:
        sequence_length: tokens in a text or pair, at most.
        num_variants: augmented copies of a text.
        original_share: of originals in a pass over augmented examples; 0 for as many as there are.
        phase: "two", one after the other, or "joint", all losses at once, for a student that has learned already.
        epochs: of phase 1, which matches layers, or joint.
        max_steps: optimizer updates of phase 1 or joint at most; 0 for no limit.
        learning_rate: of phase 1 or joint.
        prediction_epochs: of phase 2, which matches logits.
        prediction_max_steps: updates of phase 2 at most; 0 for no limit.
        prediction_learning_rate: of phase 2.
        prediction_on_original: phase 2 leaves augmented examples out.
    """

    sequence_length: int = 64
    num_variants: int = 20
    original_share: float = 0.0
    phase: str = "two"
    epochs: int = 20
    max_steps: int = 0
    learning_rate: float = 5e-5
    prediction_epochs: int = 3
    prediction_max_steps: int = 0
    prediction_learning_rate: float = 3e-5
    prediction_on_original: bool = False


# The paper's, for a GPU (section 4.2 and appendix A); numbers of variants as the reference implementation has them.
_GLUE = {
    "cola": Recipe(epochs=50, num_variants=30),
    "sst2": Recipe(),
    "mrpc": Recipe(sequence_length=128, num_variants=30),
    "stsb": Recipe(sequence_length=128, num_variants=30, prediction_on_original=True),
    "qqp": Recipe(sequence_length=128, num_variants=10, epochs=10),
    "mnli": Recipe(sequence_length=128, num_variants=10, epochs=10),
    "qnli": Recipe(sequence_length=128, epochs=10),
    "rte": Recipe(sequence_length=128, num_variants=30),
    "wnli": Recipe(sequence_length=128, num_variants=30),
}

# Everything else: what two CPU cores do in ten minutes with some thousands of short texts.
_SMALL = Recipe(
    phase="joint",
    epochs=10,
    max_steps=900,
    learning_rate=5e-4,
    prediction_max_steps=300,
    prediction_learning_rate=1e-4,
)
_OTHERS = {
    "movie_reviews": _SMALL,
    "wiki_topics": dataclasses.replace(_SMALL, sequence_length=128),
}


def recipe_for(task: str) -> Recipe:
    """Returns the recipe of a task; one of 128 tokens for a user's own files."""
    own = dataclasses.replace(_SMALL, sequence_length=128)
    return (_GLUE | _OTHERS).get(task, own)
