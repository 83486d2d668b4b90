"""The command line: help and refusals, at once and in one line."""

import dataclasses
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tinybert_tf import main
from tinybert_tf.errors import InputError
from tinybert_tf.settings import stages as configs
from tinybert_tf.settings.usage import usage


def command(*flags, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tinybert_tf.main", *flags],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
        timeout=300,
    )


def refused(result):
    """The one line of a refusal."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0].removeprefix("error: ")


def test_help_without_a_stage_lists_the_stages():
    result = command("--help")
    assert result.returncode == 0
    assert result.stdout == usage(None) + "\n"


@pytest.mark.parametrize("stage", ["all", "task"])
def test_help_with_a_stage_lists_its_flags(stage):
    result = command(f"--stage={stage}", "--help")
    assert result.returncode == 0
    assert result.stdout == usage(stage) + "\n"


def test_help_answers_without_tensorflow():
    code = (
        "import sys; from tinybert_tf import main; main.main(['x', '--help']);"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy') if name in sys.modules])"
    )
    start = os.times()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("\n[]\n")
    end = os.times()  # processor time: what else runs on the machine does not count
    assert end.children_user + end.children_system - start.children_user - start.children_system < 5  # 0.4 s


def test_the_console_script():
    setup = (Path(__file__).parents[1] / "setup.py").read_text()
    module, function = re.search(r'"tinybert = ([\w.]+):(\w+)"', setup).groups()
    script = f"import sys; from {module} import {function}; sys.exit({function}())"
    for flags, code in ((["--help"], 0), (["--stage=general", "--batch_size=0"], 2)):
        result = subprocess.run([sys.executable, "-c", script, *flags], capture_output=True, text=True, check=False)
        assert result.returncode == code, result.stderr
        assert code or result.stdout == usage(None) + "\n"


def forget_flags():
    for name in main.FLAGS:
        main.FLAGS[name].unparse()


def parsed(*flags):
    """The config that flags make, in this process."""
    forget_flags()
    return main.parse(["main", *flags])[1]


@pytest.mark.parametrize("stage, old", [("finetune", "teacher"), ("export", "student")])
def test_an_old_name_of_a_flag_is_understood(stage, old):
    assert parsed(f"--stage={stage}", f"--{old}=some/model") == parsed(f"--stage={stage}", "--model=some/model")
    with pytest.raises(InputError, match=rf"{old}: got x; expected --model alone"):
        parsed(f"--stage={stage}", f"--{old}=x", "--model=y")


def test_where_there_are_two_models_each_has_its_flag():
    assert parsed("--stage=task", "--teacher=t", "--student=s").teacher == "t"
    assert parsed("--stage=evaluate", "--model=m", "--teacher=t").model == "m"


@pytest.mark.parametrize("stage", configs.STAGES)
def test_flags_of_other_stages_are_refused(stage):
    config = configs.STAGES[stage]
    known = {field.name for field in dataclasses.fields(config)} | set(config.RENAMED)
    names = {field.name for other in configs.STAGES.values() for field in dataclasses.fields(other)}
    for name in names - known:
        with pytest.raises(InputError, match=rf"^{name}: got .*; expected only flags that --stage={stage} uses"):
            parsed(f"--stage={stage}", f"--{name}=1")


@pytest.mark.parametrize(
    "flags, line",
    [
        ([], f"--stage: got nothing; expected one of {', '.join(configs.STAGES)}"),
        (["--stage=fly"], f"flag --stage=fly: value should be one of <{'|'.join(configs.STAGES)}>"),
        (["--stage=general", "--max_step=3"], "Unknown command line flag 'max_step'. Did you mean: max_steps ?"),
        (
            ["--stage=general", "--max_steps=many"],
            "flag --max_steps=many: invalid literal for int() with base 10: 'many'",
        ),
        (["--stage=general", "now"], "command line: got 'now'; expected flags only, as --name=value"),
        (["--stage=general", "--hidden_weight=1,x"], "--hidden_weight: got 1,x; expected comma-separated floats"),
        (["--stage=general", "--batch_size=0"], "--batch_size: got 0; expected 1 or more"),
        (["--stage=general", "--max_steps=-1"], "--max_steps: got -1; expected 0 or more"),
        (["--stage=general", "--max_steps=0"], "--max_steps: got 0, with --epochs=0; expected one of the two above 0"),
        (["--stage=general", "--learning_rate=-1"], "--learning_rate: got -1.0; expected a number above 0 and below 1"),
        (["--stage=general", "--learning_rate=nan"], "--learning_rate: got nan; expected a number above 0 and below 1"),
        (["--stage=general", "--warmup_proportion=2"], "--warmup_proportion: got 2.0; expected a number from 0 to 1"),
        (["--stage=general", "--sequence_length=4"], "--sequence_length: got 4; expected 8 or more"),
        (
            ["--stage=general", "--gradient_accumulation_steps=3"],
            "--gradient_accumulation_steps: got 3; expected a divisor of batch_size=32",
        ),
        (
            ["--stage=general", "--dtype_policy=int8"],
            "--dtype_policy: got int8; expected one of float32, mixed_bfloat16, mixed_float16",
        ),
        (
            ["--stage=general", "--jit_compile"],
            "--jit_compile: got true, with --deterministic=true; expected --deterministic=false: Keras cannot combine "
            "the two",
        ),
        (
            ["--stage=general", "--student_init=zeros"],
            "--student_init: got zeros; expected one of teacher, svd, random",
        ),
        (
            ["--stage=general", "--task=sst2"],
            "--task: got sst2; expected only flags that --stage=general uses (see --help)",
        ),
        (["--stage=finetune", "--epochs=0"], "--epochs: got 0; expected 1 or more, or --max_steps"),
        (["--stage=general", "--relation_heads=0"], "--relation_heads: got 0; expected 1 or more"),
        (["--stage=task", "--phase=3"], "--phase: got 3; expected one of two, intermediate, prediction, joint"),
        (
            ["--stage=finetune", "--task=sst2", "--train_file=x.csv"],
            "--task: got sst2; expected one of the two: --task, or --train_file and the like",
        ),
        (["--stage=augment", "--drop_flips"], "--drop_flips: got True; expected a --teacher to judge by"),
        (["--stage=general", "--projection=none"], "--projection: got none; expected one of per_layer, shared"),
    ],
)
def test_a_flag_that_does_not_fit_is_refused_before_tensorflow(flags, line, capsys, monkeypatch):
    """In this process, which cannot import a stage, and with it TensorFlow."""
    monkeypatch.setattr(main, "importlib", None)
    forget_flags()
    code = main.main(["main", *flags])
    assert refused(subprocess.CompletedProcess([], code, *capsys.readouterr())) == line


def test_another_backend_is_refused():
    line = refused(command("--stage=general", KERAS_BACKEND="jax"))
    assert line == "KERAS_BACKEND: got jax; expected tensorflow"


def outcome(error, capsys, monkeypatch):
    """Exit code and standard error of a stage that ends with this error."""

    def fail(config):
        raise error

    monkeypatch.setattr(main.importlib, "import_module", lambda name: types.SimpleNamespace(run=fail))
    monkeypatch.setattr(main, "_log_devices", lambda: None)
    forget_flags()
    code = main.main(["main", "--stage=predict"])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    "error, line",
    [
        (OSError(28, "No space left on device"), "error: [Errno 28] No space left on device"),
        (MemoryError("Unable to allocate 3. GiB"), "error: Unable to allocate 3. GiB"),
        (MemoryError(), "error: out of memory"),
    ],
)
def test_a_full_disk_or_memory_is_one_line(error, line, capsys, monkeypatch):
    assert outcome(error, capsys, monkeypatch) == (2, line + "\n")


def test_a_full_disk_under_tensorflow_is_one_line(capsys, monkeypatch):
    import tensorflow as tf

    error = tf.errors.ResourceExhaustedError(None, None, "/x/y.pb; No space left\non device")
    assert outcome(error, capsys, monkeypatch) == (2, "error: TensorFlow: /x/y.pb; No space left on device\n")
    with pytest.raises(tf.errors.InternalError):  # a fault of ours, which needs its traceback
        outcome(tf.errors.InternalError(None, None, "no such kernel"), capsys, monkeypatch)


def test_a_reader_that_has_enough_ends_the_program_quietly():
    code = "from tinybert_tf import main; main.usage = lambda stage: 'line\\n' * 100_000; raise SystemExit(main.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 141


def test_a_name_that_is_not_unicode_is_printed():
    result = command(b"--stage=evaluate", b"--model=no\xff", PYTHONIOENCODING="utf-8")
    assert refused(result).startswith("--model: got 'no\\udcff'")


def test_a_text_that_is_empty_is_a_text_and_two_sources_are_refused():
    parsed = configs.PredictConfig(text="")
    assert parsed.text == ""
    for options in ({"text": "a", "input_file": "b.txt"}, {"text": "", "input_file": "b.txt"}, {"text_pair": "a"}):
        with pytest.raises(InputError):
            configs.PredictConfig(**options)
