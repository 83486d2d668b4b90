"""Settings of the stages that distil."""

import dataclasses

from tinybert_tf.configs import LossWeights
from tinybert_tf.settings.fields import DISTILLATION, Settings, setting


@dataclasses.dataclass(frozen=True)
class Distillation(Settings):
    """Settings of stages that match layers."""

    layer_map: str = setting(
        "uniform",
        "Teacher layer for each student layer: uniform, top, bottom, or a list such as 2,3,5,6.",
        DISTILLATION,
    )
    embedding_weight: float = setting(1.0, "Weight of the embedding loss.", DISTILLATION, at_least=0)
    hidden_weight: tuple[float, ...] = setting(
        (1.0,), "Weight of the hidden loss: one number, or one per student layer.", DISTILLATION, at_least=0
    )
    attention_weight: tuple[float, ...] = setting(
        (1.0,), "Weight of the attention loss: one number, or one per student layer.", DISTILLATION, at_least=0
    )
    relation_weight: tuple[float, ...] = setting(
        (0.0,),
        "Weight of MiniLMv2's relation loss, which fits any numbers of heads: one number, or one per student layer.",
        DISTILLATION,
        at_least=0,
    )
    relation_heads: int = setting(
        12, "Heads of the relation loss: a number that divides both models' widths.", DISTILLATION, at_least=1
    )
    projection: str = setting(
        "per_layer",
        "Matrices W that project from the student's width to the teacher's.",
        DISTILLATION,
        choices={"per_layer": "one each", "shared": "one for the embeddings and all layers"},
    )
    match_position_bias: bool = setting(
        False, "Whether an MPNet's attention scores are matched with its relative position bias added.", DISTILLATION
    )
    student_init: str = setting(
        "teacher",
        "How a new student starts.",
        DISTILLATION,
        choices={
            "teacher": "every layer cut out of the teacher by least squares",
            "svd": "embeddings from the teacher's, random layers",
            "random": "random weights",
        },
    )
    init_tokens: int = setting(
        40_000, "Tokens of text that --student_init=teacher reads, at most.", DISTILLATION, at_least=1
    )

    @property
    def matches_layers(self) -> bool:
        """Whether any loss compares layers."""
        return any((self.embedding_weight, *self.hidden_weight, *self.attention_weight, *self.relation_weight))

    @property
    def loss_weights(self) -> LossWeights:
        """The weights of the intermediate losses."""

        def by_layer(weights):
            return weights[0] if len(weights) == 1 else weights

        return LossWeights(
            embedding=self.embedding_weight,
            hidden=by_layer(self.hidden_weight),
            attention=by_layer(self.attention_weight),
            relation=by_layer(self.relation_weight),
        )

    def distiller_options(self) -> dict:
        """Returns these settings as arguments of `TinyBertDistiller`."""
        return {
            "layer_map": self.layer_map,
            "loss_weights": self.loss_weights,
            "projection": self.projection,
            "match_position_bias": self.match_position_bias,
            "relation_heads": self.relation_heads,
        }
