"""The demo's own build, run once for all tests: Maven, Android's real classes, aapt2."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinybert_tf import assets
from tinybert_tf.tflite import QuestionAnswerer, TextClassifier
from tinybert_tf.tflite.classifier import label_of

DEMO = Path(__file__).parents[2] / "android_demo"
CHECKSUMS = DEMO / "desktop" / "checksums.txt"
REPOSITORY = Path.home() / ".m2" / "repository"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
_UNREACHABLE = re.compile("Could not (?:transfer|find) artifact|cannot access|could not be resolved", re.IGNORECASE)
_TOOLS = {"javac": "openjdk-17-jdk-headless", "mvn": "maven", "aapt2": "aapt"}


def missing_packages() -> list[str]:
    """Returns Debian's names of the tools that the build needs and this machine lacks."""
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    return missing + ([] if FRAMEWORK.is_file() else ["android-framework-res"])


def check_jars(all_of_them: bool) -> None:
    """Compares what Maven has fetched with `CHECKSUMS`."""
    for line in CHECKSUMS.read_text().splitlines():
        digest, name = line.split()
        jar = REPOSITORY / name
        if all_of_them or jar.exists():
            assert hashlib.sha256(jar.read_bytes()).hexdigest() == digest, f"{name} is not the pinned one"


@pytest.fixture(scope="session")
def tools():
    """Skips tests whose tools are missing."""
    if missing := missing_packages():
        pytest.skip(f"the Android demo's build needs: apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def demo(tools, tmp_path_factory, app_assets):
    """A copy of the demo's folder after `mvn package`: compiled and tested, with a model in its assets."""
    folder = tmp_path_factory.mktemp("build") / "android_demo"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("target", "build", ".gradle", "assets"))
    model = shutil.copytree(app_assets, folder / "app" / "src" / "main" / "assets")
    check_jars(all_of_them=False)
    log = _run_maven(folder, model).stdout
    errors = [line for line in log.splitlines() if line.startswith("[ERROR]")]
    if unreachable := next((line for line in errors if _UNREACHABLE.search(line)), None):
        pytest.skip(f"the Android demo's build needs Maven Central: {unreachable[:300]}")
    assert not errors and "BUILD SUCCESS" in log, "\n".join(errors[:60]) or log[-2000:]
    check_jars(all_of_them=True)
    return folder


def _answers(model: Path) -> dict[str, str]:
    """What the screen must say to some texts."""
    classifier, texts = TextClassifier(model / "student.tflite"), ["A fine film.", "Dull.", "café", "It's 140 minutes."]
    texts += [f"{word} story" for word in ("old", "new", "long", "short", "odd", "sad", "good", "bad", "dark", "plain")]
    rows = list(zip(texts, classifier.predict(texts)))
    labels = {text: label_of(classifier.labels, row, classifier.abstain_below) for text, row in rows}
    return {text: f"{labels[text] or 'Unsure'}, {100 * row.max():.1f} %" for text, row in rows}


def _found_answers(model: Path) -> dict[str, str]:
    """What the screen must say to some questions; each key is a question, a tab and a text."""
    answerer, answers = QuestionAnswerer(model / "student.tflite"), {}
    places = [f"the {word} café 😀" for word in ("old", "new", "long", "odd", "sad", "good", "bad", "dark", "plain")]
    for place in (*places, "the bridge of 1894 " * 200):
        question, context = f"Where is {place[:20]}?", f"It is in Paris, and {place} is in Rome, CAFE\u0301s say."
        span = answerer.predict([question], [context])[0]
        said = "The text does not answer it" if span.no_answer else span.text
        answers[f"{question}\t{context}"] = f"{said}, {100 * span.probability:.1f} %"
    return answers


def _run_maven(folder: Path, model: Path) -> subprocess.CompletedProcess:
    """Builds everything; the screen's tests use this Python's LiteRT and draw into the folder."""
    asks = json.loads((model / "model_info.json").read_text()).get("kind") == "question_answering"
    answers = _found_answers(model) if asks else _answers(model)
    (model / "expected.json").write_text(json.dumps(answers))
    engine = f"{sys.executable} {Path(__file__).with_name('engine.py')}"
    command = ["mvn", "-B", "-ntp", "-C", "-f", str(folder / "desktop" / "pom.xml"), "package"]
    command += [f"-Dtinybert.engine={engine}", f"-Dtinybert.assets={model}", f"-Dtinybert.screenshots={folder}"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="session")
def app_assets(tmp_path_factory):
    """The app's assets: the folder in TINYBERT_ASSETS, or those of a new student with random weights and real words."""
    if folder := os.environ.get("TINYBERT_ASSETS"):
        return Path(folder)
    folder = tmp_path_factory.mktemp("student")
    _export(folder, folder / "assets")
    return folder / "assets"


def _export(folder: Path, android_assets: Path) -> None:
    import keras

    from tinybert_tf.configs import EncoderConfig
    from tinybert_tf.models import BertClassifier, BertEncoder, BertTokenizer
    from tinybert_tf.settings.stages import ExportConfig
    from tinybert_tf.stages import export

    keras.utils.set_random_seed(0)
    tokenizer = BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt", sequence_length=64)
    shape = EncoderConfig(num_layers=2, hidden_dim=96, intermediate_dim=192)
    encoder = BertEncoder.from_shape(shape, tokenizer=tokenizer)
    BertClassifier(encoder, ["no", "yes"]).save_to_preset(folder / "model")
    (folder / "test.csv").write_text("text,label\nA fine film.,yes\nDull.,no\n")
    files = {"model": str(folder / "model"), "test_file": str(folder / "test.csv")}
    export.run(ExportConfig(**files, output_dir=str(folder / "export"), android_assets=str(android_assets)))


@pytest.fixture(scope="session")
def core(demo):
    """The demo's Kotlin classes, in this process: `core("BertTokenizer")`."""
    jpype = pytest.importorskip("jpype", reason="pip install jpype1")
    if not jpype.isJVMStarted():
        stdlib = next((REPOSITORY / "org/jetbrains/kotlin/kotlin-stdlib").glob("*/kotlin-stdlib-*.jar"))
        jpype.startJVM(classpath=[str(demo / "desktop" / "core" / "target" / "classes"), str(stdlib)])
    return lambda name: jpype.JClass(f"tinybert.core.{name}")
