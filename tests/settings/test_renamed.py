"""Old names of settings: an older run's record is understood."""

import dataclasses
import json

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.settings.stages import ExportConfig, FinetuneConfig


@pytest.mark.parametrize(
    "kind, stage, old", [(FinetuneConfig, "finetune", "teacher"), (ExportConfig, "export", "student")]
)
def test_a_run_of_the_old_names_is_the_same_run(kind, stage, old, tmp_path):
    from tinybert_tf.stages.job import run_directory_of

    config = kind(model="some/model", output_dir=str(tmp_path))
    settings = {old if name == "model" else name: value for name, value in dataclasses.asdict(config).items()}
    record = {"stage": stage, "status": "finished", "settings": settings, "inputs": {old: "abc"}, "results": {}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    run = run_directory_of(config, stage)
    assert run.was_finished and run.finished_with({"model": "abc"})
    with pytest.raises(InputError, match="model: got content that has changed"):
        run.finished_with({"model": "xyz"})
    run = run_directory_of(dataclasses.replace(config, model="another"), stage)
    with pytest.raises(InputError, match=r"model: got .* changed since .* \(model='some/model', now 'another'\)"):
        run.finished_with({"model": "xyz"})
