"""The notebook was run from the first cell to the last, and agrees with the code."""

import json
import re
import shlex

import pytest

from tests.test_docs import LINK, ROOT, flags_of

NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
TEXT = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown"]


def test_every_cell_was_run_in_order_and_none_failed():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    kinds = [output["output_type"] for cell in CODE for output in cell["outputs"]]
    printed = [line for cell in CODE for output in cell["outputs"] for line in output.get("text", ())]
    assert not [line for line in printed if line.startswith(("error:", "interrupted"))]  # of a command
    assert len(CODE) == 10 and "error" not in kinds and {"stream", "display_data"} <= set(kinds)


def test_outputs_name_no_folder_of_a_machine():
    printed = json.dumps([cell["outputs"] for cell in CODE])
    assert not re.search(r"/(home|root|tmp|work|Users)/", printed) and "INFO:" not in printed


@pytest.mark.parametrize("cell", CODE, ids=lambda cell: cell["id"])
def test_code_is_python_and_its_commands_have_the_flags_they_show(cell):
    source = "".join(cell["source"])
    compile(re.sub(r"^!.*$", "pass", source, flags=re.MULTILINE), cell["id"], "exec")
    data = "".join(
        re.findall(r'^DATA = "(.*)"$', "".join("".join(each["source"]) + "\n" for each in CODE), re.MULTILINE)
    )
    for command in re.findall(r"^!tinybert (.*)$", source, re.MULTILINE):
        given = dict(re.findall(r"^--(\w+)=?(.*)", "\n".join(shlex.split(command.format(DATA=data))), re.MULTILINE))
        assert len(given) > 2 and set(given) <= flags_of(given["stage"]), command


def test_links_lead_somewhere():
    links = [link.partition("#")[0] for text in TEXT for link in LINK.findall(text)]
    assert len(links) > 4 and all((NOTEBOOK.parent / link).exists() for link in links)
