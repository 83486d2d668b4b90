"""The demo built without an Android SDK, and its Kotlin code beside Python's. One file: one worker builds it."""

import csv
import importlib.util
import io
import json
import os
import re
import subprocess
import unicodedata
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.android.conftest import CHECKSUMS, DEMO, REPOSITORY
from tinybert_tf import assets
from tinybert_tf.data.questions import Questions
from tinybert_tf.data.windows import windows_of
from tinybert_tf.models import BertTokenizer
from tinybert_tf.tflite import TextClassifier
from tinybert_tf.tflite.tokenizer import bert_tokenizer

pytestmark = pytest.mark.assets

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "tokenizer_parity.py"
# java.lang.Character's types by Unicode's names of categories.
JAVA_TYPES = "Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf -- Co Cs Pd Ps Pe Pc Po Sm Sc Sk So Pi Pf"


@pytest.mark.parametrize(("module", "least"), [("core", 28), ("app", 18)])
def test_the_demos_unit_tests_pass(demo, module, least):
    """`core` sees nothing of Android; `app` runs on the real framework, with a real file in LiteRT."""
    reports = [
        ElementTree.parse(file).getroot() for file in (demo / "desktop" / module / "target").glob("*/TEST-*.xml")
    ]
    counts = {
        name: sum(int(report.get(name)) for report in reports) for name in ("tests", "failures", "errors", "skipped")
    }
    assert counts.pop("tests") >= least and not any(counts.values()), counts


def test_the_screen_is_drawn_by_day_and_by_night(demo):
    pictures = {file.name: file.read_bytes() for file in demo.glob("*.png")}
    names = {"android_notnight.png", "android_night.png", "android_large.png"}
    assert set(pictures) == names and len(set(pictures.values())) == 3


def test_the_apk(demo, app_assets):
    apk = demo / "desktop" / "apk" / "target" / "app.apk"
    with zipfile.ZipFile(apk) as archive:
        names = set(archive.namelist())
        assert archive.getinfo("assets/student.tflite").compress_type == zipfile.ZIP_STORED
        for name in ("student.tflite", "vocab.txt", "labels.txt", "model_info.json"):
            assert archive.read(f"assets/{name}") == (app_assets / name).read_bytes()
        dex = archive.read("classes.dex")
    for kept in (b"Ltinybert/demo/MainActivity;", b"Lorg/tensorflow/lite/Interpreter;"):
        assert kept in dex  # R8 has left what Android and native code look for by name
    assert b"Ltinybert/core/BertTokenizer;" not in dex and len(dex) < 300_000  # and renamed or dropped the rest
    assert {f"lib/{abi}/libtensorflowlite_jni.so" for abi in ("arm64-v8a", "armeabi-v7a", "x86", "x86_64")} <= names
    badging = subprocess.run(["aapt2", "dump", "badging", apk], capture_output=True, text=True, check=True).stdout
    assert "sdkVersion:'23'" in badging and "targetSdkVersion:'36'" in badging
    assert "launchable-activity: name='tinybert.demo.MainActivity'" in badging
    assert not re.search("uses-permission", badging)


def test_the_library(demo):
    """An Android library holds what LiteRT needs kept, and the classes of `core` and `library`."""
    with zipfile.ZipFile(demo / "desktop" / "library" / "target" / "tinybert.aar") as archive:
        assert set(archive.namelist()) >= {"AndroidManifest.xml", "R.txt", "classes.jar", "proguard.txt"}
        assert b"-keep class org.tensorflow.lite.**" in archive.read("proguard.txt")
        manifest = ElementTree.fromstring(archive.read("AndroidManifest.xml"))
        with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as classes:
            names = {name for name in classes.namelist() if name.endswith(".class")}
    assert manifest.get("package") == "tinybert.litert" and len(archive.filelist) < 10
    assert {"tinybert/core/TextClassifier.class", "tinybert/litert/ModelAssetsKt.class"} <= names
    assert all(name.startswith(("tinybert/core/", "tinybert/litert/")) for name in names)


def test_scripts_are_kotlin(demo, tmp_path):
    """The Kotlin compiler finds no syntax error; its only complaints are that it does not know Gradle's names."""
    broken = tmp_path / "broken.gradle.kts"
    broken.write_text((DEMO / "app" / "build.gradle.kts").read_text().replace('+= "tflite"', '+= = "tflite"'))
    jars = [line.split()[1] for line in CHECKSUMS.read_text().splitlines() if "org/jetbrains/" in line]
    classes = ":".join(str(REPOSITORY / jar) for jar in jars)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = ["-no-reflect", "-no-stdlib", "-Xuse-fir-lt=false", "-Xallow-any-scripts-in-source-roots"]
    command += [*options, "-d", str(tmp_path / "out"), *map(str, DEMO.glob("**/*.gradle.kts")), str(broken)]
    complaints = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
    errors = [line for line in complaints if ": error: " in line]
    syntax = [line for line in errors if "syntax error" in line.lower()]
    assert len(errors) > 50 and syntax and all("broken.gradle.kts" in line for line in syntax), syntax


