"""`TF_CONFIG`, read and refused, and workers that wait for each other."""

import json
import socket
import threading
import time

import pytest

from tests.training.loopback import configs
from tinybert_tf.errors import InputError
from tinybert_tf.training import cluster
from tinybert_tf.training.cluster import Cluster

TWO = {"worker": ["a:1", "b:2"]}
REFUSED = {
    "no": "TF_CONFIG: got 'no' (Expecting value: line 1 column 1 (char 0)); expected JSON",
    "[]": "TF_CONFIG: got no cluster; expected",
    '{"cluster": {"worker": "a:1"}}': "TF_CONFIG: got the worker 'a:1'; expected a list",
    '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}': "TF_CONFIG: got a cluster with 'ps'; expected workers and at",
    '{"cluster": {"chief": ["a:1", "b:1"]}}': "TF_CONFIG: got 2 chiefs; expected one at most",
    '{"cluster": {"worker": ["a:1", "b"]}}': "TF_CONFIG: got the address 'b'; expected host:port",
    '{"cluster": {"worker": ["a:1", "a:1"]}}': "TF_CONFIG: got the address 'a:1'; expected host:port, another one for",
    '{"cluster": {"worker": ["a:1", 2]}}': "TF_CONFIG: got the address 2; expected host:port",
    '{"cluster": {"worker": ["a:1", "b:70000"]}}': "TF_CONFIG: got the address 'b:70000'; expected host:port",
    '{"cluster": {"worker": ["a:1", "b:0"]}}': "TF_CONFIG: got the address 'b:0'; expected host:port",
    '{"cluster": "a:1"}': "TF_CONFIG: got no cluster; expected",
    '{"clusters": {}, "task": {"type": "worker", "index": 0}}': "TF_CONFIG: got no cluster; expected",
    json.dumps({"cluster": TWO}): "TF_CONFIG: got a task of type None; expected one of the cluster's: worker",
    json.dumps({"cluster": TWO, "task": {"type": "chief", "index": 0}}): "TF_CONFIG: got a task of type 'chief'",
    json.dumps({"cluster": TWO, "task": {"type": ["worker"]}}): "TF_CONFIG: got a task of type ['worker']",
    json.dumps(
        {"cluster": TWO, "task": {"type": "worker", "index": 2}}
    ): "TF_CONFIG: got the task's index 2; expected 0 t",
    json.dumps(
        {"cluster": TWO, "task": {"type": "worker", "index": -1}}
    ): "TF_CONFIG: got the task's index -1; expected 0",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_cluster_is_refused_in_one_line(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError) as error:
        cluster.cluster()
    assert str(error.value).startswith(REFUSED[text])


def test_a_chief_may_be_a_job_of_its_own(monkeypatch):
    """As Vertex AI names it; indices may be text there."""
    content = {"cluster": {"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "task": {"type": "worker", "index": "1"}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(content))
    assert cluster.cluster() == Cluster(("a:1", "b:2", "c:3"), 2, 1)
    assert not cluster.cluster().is_chief
    monkeypatch.setenv("TF_CONFIG", json.dumps(content | {"task": {"type": "chief", "index": 0}}))
    assert cluster.cluster().is_chief


@pytest.mark.parametrize("text", ["", "{}", '{"cluster": {}}', '{"cluster": {"worker": ["a:1"]}}'])
def test_a_worker_alone_is_no_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster.cluster() is None


def test_a_worker_that_does_not_come_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "START_SECONDS", 0.1)
    workers = json.loads(configs(2)[0]["TF_CONFIG"])["cluster"]["worker"]
    with pytest.raises(InputError) as error:
        cluster.meet(Cluster(tuple(workers), 0))
    assert str(error.value).startswith(f"TF_CONFIG: got {workers[1]}, not reached within 0.1 s; expected all workers")


def test_workers_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(cluster, "START_SECONDS", 20)
    workers = tuple(json.loads(configs(2)[0]["TF_CONFIG"])["cluster"]["worker"])
    begin, met = time.monotonic(), threading.Event()

    def come_late():
        time.sleep(0.5)
        cluster.meet(Cluster(workers, 1))
        with socket.create_server(("", int(workers[1].rpartition(":")[2]))):  # TensorFlow's server
            met.wait(20)

    late = threading.Thread(target=come_late)
    late.start()
    cluster.meet(Cluster(workers, 0))
    assert 0.5 <= time.monotonic() - begin < 20
    met.set()
    late.join()


def test_a_port_in_use_is_refused():
    with socket.create_server(("", 0)) as door:
        address = f"127.0.0.1:{door.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"got {address} for this worker \(.*in use.*\); expected a port that"):
            cluster.meet(Cluster((address, "127.0.0.1:1"), 0))


@pytest.mark.parametrize(
    ("error", "message", "expected"),
    [
        ("UnavailableError", "Socket closed", "another worker"),
        ("UnavailableError", "/job:worker/replica:0/task:1: Socket closed", "b:2"),
        ("InternalError", "error from /job:worker/task:1", "b:2"),
        ("InternalError", "Failed to launch CUDA kernel", None),
        ("FailedPreconditionError", "runs/tensorboard is not a directory", None),
        ("NotFoundError", "/job:worker/task:1", None),
    ],
)
def test_only_a_lost_connection_is_called_so(monkeypatch, error, message, expected):
    import tensorflow as tf

    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 0}}))
    assert cluster.lost(getattr(tf.errors, error)(None, None, message)) == expected
    monkeypatch.delenv("TF_CONFIG")
    assert cluster.lost(getattr(tf.errors, error)(None, None, message)) is None
