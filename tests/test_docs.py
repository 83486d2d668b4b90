"""The documents agree with the code: links and paths exist, and commands have the flags that are shown."""

import dataclasses
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pytest

from tinybert_tf.settings.stages import STAGES

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
DOCUMENTS += sorted((ROOT / "android_demo").rglob("README.md")) + sorted((ROOT / "docs").rglob("*.md"))
OTHERS_FLAGS = {"enable_batching", "batching_parameters_file", "workers"}  # of TF Serving and uvicorn

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:(?:python -m tinybert_tf\.main|tinybert) |^)(--stage=[a-z].*)")

in_each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The fragments that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def flags_of(stage: str) -> set[str]:
    return {"stage", "help"} | {field.name for field in dataclasses.fields(STAGES[stage])}


def commands(document: Path) -> list[str]:
    """Returns the commands from `--stage` on, in code blocks and in the text."""
    text = document.read_text(encoding="utf-8")
    code = [block for _, block in FENCE.findall(text)] + CODE.findall(FENCE.sub("", text))
    lines = "\n".join(code).replace("\\\n", " ").splitlines()
    return [found.group(1) for line in lines if (found := COMMAND.search(line))]


@in_each_document
def test_relative_links_lead_somewhere(document):
    for link in LINK.findall(CODE.sub("", prose(document))):
        if re.match(r"\w+:", link):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@in_each_document
def test_commands_have_the_flags_they_show(document):
    for command in commands(document):
        given = dict(re.findall(r"^--(\w+)=?(.*)", "\n".join(shlex.split(command, comments=True)), re.MULTILINE))
        unknown = set(given) - flags_of(given["stage"])
        assert not unknown, command


@in_each_document
def test_flags_in_the_text_exist(document):
    known = set().union(*map(flags_of, STAGES)) | OTHERS_FLAGS
    named = {name for code in CODE.findall(prose(document)) for name in re.findall(r"^--(\w+)(?![\w-])", code)}
    unknown = named - known
    assert not unknown


@in_each_document
def test_files_in_the_text_exist(document):
    for path in CODE.findall(prose(document)):
        if re.fullmatch(r"[\w./]+/\w+\.(py|md|json)", path) and not re.search(r"[A-Z]{4}|^runs/", path):
            assert any((base / path).exists() for base in (ROOT, ROOT / "tinybert_tf", document.parent)), path