@pytest.fixture(scope="module")
def texts_of():
    """The benchmark of our tokenizer, which has the texts."""
    spec = importlib.util.spec_from_file_location("tokenizer_parity", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def vocabulary():
    return BertTokenizer.from_file(assets.fetch("minilm_l6") / "vocab.txt").vocabulary


@pytest.fixture(scope="module")
def encode(core, vocabulary):
    """A function that returns the rows of Kotlin's tokenizer and of Python's, each (ids, segments)."""
    import jpype

    def both(texts, pairs=None, lowercase=True, length=64, **rules):
        python = BertTokenizer(vocabulary, lowercase, length, **rules)
        settings = [lowercase, length, False, *list(python.normalization.values())[1:]]
        kotlin = core("BertTokenizer")(jpype.java.util.Arrays.asList(vocabulary), *settings)
        rows = []
        for text, pair in zip(texts, pairs or [None] * len(texts)):
            row = kotlin.encode(text, pair)
            rows.append((np.array(row.getTokenIds()).tolist(), np.array(row.getSegmentIds()).tolist()))
        expected = []
        for start in range(0, len(texts), 2048):
            batch = python(texts[start : start + 2048], pairs and pairs[start : start + 2048])
            ids, segments, sizes = (batch[name].numpy() for name in ("token_ids", "segment_ids", "padding_mask"))
            expected += [(i[:n].tolist(), s[:n].tolist()) for i, s, n in zip(ids, segments, sizes.sum(1))]
        return rows, expected

    return both


@pytest.mark.parametrize("lowercase", [True, False])
def test_real_sentences(encode, texts_of, lowercase):
    texts = texts_of.sentences()[:20_000]
    rows, expected = encode(texts, lowercase=lowercase)
    assert len(rows) == 20_000 and rows == expected


def test_real_pairs(encode, texts_of):
    texts = texts_of.sentences()[:10_000]
    rows, expected = encode(texts[::2], texts[1::2], length=48)
    assert rows == expected and sum(len(ids) == 48 for ids, _ in rows) > 1000


@pytest.mark.parametrize(
    ("count", "rules"),
    [
        (20_000, {}),
        (4_000, {"strip_accents": False, "tokenize_chinese_chars": False}),
        (4_000, {"lowercase": False, "tokenize_chinese_chars": False, "clean_text": False}),
    ],
    ids=str,
)
def test_hostile_strings(encode, texts_of, count, rules):
    """No text differs, except by characters that this Java and this Python know from different versions of Unicode."""
    import jpype

    java = jpype.JClass("java.lang.Character")
    texts = list(texts_of.random_texts(count))
    rows, expected = encode(texts, **rules)
    different = [text for text, row, other in zip(texts, rows, expected) if row != other]
    same_unicode = [
        text
        for text in different
        if all(JAVA_TYPES[3 * int(java.getType(jpype.JInt(ord(c)))) :][:2] == unicodedata.category(c) for c in text)
    ]
    assert same_unicode == [] and len(different) < 100


def test_places_in_the_original_text(core, texts_of, vocabulary):
    """Each WordPiece's characters, in UTF-16, where both sides have the same WordPieces."""
    import jpype

    tokenizer = bert_tokenizer(vocabulary, lowercase=True)
    kotlin = core("BertTokenizer")(jpype.java.util.Arrays.asList(vocabulary), True, 64, False, True, True, True)
    texts = [*texts_of.sentences()[:2000], *texts_of.random_texts(2000)]
    windows = windows_of(Questions(["?"] * len(texts), [f"{text}." for text in texts]), tokenizer)
    different = compared = 0
    for place, context in enumerate(windows.questions.contexts):
        found, expected = kotlin.pieces(context), windows.offsets_of(place)
        units = np.cumsum([0] + [1 + (ord(character) > 0xFFFF) for character in context])[expected]
        if len(units) == found.getSize():
            compared += 1
            same = [list(found.getBegins()), list(found.getEnds())] == units.T.tolist()
            different += not same and "\u09fe" not in context  # a mark, which `tokenizers` takes for a letter
    assert different == 0 and compared > 3900


def test_text_to_probabilities(core, app_assets):
    """Every movie review of the test split, or text of the CSV file in TINYBERT_TEXTS, through Kotlin and LiteRT."""
    import jpype
    from ai_edge_litert.interpreter import Interpreter

    if json.loads((app_assets / "model_info.json").read_text()).get("kind") == "question_answering":
        pytest.skip("the model in TINYBERT_ASSETS answers questions")

    from tinybert_tf.data.tasks import load_task

    if file := os.environ.get("TINYBERT_TEXTS"):
        with open(file, encoding="utf-8", newline="") as stream:
            texts = [row["text"] for row in csv.DictReader(stream)]
    else:
        texts = load_task("movie_reviews").splits["test"].texts
        assert len(texts) == 2066
    run = Interpreter(str(app_assets / "student.tflite"), num_threads=1).get_signature_runner("serving_default")

    @jpype.JImplements("tinybert.core.InferenceEngine")
    class Engine:
        @jpype.JOverride
        def run(self, row):
            rows = {
                "token_ids": row.getTokenIds(),
                "segment_ids": row.getSegmentIds(),
                "padding_mask": row.getPaddingMask(),
            }
            (output,) = run(**{name: np.array([values], np.int32) for name, values in rows.items()}).values()
            return jpype.JArray(jpype.JFloat)(output[0])

        @jpype.JOverride
        def close(self):
            pass

    @jpype.JImplements("kotlin.jvm.functions.Function1")
    class Open:
        @jpype.JOverride
        def invoke(self, name):
            return jpype.java.io.FileInputStream(str(app_assets / str(name)))

    description = core("ModelFiles").INSTANCE.read(Open())
    clock = jpype.JProxy("kotlin.jvm.functions.Function0", {"invoke": lambda: jpype.java.lang.Long.valueOf(0)})
    kotlin = core("TextClassifier")(description, Engine(), clock)
    python = TextClassifier(app_assets / "student.tflite")
    answers = np.array([list(kotlin.classify(text, None).getValues()) for text in texts])
    expected = python.predict(texts)
    assert answers.shape == (len(texts), len(python.labels)) and np.abs(answers - expected).max() <= 1e-6
    assert list(kotlin.getInfo().getLabels()) == python.labels
