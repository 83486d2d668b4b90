"""Several workers on loopback: the numbers of one machine, only the chief writes, a lost worker ends the others."""

import contextlib
import itertools
import json
import os
import signal
import socket
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import WORDS
from tests.stages import command_line
from tests.training.test_devices import WEIGHTS, assert_same
from tinybert_tf.errors import InputError
from tinybert_tf.training import cluster
from tinybert_tf.training.cluster import Cluster

ONLY = "expected none: only --stage=general, finetune, task and masked_lm run on several machines"
RUNS = ("fine_tuning", "distillation", "dropping")


def configs(number):
    """`TF_CONFIG` of each of so many workers on this machine."""
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        addresses = [f"127.0.0.1:{door.getsockname()[1]}" for door in doors]
    tasks = [{"type": "worker", "index": i} for i in range(number)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})} for task in tasks]


def computed(folder, number, only=()):
    """Has `on_workers` compute; returns the folder."""
    folder.mkdir()
    several = configs(number) if number > 1 else [{}]
    options = [("tests.training.on_workers", environment, str(folder), only) for environment in several]
    processes = [command_line.FORKING.Process(target=command_line.call, args=arguments) for arguments in options]
    for process in processes:
        process.start()
    for index, process in enumerate(processes):
        process.join(300)
        assert process.exitcode == 0, (folder / f"log-{index}.txt").read_text()[-3000:]
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("workers") / "alone", 1, RUNS[:2])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("workers") / "two", 2)


def lines_of(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("tokens_per_second", "input_wait")}
        for line in lines
    ]


def apart(file, other):
    with np.load(file) as these, np.load(other) as those:
        return max(float(np.abs(these[name].astype("float64") - those[name]).max()) for name in those)


@pytest.mark.parametrize("run", RUNS[:2])
def test_losses_evaluations_and_weights_are_those_of_one_machine(alone, two, run):
    """Ten rows of several lengths; in distillation, in two parts, 3 and 2. The second worker's first weight was off."""
    assert_same(lines_of(two / run), lines_of(alone / run))
    assert apart(two / f"{run}-0.npz", alone / f"{run}-0.npz") <= WEIGHTS


@pytest.mark.parametrize("run", [*RUNS, "resumed", "logits"])
def test_all_workers_end_with_the_same_values(two, run):
    assert apart(two / f"{run}-0.npz", two / f"{run}-1.npz") == 0


def test_a_run_with_dropout_resumes_bit_for_bit(two):
    assert lines_of(two / "resumed") == lines_of(two / "dropping")
    assert apart(two / "resumed-0.npz", two / "dropping-0.npz") == 0


def test_all_workers_get_what_the_chief_says(two):
    found = [json.loads((two / f"found-{index}.json").read_text(encoding="utf-8")) for index in range(2)]
    assert [worker["chief's"] for worker in found] == [{"worker": 0, "text": "é", "number": 0.1}] * 2
    assert [worker["replicas"] for worker in found] == [[0], [1]]


def test_stages_that_do_not_train_and_too_many_devices_are_refused(two):
    for index in range(2):
        found = json.loads((two / f"found-{index}.json").read_text(encoding="utf-8"))
        assert found["refusals"] == [
            f"TF_CONFIG: got a cluster of 2 workers; {ONLY}",
            "devices: got 2; expected at most 1, because TensorFlow finds 0 GPU on this machine",
            "devices: got 2 on all workers; expected at most 1, the sequences that are computed at a time",
        ]


def test_three_workers_compute_what_one_does(alone, tmp_path):
    """Ten rows as 4, 3 and 3; the evaluation's second batch leaves two workers without any."""
    three = computed(tmp_path / "three", 3, RUNS[:1])
    assert_same(lines_of(three / "fine_tuning"), lines_of(alone / "fine_tuning"))
    assert apart(three / "fine_tuning-2.npz", alone / "fine_tuning-0.npz") <= WEIGHTS


# === TF_CONFIG ===

