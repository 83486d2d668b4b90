"""Run directories: made late, locked, resumed, or refused in one line."""

import json
import os

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.training.run_directory import RunDirectory

SETTINGS = {"batch_size": 32, "hidden_weight": (1.0,)}


def started(path, settings=SETTINGS):
    run = RunDirectory(path, "general", settings)
    run.start({"teacher": "abc"} | ({"corpus": "abc"} if "corpus" in settings else {})).release()
    return run


def test_looking_at_a_run_creates_nothing(tmp_path):
    RunDirectory(tmp_path / "runs" / "new", "general", SETTINGS)
    assert not list(tmp_path.iterdir())


def test_the_record_names_settings_inputs_and_versions(tmp_path):
    started(tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["settings"] == {"batch_size": 32, "hidden_weight": [1.0]}
    assert record["inputs"] == {"teacher": "abc"}
    assert record["status"] == "running"
    assert record["versions"]["tensorflow"].startswith("2.")


def test_the_same_settings_resume_a_run(tmp_path):
    started(tmp_path / "run")
    assert not started(tmp_path / "run").finished


def test_a_finished_run_says_so(tmp_path):
    started(tmp_path / "run").finish({"loss": 1.0})
    again = RunDirectory(tmp_path / "run", "general", SETTINGS)
    assert again.finished and again.record["results"] == {"loss": 1.0}
    assert again.finished_with({"teacher": "abc"})
    with pytest.raises(InputError, match=r"teacher: got content that has changed since .* began"):
        again.finished_with({"teacher": "xyz"})


def test_a_run_that_another_process_did_meanwhile_is_not_written_over(tmp_path):
    late = RunDirectory(tmp_path / "run", "general", SETTINGS)
    started(tmp_path / "run").finish({"loss": 1.0})
    with pytest.raises(InputError, match="another process was at work meanwhile; expected the command to be repeated"):
        late.start({"teacher": "abc"})
    assert RunDirectory(tmp_path / "run", "general", SETTINGS).finished
    assert started(tmp_path / "run").finished  # and the lock is free


def test_a_run_that_died_in_its_first_write_goes_on(tmp_path):
    for name in (".lock", ".run.json.partial"):
        (tmp_path / name).write_text("{")
    assert not started(tmp_path).finished


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "run.json, which is not JSON"),
        ("", "run.json, which is not JSON"),
        ("[" * 100_000, "run.json, which is not JSON"),
        ("[]", "run.json with a list; expected a JSON object"),
        ('"run"', "run.json with a str; expected a JSON object"),
        ("{}", "run.json without a readable 'stage'; expected the record of a run"),
        ('{"stage": "general"}', "run.json without a readable 'settings'"),
        ('{"stage": ["general"], "settings": {}}', "run.json without a readable 'stage'"),
        ('{"stage": "general", "settings": {}, "inputs": 3}', "run.json without a readable 'inputs'"),
        ('{"stage": "general", "settings": {}, "status": "finished"}', "run.json without a readable 'results'"),
    ],
)
def test_a_damaged_record_is_one_line(tmp_path, content, message):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        RunDirectory(tmp_path, "general", {})
    assert caught.value.argument == "output_dir" and "\n" not in str(caught.value)
    assert (tmp_path / "run.json").read_text() == content


def test_a_record_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / "run.json").write_bytes(b"\xff\x00{")
    with pytest.raises(InputError, match=r"run.json, which is not JSON"):
        RunDirectory(tmp_path, "general", {})


