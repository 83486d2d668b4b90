"""The whole recipe in one command, on tiny models."""

import json
import shutil

import pytest

from tinybert_tf.errors import InputError
from tinybert_tf.settings import stages as configs
from tinybert_tf.stages import all as whole_recipe
from tinybert_tf.stages import task


@pytest.mark.usefixtures("eagerly")
def test_the_whole_recipe_skips_what_is_there(plain_teacher, reviews, files, student_shape, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "_INIT_BATCHES", 2)
    corpus, train = shutil.copy(reviews / "text.txt", tmp_path), tmp_path / "train.csv"
    train.write_text("\n".join((reviews / "train.csv").read_text().splitlines()[:49]))
    config = configs.AllConfig(
        output_dir=str(tmp_path / "all"),
        teacher=str(plain_teacher),
        student=student_shape,
        corpus=(corpus,),
        vectors="",
        general_steps=4,
        augment=True,
        num_variants=2,
        max_steps=2,
        batch_size=8,
        deterministic=False,
        **files | {"train_file": str(train), "sequence_length": 0},
    )
    folder = whole_recipe.run(config)
    text = whole_recipe.summary(folder)
    assert "kept" in text and "x less" in text and "GFLOP" in text
    made = {path.name for path in folder.path.iterdir() if path.is_dir()}
    assert made == {"teacher", "general", "masked_lm", "augment", "student", "evaluation"}
    record = json.loads((folder.path / "student" / "run.json").read_text())
    assert record["settings"]["max_steps"] == 2 and record["settings"]["epochs"] == 10  # a cap on the recipe's passes
    record = json.loads((folder.path / "run.json").read_text())
    (folder.path / "run.json").write_text(json.dumps(record | {"status": "running"}))
    student = folder.path / "student" / "model" / "model.safetensors"
    before = student.stat().st_mtime_ns
    again = whole_recipe.run(config)
    assert again.finished and student.stat().st_mtime_ns == before
    assert again.record["results"]["seconds"] == {} and "Time" not in whole_recipe.summary(again)  # nothing was done
    (tmp_path / "text.txt").write_text("Another corpus than the one that was read.\n" * 40)
    with pytest.raises(InputError, match="corpus"):
        whole_recipe.run(config)
