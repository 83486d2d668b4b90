"""The house: imports run one way, without circles, as CONTRIBUTING.md draws it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {}
for path in [*(ROOT / "tinybert_tf").rglob("*.py"), *(ROOT / "tflite").glob("*.py")]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts if parts[0] == "tinybert_tf" else ("tinybert_tf", *parts)
    MODULES[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))

# Folders and files of the package; a row imports only from itself and from rows above it.
ROWS = [
    ["errors", "configs", "screen"],
    ["files"],
    ["assets", "layers", "tokenizer", "training"],
    ["data", "presets"],
    ["models", "settings"],
    ["augmentation", "distillation", "tflite"],
    ["evaluation"],
    ["kinds"],
    ["scale"],
    ["exporters"],
    ["report"],
    ["stages"],
    ["main"],
]
ROW = {name: number for number, names in enumerate(ROWS) for name in names}


def imported(node) -> list[str]:
    """The package's own modules that an import statement names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return []
    found = []
    for name in names:
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found += [name] if name.startswith("tinybert_tf.") else []
    return found


IMPORTS = {name: {m for node in ast.walk(tree) for m in imported(node)} - {name} for name, tree in MODULES.items()}


def row_of(module: str) -> int:
    return ROW[module.split(".")[1]]


def test_every_module_has_a_row():
    assert {name.split(".")[1] for name in MODULES if "." in name} == set(ROW)


@pytest.mark.parametrize("module", sorted(name for name in MODULES if "." in name))
def test_imports_run_one_way(module):
    upward = {other for other in IMPORTS[module] if row_of(other) > row_of(module)}
    assert not upward


def test_there_is_no_circle():
    """Take away what imports nothing that is left; a package and its own modules count as their files do."""
    left = {name: set(names) for name, names in IMPORTS.items()}
    while free := [name for name, names in left.items() if not names & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("module", sorted(name for name in MODULES if "." in name))
def test_no_import_of_ours_hides_in_a_function(module):
    functions = [node for node in ast.walk(MODULES[module]) if isinstance(node, ast.FunctionDef)]
    hidden = {name for function in functions for node in ast.walk(function) for name in imported(node)}
    assert not hidden


def test_no_stage_imports_another_but_all():
    names = ("common", "job", "learned", "evaluate_answers", "predict_answers")
    shared = {"tinybert_tf.stages", *(f"tinybert_tf.stages.{name}" for name in names)}
    stages = {name for name in MODULES if name.startswith("tinybert_tf.stages.")} - shared
    for stage in stages - {"tinybert_tf.stages.all"}:
        assert not IMPORTS[stage] & stages, stage


def test_a_preset_knows_no_model():
    for name in MODULES:
        if name.startswith("tinybert_tf.presets"):
            assert not {other for other in IMPORTS[name] if other.startswith("tinybert_tf.models")}, name
