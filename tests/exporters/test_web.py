"""The web page of classifiers: its tokenizer against the golden vectors, its answers in Chromium against Python's."""

import json
import re
import shutil

import numpy as np
import pytest

from tests.exporters.browser import CHROMIUM, found_by
from tests.exporters.node import needs_node, printed_by
from tests.golden.make_android import FILE as GOLDEN
from tests.tolerance import assert_close
from tinybert_tf import assets
from tinybert_tf.data.examples import Examples
from tinybert_tf.exporters import litert, web
from tinybert_tf.exporters.abstaining import Calibration
from tinybert_tf.exporters.parity import Reference
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite import TextClassifier
from tinybert_tf.tflite.archive import CLASSIFICATION, QUESTION_ANSWERING

SHARED = {"index.html", "page.js", "parts.js", "student.js", "style.css", "tokenizer.js"}
OURS = {CLASSIFICATION: SHARED | {"classifier.js"}, QUESTION_ANSWERING: SHARED | {"question_answerer.js"}}
MOST_LINES = {CLASSIFICATION: 300, QUESTION_ANSWERING: 340}  # of a page, without comments and blank lines
# Lengths that grow and shrink, and texts that only BERT's own rules cut as Python does.
TEXTS = ["a fine film", "The STORY is dull, and unplayed!", "film", "á FILM\u00a0is\u200b good…", "good " * 40, ""]
PAIRS = ["the story", "", "it is a play", "good", "bad film", "it"]

TOKENIZE = """
import { BertTokenizer } from "./tokenizer.mjs";
import { readFileSync } from "node:fs";
const { vocabulary, cases } = JSON.parse(readFileSync(process.argv[2]));
const rows = cases.map((given) => new BertTokenizer(vocabulary, given).encode(given.text, given.text_pair));
console.log(JSON.stringify(rows));
"""
AFTER_AN_ERROR = """
const elements = {};
globalThis.document = { getElementById: (id) => (elements[id] ??= { textContent: "Reading …", hidden: true }) };
const { oneAtATime } = await import("./parts.mjs"), seen = [];
let fails = true;
const job = oneAtATime(async () => {
  await new Promise((done) => setTimeout(done, 1));
  if (fails) throw new Error("no memory");
  elements.answer.textContent = "good";
});
const look = () => seen.push([elements.answer.textContent, elements.status.hidden, elements.status.textContent]);
await job();
look();
const again = job();
job(); // while the first one runs
fails = false;
await again;
look();
console.log(JSON.stringify(seen));
"""
CHECK = """
<!doctype html><meta charset="utf-8"><iframe src="index.html" width="360" height="700"></iframe>
<script type="module">
const until = async (what) => { while (!what()) await new Promise((done) => setTimeout(done, 20)); };
const frame = document.querySelector("iframe"), found = {};
addEventListener("error", (event) => (found.error = event.message));
await new Promise((done) => (frame.onload = done));
const page = frame.contentDocument, given = await (await fetch("texts.json")).json();
await until(() => "ready" in page.documentElement.dataset || page.getElementById("status").textContent.includes("not"));
found.status = page.getElementById("status").hidden ? "" : page.getElementById("status").textContent;
if (!found.status) {
  found.isWider = page.documentElement.scrollWidth > 360;
  found.focus = page.activeElement.id;
  found.card = page.getElementById("facts").textContent;
  page.getElementById("pair").value = given[0][1];
  page.getElementById("text").value = given[0][0];
  page.getElementById("text").dispatchEvent(new Event("input"));
  await until(() => page.getElementById("answer").textContent);
  found.answer = page.getElementById("answer").textContent;
  found.bars = [...page.querySelectorAll("li")].map((item) => item.innerText.split(/\\s+/).slice(0, 2).join(" "));
  found.latency = page.getElementById("latency").textContent;
  const unsure = await (await fetch("unsure.json")).json();
  page.getElementById("pair").value = unsure[1];
  page.getElementById("text").value = unsure[0];
  page.getElementById("text").dispatchEvent(new Event("input"));
  await until(() => page.getElementById("answer").textContent !== found.answer);
  found.unsure = [page.getElementById("answer").textContent, page.getElementById("latency").textContent];
  found.chosen = page.querySelectorAll("li.chosen").length;
  const { TextClassifier } = await frame.contentWindow.eval('import("./classifier.js")');
  const classifier = await TextClassifier.load();
  found.values = [];
  for (const [text, pair] of given) found.values.push((await classifier.predict(text, pair)).values);
}
const requests = frame.contentWindow.performance.getEntriesByType("resource");
found.hosts = [...new Set(requests.map(({ name }) => new URL(name).host))];
found.here = location.host;
await fetch("/", { method: "POST", body: JSON.stringify(found) });
</script>
"""


