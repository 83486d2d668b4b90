"""The recipe of each task: how long and with which learning rate it is distilled. Flags override it."""

import dataclasses

from tinybert_tf.settings.fields import shown_value


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of training on one task. Epochs are passes over the examples, augmented or not.

    Args:
        sequence_length: Most tokens in a text or pair.
        num_variants: Most augmented copies per text.
        original_share: Share of originals in a pass over augmented examples; 0 for their share of the file.
        phase: "two" for one after the other, or "joint" for all losses at once, for a student that is not random.
        epochs: Passes of phase 1, which matches layers, or of joint distillation.
        max_steps: Optimizer steps of phase 1 or joint distillation, at most; 0 for no limit.
        learning_rate: Peak learning rate of phase 1 or joint distillation.
        prediction_epochs: Passes of phase 2, which matches logits.
        prediction_max_steps: Optimizer steps of phase 2, at most; 0 for no limit.
        prediction_learning_rate: Peak learning rate of phase 2.
        prediction_on_original: Whether phase 2 leaves augmented examples out.
        augment: Whether --stage=all augments the training texts.
        min_steps: Optimizer steps of the teacher and of each phase, at least, whatever the passes are; limits win.
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
    augment: bool = True
    min_steps: int = 300


# The paper's recipes, for a GPU (section 4.2 and appendix A), with the reference implementation's numbers of variants.
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

# For everything else: two CPU cores need ten minutes for some thousands of short texts.
_SMALL = Recipe(
    phase="joint",
    epochs=10,
    max_steps=900,
    learning_rate=3e-4,
    prediction_max_steps=300,
    prediction_learning_rate=1e-4,
    augment=False,  # at this budget it neither pays nor costs accuracy
)
# A pass over windows of 384 tokens takes many times as long as one over short texts.
_SQUAD = dataclasses.replace(_SMALL, sequence_length=384, num_variants=4, epochs=3, max_steps=0)
_SQUAD = dataclasses.replace(_SQUAD, prediction_epochs=3, prediction_max_steps=0, min_steps=0)
_OTHERS = {
    "movie_reviews": _SMALL,
    "wiki_topics": dataclasses.replace(_SMALL, sequence_length=128),
}
_QUESTIONS = {"squad": _SQUAD, "squad_v2": _SQUAD}
_OWN_FILES = dataclasses.replace(_SMALL, sequence_length=128)


def recipe_for(task: str) -> Recipe:
    """Returns the recipe of a task; a user's own files get one with 128 tokens."""
    return (_GLUE | _OTHERS | _QUESTIONS).get(task, _OWN_FILES)


def recipe_default(name: str, zero: str = "no limit") -> str:
    """Returns the default that `--help` shows for a setting of which each task's recipe has a value.

    Args:
        name: Name of the setting in `Recipe`.
        zero: What 0 stands for.
    """

    def values(recipes) -> str:
        found = sorted({getattr(recipe, name) for recipe in recipes})
        shown = [zero if value == 0 and value is not False else shown_value(value) for value in found]
        return f"{shown[0]} to {shown[-1]}" if len(shown) > 2 else " or ".join(shown)

    glue, others = values(_GLUE.values()), values([*_OTHERS.values(), _OWN_FILES])
    questions = values(_QUESTIONS.values())
    shown = glue if glue == others else f"GLUE: {glue}; other tasks and your own files: {others}"
    shown += "" if questions == others else f"; SQuAD: {questions}"
    return f"the task's recipe ({shown})"
