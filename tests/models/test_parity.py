"""The encoder against an independent forward pass in NumPy."""

import functools
import json

import numpy as np
import pytest

from tests.reference import bert_numpy
from tinybert_tf.models import BertEncoder

TOLERANCE = 1e-4


def compare(outputs, expected):
    """The largest difference of each kind of output."""
    worst = {}
    for name in ("hidden_states", "attention_scores"):
        pairs = zip(outputs[name], expected[name], strict=True)
        worst[name] = max(float(np.abs(np.asarray(ours) - theirs).max()) for ours, theirs in pairs)
    worst["pooled_output"] = float(np.abs(np.asarray(outputs["pooled_output"]) - expected["pooled_output"]).max())
    return worst


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_equals_numpy(make_encoder, batch, tmp_path, activation):
    encoder = make_encoder(num_layers=3, activation=activation, layer_norm_epsilon=1e-5)
    encoder.save_to_preset(tmp_path / "model")
    expected = bert_numpy.forward(tmp_path / "model", **batch)
    outputs = encoder(batch, return_intermediates=True)
    assert max(compare(outputs, expected).values()) < 1e-5
    np.testing.assert_array_equal(outputs["sequence_output"], outputs["hidden_states"][-1])


def test_exact_and_tanh_gelu_differ(make_encoder, batch):
    exact, tanh = (make_encoder(activation=name)(batch)["sequence_output"] for name in ("gelu", "gelu_new"))
    assert 1e-5 < np.abs(exact - tanh).max() < 1e-2


@pytest.mark.assets
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1 of a tensor of shape .*, 1, 1")
@pytest.mark.parametrize(
    ("activation", "lengths"),
    [("gelu", lengths) for lengths in ([1], [2, 1], [17, 5, 11], [64, 40], [128, 3], [300], [512])]
    + [("gelu_new", lengths) for lengths in ([17, 5, 11], [512])],
    ids=str,
)
def test_real_weights_equal_numpy(real_model, activation, lengths):
    folder, encoder = real_model(activation)
    positions, lengths = np.arange(max(lengths))[None], np.array(lengths)[:, None]
    mask = (positions < lengths).astype("int32")
    tokens = np.random.default_rng(0).integers(1000, 30000, mask.shape).astype("int32") * mask
    tokens[:, 0] = 101
    inputs = {"token_ids": tokens, "segment_ids": (positions >= lengths // 2) * mask, "padding_mask": mask}
    worst = compare(encoder(inputs, return_intermediates=True), bert_numpy.forward(folder, **inputs))
    assert max(worst.values()) < TOLERANCE, worst


@pytest.fixture(scope="module")
def real_model(tmp_path_factory):
    """A function from an activation to MiniLM-L6's folder with that activation, and the encoder from it."""
    from tinybert_tf import assets

    @functools.cache
    def load(activation):
        folder, original = tmp_path_factory.mktemp(activation), assets.fetch("minilm_l6")
        for file in original.iterdir():
            if file.name != "config.json":
                (folder / file.name).symlink_to(file)
        config = json.loads((original / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"hidden_act": activation}))
        return folder, BertEncoder.from_preset(folder)

    return load
