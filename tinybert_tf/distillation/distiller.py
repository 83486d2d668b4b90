"""The model that teaches a student BERT what TinyBERT matches."""

import dataclasses
from collections import defaultdict

import keras
import tensorflow as tf
from keras import ops

from tinybert_tf.configs import LossWeights
from tinybert_tf.distillation.compatibility import check_models, check_settings
from tinybert_tf.distillation.losses import AttentionLoss, HiddenLoss, PredictionLoss
from tinybert_tf.distillation.matches import Match, intermediate_matches
from tinybert_tf.distillation.matches import layer_map as resolve_layer_map
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier, BertEncoder


@keras.saving.register_keras_serializable(package="tinybert_tf")
class TinyBertDistiller(keras.Model):
    """Distils a teacher into a student with TinyBERT's losses: one forward pass of each model in a step.

    With the losses of `tinybert_tf.distillation.losses`, averaged over sentences, and λ the loss weights:

        loss = λ_embedding·embedding_loss + Σ_m λ_hidden,m·hidden_loss_m + Σ_m λ_attention,m·attention_loss_m
               + λ_prediction·prediction_loss                                   (paper, equations 7 to 11)

    `attention_loss` and `hidden_loss`, as reported, are the weighted sums over layers; `evaluate` also reports
    each layer (`attention_loss_1`, unweighted). The projections W that bring the student's width to the teacher's
    belong to the distiller, not to the student. What only a loss of weight 0 needs is not computed. The teacher
    runs in inference mode and is frozen: `teacher.trainable` becomes False.

    `sample_weight` `[batch]` weighs sentences, as in any Keras loss: Σ w·l / batch. (Keras itself drops it where
    arrays come without labels.)

    Args:
        teacher: a `BertEncoder`, or a `BertClassifier` where the prediction is matched.
        student: likewise; shares vocabulary and head count with the teacher.
        layer_map: "uniform", "top", "bottom" or a list of teacher layers: see `layer_map`.
        loss_weights: a `LossWeights`. By default embedding, hidden and attention.
        temperature: divides both models' logits.
        projection: "per_layer", or "shared": one W for the embedding and all layers.
        match_position_bias: whether the attention scores are matched with the bias by relative position, where a
            model has one (MPNet), or as products of queries and keys alone.

    Raises:
        InputError: the two models cannot be compared in the way asked for.
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
        teacher: BertEncoder | BertClassifier,
        student: BertEncoder | BertClassifier,
        layer_map: str | list[int] = "uniform",
        loss_weights: LossWeights | None = None,
        temperature: float = 1.0,
        projection: str = "per_layer",
        match_position_bias: bool = False,
        **kwargs,
    ):
        super().__init__(**{"dtype": student.dtype_policy} | kwargs)
        weights = LossWeights() if loss_weights is None else loss_weights
        check_settings(weights, temperature, projection)
        layers = resolve_layer_map(layer_map, student.config.num_layers, teacher.config.num_layers)
        matches = intermediate_matches(layers, weights)
        check_models(teacher, student, matches, bool(weights.prediction))

        # === Layers ===
        self.teacher, self.student = teacher, student
        # Twice: Keras skips an assignment that changes nothing, and a model rebuilt as frozen has layers that are not.
        self.teacher.trainable = True
        self.teacher.trainable = False
        if not student.trainable_variables:
            raise InputError("student", "a frozen model, or the teacher itself", "a model of its own that can learn")
        self.matches = matches
        self.attention_loss, self.hidden_loss = AttentionLoss(), HiddenLoss()
        self.prediction_loss = PredictionLoss(temperature)
        self.projections = self._make_projections(projection)

        # === Metrics ===
        names = list(dict.fromkeys(match.loss for match in self.matches))
        names += ["prediction_loss"] if weights.prediction else []
        by_layer = [f"{match.loss}_{match.student_layer}" for match in self.matches if match.student_layer]
        self._trackers = {name: keras.metrics.Mean(name) for name in ("loss", *names, *by_layer)}

        # === Config ===
        self.layer_map = layers
        self.loss_weights = weights
        self.temperature = temperature
        self.projection = projection
        self.match_position_bias = match_position_bias
        self.build()

    def _make_projections(self, projection: str) -> dict[str, keras.layers.Dense]:
        """W of each student layer, by its number (a text: Keras tracks no other keys)."""
        numbers = [match.student_layer for match in self.matches if match.loss != "attention_loss"]

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
        """The student's own answer."""
        return self.student(inputs, training=training)

    def compute_output_spec(self, inputs, training=None):
        return self.student.compute_output_spec(inputs)

    def compile(self, optimizer="adamw", loss=None, metrics=None, **kwargs):
        """As `keras.Model.compile`. The losses are the distiller's own; `metrics` see labels and student logits."""
        for name, given in (("loss", loss), ("loss_weights", kwargs.get("loss_weights"))):
            if given is not None:
                raise InputError(name, repr(given), "none: the distiller has its own losses and loss_weights")
        if metrics and not self.loss_weights.prediction:
            raise InputError("metrics", "metrics of the prediction", "loss_weights with a prediction weight")
        super().compile(optimizer=optimizer, metrics=metrics, **kwargs)

    def compile_from_config(self, config):
        """As Keras's own, which leaves models alone that have their own `compile`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return [*self._trackers.values(), *(m for m in super().metrics if m.name not in self._trackers)]

    @property
    def learned_variables(self) -> list:
        """All state that training changes, the optimizer's apart: weights, projections and random seeds."""
        teachers = {id(variable) for variable in self.teacher.variables}
        return [variable for variable in self.variables if id(variable) not in teachers]

    def compute_losses(self, inputs, training=False) -> tuple[dict[Match | str, tf.Tensor], tf.Tensor | None]:
        """Runs both models once; the teacher not at all where only its logits are wanted and `inputs` has them.

        Args:
            inputs: the three tensors of a BERT, and maybe `teacher_logits` `[batch, classes]`.
            training: whether the student learns.

        Returns:
            The loss of every `Match` (and of "prediction_loss", where it is weighed), each `[batch]`; and the
            student's logits, or None.
        """
        inputs = dict(inputs)
        teacher = {"logits": inputs.pop("teacher_logits", None)}
        if self.matches or teacher["logits"] is None:
            teacher = self._forward(self.teacher, inputs, [m.teacher_layer for m in self.matches], training=False)
            # A tape watches the frozen teacher all the same, and would go back through it.
            teacher = keras.tree.map_structure(ops.stop_gradient, teacher)
        student = self._forward(self.student, inputs, [m.student_layer for m in self.matches], training=training)
        mask = inputs["padding_mask"]
        losses = {}
        for match in self.matches:
            s, t = match.student_layer, match.teacher_layer
            if match.loss == "attention_loss":
                ours, theirs = self._scores(self.student, student, s), self._scores(self.teacher, teacher, t)
                losses[match] = self.attention_loss(ours, theirs, mask)
            else:
                ours = self.projections[str(s)](student["hidden_states"][s])
                losses[match] = self.hidden_loss(ours, teacher["hidden_states"][t], mask)
        if self.loss_weights.prediction:
            losses["prediction_loss"] = self.prediction_loss(student["logits"], teacher["logits"])
        return losses, student.get("logits")

    def _forward(self, model, inputs, layers, training):
        """One forward pass: no further up than the highest layer that is looked at, unless logits are wanted."""
        if not self.loss_weights.prediction:
            encoder = getattr(model, "encoder", model)
            return encoder(inputs, training=training, return_intermediates=True, num_layers=max(layers))
        if layers:
            return model(inputs, training=training, return_intermediates=True)
        return {"logits": model(inputs, training=training)}

    def _scores(self, model, outputs, layer):
        """The attention scores of a layer, as they are to be matched."""
        bias = getattr(model, "encoder", model).position_bias
        scores = outputs["attention_scores"][layer - 1]
        if bias is None or self.match_position_bias:
            return scores
        return scores - bias(outputs["hidden_states"][0])

    def train_step(self, data):
        inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            losses, logits = self.compute_losses(inputs, training=True)
            totals = self._totals(losses, sample_weight)
            # Keras adds up the gradients of replicas.
            scaled = self.optimizer.scale_loss(totals["loss"] / tf.distribute.get_strategy().num_replicas_in_sync)
        variables = self.trainable_variables
        if not self.optimizer.built:
            self.optimizer.build(variables)
        # The pooler has no gradient while no prediction is matched: that is meant, and no reason to warn.
        pairs = [(g, v) for g, v in zip(tape.gradient(scaled, variables), variables) if g is not None]
        self.optimizer.apply_gradients(pairs)
        return self._log(totals, inputs, labels, logits, sample_weight)

    def test_step(self, data):
        inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        losses, logits = self.compute_losses(inputs)
        totals = self._totals(losses, sample_weight)
        for match, loss in losses.items():
            if match != "prediction_loss" and match.student_layer:
                totals[f"{match.loss}_{match.student_layer}"] = _mean(loss, sample_weight)
        return self._log(totals, inputs, labels, logits, sample_weight)

    def _totals(self, losses, sample_weight) -> dict[str, tf.Tensor]:
        """The weighted sum over layers for each kind of loss, and `loss`, the sum of them all."""
        totals = defaultdict(float)
        for match, loss in losses.items():
            if match == "prediction_loss":
                totals[match] = self.loss_weights.prediction * _mean(loss, sample_weight)
            else:
                totals[match.loss] += match.weight * _mean(loss, sample_weight)
        return {"loss": sum(totals.values()), **totals}

    def _log(self, values, inputs, labels, logits, sample_weight) -> dict[str, tf.Tensor]:
        for name, value in values.items():
            self._trackers[name].update_state(value, sample_weight=ops.shape(inputs["token_ids"])[0])
        logs = {name: self._trackers[name].result() for name in values}
        if labels is not None and self.loss_weights.prediction:
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
        }

    @classmethod
    def from_config(cls, config):
        models = {key: keras.saving.deserialize_keras_object(config[key]) for key in ("teacher", "student")}
        weights = {key: tuple(w) if isinstance(w, list) else w for key, w in config["loss_weights"].items()}
        return cls(**config | models | {"loss_weights": LossWeights(**weights)})


def _mean(loss, sample_weight):
    """Mean over sentences of `loss` `[batch]`; `sample_weight` is `[batch]` or `[batch, 1]`."""
    if sample_weight is None:
        return ops.mean(loss)
    return ops.mean(loss * ops.reshape(ops.cast(sample_weight, loss.dtype), ops.shape(loss)))
