"""What the losses compare, and the forward pass that computes it."""

import dataclasses

from keras import ops

from tinybert_tf.models import BertClassifier, BertEncoder, BertQuestionAnswerer
from tinybert_tf.models.question_answerer import END, START


@dataclasses.dataclass(frozen=True)
class Feature:
    """A part of a model's outputs that can be compared, and where a forward pass returns it.

    Args:
        output: Name of the model's output.
        argument: Argument of the model's `call` that asks for this output; None where a model with a head returns it
            anyway.
        first_layer: Number of the layer that comes first in the output; None where the output is the whole model's.
        dims: What the axes of the feature of one text are: see `shape`.
    """

    output: str
    argument: str | None = None
    first_layer: int | None = None
    dims: tuple[str, ...] = ()

    @property
    def is_answer(self) -> bool:
        """Whether it is the answer of a model's head, and of no layer."""
        return self.first_layer is None

    def of(self, outputs: dict, layer: int | None):
        """Returns the feature of a layer, or of the whole model where `layer` is None."""
        found = outputs[self.output]
        return found if layer is None else found[layer - self.first_layer]

    def shape(self, model, length: int) -> tuple[int, ...]:
        """Returns the shape of the model's feature, of one layer if it has layers, of a text with this many tokens."""
        config = encoder_of(model).config
        sizes = {"length": length, "num_heads": config.num_heads, "hidden_dim": config.hidden_dim}
        sizes |= {"3 hidden_dim": 3 * config.hidden_dim, "classes": len(getattr(model, "labels", ())), "ends": 2}
        return tuple(sizes[dim] for dim in self.dims)

    def given_as(self, layer: int | None) -> str:
        """Returns the name under which a batch may hold the teacher's feature, which then is not computed."""
        return TEACHERS_LOGITS if self.is_answer else f"{TEACHERS}{self.output}_{layer}"


TEACHERS = "teacher_"
TEACHERS_LOGITS = f"{TEACHERS}logits"
HIDDEN_STATES = Feature("hidden_states", "return_intermediates", first_layer=0, dims=("length", "hidden_dim"))
ATTENTION_SCORES = Feature(
    "attention_scores", "return_intermediates", first_layer=1, dims=("num_heads", "length", "length")
)
QUERY_KEY_VALUE = Feature("query_key_value", "return_query_key_value", first_layer=1, dims=("length", "3 hidden_dim"))
LOGITS = Feature("logits", dims=("classes",))
SPAN_LOGITS = Feature("span_logits", dims=("ends", "length"))  # start and end: `[batch, 2, length]`
# The answer of each kind of model with a head that can be distilled.
ANSWERS = {BertClassifier: LOGITS, BertQuestionAnswerer: SPAN_LOGITS}


def answer_of(model) -> Feature | None:
    """Returns the answer of a model's head that can be distilled; None where it has none."""
    return next((feature for kind, feature in ANSWERS.items() if isinstance(model, kind)), None)


def encoder_of(model: BertEncoder | BertClassifier | BertQuestionAnswerer) -> BertEncoder:
    """Returns the encoder of a model with a head, or the encoder that the model is."""
    return getattr(model, "encoder", model)


def forward(model, inputs: dict, wanted: list[tuple[Feature, int | None]], training: bool, with_position_bias: bool):
    """Runs a model once, and no layer above the highest that is wanted.

    Args:
        model: A `BertEncoder`, or a model with a head where its answer is wanted.
        inputs: The three tensors of a BERT, each `[batch, length]`.
        wanted: Features, each with the number of the layer that is looked at.
        training: Whether dropout is on.
        with_position_bias: Whether attention scores contain the bias by relative position, where the model has one.

    Returns:
        A dict of outputs, from which `Feature.of` takes what is wanted.
    """
    features, encoder = {feature for feature, _ in wanted}, encoder_of(model)
    asked = {feature.argument: True for feature in features if feature.argument}
    if not any(feature.is_answer for feature in features):
        outputs = encoder(inputs, training=training, num_layers=max(layer for _, layer in wanted), **asked)
    else:
        outputs = model(inputs, training=training, **asked)
        outputs = outputs if isinstance(outputs, dict) else {LOGITS.output: outputs}
    if SPAN_LOGITS in features:
        outputs |= {SPAN_LOGITS.output: ops.stack([outputs[START], outputs[END]], axis=1)}
    if encoder.position_bias is None or with_position_bias or ATTENTION_SCORES not in features:
        return outputs
    bias = encoder.position_bias(outputs[HIDDEN_STATES.output][0])
    return outputs | {ATTENTION_SCORES.output: [scores - bias for scores in outputs[ATTENTION_SCORES.output]]}
