"""What can be tested of the Gradle files without Gradle: they parse, and versions agree wherever they occur."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree

from tests.android.conftest import DEMO

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
    assert len(SCRIPTS) == 5 and used and {name.removesuffix(".get") for name in used} <= known
    entries = [*CATALOGUE["libraries"].values(), *CATALOGUE["plugins"].values()]
    assert all(entry["version"]["ref"] in VERSIONS for entry in entries)


def test_the_app_asks_no_permission_and_stores_its_model():
    manifest = ElementTree.parse(DEMO / "app" / "src" / "main" / "AndroidManifest.xml").getroot()
    assert not manifest.findall("uses-permission")
    build = (DEMO / "app" / "build.gradle.kts").read_text()
    assert 'namespace = "tinybert.demo"' in build and 'noCompress += "tflite"' in build