TWO = {"worker": ["a:1", "b:2"]}
REFUSED = {
    "no": "TF_CONFIG: got 'no' (Expecting value: line 1 column 1 (char 0)); expected JSON",
    "[]": "TF_CONFIG: got no cluster; expected",
    "{}": "TF_CONFIG: got no cluster; expected",
    '{"cluster": {"worker": "a:1"}}': "TF_CONFIG: got the worker 'a:1'; expected a list",
    '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}': "TF_CONFIG: got a cluster with 'ps'; expected workers and at",
    '{"cluster": {"chief": ["a:1", "b:1"]}}': "TF_CONFIG: got 2 chiefs; expected one at most",
    '{"cluster": {"worker": ["a:1", "b"]}}': "TF_CONFIG: got the address 'b'; expected host:port",
    '{"cluster": {"worker": ["a:1", "a:1"]}}': "TF_CONFIG: got the address 'a:1'; expected host:port, another one for",
    '{"cluster": {"worker": ["a:1", 2]}}': "TF_CONFIG: got the address 2; expected host:port",
    '{"cluster": {"worker": ["a:1", "b:70000"]}}': "TF_CONFIG: got the address 'b:70000'; expected host:port",
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


@pytest.mark.parametrize("text", ["", '{"cluster": {"worker": ["a:1"]}}'])
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


def test_the_whole_recipe_is_refused(alone):
    flags = ["--stage=all", "--task=sst2", f"--output_dir={alone}/all"]
    done = command_line.run(flags, **configs(2)[1])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"error: TF_CONFIG: got a cluster of 2 workers; {ONLY}"


# === Lost workers ===


def finetune(inputs, output, environments, own=()):
    flags = [f"--model={inputs}/teacher", f"--train_file={inputs}/train.csv", f"--output_dir={output}", "--epochs=20"]
    flags += ["--max_steps=50", "--batch_size=10", "--sequence_length=16", "--dropout=0"]
    flags += ["--save_steps=4", "--log_steps=1", "--eval_steps=25"]
    write_reviews(inputs / "train.csv")
    options = itertools.zip_longest(environments, own, fillvalue="--seed=1")
    return [command_line.start(["--stage=finetune", *flags, more], **environment) for environment, more in options]


def write_reviews(file):
    rows = (f"a {word} {thing},{word}" for thing in WORDS for word in ("good", "bad"))
    file.write_text("\n".join(["text,label", *rows]), encoding="utf-8")


def finish(commands):
    done = [command.finish() for command in commands]
    assert [command.returncode for command in done] == [0] * len(done), done[0].stderr[-3000:]
    return done


def assert_other_ends(commands, victim, folder, step):
    """Kills one of two workers after a checkpoint of this step or a later one; the other one ends with one line."""
    deadline = time.monotonic() + 120
    while not [file for file in folder.glob("checkpoints/step-*.safetensors") if int(file.stem[5:]) >= step]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(commands[victim].process.pid, signal.SIGKILL)
    other = commands[1 - victim].finish(30)
    assert other.returncode == 2
    errors = [line for line in other.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and errors[0].endswith(" is lost; repeat the command on all workers to resume")
    assert "Traceback" not in other.stderr and not (folder / "model").exists()


def test_a_lost_worker_ends_the_other_and_the_same_command_resumes(alone, tmp_path):
    """The chief is killed, then the other worker; three workers resume, and the run ends as that of one machine."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    finish(finetune(alone, whole, [{}]))
    assert_other_ends(finetune(alone, cut, configs(2)), 0, cut, 4)
    assert_other_ends(finetune(alone, cut, configs(2)), 1, cut, 12)
    chief, *others = finish(finetune(alone, cut, configs(3)))
    assert "Dev      accuracy" in chief.stdout
    assert [(other.stdout, other.stderr) for other in others] == [("", "")] * 2
    assert_same(lines_of(cut), lines_of(whole))
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (cut, whole))
    assert max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs) <= WEIGHTS


def test_a_worker_with_other_settings_is_refused_and_nothing_is_written(alone, tmp_path):
    chief, other = (c.finish(60) for c in finetune(alone, tmp_path / "run", configs(2), ["--seed=1", "--seed=2"]))
    assert (chief.returncode, other.returncode) == (2, 2)
    assert other.stderr.splitlines()[-1] == "error: --seed: got 2, where the chief has 1; expected the same"
    assert chief.stderr.splitlines()[-1].endswith(" is lost")
    assert not (tmp_path / "run").exists()