@needs_node
def test_the_tokenizer_gives_the_golden_vectors(tmp_path):
    shutil.copy(web.PAGE / "tokenizer.js", tmp_path / "tokenizer.mjs")
    (tmp_path / "tokenize.mjs").write_text(TOKENIZE)
    rows = printed_by(tmp_path / "tokenize.mjs", GOLDEN)
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    assert len(rows) == len(cases) == 420
    for row, case in zip(rows, cases):
        assert (row["ids"], row["segments"]) == (case["token_ids"], case["segment_ids"]), case


@needs_node
def test_a_page_answers_again_after_an_error(tmp_path):
    shutil.copy(web.PAGE / "parts.js", tmp_path / "parts.mjs")
    (tmp_path / "check.mjs").write_text(AFTER_AN_ERROR, encoding="utf-8")
    found = printed_by(tmp_path / "check.mjs")
    line = "It does not work here: no memory"
    assert found == [["", False, line], ["good", True, line]]


@pytest.mark.parametrize("kind", OURS)
def test_the_page_is_small_and_names_no_server(kind):
    texts = {file.name: file.read_text(encoding="utf-8") for file in web.page_files(kind)}
    assert texts.keys() == OURS[kind]
    lines = [line.strip() for text in texts.values() for line in text.splitlines()]
    assert sum(bool(line) and not line.startswith(("/*", "*", "//")) for line in lines) < MOST_LINES[kind]
    assert not re.findall(r"(?:https?:)?//[\w.]+\.\w+", "\n".join(texts.values()).replace("// ", ""))


def test_the_folder_is_complete(make_classifier, tmp_path, monkeypatch):
    """With LiteRT files beside it the page takes these; else it has its own made."""

    def fetch(name):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "package.json").write_text(name)
        return tmp_path / name

    def convert(reference, folder, config, **_):
        for name in ("student.tflite", "vocab.txt", "labels.txt", "model_info.json"):
            (folder / name).write_text(name)
        return {"student.tflite": {"variant": config.variants}}

    monkeypatch.setattr(assets, "fetch", fetch)
    monkeypatch.setattr(litert, "export", convert)
    needed = {*OURS[CLASSIFICATION], "student.tflite", "vocab.txt", "model_info.json", "litert"}
    for formats, measured in ((("web",), {"web/student.tflite": {"variant": ("int4",)}}), (("litert", "web"), {})):
        config = ExportConfig(export_formats=formats, variants=("int4", "float32"))
        folder = tmp_path / "-".join(formats)
        folder.mkdir()
        if "litert" in formats:
            convert(None, folder, config)
        assert web.export(None, folder, config) == measured
        assert {path.name for path in (folder / "web").iterdir()} - {"labels.txt"} == needed
        packages = {path.parent.name: path.read_text() for path in folder.rglob("package.json")}
        assert packages == {"core": "litert_js", "wasm-utils": "litert_js_loader"}


@pytest.mark.assets
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm, which fetches LiteRT.js, is not installed")
def test_chromium_answers_as_python_does(make_classifier, tmp_path):
    labels = ["bad", "good", "neither"]
    options = None, Examples(TEXTS, PAIRS), 16
    reference = Reference(make_classifier(labels=labels, num_layers=1), *options)
    best = reference.answers.max(1)
    threshold = float(best[0] + best.min()) / 2
    reference = Reference(reference.student, *options, Calibration(abstain_below=threshold))
    web.export(reference, tmp_path, ExportConfig(export_formats=("web",), variants=("float32",)))
    (tmp_path / "web" / "texts.json").write_text(json.dumps(list(zip(TEXTS, PAIRS))))
    (tmp_path / "web" / "unsure.json").write_text(json.dumps([part[best.argmin()] for part in (TEXTS, PAIRS)]))
    (tmp_path / "web" / "check.html").write_text(CHECK)
    found = found_by(tmp_path / "web", "check.html")
    assert "error" not in found and not found["status"], found
    expected = TextClassifier(tmp_path / "web" / "student.tflite").predict(TEXTS, PAIRS)
    assert_close(np.array(found["values"]), expected)
    shown = [f"{label} {100 * value:.1f}" for label, value in zip(labels, expected[0])]
    best = labels[expected[0].argmax()]
    assert found["bars"] == shown and found["answer"] == f"{best}, {100 * expected[0].max():.1f} %"
    assert re.fullmatch(r"[\d.]+ ms for 8 tokens", found["latency"]) and "bad, good, neither" in found["card"]
    assert found["unsure"][0] == "unsure" and found["chosen"] == 0
    assert found["unsure"][1].startswith(f"Unsure: no label has a probability of {threshold}. ")
    assert found["focus"] == "text" and not found["isWider"] and found["hosts"] == [found["here"]]
