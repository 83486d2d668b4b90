"""The phone graph computes what the Keras classifier computes."""

import pytest
import tensorflow as tf

from tests.tolerance import assert_close
from tinybert_tf.tflite.graph import PhoneGraph


def serve(classifier, row, sequence_length=24, fixed=False):
    return ask(PhoneGraph(classifier, sequence_length, fixed), row)


def ask(graph, row):
    return graph.serve(*(tf.constant(row[name]) for name in ("token_ids", "segment_ids", "padding_mask")))


def probabilities(classifier, row):
    return tf.nn.softmax(classifier(row)).numpy()


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu"])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_equals_keras(make_classifier, batch, activation, num_layers):
    """Rows with padding, with a second text, and of three tokens."""
    classifier = make_classifier(activation=activation, num_layers=num_layers, layer_norm_epsilon=1e-3)
    graph = PhoneGraph(classifier, 24)
    for i in range(3):
        row = {name: values[i : i + 1] for name, values in batch.items()}
        assert_close(ask(graph, row)["probabilities"], probabilities(classifier, row))


FAMILIES = {
    "distilbert": {"num_segments": 0, "pooler_activation": "relu"},
    "electra": {"embedding_dim": 8, "pooler_activation": "gelu", "activation": "gelu"},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_equal_keras(make_classifier, batch, family):
    classifier = make_classifier(family=family, **FAMILIES[family])
    row = {name: values[:1] for name, values in batch.items()}
    assert_close(serve(classifier, row)["probabilities"], probabilities(classifier, row))


def test_a_long_row_is_cut_before_its_last_token(make_classifier, batch):
    """[SEP] stays, as tokenizers cut a text."""
    classifier = make_classifier()
    row = {name: values[:1] for name, values in batch.items()}
    cut = {name: values[:, [0, 1, 2, 3, 8]] for name, values in row.items()}
    assert_close(serve(classifier, row, sequence_length=5)["probabilities"], probabilities(classifier, cut))


def test_fixed_length(make_classifier, batch):
    classifier = make_classifier()
    row = {name: values[1:2] for name, values in batch.items()}
    assert_close(serve(classifier, row, sequence_length=9, fixed=True)["probabilities"], probabilities(classifier, row))
    with pytest.raises(TypeError):
        serve(classifier, row, sequence_length=8, fixed=True)


def test_regression_has_a_score(make_classifier, batch):
    classifier = make_classifier(labels=["score"])
    row = {name: values[:1] for name, values in batch.items()}
    found = serve(classifier, row)
    assert set(found) == {"score"}
    assert_close(found["score"], classifier(row))


def test_several_labels_have_a_probability_each(make_classifier, batch):
    classifier = make_classifier(labels=["a", "b", "c"])
    classifier.multi_label = True
    row = {name: values[:1] for name, values in batch.items()}
    assert_close(serve(classifier, row)["probabilities"], tf.sigmoid(classifier(row)))


@pytest.mark.parametrize("num_layers", [1, 3])
def test_the_last_layer_is_computed_at_cls_only(make_classifier, num_layers):
    """In the last layer, only the product for keys and values has a row for each token."""
    classifier = make_classifier(num_layers=num_layers)
    graph = PhoneGraph(classifier, 24, fixed=True).serve.get_concrete_function().graph
    rows = [op.outputs[0].shape[0] for op in graph.get_operations() if op.type == "MatMul"]
    last = [1] * 6 + [24]  # query, output, two of the FFN, pooler, head; keys and values
    others = [24] * 4  # queries, keys and values; output, two of the FFN
    assert sorted(rows) == last + others * (num_layers - 1)
