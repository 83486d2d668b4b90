"""General distillation from the command line: whole, resumable to the bit, and refused where it must be."""

import dataclasses
import json
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import PIECES, WORDS
from tests.stages import command_line

_TIMES = ("tokens_per_second", "input_wait")  # no two runs have the same
FLAGS = [
    "--max_steps=12",
    "--batch_size=8",
    "--sequence_length=16",
    "--save_steps=3",
    "--log_steps=2",
    "--eval_steps=6",
    "--eval_sequences=8",
    "--dropout=0.1",
    "--learning_rate=1e-3",
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Tiny teachers of 12 heads and tinier students, of 1 layer (to run) and of 2 (to refuse), and text for them."""
    from tinybert_tf.models import BertEncoder, BertTokenizer

    folder = tmp_path_factory.mktemp("inputs")
    options = {"max_sequence_length": 64, "tokenizer": BertTokenizer(PIECES, sequence_length=64)}
    for name, layers in (("", 1), ("deep_", 2)):
        BertEncoder(len(PIECES), layers, 12, 24, 48, **options).save_to_preset(folder / f"{name}teacher")
        BertEncoder(len(PIECES), layers, 12, 12, 24, **options).save_to_preset(folder / f"{name}student")
    rng = np.random.default_rng(0)
    documents = [" ".join(rng.choice(WORDS, rng.integers(5, 40))) for _ in range(400)]
    (folder / "text.txt").write_text("\n\n".join(documents))
    return folder


def command(inputs, output, *flags):
    files = [
        f"--teacher={inputs}/teacher",
        f"--student={inputs}/student",
        f"--corpus={inputs}/text.txt",
        f"--output_dir={output}",
    ]
    return ["--stage=general", *files, *FLAGS, *flags]


def run(*arguments):
    return command_line.run(command(*arguments))


def refused(result, output):
    """Returns the one line of a refusal, which leaves no files."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert not output.exists()
    return result.stderr.splitlines()[-1].removeprefix("error: ")


def refusal(capsys, *arguments):
    """As `run`, but in this process, which has TensorFlow already: the exit code's line."""
    from tinybert_tf import main

    for name in main.FLAGS:
        main.FLAGS[name].unparse()
    code = main.main(["main", *command(*arguments, "--deterministic=false")])
    printed = capsys.readouterr()
    return subprocess.CompletedProcess([], code, printed.out, printed.err)


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """A run that was never stopped."""
    output = tmp_path_factory.mktemp("whole") / "run"
    result = run(inputs, output)
    assert result.returncode == 0, result.stderr
    return output, result


def test_a_run_leaves_a_student_that_loads(whole):
    from tinybert_tf.models import BertEncoder

    output, result = whole
    student = BertEncoder.from_preset(str(output))
    assert (student.config.num_layers, student.config.hidden_dim) == (1, 12)
    card = (output / "model" / "README.md").read_text()
    assert "| held-out" in card and "| steps | 12 of 8 sequences of 16 tokens |" in card
    assert str(output / "model") in result.stdout
    assert "untrained" in result.stdout and "attention_loss_1" in result.stdout


def test_losses_fall_and_are_on_record(whole):
    output, _ = whole
    record = json.loads((output / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["results"]["student"]["loss"] < record["results"]["untrained"]["loss"]
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6, 8, 10, 12]
    assert [line["step"] for line in lines if "held_out/loss" in line] == [0, 6, 12]
    assert list((output / "tensorboard").glob("events.*"))


def test_a_finished_run_says_so_and_changes_nothing(inputs, whole):
    output, first = whole
    before = {file: file.stat().st_mtime_ns for file in output.rglob("*") if file.is_file()}
    result = run(inputs, output)
    assert result.returncode == 0
    assert result.stdout == "This run was already finished; nothing was done.\n\n" + first.stdout
    assert before == {file: file.stat().st_mtime_ns for file in output.rglob("*") if file.is_file()}


def test_a_run_that_fails_and_is_killed_goes_on_to_the_same_weights(inputs, whole, tmp_path):
    """First the disk is full, simulated by a limit on file sizes that a checkpoint exceeds; then comes SIGKILL."""
    output = tmp_path / "run"
    result = command_line.run(command(inputs, output), file_size_bytes=20_000)
    assert result.returncode == 2
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: [Errno") and line.endswith("; repeat the command to resume")
    assert "Traceback" not in result.stderr
    assert not list((output / "checkpoints").iterdir())

    command_line.kill_when(command(inputs, output), (output / "checkpoints" / "step-000000006.safetensors").exists)
    assert not (output / "model").exists()

    assert run(inputs, output).returncode == 0
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (output, whole[0]))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)

    def losses(folder):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in line.items() if name not in _TIMES} for line in lines]

    assert losses(output) == losses(whole[0])


