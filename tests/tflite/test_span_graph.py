"""A question answerer as a LiteRT file: the graph's numbers, any length, and the old Task Library's contract."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.conftest import randomize
from tests.tflite.test_metadata import Table
from tests.tflite.test_product_quantization import decoded
from tests.tolerance import assert_close
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.tflite.convert import SIGNATURE, convert
from tinybert_tf.tflite.graph import graph_of
from tinybert_tf.tflite.product_quantization import product_quantize

SHAPES = {
    "bert": {},
    "mpnet": {"num_segments": 0, "relative_position_buckets": 8, "family": "mpnet"},
    "electra": {"family": "electra", "embedding_dim": 7, "pooler_activation": "gelu", "activation": "gelu"},
}


@pytest.fixture
def make(make_encoder):
    def made(**shape):
        model = BertQuestionAnswerer(make_encoder(**shape))
        model.clear_unused_pooler()
        randomize(model.qa_outputs, 3)
        return model

    return made


def rows(length, padding=0):
    ids = np.random.default_rng(length).integers(5, 30, (1, length + padding)).astype(np.int32)
    mask = (np.arange(length + padding) < length)[None].astype(np.int32)
    return {"token_ids": ids * mask, "segment_ids": mask * (np.arange(length + padding) > 3), "padding_mask": mask}


@pytest.mark.parametrize("family", SHAPES)
@pytest.mark.parametrize("padding", [0, 4])
def test_the_graph_computes_what_keras_does(make, family, padding, eagerly):
    model, inputs = make(**SHAPES[family]), rows(12, padding)
    inputs = {name: value.astype(np.int32) for name, value in inputs.items()}
    found = graph_of(model, 24).serve(*inputs.values())
    for name, expected in model(inputs).items():
        assert found[name].shape == (1, 12 + padding)
        assert_close(np.asarray(found[name])[:, :12], np.asarray(expected)[:, :12])


@pytest.mark.parametrize("padded", [False, True])
def test_a_file_takes_any_length(make, padded):
    model = make()
    interpreter = Interpreter(model_content=convert(model, "float32", 24, padded=padded))
    declared = [output["shape_signature"].tolist() for output in interpreter.get_output_details()]
    assert declared == [[1, 24 if padded else -1]] * 2
    run = interpreter.get_signature_runner(SIGNATURE)
    for length in (5, 24, 9):
        inputs = {name: value.astype(np.int32) for name, value in rows(length).items()}
        expected, found = model(inputs), run(**inputs)
        assert set(found) == {"start_logits", "end_logits"}
        for name, value in found.items():
            assert value.shape == (1, 24 if padded else length) and (value[:, length:] == -1e4).all()
            assert_close(value[:, :length], expected[name], 1e-5)


@pytest.mark.parametrize(("fixed", "padded"), [(False, False), (False, True), (True, False)])
def test_a_product_quantized_table(make, few_whole, fixed, padded):
    few_whole(200)
    model = make(hidden_dim=24, intermediate_dim=64, vocabulary_size=3000)
    file = convert(model, "int8_pq", 24, fixed, padded=padded, pieces=np.arange(3000)[::-1])
    table = model.encoder.embeddings.token_embedding.embeddings
    table.assign(decoded(product_quantize(table.numpy(), np.arange(3000)[::-1][:200])))
    inputs = {name: value.astype(np.int32) for name, value in rows(24).items()}
    inputs["token_ids"][0, 3:9] = 2990, 2991, 1500, 1501, 2999, 2800
    found = Interpreter(model_content=file).get_signature_runner(SIGNATURE)(**inputs)
    for name, expected in model(inputs).items():
        assert_close(found[name], expected, 0.05)


def test_the_fixed_file_keeps_the_task_librarys_contract(make):
    parsed = schema.ModelT.InitFromPackedBuf(
        convert(make(hidden_dim=36, intermediate_dim=64), "int8", 24, fixed=True), 0
    )
    (graph,) = parsed.subgraphs
    assert all(graph.tensors[place].shape.tolist() == [1, 24] for place in [*graph.inputs, *graph.outputs])
    (place,) = [entry.buffer for entry in parsed.metadata if entry.name == b"TFLITE_METADATA"]
    buffer = bytes(parsed.buffers[place].data)
    (described,) = Table(buffer, int.from_bytes(buffer[:4], "little")).tables(3)
    assert {tensor.string(0) for tensor in described.tables(2)} == {"ids", "mask", "segment_ids"}
    places = {entry.tensorIndex: entry.name.decode() for entry in parsed.signatureDefs[0].outputs}
    assert [tensor.string(0) for tensor in described.tables(3)] == [places[place] for place in graph.outputs]
    (unit,) = described.tables(5)
    assert [(file.string(0), file.byte(2)) for file in unit.table(1).tables(0)] == [("vocab.txt", 5)]
    # Old kernels know matrices with one scale each: version 12 of the op is for more.
    codes = {code.builtinCode: code.version for code in parsed.operatorCodes}
    assert codes[schema.BuiltinOperator.FULLY_CONNECTED] < 12
    quantized = [t.quantization for t in graph.tensors if t.type == schema.TensorType.INT8]
    assert quantized and all(len(quantization.scale) == 1 for quantization in quantized)
