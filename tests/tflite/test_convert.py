"""LiteRT files: the numbers of the Keras model, whole, in builtin ops, bound by name."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tflite.test_product_quantization import decoded
from tinybert_tf.errors import InputError
from tinybert_tf.models import BertClassifier
from tinybert_tf.tflite import convert as convert_module
from tinybert_tf.tflite.convert import convert
from tinybert_tf.tflite.graph import graph_of
from tinybert_tf.tflite.product_quantization import product_quantize

Interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter


def runner_of(model):
    return Interpreter(model_content=model).get_signature_runner("serving_default")


def answer(model, row):
    return ask(runner_of(model), row)


def ask(runner, row):
    return next(iter(runner(**{name: np.asarray(values, np.int32) for name, values in row.items()}).values()))


def row_of(batch, i):
    return {name: values[i : i + 1] for name, values in batch.items()}


ONE = {"num_layers": 1}
MPNET = {"num_segments": 0, "relative_position_buckets": 32}
DISTILBERT = {"num_segments": 0, "pooler_activation": "relu"}
ELECTRA = {"embedding_dim": 16, "pooler_activation": "gelu", "activation": "gelu"}


@pytest.mark.parametrize(
    ("variant", "tolerance", "shape"),
    [
        *[("float32", 1e-5, {}), ("float16", 2e-3, ONE), ("int8", 0.05, {}), ("int4", 0.2, ONE)],
        *[("float32", 1e-5, MPNET), ("int4", 0.2, MPNET | ONE)],
        *[("float32", 1e-5, DISTILBERT | ONE), ("float32", 1e-5, ELECTRA | ONE), ("int8", 0.05, ELECTRA | ONE)],
    ],
)
def test_a_tiny_model(make_classifier, batch, variant, tolerance, shape):
    """Weights of the tiny model are large on purpose, hence the wide bounds for few bits."""
    classifier = make_classifier(hidden_dim=24, intermediate_dim=64, **shape)
    model = convert(classifier, variant)
    for i in range(3):
        row = row_of(batch, i)
        expected = tf.nn.softmax(classifier(row)).numpy()
        assert np.abs(answer(model, row) - expected).max() < tolerance


@pytest.mark.parametrize("fixed", [False, True])
def test_two_texts_at_once_are_refused(make_classifier, fixed):
    """LiteRT would let inputs be resized to two rows, and row two be lost."""
    interpreter = Interpreter(model_content=convert(make_classifier(**ONE), "float32", 8, fixed))
    for place in interpreter.get_input_details():
        interpreter.resize_tensor_input(place["index"], [2, 8])
    with pytest.raises(RuntimeError, match=r"\(1 != 2\).*failed to prepare"):
        interpreter.allocate_tensors()


@pytest.fixture(scope="module")
def real_classifier():
    """Half of MiniLM's layers under a random head: 3 layers, 384 wide, 30,522 WordPieces."""
    tf.keras.utils.set_random_seed(0)
    return BertClassifier.from_preset("minilm_l6", labels=["a", "b", "c"], num_layers=3)


SENTENCE = (
    "The committee, which had met for the third time that week, agreed that neither the cost of the bridge nor the "
    "opinion of the people who would have to live beside it had been thought about for long enough. "
)


@pytest.mark.assets
def test_real_weights_at_every_length(real_classifier):
    """float32 within 1e-5, int8 and int4 within 0.02, from one token to the limit of 512; each of its right size."""
    models = {variant: convert(real_classifier, variant, 512) for variant in ("float32", "int8")}
    models["int4"] = convert_module._with_row_scales(models["float32"], "int4")  # one conversion less
    runners = {variant: runner_of(model) for variant, model in models.items()}
    tokens = real_classifier.tokenizer([SENTENCE * 20], sequence_length=512)
    for length in (1, 2, 3, 8, 17, 64, 128, 300, 512):
        row = {name: values[:, :length].numpy() for name, values in tokens.items()}
        expected = tf.nn.softmax(real_classifier({name: tf.constant(ids) for name, ids in row.items()})).numpy()
        assert np.abs(ask(runners["float32"], row) - expected).max() < 1e-5, length
        for variant in ("int8", "int4"):
            assert np.abs(ask(runners[variant], row) - expected).max() < 0.02, (variant, length)
    size = real_classifier.count_params()
    assert 4 * size < len(models["float32"]) < 4.02 * size and size < len(models["int8"]) < 1.02 * size
    table = real_classifier.config.vocabulary_size * real_classifier.config.hidden_dim
    assert 0.42 * table < len(models["int8"]) - len(models["int4"]) < 0.5 * table