def test_other_settings_are_refused(inputs, whole):
    output, _ = whole
    result = run(inputs, output, "--learning_rate=0.5")
    assert result.returncode == 2
    assert "a run with learning_rate=" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--teacher=nowhere/nothing/at/all"], ["--teacher:", "nowhere/nothing/at/all"]),
        (["--corpus={inputs}/none.txt"], ["--corpus:", "none.txt", "which is not a file"]),
        (["--layer_map=1,9"], ["--layer_map:", "1,9", "from 1 to 2"]),
        (["--layer_map=middle"], ["--layer_map:", "'middle'", "uniform, top, bottom"]),
        (["--layer_map=1,2,2"], ["--layer_map:", "1,2,2", "2 teacher layers"]),
        (["--student=tinybert_4l_320_16h", "--student_init=svd"], ["--student:", "16 heads", "12"]),
        (["--relation_weight=1", "--relation_heads=7"], ["--relation_heads: got 7;", "width 12", "teacher's 24"]),
        (["--hidden_weight=1,2,3"], ["--hidden_weight:", "3 numbers", "2"]),
        (["--sequence_length=128"], ["--sequence_length:", "128", "at most 64"]),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(inputs, tmp_path, flags, words, capsys):
    output = tmp_path / "run"
    deep = [f"--teacher={inputs}/deep_teacher", f"--student={inputs}/deep_student"]
    line = refused(refusal(capsys, inputs, output, *deep, *(flag.format(inputs=inputs) for flag in flags)), output)
    assert all(word in line for word in words), line


def test_a_corrupt_teacher_is_refused(inputs, tmp_path, capsys):
    import shutil

    shutil.copytree(inputs / "teacher", tmp_path / "teacher")
    weights = tmp_path / "teacher" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    output = tmp_path / "run"
    line = refused(refusal(capsys, inputs, output, f"--teacher={tmp_path}/teacher"), output)
    assert line.startswith("--teacher: got ") and "model.safetensors" in line


@pytest.mark.usefixtures("eagerly")
def test_a_bad_line_stops_a_run_that_goes_on_with_the_mended_corpus(inputs, tmp_path, monkeypatch):
    from tinybert_tf.data import packing
    from tinybert_tf.errors import InputError
    from tinybert_tf.settings.stages import GeneralConfig
    from tinybert_tf.stages import general
    from tinybert_tf.stages.job import run_directory_of

    monkeypatch.setattr(packing, "WINDOW_BYTES", 1000)
    lines = [json.dumps({"text": text}) for text in (inputs / "text.txt").read_text().split("\n\n")]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("\n".join([*lines[:40], '{"text": null}', *lines[40:]]))
    options = {"teacher": str(inputs / "teacher"), "student": str(inputs / "student"), "corpus": (str(corpus),)}
    options |= {
        "max_steps": 6,
        "log_steps": 1,
        "init_tokens": 200,
        "batch_size": 8,
        "sequence_length": 16,
        "eval_sequences": 0,
    }
    config = GeneralConfig(output_dir=str(tmp_path / "run"), bad_lines="refuse", deterministic=False, **options)
    with pytest.raises(InputError, match=r"corpus.jsonl, line 41: 'text' of NoneType"):
        general.run(config)
    steps = [line["step"] for line in run_directory_of(config, "general").metrics()]
    corpus.write_text("\n".join(lines))
    assert general.run(config).finished
    after = run_directory_of(config, "general")
    assert [line["step"] for line in after.metrics()][: len(steps)] == steps  # it did not begin anew
    assert after.record["results"]["bad_lines"] == 0
    corpus.write_text("\n".join(lines[:-1]))
    with pytest.raises(InputError, match="corpus: got content that has changed"):
        general.run(config)
    # A run that leaves such lines out says so in its record, and may be resumed when they are mended.
    corpus.write_text("\n".join(['{"text": null}', *lines]))
    config = dataclasses.replace(config, output_dir=str(tmp_path / "skips"), bad_lines="skip")
    record = general.run(config).record
    assert record["results"]["bad_lines"] == 1 and record["unread"] == "corpus"
    corpus.write_text("\n".join(lines))
    assert general.run(config).was_finished
