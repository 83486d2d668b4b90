"""The kinds of task: what each means to the stages, one module per kind.

A stage asks the kind of its task for the model's class, batches, losses, metrics and answers, and knows no more of it.
"""

from tinybert_tf.data.squad import TASKS
from tinybert_tf.errors import naming
from tinybert_tf.kinds.base import Kind
from tinybert_tf.kinds.classification import Classification
from tinybert_tf.kinds.question_answering import QuestionAnswering
from tinybert_tf.presets.resolve import open_preset
from tinybert_tf.settings.task_data import TaskData

__all__ = ["Classification", "Kind", "QuestionAnswering", "kind_of", "kind_of_model"]


def kind_of(config: TaskData) -> type[Kind]:
    """Returns the kind of the task that the settings name."""
    return QuestionAnswering if config.task in TASKS else Classification


def kind_of_model(name: str, argument: str) -> type[Kind]:
    """Returns the kind of task that a fine-tuned model answers; errors name its flag, `argument`."""
    with naming(argument):
        return QuestionAnswering if open_preset(name).answers_questions else Classification
