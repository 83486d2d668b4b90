"""Reviews per second from a server: the HTTP server of docs/serving.md beside the SavedModel over gRPC.

Each server is a process of its own with two threads for requests. It gets the same packaged reviews, from 1 and from 4
clients, one and 32 per request. The servers take turns. TF Serving's place is taken by a gRPC servicer in Python, which
runs the same graph.

    python benchmarks/serving.py --export=runs/export

`runs/export` comes from `--stage=export --export_formats=litert,saved_model`.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PAGE = Path(__file__).parents[1] / "docs" / "serving.md"
ROUNDS, SECONDS, REVIEWS = 3, 5.0, 320


def serve_saved_model(folder: str, port: int) -> None:
    """Answers TF Serving's requests until it is stopped."""
    from concurrent import futures

    import grpc
    import tensorflow as tf
    import tensorflow_text  # noqa: F401  the graph's ops
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    model = tf.saved_model.load(folder)
    signature = model.signatures["serving_default"]

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            outputs = signature(text=tf.constant(tf.make_ndarray(request.inputs["text"])))
            response = predict_pb2.PredictResponse()
            for name, value in outputs.items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def http_client(port: int):
    """Returns a function that asks the HTTP server for the probabilities of texts."""

    def ask(texts: list[str]) -> np.ndarray:
        body = json.dumps({"inputs": [{"name": "text", "data": texts}]}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/models/student/infer", body)
        with urllib.request.urlopen(request, timeout=60) as response:
            numbers = json.load(response)["outputs"][1]
        return np.reshape(numbers["data"], numbers["shape"])

    return ask


def grpc_client(port: int):
    """Returns the same of the SavedModel."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def ask(texts: list[str]) -> np.ndarray:
        request = predict_pb2.PredictRequest()
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts))
        return tf.make_ndarray(stub.Predict(request, timeout=60, wait_for_ready=True).outputs["probabilities"])

    return ask


def rate(ask, requests: list[list[str]], clients: int) -> float:
    """Returns texts per second."""
    done, end = [0] * clients, time.perf_counter() + SECONDS

    def work(client: int) -> None:
        place = client
        while time.perf_counter() < end:
            done[client] += len(ask(requests[place % len(requests)]))
            place += clients

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return sum(done) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--export", type=Path, required=True, help="folder with student.tflite (int8) and saved_model/1"
    )
    parser.add_argument("--serve", nargs=2, metavar=("FOLDER", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve_saved_model(args.serve[0], int(args.serve[1]))
    from tinybert_tf.data.tasks import load_task

    texts = load_task("movie_reviews").split("test").texts[:REVIEWS]
    sizes = {size: [texts[i : i + size] for i in range(0, len(texts), size)] for size in (1, 32)}
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    server = args.export / "serve.py"
    server.write_text(re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1))
    environment = os.environ | {
        "MODEL": str((args.export / "student.tflite").resolve()),
        "TF_NUM_INTRAOP_THREADS": "1",
    }
    uvicorn = [sys.executable, "-m", "uvicorn", "serve:app", "--log-level=error", f"--port={ports[0]}"]
    saved_model = str((args.export / "saved_model" / "1").resolve())
    ours = [
        sys.executable,
        str(Path(__file__).resolve()),
        f"--export={args.export}",
        "--serve",
        saved_model,
        str(ports[1]),
    ]
    processes = [subprocess.Popen(command, cwd=args.export, env=environment) for command in (uvicorn, ours)]
    try:
        ways = {"HTTP, LiteRT int8": http_client(ports[0]), "gRPC, SavedModel": grpc_client(ports[1])}
        _wait(ports)
        answers = [np.concatenate([ask(part) for part in sizes[32]]) for ask in ways.values()]
        found = {}
        for _ in range(ROUNDS):
            for clients in (1, 4):
                for size, requests in sizes.items():
                    for name, ask in ways.items():
                        found.setdefault((name, clients, size), []).append(rate(ask, requests, clients))
    finally:
        for process in processes:
            process.kill()
    print(f"same answers: {np.mean(answers[0].argmax(1) == answers[1].argmax(1)):.2%} of {len(texts)}")
    print("| server | clients | texts per request | texts per second |\n| --- | --- | --- | --- |")
    for (name, clients, size), rates in found.items():
        print(f"| {name} | {clients} | {size} | {statistics.median(rates):.0f} |")


def _wait(ports: list[int]) -> None:
    """Waits until both servers listen."""
    for port in ports:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)


if __name__ == "__main__":
    main()
