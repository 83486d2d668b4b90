"""What can be said of the Gradle files without Gradle: they parse, and versions agree wherever they stand."""

import re
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree

import pytest

from tests.android.conftest import CHECKSUMS, DEMO, REPOSITORY

SCRIPTS = sorted(DEMO.glob("**/*.gradle.kts"))
CATALOGUE = tomllib.loads((DEMO / "gradle" / "libs.versions.toml").read_text())
VERSIONS = CATALOGUE["versions"]


def pom(module: str = "") -> ElementTree.Element:
    text = (DEMO / "desktop" / module / "pom.xml").read_text()
    return ElementTree.fromstring(re.sub(' xmlns="[^"]+"', "", text, count=1))


def test_versions_agree_with_the_desktop_build():
    properties = pom().find("properties")
    for name in ("kotlin", "junit", "robolectric"):
        assert properties.findtext(f"{name}.version") == VERSIONS[name]
    link = next(arg.get("line") for arg in pom("app").iter("arg") if "min-sdk" in arg.get("line", ""))
    assert f"--min-sdk-version {VERSIONS['minSdk']} --target-sdk-version {VERSIONS['targetSdk']} " in link


def test_gradle_is_new_enough_for_the_android_plugin():
    wrapper = (DEMO / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text()
    (gradle,) = re.findall(r"https\\://services\.gradle\.org/distributions/gradle-([\d.]+)-bin\.zip", wrapper)
    plugin = [int(part) for part in VERSIONS["androidGradlePlugin"].split(".")]
    assert plugin[0] == 8 and [int(part) for part in gradle.split(".")] >= plugin[:2]  # 8.13 wants Gradle 8.13


def test_scripts_use_what_the_catalogue_has():
    known = {f"versions.{name}" for name in VERSIONS}
    known |= {f"plugins.{name.replace('-', '.')}" for name in CATALOGUE["plugins"]}
    known |= {name.replace("-", ".") for name in CATALOGUE["libraries"]}
    used = {name for script in SCRIPTS for name in re.findall(r"\blibs\.([\w.]+)", script.read_text())}
    assert len(SCRIPTS) == 4 and used and {name.removesuffix(".get") for name in used} <= known
    entries = [*CATALOGUE["libraries"].values(), *CATALOGUE["plugins"].values()]
    assert all(entry["version"]["ref"] in VERSIONS for entry in entries)


def test_the_app_asks_no_permission_and_stores_its_model():
    manifest = ElementTree.parse(DEMO / "app" / "src" / "main" / "AndroidManifest.xml").getroot()
    assert not manifest.findall("uses-permission")
    build = (DEMO / "app" / "build.gradle.kts").read_text()
    assert 'namespace = "tinybert.demo"' in build and 'noCompress += "tflite"' in build


@pytest.mark.assets
def test_scripts_are_kotlin(demo, tmp_path):
    """The Kotlin compiler finds no syntax error; that it knows none of Gradle's names is all it complains of."""
    broken = tmp_path / "broken.gradle.kts"
    broken.write_text((DEMO / "app" / "build.gradle.kts").read_text().replace('+= "tflite"', '+= = "tflite"'))
    jars = [line.split()[1] for line in CHECKSUMS.read_text().splitlines() if "org/jetbrains/" in line]
    classes = ":".join(str(REPOSITORY / jar) for jar in jars)
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", classes, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = ["-no-reflect", "-no-stdlib", "-Xuse-fir-lt=false", "-Xallow-any-scripts-in-source-roots"]
    command += [*options, "-d", str(tmp_path / "out"), *map(str, SCRIPTS), str(broken)]
    complaints = subprocess.run(command, capture_output=True, text=True).stderr.splitlines()
    errors = [line for line in complaints if ": error: " in line]
    syntax = [line for line in errors if "syntax error" in line.lower()]
    assert len(errors) > 50 and syntax and all("broken.gradle.kts" in line for line in syntax), syntax
