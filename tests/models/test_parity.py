"""The encoder against an independent forward pass in NumPy, and what the tolerance of that comparison finds."""

import json

import numpy as np
import pytest

from tests.reference import bert_numpy
from tests.tolerance import FLOAT32, REAL_WEIGHTS, relative_error
from tinybert_tf.models import BertEncoder


def worst_error(outputs, expected):
    """The largest relative error of any hidden state, of any layer's attention scores, and of the pooled output."""
    errors = [relative_error(outputs["pooled_output"], expected["pooled_output"])]
    for name in ("hidden_states", "attention_scores"):
        errors += [relative_error(*pair) for pair in zip(outputs[name], expected[name], strict=True)]
    return max(errors)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_equals_numpy(make_encoder, batch, tmp_path, activation):
    encoder = make_encoder(num_layers=3, activation=activation, layer_norm_epsilon=1e-5)
    encoder.save_to_preset(tmp_path / "model")
    outputs = encoder(batch, return_intermediates=True)
    config, tensors = bert_numpy.read_model(tmp_path / "model")
    assert worst_error(outputs, bert_numpy.run(config, tensors, **batch)) <= FLOAT32
    np.testing.assert_array_equal(outputs["sequence_output"], outputs["hidden_states"][-1])

    for planted in faults(config, tensors, tensors, epsilons=(1e-3, 1e-12)):
        assert worst_error(outputs, bert_numpy.run(*planted, **batch)) > 5 * FLOAT32


def test_exact_and_tanh_gelu_differ(make_encoder, batch):
    exact, tanh = (make_encoder(activation=name)(batch)["sequence_output"] for name in ("gelu", "gelu_new"))
    assert 1e-5 < np.abs(exact - tanh).max() < 1e-2


def faults(config, tensors, names, epsilons):
    """The model with one fault each: another epsilon, the other GELU, a bias left out that is among the names."""
    for epsilon in epsilons:
        yield config | {"layer_norm_eps": epsilon}, tensors
    yield config | {"hidden_act": {"gelu": "gelu_new", "gelu_new": "gelu"}[config["hidden_act"]]}, tensors
    for name in names:
        if name.endswith("bias"):
            yield config, tensors | {name: np.zeros_like(tensors[name])}


def inputs_of(lengths):
    """Random tokens, half of each row a second text: rows of these lengths."""
    positions, lengths = np.arange(max(lengths))[None], np.array(lengths)[:, None]
    mask = (positions < lengths).astype("int32")
    tokens = np.random.default_rng(0).integers(1000, 30000, mask.shape).astype("int32") * mask
    tokens[:, 0] = 101
    return {"token_ids": tokens, "segment_ids": (positions >= lengths // 2) * mask, "padding_mask": mask}


@pytest.mark.assets
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1 of a tensor of shape .*, 1, 1")
@pytest.mark.parametrize("lengths", [[1], [17, 5, 1], [128, 3], [512]], ids=str)
def test_real_weights_equal_numpy(real_model, lengths):
    folder, encoder = real_model
    inputs = inputs_of(lengths)
    assert worst_error(encoder(inputs, return_intermediates=True), bert_numpy.forward(folder, **inputs)) <= REAL_WEIGHTS


@pytest.mark.assets
def test_real_weights_with_the_other_gelu_equal_numpy(real_model, tmp_path):
    original, _ = real_model
    for file in original.iterdir():
        if file.name != "config.json":
            (tmp_path / file.name).symlink_to(file)
    config = json.loads((original / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu_new"}))
    inputs = inputs_of([17, 5, 1])
    outputs = BertEncoder.from_preset(tmp_path)(inputs, return_intermediates=True)
    assert worst_error(outputs, bert_numpy.forward(tmp_path, **inputs)) <= REAL_WEIGHTS


@pytest.mark.assets
def test_a_fault_exceeds_the_tolerance(real_model):
    """The biases that are left out are the first layer's; its key's, the smallest of all, is among them.

    An epsilon of 1e-6 for 1e-12 is found; 1e-7 is less than 5 tolerances away, and 1e-8 is below rounding.
    """
    folder, encoder = real_model
    inputs = inputs_of([5, 1])
    outputs = encoder(inputs, return_intermediates=True)
    config, tensors = bert_numpy.read_model(folder)
    table = "embeddings.word_embeddings.weight"
    tensors = {name: value if name == table else value.astype(np.float64) for name, value in tensors.items()}
    first = {name for name in tensors if name.startswith(("embeddings.", "encoder.layer.0."))}
    for planted in faults(config, tensors, first, epsilons=(1e-3, 1e-5, 1e-6)):
        assert worst_error(outputs, bert_numpy.run(*planted, **inputs)) > 5 * REAL_WEIGHTS


@pytest.fixture(scope="module")
def real_model():
    """MiniLM-L6's folder, and the encoder from it."""
    from tinybert_tf import assets

    folder = assets.fetch("minilm_l6")
    return folder, BertEncoder.from_preset(folder)
