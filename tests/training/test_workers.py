"""Several workers on loopback: the numbers of one machine, only the chief writes, a lost worker ends the others."""

import itertools
import json
import os
import signal
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import WORDS
from tests.stages import command_line
from tests.training.loopback import configs
from tests.training.test_devices import WEIGHTS, assert_same

ONLY = "expected none: only --stage=general, finetune, task and masked_lm run on several machines"
RUNS = ("fine_tuning", "distillation", "dropping")


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
