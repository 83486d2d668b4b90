import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import PIECES
from tests.presets.folders import same
from tests.tolerance import assert_close
from tinybert_tf.errors import InputError
from tinybert_tf.layers import TransformerBlock
from tinybert_tf.models import BertClassifier
from tinybert_tf.models.encoder import encoder_inputs

LABELS = np.array([0, 1, 1])


def compiled(classifier, learning_rate=0.01):
    """Eagerly, because a few steps are then done sooner than a graph is traced."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(
        keras.optimizers.Adam(learning_rate),
        loss=loss,
        metrics=["accuracy"],
        run_eagerly=True,
        jit_compile=False,
    )
    return classifier


def test_logits_are_a_dense_layer_on_the_pooled_output(make_classifier, batch):
    classifier = make_classifier(labels=["a", "b", "c"])
    pooled = classifier.encoder(batch)["pooled_output"].numpy()
    expected = pooled @ classifier.classifier.kernel.numpy() + classifier.classifier.bias.numpy()
    assert_close(classifier(batch), expected)


def test_intermediates(make_classifier, batch):
    classifier = make_classifier()
    outputs = classifier(batch, return_intermediates=True)
    names = {"sequence_output", "pooled_output", "hidden_states", "attention_scores", "logits"}
    assert set(outputs) == names and len(outputs["hidden_states"]) == 3
    np.testing.assert_array_equal(outputs["logits"], classifier(batch))


def test_one_forward_pass(make_classifier, batch, monkeypatch):
    classifier = make_classifier()
    calls, call = [], TransformerBlock.call
    monkeypatch.setattr(
        TransformerBlock, "call", lambda self, *a, **kw: calls.append(self.name) or call(self, *a, **kw)
    )
    classifier(batch, return_intermediates=True)
    assert calls == ["transformer_layer_0", "transformer_layer_1"]


def test_unknown_call_argument(make_classifier, batch):
    with pytest.raises(TypeError):
        make_classifier()(batch, return_hidden_states=True)


@pytest.mark.parametrize(("labels", "got"), [([], "none"), (["a", "b", "a"], r"\['a', 'b', 'a'\]")])
def test_labels_are_checked(make_encoder, labels, got):
    with pytest.raises(InputError, match=rf"labels: got {got}; expected one name per class, each once"):
        BertClassifier(make_encoder(), labels)


def test_numbers_as_labels_become_text(make_encoder):
    assert BertClassifier(make_encoder(), [0, 1]).labels == ["0", "1"]


def test_tokenizer_is_the_encoders(make_classifier):
    classifier = make_classifier()
    assert classifier.tokenizer is classifier.encoder.tokenizer
    assert classifier(classifier.tokenizer(["a fine film", "dull"])).shape == (2, 2)


def test_fit_trains_every_weight(make_classifier, batch):
    classifier = make_classifier(dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(0.01), loss=loss, jit_compile=False)  # metrics would have it traced twice
    before = [w.numpy() for w in classifier.trainable_variables]
    losses = classifier.fit(batch, LABELS, epochs=15, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_array_equal(np.argmax(classifier(batch), -1), LABELS)
    for old, weight in zip(before, classifier.trainable_variables, strict=True):
        assert (old != weight.numpy()).any(), weight.path


def test_every_weight_has_a_true_gradient(make_encoder, batch):
    """Against finite differences, for the steepest entry of every weight."""
    classifier = BertClassifier(make_encoder(dtype="float64", num_layers=1), ["a", "b"], dtype="float64")
    direction = np.random.default_rng(0).normal(size=(3, 2))

    def loss():
        return tf.reduce_sum(classifier(batch) * direction)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, classifier.trainable_variables)
    for variable, gradient in zip(classifier.trainable_variables, gradients, strict=True):
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        value, losses = variable.numpy(), []
        for step in (1e-5, -1e-5):
            moved = value.copy()
            moved[place] += step
            variable.assign(moved)
            losses.append(float(loss()))
        variable.assign(value)
        measured = (losses[0] - losses[1]) / 2e-5
        assert measured == pytest.approx(gradient[place].numpy(), rel=1e-5, abs=1e-8), variable.path
        # A key's bias moves all scores of a query alike: softmax does not see it, and its gradient is 0.
        assert ("key/bias" in variable.path) == (abs(measured) < 1e-8), variable.path


def test_regression_fits(make_classifier, batch):
    classifier = make_classifier(labels=["score"], dropout=0.0, num_layers=1)
    classifier.compile(keras.optimizers.Adam(0.02), loss="mse", run_eagerly=True)
    history = classifier.fit(batch, np.array([0.3, -1.0, 2.0]), epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_frozen_encoder_stays(make_classifier, batch):
    classifier = compiled(make_classifier())
    classifier.encoder.trainable = False
    before = classifier.encoder(batch)["pooled_output"].numpy()
    classifier.fit(batch, LABELS, epochs=2, verbose=0)
    np.testing.assert_array_equal(classifier.encoder(batch)["pooled_output"], before)


def test_predict_and_evaluate(make_classifier, batch):
    classifier = compiled(make_classifier())
    logits = classifier.predict(batch, batch_size=2, verbose=0)
    assert_close(logits, classifier(batch))
    accuracy = classifier.evaluate(batch, LABELS, verbose=0, return_dict=True)["accuracy"]
    assert accuracy == pytest.approx((logits.argmax(-1) == LABELS).mean())


def test_mixed_precision(make_classifier, batch):
    full, mixed = (make_classifier(dtype=dtype, dropout=0.0) for dtype in ("float32", "mixed_bfloat16"))
    logits = np.asarray(mixed(batch), "float32")
    assert np.isfinite(logits).all() and np.abs(logits - full(batch)).max() < 0.1
    learner = compiled(make_classifier(dtype="mixed_bfloat16", dropout=0.0, num_layers=1), 0.02)
    losses = learner.fit(batch, LABELS, epochs=10, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_keras_file(make_classifier, batch, tmp_path):
    classifier = make_classifier(labels=["bad", "good"], head_dropout=0.4)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert type(loaded) is BertClassifier and same(loaded, classifier, batch)
    assert (loaded.labels, loaded.dropout) == (["bad", "good"], 0.4)
    assert loaded.tokenizer.vocabulary == PIECES
    tokens = loaded.tokenizer(["A fine film.", "dull"])
    assert same(loaded, classifier, tokens)


def test_keras_file_goes_on_training(make_classifier, batch, tmp_path):
    """The optimizer's state comes back too: both copies take the same next step."""
    classifier = compiled(make_classifier(dropout=0.0, num_layers=1))
    classifier.fit(batch, LABELS, epochs=2, verbose=0)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    losses = [model.fit(batch, LABELS, epochs=2, verbose=0).history["loss"] for model in (classifier, loaded)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_distiller_keras_file(make_classifier, batch, tmp_path):
    from tinybert_tf.configs import LossWeights
    from tinybert_tf.distillation import TinyBertDistiller

    teacher = make_classifier(num_layers=3)
    student = make_classifier(seed=1, num_layers=2, hidden_dim=6, intermediate_dim=8)
    distiller = TinyBertDistiller(teacher, student, [1, 3], LossWeights.joint(), temperature=2.0, projection="shared")
    distiller.compile("adam", run_eagerly=True)
    distiller.fit(batch, verbose=0)
    before = distiller.evaluate(batch, verbose=0, return_dict=True)
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.saving.load_model(tmp_path / "distiller.keras")
    assert type(loaded) is TinyBertDistiller and tuple(loaded.layer_map) == (1, 3)
    assert loaded.student.labels == student.labels and loaded.teacher.tokenizer.vocabulary == PIECES
    assert not loaded.teacher.trainable_variables
    after = loaded.evaluate(batch, verbose=0, return_dict=True)
    assert after.keys() == before.keys() and after == pytest.approx(before, rel=1e-6)


def test_head_drops_out_only_while_training(make_classifier, batch):
    classifier = make_classifier(dropout=0.0, head_dropout=0.5)
    np.testing.assert_array_equal(classifier(batch), classifier(batch, training=False))
    assert np.abs(classifier(batch) - classifier(batch, training=True)).max() > 0.01


def test_functional_model(make_classifier, batch):
    classifier, inputs = make_classifier(), encoder_inputs()
    model = keras.Model(inputs, keras.ops.softmax(classifier(inputs)))
    assert model.output_shape == (None, 2)
    assert_close(model(batch), keras.ops.softmax(classifier(batch)))


def test_summary(make_classifier):
    lines = []
    make_classifier().summary(print_fn=lines.append)
    assert "bert_encoder" in "\n".join(lines)


def test_config_mirrors_the_constructor(make_classifier):
    config = make_classifier().get_config()
    arguments = set(inspect.signature(BertClassifier.__init__).parameters) - {"self", "kwargs"}
    assert set(config) == arguments | {"name", "trainable", "dtype"}
    copy = BertClassifier.from_config(config)
    assert copy.get_config() == config


@pytest.mark.assets
def test_real_weights_learn_from_text():
    texts = ["a fine film", "a dull story", "a wonderful play", "an awful movie", "great fun", "a boring mess"]
    keras.utils.set_random_seed(0)
    classifier = compiled(BertClassifier.from_preset("minilm_l6", labels=["bad", "good"]), 3e-4)
    tokens = {name: value.numpy() for name, value in classifier.tokenizer(texts).items()}
    classifier.fit(tokens, np.array([1, 0, 1, 0, 1, 0]), epochs=6, verbose=0)
    unseen = classifier.tokenizer(["a great story", "an awful mess"])
    assert np.argmax(classifier(unseen), -1).tolist() == [1, 0]


def test_the_training_step_is_traced_once(make_classifier, batch, monkeypatch):
    """TensorFlow traces again whatever creates a variable, as Keras lets its optimizers do."""
    traces, step = [], BertClassifier.train_step
    monkeypatch.setattr(BertClassifier, "train_step", lambda self, data: traces.append(1) or step(self, data))
    classifier = make_classifier(num_layers=1)
    classifier.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    classifier.fit(batch, np.array([0, 1, 0]), batch_size=3, verbose=0)
    assert len(traces) == 1


@pytest.mark.parametrize("label", ["", " ", "two\nlines"])
def test_a_label_is_a_line(make_classifier, label):
    with pytest.raises(InputError, match=r"^labels: got .*; expected names of one line"):
        make_classifier(labels=["good", label])
