"""The HTTP server of docs/serving.md, word for word: several clients, hostile requests, limits."""

import json
import re
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tinybert_tf.tflite import TextClassifier

uvicorn = pytest.importorskip("uvicorn")
PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
TEXTS = ["a fine film", "dull", "", "The story is played, and it is a FINE one!"]


@pytest.fixture
def model(make_classifier, export):
    return export(make_classifier(labels=("bad", "good", "neither"), num_layers=1))


@pytest.fixture
def address(model, monkeypatch):
    """The address of a running server."""
    monkeypatch.setenv("MODEL", str(model))
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    assert len(code.splitlines()) < 60
    names = {}
    exec(compile(code, "serve.py", "exec"), names)
    server = uvicorn.Server(uvicorn.Config(names["app"], port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def ask(url: str, body: bytes | None = None) -> tuple[int, dict]:
    """Returns the status and the answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def request(*texts, name="text", **more) -> bytes:
    return json.dumps({"inputs": [{"name": name, "data": list(texts), **more}]}).encode()


def test_several_clients_get_the_models_answers(address, model):
    wanted = TextClassifier(model).predict(TEXTS)

    def answers(_):
        status, answer = ask(f"{address}/v2/models/student/infer", request(*TEXTS, datatype="BYTES", shape=[4]))
        label, numbers = answer["outputs"]
        return status, label["data"], np.reshape(numbers["data"], numbers["shape"])

    with ThreadPoolExecutor(4) as clients:
        for status, labels, probabilities in clients.map(answers, range(12)):
            assert status == 200 and labels == [("bad", "good", "neither")[i] for i in wanted.argmax(1)]
            np.testing.assert_allclose(probabilities, wanted, rtol=1e-6)
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/student", "/v2/models/student/ready"):
        assert ask(address + path)[0] == 200


def test_a_bad_request_gets_one_line_and_the_server_goes_on(address):
    url = f"{address}/v2/models/student/infer"
    pair = {"inputs": [{"name": "text", "data": ["a"]}, {"name": "text_pair", "data": ["b", "c"]}]}
    cases = {
        b"": 'expected {"inputs": [',
        b"[" * 100_000: 'expected {"inputs": [',
        b"\xff{}": 'expected {"inputs": [',
        b'{"inputs": [{"name": "text", "data": "a"}]}': 'expected {"inputs": [',
        b'{"inputs": [{"name": ["text"], "data": ["a"]}]}': 'expected {"inputs": [',
        request("\ud800"): 'expected {"inputs": [',
        request("a", 3, None): 'expected {"inputs": [',
        b'{"inputs": [{"name": null, "data": ["a"]}, {"name": "text", "data": ["a"]}]}': "inputs ['None', 'text']",
        request("a", name="texts"): "got the inputs ['texts']; expected text, or text and text_pair",
        request(): "expected 1 to 64 texts",
        request(*"a" * 65): "expected 1 to 64 texts",
        request("a" * 10_001): "at most 10000 characters",
        json.dumps(pair).encode(): "got 2 texts; expected 1, as many as texts",
    }
    for body, expected in cases.items():
        status, answer = ask(url, body)
        assert status == 400 and expected in answer["error"] and "\n" not in answer["error"]
    assert ask(url, b"a" * 1_000_001) == (413, {"error": "expected at most 1000000 bytes"})
    assert ask(f"{address}/v2/models/other/infer", request("a"))[0] == 404
    assert ask(url, request("a"))[0] == 200
