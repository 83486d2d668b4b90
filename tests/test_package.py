"""The wheel holds the whole package: it is imported where there is no checkout."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("setup.py", "pyproject.toml", "README.md", "tinybert_tf", "tflite")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    base = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:  # a copy: a build leaves folders behind
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, base / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", base / "dist", base]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next((base / "dist").glob("tinybert_tf-*.whl"))


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = [*(ROOT / "tinybert_tf").rglob("*.py"), *(ROOT / "tinybert_tf" / "presets" / "cards").glob("*.md")]
    package += filter(Path.is_file, (ROOT / "tinybert_tf" / "exporters" / "web_page").rglob("*"))
    package.append(ROOT / "tinybert_tf" / "report" / "page.html")
    modules = {f"tinybert_tf/{path.relative_to(ROOT / 'tinybert_tf')}" for path in package}
    assert held == modules | {f"tinybert_tf/tflite/{path.name}" for path in (ROOT / "tflite").glob("*.py")}


def test_the_wheel_runs_outside_the_checkout(wheel, tmp_path):
    """Without site's .pth files, so that an editable installation cannot answer for the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    packages = [str(tmp_path / "installed"), *(path for path in sys.path if path.endswith("site-packages"))]
    script = (
        f"import sys; sys.path += {packages!r}\n"
        "from tinybert_tf import main, tflite\n"
        "from tinybert_tf.tflite.convert import convert\n"
        "assert tflite.__file__.startswith(sys.argv[1]), tflite.__file__\n"
        "main.main(['main', '--stage=export', '--help'])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(tmp_path / "installed")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert "--export_formats" in done.stdout, done.stderr