@pytest.mark.parametrize("shape", [{}, {"hidden_dim": 21}, MPNET, ELECTRA])
@pytest.mark.parametrize("fixed", [False, True])
def test_a_product_quantized_table(make_classifier, batch, few_whole, shape, fixed):
    """The file is as near to the model with the decoded table as an int8 file is."""
    few_whole(200)
    shape = {"hidden_dim": 24, "intermediate_dim": 64, "num_layers": 1, "vocabulary_size": 3000} | shape
    classifier = make_classifier(**shape)
    pieces = np.arange(3000)[::-1]
    length = batch["token_ids"].shape[1]
    runner = runner_of(convert(classifier, "int8_pq", length, fixed, pieces=pieces))
    table = classifier.encoder.embeddings.token_embedding.embeddings
    table.assign(decoded(product_quantize(table.numpy(), pieces[:200])))
    for i in range(3):
        row = row_of(batch, i) | {"token_ids": np.array([[2, *range(2700, 3000, 30), 7, 3]], np.int32)[:, :length]}
        assert np.abs(ask(runner, row) - tf.nn.softmax(classifier(row))).max() < 0.05


def test_a_table_that_codes_would_enlarge_stays_plain(make_classifier, few_whole):
    few_whole(200)
    for pieces, is_coded in ((400, False), (1500, True)):
        shape = {"hidden_dim": 24, "num_layers": 1, "vocabulary_size": pieces, "num_heads": 3}
        classifier = make_classifier(**shape)
        sizes = [len(convert(classifier, variant)) for variant in ("int8", "int8_pq")]
        assert (sizes[1] < sizes[0]) == is_coded and (sizes[1] == sizes[0]) != is_coded, sizes


@pytest.mark.assets
def test_a_product_quantized_table_on_real_weights(real_classifier, few_whole, monkeypatch):
    """Embeddings are within 1e-5 of those of the decoded table, relative to the largest; the file within 0.02."""
    table = real_classifier.encoder.embeddings.token_embedding.embeddings
    values = table.numpy()
    tokens = real_classifier.tokenizer([SENTENCE * 3], sequence_length=64)
    spoken = np.unique(tokens["token_ids"])  # of these, a half have rows and a half codes
    pieces = np.concatenate([spoken[1::2], np.setdiff1d(np.arange(len(values)), spoken), spoken[::2]])
    whole = len(values) - 2500  # few codes, so that k-means is quick
    few_whole(whole)
    monkeypatch.setattr(convert_module, "stored_bytes", lambda *_: 0)  # they are more than those of a plain table
    made = []

    def watched(*args):
        made.append(product_quantize(*args))
        return made[0]

    monkeypatch.setattr(convert_module, "product_quantize", watched)
    runner = runner_of(convert(real_classifier, "int8_pq", 64, pieces=pieces))
    embed = graph_of(real_classifier, 64, table=made[0])._embed
    before = real_classifier.encoder.embeddings(tokens["token_ids"], tokens["segment_ids"])[0].numpy()
    table.assign(decoded(made[0]))
    try:
        embedded = real_classifier.encoder.embeddings(tokens["token_ids"], tokens["segment_ids"])[0].numpy()
        expected = tf.nn.softmax(real_classifier(tokens)).numpy()
    finally:
        table.assign(values)
    assert set(np.flatnonzero(made[0].places)) == set(pieces[:whole])
    found = embed(tokens["token_ids"][0], tokens["segment_ids"][0]).numpy()
    assert np.abs(found - embedded).max() < 1e-5 * np.abs(embedded).max() < 1e-2 * np.abs(before - embedded).max()
    assert np.abs(ask(runner, tokens) - expected).max() < 0.02


def test_inputs_have_other_places_than_the_signature_says(make_classifier, converted):
    """The converter may put inputs in any order, so they must be bound by name."""
    interpreter = Interpreter(model_content=converted(make_classifier(), "float32", 16, False))
    names = [detail["name"] for detail in interpreter.get_input_details()]
    signature = interpreter.get_signature_list()["serving_default"]["inputs"]
    assert sorted(signature) == ["padding_mask", "segment_ids", "token_ids"]
    assert sorted(name.split("_", 2)[2].removesuffix(":0") for name in names) == sorted(signature)


def test_a_file_without_its_weights_is_refused(make_classifier, converted):
    """TF 2.21 can silently leave variables outside the file."""
    model = converted(make_classifier(), "float32", 16, False)
    with pytest.raises(RuntimeError, match="its weights alone have"):
        convert_module._check(model, make_classifier(intermediate_dim=2000), "float32", 16)


def test_an_op_that_is_not_built_in_is_refused(make_classifier):
    classifier = make_classifier()

    class Custom(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, None], tf.int32)] * 3)
        def serve(self, token_ids, segment_ids, padding_mask):
            return {"probabilities": tf.linalg.inv(tf.cast(token_ids[:, :1], tf.float32))}

    module = Custom()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    converter.allow_custom_ops = True
    with pytest.raises(RuntimeError, match="custom ops"):
        convert_module._check(converter.convert(), classifier, "int8", 16)


def test_errors(make_classifier):
    classifier = make_classifier()
    with pytest.raises(InputError, match="variants: got 'int2'; expected one of float32"):
        convert(classifier, "int2")
    with pytest.raises(InputError, match="sequence_length: got 25; expected at most 24"):
        convert(classifier, "int8", 25)


def test_int4_without_its_package(make_classifier, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_quantizer", None)
    with pytest.raises(InputError, match=r"pip install 'tinybert-tf\[int4\]'"):
        convert(make_classifier(), "int4")
