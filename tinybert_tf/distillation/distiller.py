"""The model that teaches a student BERT what TinyBERT matches."""

import dataclasses
from collections import defaultdict

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation.compatibility import check_models, check_settings
from tinybert_tf.distillation.features import TEACHERS, Feature, forward
from tinybert_tf.distillation.losses import all_losses, prediction_loss_of
from tinybert_tf.distillation.matches import Match, all_matches
from tinybert_tf.distillation.matches import layer_map as resolve_layer_map
from tinybert_tf.distillation.mixup import mix
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder, BertQuestionAnswerer
from tinybert_tf.models.base import TrainedModel


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertDistiller(TrainedModel):
    """Distils a teacher into a student with TinyBERT's losses: one forward pass of each model in a step.

    With the losses of `tinybert_tf.distillation.losses`, averaged over sentences, and λ the loss weights:

        loss = λ_embedding·embedding_loss + Σ_m λ_hidden,m·hidden_loss_m + Σ_m λ_attention,m·attention_loss_m
               + λ_prediction·prediction_loss                                   (paper, equations 7 to 11)

    and, if it has a weight, + Σ_m λ_relation,m·relation_loss_m of MiniLMv2, for which heads may differ.

    `attention_loss`, `hidden_loss` and `relation_loss`, as reported, are the weighted sums over layers; `evaluate`
    also reports each layer (`attention_loss_1`, unweighted). The projections W that bring the student's width to the
    teacher's belong to the distiller, not to the student. What only a loss of weight 0 needs is not computed. The
    teacher runs in inference mode and is frozen: `teacher.trainable` becomes False.

    `sample_weight` `[batch]` weighs sentences, as in any Keras loss: Σ w·l / batch. (Keras itself drops it where
    arrays come without labels.)

    Args:
        teacher: A `BertEncoder`, or a `BertClassifier` or `BertQuestionAnswerer` where the prediction is matched. None
            if only the prediction is matched and every batch has `teacher_logits`.
        student: A model likewise. It has the teacher's vocabulary, and the teacher's number of heads where attention
            scores are matched.
        layer_map: "uniform", "top", "bottom" or a list of teacher layers: see `layer_map`.
        loss_weights: The weight of each loss. Embedding, hidden and attention losses by default.
        temperature: Number that divides both models' logits.
        projection: "per_layer" for one W per layer, or "shared" for one W for the embedding and all layers.
        match_position_bias: Whether attention scores are matched with the bias by relative position, where a model
            has one (MPNet), or as products of queries and keys alone.
        relation_heads: Number of relation heads of the relation loss: a divisor of both widths.
        mixup: Probability that a text is mixed with another one in training; see `tinybert_tf.distillation.mixup`.

    Raises:
        InputError: The two models cannot be compared in the way asked for.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> teacher = BertEncoder.from_preset("minilm_l6")
    >>> student = BertEncoder.from_shape(STUDENT_PRESETS["tinybert_4l_312"])
    >>> distiller = TinyBertDistiller(teacher, student)
    >>> distiller.compile(optimizer="adamw")
    >>> distiller.fit(dataset)  # of dicts: token_ids, segment_ids, padding_mask
    """

    def __init__(
        self,
        teacher: BertEncoder | BertClassifier | BertQuestionAnswerer | None,
        student: BertEncoder | BertClassifier | BertQuestionAnswerer,
        layer_map: str | list[int] = "uniform",
        loss_weights: LossWeights | None = None,
        temperature: float = 1.0,
        projection: str = "per_layer",
        match_position_bias: bool = False,
        relation_heads: int = 12,
        mixup: float = 0.0,
        **kwargs,
    ):
        super().__init__(**{"dtype": student.dtype_policy} | kwargs)
        weights = LossWeights() if loss_weights is None else loss_weights
        check_settings(weights, temperature, projection, mixup)
        if mixup and teacher is None:
            raise InputError("mixup", mixup, "0 without a teacher, which would read the mixtures")
        if mixup and isinstance(student, BertQuestionAnswerer):
            raise InputError("mixup", mixup, "0 for a BertQuestionAnswerer: contexts are not mixed")
        known = student if teacher is None else teacher
        layers = resolve_layer_map(layer_map, student.config.num_layers, known.config.num_layers)
        losses = all_losses(temperature, relation_heads, prediction_loss_of(known))
        matches = all_matches(losses, layers, weights)
        check_models(teacher, student, matches)

        # === Layers ===
        self.teacher, self.student = teacher, student
        if teacher is not None:
            # Twice: Keras skips what changes nothing, and a model rebuilt as frozen has layers that are not.
            self.teacher.trainable = True
            self.teacher.trainable = False
        if not student.trainable_variables:
            raise InputError("student", "a frozen model, or the teacher itself", "a model of its own that can learn")
        self.matches = matches
        self.projections = self._make_projections(projection)

        # === Metrics ===
        names = dict.fromkeys(match.name for match in self.matches)
        by_layer = [match.layer_name for match in self.matches if match.layer_name]
        self._trackers = {name: keras.metrics.Mean(name) for name in ("loss", *names, *by_layer)}

        # === Config ===
        self.layer_map = layers
        self.loss_weights = weights
        self.temperature = temperature
        self.projection = projection
        self.match_position_bias = match_position_bias
        self.relation_heads = relation_heads
        self.mixup = mixup
        if mixup:
            self._seeds = keras.random.SeedGenerator()
        self.build()

    def _make_projections(self, projection: str) -> dict[str, keras.layers.Dense]:
        """Returns W of each student layer, by its number as text: Keras tracks no other keys."""
        numbers = [match.student_layer for match in self.matches if match.loss.projected]

        def dense(name):
            return keras.layers.Dense(
                self.teacher.config.hidden_dim, use_bias=False, dtype=self.dtype_policy, name=name
            )

        if projection == "shared" and numbers:
            return dict.fromkeys(map(str, numbers), dense("projection"))
        return {str(number): dense(f"projection_{number}") for number in numbers}

    def build(self, input_shape=None):
        if self.built:
            return
        for layer in self.projections.values():
            if not layer.built:
                layer.build((None, None, self.student.config.hidden_dim))
        self.built = True

    def call(self, inputs, training=None):
        """Returns the student's own outputs."""
        return self.student(inputs, training=training)

    def compute_output_spec(self, inputs, training=None):
        return self.student.compute_output_spec(inputs)

    def compile(self, optimizer="adamw", loss=None, metrics=None, **kwargs):
        """Compiles as `keras.Model` does. The distiller has its own losses; `metrics` see labels and student logits."""
        for name, given in (("loss", loss), ("loss_weights", kwargs.get("loss_weights"))):
            if given is not None:
                raise InputError(name, repr(given), "none: the distiller has its own losses and loss_weights")
        if metrics and self._answer is None:
            raise InputError("metrics", "metrics of the prediction", "loss_weights with a prediction weight")
        super().compile(optimizer=optimizer, metrics=metrics, **kwargs)

    def compile_from_config(self, config):
        """Compiles from a saved config, as Keras does only for models without a `compile` of their own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def _answer(self) -> Feature | None:
        """The models' answer that is matched, or None."""
        return next((match.loss.feature for match in self.matches if match.loss.feature.is_answer), None)

    @property
    def metrics(self):
        return [*self._trackers.values(), *(m for m in super().metrics if m.name not in self._trackers)]

    @property
    def learned_variables(self) -> list:
        """All state that training changes, except the optimizer's: weights, projections and random seeds."""
        teachers = set() if self.teacher is None else {id(variable) for variable in self.teacher.variables}
        return [variable for variable in self.variables if id(variable) not in teachers]

    def compute_losses(self, inputs, training=False) -> tuple[dict[Match, tf.Tensor], tf.Tensor | None]:
        """Runs both models once; the teacher does not run if `inputs` has all that is matched of it.

        Args:
            inputs: The three tensors of a BERT, and maybe features of the teacher: `teacher_logits` `[batch, classes]`,
                of question answerers `[batch, 2, length]`; and those of layers, as `LayerCache` names them.
            training: Whether the student learns.

        Returns:
            The loss of every `Match`, each `[batch]`; and the student's logits, or None.
        """
        inputs = dict(inputs)
        given = {name: inputs.pop(name) for name in [*inputs] if name.startswith(TEACHERS)}
        if training and self.mixup:
            if given:
                raise InputError("inputs", f"{', '.join(given)}, with mixup", "none: the teacher reads the mixtures")
            draws = keras.random.uniform((2, ops.shape(inputs["token_ids"])[0]), seed=self._seeds)
            inputs = mix(inputs, self.mixup, draws)
        computed = [match for match in self.matches if match.given_as not in given]
        if computed and self.teacher is None:
            raise InputError("inputs", ", ".join(inputs), "teacher_logits among them, because there is no teacher")
        if computed:
            # Otherwise the tape watches the frozen teacher too, and goes back through it.
            given |= keras.tree.map_structure(ops.stop_gradient, self.teachers_features(inputs, computed))
        wanted = [(match.loss.feature, match.student_layer) for match in self.matches]
        student = forward(self.student, inputs, wanted, training, self.match_position_bias)
        losses, answer = {}, self._answer
        for match in self.matches:
            ours = match.loss.feature.of(student, match.student_layer)
            if match.loss.projected:
                ours = self.projections[str(match.student_layer)](ours)
            losses[match] = match.loss(ours, given[match.given_as], inputs["padding_mask"])
        return losses, None if answer is None else student[answer.output]

    def teachers_features(self, inputs: dict, matches: list[Match]) -> dict[str, tf.Tensor]:
        """Returns the teacher's side of these matches, by the names under which a batch may hold them.

        Args:
            inputs: The three tensors of a BERT, each `[batch, length]`.
            matches: Some of `self.matches`.
        """
        wanted = [(match.loss.feature, match.teacher_layer) for match in matches]
        outputs = forward(self.teacher, inputs, wanted, False, self.match_position_bias)
        return {match.given_as: match.loss.feature.of(outputs, match.teacher_layer) for match in matches}

    def train_step(self, data):
        inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            losses, logits = self.compute_losses(inputs, training=True)
            totals = self._totals(losses, sample_weight)
            # Keras adds up the gradients of replicas.
            scaled = self.optimizer.scale_loss(totals["loss"] / tf.distribute.get_strategy().num_replicas_in_sync)
        variables = self.trainable_variables
        # The pooler has no gradient while no prediction is matched: that is intended, and no reason to warn.
        pairs = [(g, v) for g, v in zip(tape.gradient(scaled, variables), variables) if g is not None]
        self.optimizer.apply_gradients(pairs)
        return self._log(totals, inputs, labels, logits, sample_weight)

    def test_step(self, data):
        inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        losses, logits = self.compute_losses(inputs)
        totals = self._totals(losses, sample_weight)
        for match, loss in losses.items():
            if match.layer_name:
                totals[match.layer_name] = _mean(loss, sample_weight)
        return self._log(totals, inputs, labels, logits, sample_weight)

    def _totals(self, losses, sample_weight) -> dict[str, tf.Tensor]:
        """Returns the weighted sum over layers for each kind of loss, and `loss`, the sum of all."""
        totals = defaultdict(float)
        for match, loss in losses.items():
            totals[match.name] += match.weight * _mean(loss, sample_weight)
        return {"loss": sum(totals.values()), **totals}

    def _log(self, values, inputs, labels, logits, sample_weight) -> dict[str, tf.Tensor]:
        for name, value in values.items():
            self._trackers[name].update_state(value, sample_weight=ops.shape(inputs["token_ids"])[0])
        logs = {name: self._trackers[name].result() for name in values}
        if labels is not None and self._answer is not None:
            compiled = self.compute_metrics(inputs, labels, logits, sample_weight)
            logs |= {name: value for name, value in compiled.items() if name not in self._trackers}
        return logs

    def get_config(self):
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
            "teacher": keras.saving.serialize_keras_object(self.teacher),
            "student": keras.saving.serialize_keras_object(self.student),
            "layer_map": list(self.layer_map),
            "loss_weights": {
                name: list(weight) if isinstance(weight, tuple) else weight
                for name, weight in dataclasses.asdict(self.loss_weights).items()
            },
            "temperature": self.temperature,
            "projection": self.projection,
            "match_position_bias": self.match_position_bias,
            "relation_heads": self.relation_heads,
            "mixup": self.mixup,
        }

    @classmethod
    def from_config(cls, config):
        models = {key: keras.saving.deserialize_keras_object(config[key]) for key in ("teacher", "student")}
        weights = {key: tuple(w) if isinstance(w, list) else w for key, w in config["loss_weights"].items()}
        return cls(**config | models | {"loss_weights": LossWeights(**weights)})


def _mean(loss, sample_weight):
    """Returns the mean over sentences of `loss` `[batch]`; `sample_weight` is `[batch]` or `[batch, 1]`."""
    if sample_weight is None:
        return ops.mean(loss)
    return ops.mean(loss * ops.reshape(ops.cast(sample_weight, loss.dtype), ops.shape(loss)))
