"""The SavedModel for TF Serving: text in, the Keras model's answers out, wherever it is loaded."""

import json
import subprocess
import sys
import textwrap
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.tolerance import assert_close
from tinybert_tf.errors import InputError
from tinybert_tf.exporters.saved_model import save_for_serving
from tinybert_tf.exporters.serving_labels import LabelGraph

apis = pytest.importorskip("tensorflow_serving.apis")
LABELS = ["bad", "good", "neither"]
TEXTS = ["a fine film", "dull", "", "The story is played, and it is a FINE one! good good good good good good good"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A function that saves a classifier once, and returns its version's folder."""
    folders = {}

    def save(classifier, text_pairs=False):
        key = (len(classifier.labels), classifier.multi_label, text_pairs)
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("serving") / "student"
            save_for_serving(LabelGraph(classifier, 12, text_pairs), folders[key])
        return folders[key] / "1"

    return save


def expected(classifier, *texts):
    return tf.nn.softmax(classifier(classifier.tokenizer(*texts, sequence_length=12))).numpy()


def test_both_signatures(make_classifier, saved):
    classifier = make_classifier(labels=LABELS, num_layers=1)
    signatures = tf.saved_model.load(str(saved(classifier))).signatures
    found, wanted = signatures["serving_default"](text=tf.constant(TEXTS)), expected(classifier, TEXTS)
    assert_close(found["probabilities"], wanted)
    assert [label.decode() for label in found["label"].numpy()] == [LABELS[i] for i in wanted.argmax(-1)]
    tokens = classifier.tokenizer(TEXTS, sequence_length=16)  # longer than the model looks at
    cut = {name: ids[:, :12] for name, ids in tokens.items()}
    found = signatures["tokens"](**tokens)["probabilities"]
    assert_close(found, tf.nn.softmax(classifier(cut)))


def test_an_unsure_model_gives_no_label(make_classifier, tmp_path):
    classifier = make_classifier(labels=LABELS, num_layers=1)
    wanted = expected(classifier, TEXTS)
    threshold = float(np.sort(wanted.max(-1))[1:3].mean())
    save_for_serving(LabelGraph(classifier, 12, abstain_below=threshold), tmp_path / "student")
    signatures = tf.saved_model.load(str(tmp_path / "student" / "1")).signatures
    found = signatures["serving_default"](text=tf.constant(TEXTS))
    assert_close(found["probabilities"], wanted)
    labels = [label.decode() for label in found["label"].numpy()]
    assert labels == [LABELS[row.argmax()] if row.max() >= threshold else "" for row in wanted]
    assert labels.count("") == 2


def test_several_labels(make_classifier, saved):
    classifier = make_classifier(labels=LABELS, num_layers=1)
    classifier.multi_label = True
    found = tf.saved_model.load(str(saved(classifier))).signatures["serving_default"](text=tf.constant(TEXTS))
    wanted = tf.sigmoid(classifier(classifier.tokenizer(TEXTS, sequence_length=12))).numpy()
    assert_close(found["probabilities"], wanted)
    names = [[name if value >= 0.5 else "" for name, value in zip(LABELS, row)] for row in wanted]
    assert [[name.decode() for name in row] for row in found["labels"].numpy()] == names and "label" not in found


def test_pairs_and_regression(make_classifier, saved):
    classifier = make_classifier(labels=["score"], num_layers=1)
    signature = tf.saved_model.load(str(saved(classifier, text_pairs=True))).signatures["serving_default"]
    pairs = TEXTS[::-1]
    found = signature(text=tf.constant(TEXTS), text_pair=tf.constant(pairs))
    wanted = classifier(classifier.tokenizer(TEXTS, pairs, sequence_length=12))[:, 0]
    assert set(found) == {"score"}
    assert_close(found["score"], wanted)


def test_a_process_without_this_package(make_classifier, saved):
    """That process imports only TensorFlow and tensorflow-text."""
    classifier = make_classifier(labels=LABELS, num_layers=1)
    code = f"""
        import sys
        sys.modules["tinybert_tf"] = None
        import json, tensorflow as tf, tensorflow_text
        signature = tf.saved_model.load({str(saved(classifier))!r}).signatures["serving_default"]
        print(json.dumps(signature(text=tf.constant({TEXTS!r}))["probabilities"].numpy().tolist()))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert_close(json.loads(done.stdout), expected(classifier, TEXTS))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the names of TensorFlow's libraries are Linux's")
def test_the_c_api(make_classifier, saved):
    """TensorFlow's C API is what a server in another language uses."""
    classifier = make_classifier(labels=LABELS, num_layers=1)
    folder = saved(classifier)
    graph = tf.compat.v1.saved_model.load(tf.compat.v1.Session(graph=tf.Graph()), ["serve"], str(folder))
    signature = graph.signature_def["serving_default"]
    output, number = signature.outputs["probabilities"].name.split(":")
    script = Path(__file__).with_name("saved_model_c_api.py")
    site = Path(tf.__file__).parents[1]
    command = [sys.executable, "-I", script, site, folder, signature.inputs["text"].name[:-2], output, number, *TEXTS]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert_close(json.loads(done.stdout), expected(classifier, TEXTS))


def test_requests_over_grpc(make_classifier, saved):
    """A request of TF Serving's own client, through a servicer on this machine that answers as the server would."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    classifier = make_classifier(labels=LABELS, num_layers=1)
    signatures = tf.saved_model.load(str(saved(classifier))).signatures

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
            outputs = signatures[request.model_spec.signature_name or "serving_default"](**inputs)
            response = predict_pb2.PredictResponse()
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "student"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(TEXTS))
        outputs = stub.Predict(request, timeout=60).outputs
    finally:
        server.stop(None)
    assert_close(tf.make_ndarray(outputs["probabilities"]), expected(classifier, TEXTS))
    assert {label.decode() for label in tf.make_ndarray(outputs["label"])} <= set(LABELS)


def test_warmup_requests(make_classifier, saved):
    """They are in the file, and the signature answers them."""
    from tensorflow_serving.apis import prediction_log_pb2

    folder = saved(make_classifier(labels=LABELS, num_layers=1))
    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    found = []
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.signature_name == "serving_default"
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        assert np.isfinite(signature(**inputs)["probabilities"]).all()
        found.append(inputs["text"].numpy()[0].decode())
    assert len(found) == 2 and len(found[0]) < 20 < 200 < len(found[1])


def test_without_the_package(make_classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(InputError, match=r"pip install 'tinybert-tf\[serving\]'"):
        save_for_serving(LabelGraph(make_classifier(), 12), tmp_path / "student")
    assert not (tmp_path / "student").exists()