def test_an_older_version_called_steps_updates(tmp_path):
    record = {"stage": "general", "status": "finished", "settings": SETTINGS, "results": {"updates": 300}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert RunDirectory(tmp_path, "general", SETTINGS).record["results"] == {"steps": 300}


def test_a_file_name_that_is_not_unicode_is_on_record(tmp_path):
    name = os.fsdecode(b"caf\xe9.csv")
    started(tmp_path / "run", SETTINGS | {"train_file": name})
    assert RunDirectory(tmp_path / "run", "general", SETTINGS | {"train_file": name}).record


def test_a_record_from_before_a_setting_was_added_has_its_default(tmp_path):
    started(tmp_path / "run")
    new = SETTINGS | {"relation_weight": 0.0}
    assert RunDirectory(tmp_path / "run", "general", new, defaults={"relation_weight": 0.0}).record
    with pytest.raises(InputError, match=r"a run with relation_weight=0.0; expected relation_weight=1.0"):
        RunDirectory(tmp_path / "run", "general", SETTINGS | {"relation_weight": 1.0}, {"relation_weight": 0.0})


@pytest.mark.parametrize(
    "stage, settings, message",
    [
        ("general", SETTINGS | {"batch_size": 64}, "a run with batch_size=32; expected batch_size=64, as asked for"),
        ("task", SETTINGS, r"a run with stage='general'; expected stage='task'"),
    ],
)
def test_other_settings_are_refused(tmp_path, stage, settings, message):
    started(tmp_path / "run")
    with pytest.raises(InputError, match=message):
        RunDirectory(tmp_path / "run", stage, settings)


def test_a_free_setting_may_change_and_is_on_record(tmp_path):
    started(tmp_path / "run", SETTINGS | {"corpus": "a.txt"})
    run = RunDirectory(tmp_path / "run", "general", SETTINGS | {"corpus": "/moved/a.txt"}, free=["corpus"])
    run.start({"teacher": "abc"}).release()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["corpus"] == "/moved/a.txt"
    run.finish({})
    free = ["corpus", "output_dir"]  # the latter is a flag, and not on record
    other = RunDirectory(tmp_path / "run", "general", SETTINGS | {"corpus": "b.txt"}, free=free)
    with pytest.raises(InputError, match=r"teacher: got .* began \(corpus='/moved/a.txt', now 'b.txt'\)"):
        other.finished_with({"teacher": "xyz"})
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["corpus"] == "/moved/a.txt"


def test_an_input_that_could_not_be_read_may_be_mended_once(tmp_path):
    run = started(tmp_path / "run")
    run.note_unread("teacher")
    RunDirectory(tmp_path / "run", "general", SETTINGS).start({"teacher": "mended"}).release()
    RunDirectory(tmp_path / "run", "general", SETTINGS).start({"teacher": "mended"}).release()
    with pytest.raises(InputError, match="teacher: got content that has changed"):
        RunDirectory(tmp_path / "run", "general", SETTINGS).start({"teacher": "abc"})


@pytest.mark.parametrize("finished", [False, True])
def test_an_input_that_could_not_be_read_is_not_mended_under_another_name(tmp_path, finished):
    run = started(tmp_path / "run", SETTINGS | {"corpus": "a.txt"})
    run.note_unread("corpus")
    if finished:
        run.finish({})
    moved, other = (
        RunDirectory(tmp_path / "run", "general", SETTINGS | {"corpus": name}, free=["corpus"])
        for name in ("/moved/a.txt", "b.txt")
    )
    with pytest.raises(InputError, match=r"corpus: got content that has changed .* \(corpus='a.txt', now 'b.txt'\)"):
        other.finished_with({"corpus": "xyz"}) if finished else other.start({"corpus": "xyz"})
    assert moved.finished_with({"teacher": "abc"}) == finished


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="which holds other files"):
        RunDirectory(tmp_path, "general", SETTINGS)


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="which is a file; expected a folder"):
        RunDirectory(tmp_path / "file", "general", SETTINGS)


def test_an_empty_folder_is_taken(tmp_path):
    started(tmp_path)


def test_a_changed_input_is_refused(tmp_path):
    started(tmp_path / "run")
    with pytest.raises(InputError, match=r"teacher: got content that has changed since .* began"):
        RunDirectory(tmp_path / "run", "general", SETTINGS).start({"teacher": "xyz"})


def test_a_second_process_is_refused(tmp_path):
    first, second = (RunDirectory(tmp_path / "run", "general", SETTINGS) for _ in range(2))
    with (
        first.start({}),
        pytest.raises(InputError, match="another process is at work"),
    ):
        second.start({})


def test_rewinding_drops_later_lines_and_one_that_was_cut_off(tmp_path):
    run = started(tmp_path / "run")
    for step in (0, 10, 20, 30):
        run.log(step, {"loss": 1.0})
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 40, "lo')
    run.rewind(20)
    assert [line["step"] for line in run.metrics()] == [0, 10, 20]
