"""The demo builds without an Android SDK, its own tests pass on Android's classes, and an APK comes out."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest

pytestmark = pytest.mark.assets


@pytest.mark.parametrize(("module", "least"), [("core", 18), ("app", 13)])
def test_its_unit_tests_pass(demo, module, least):
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
    assert set(pictures) == {"android_notnight.png", "android_night.png"} and len(set(pictures.values())) == 2


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
