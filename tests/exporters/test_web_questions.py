"""The web page of questions: windows and spans against the golden vectors, answers in Chromium against Python's."""

import json
import re
import shutil

import pytest

from tests.conftest import randomize
from tests.exporters.browser import CHROMIUM, found_by
from tests.exporters.node import needs_node, printed_by
from tests.golden.make_android_questions import FILE as GOLDEN
from tests.golden.make_android_questions import in_utf16
from tests.tolerance import assert_close
from tinybert_tf import assets
from tinybert_tf.data.questions import Questions
from tinybert_tf.exporters import litert, web
from tinybert_tf.exporters.span_parity import SpanReference
from tinybert_tf.models import BertQuestionAnswerer
from tinybert_tf.settings.stages import ExportConfig
from tinybert_tf.tflite import QuestionAnswerer
from tinybert_tf.tflite.archive import QUESTION_ANSWERING

# One window and several; emoji and accents, which are two and no code units of a word; and what normalisation drops.
CONTEXTS = [
    "😀 The FILM is 👩\u200d👧 good, and the story\u0301 is dull!",
    "The cafe\u0301 😀 is a\u00adfine play.  It is bad, \u1112\u1161\u11ab and it is a dull film\u0301. " * 3,
    "film",
    "good bad film story 😀 " * 9,
]
QUESTIONS = ["Is the film fine?", "the 😀 play", "É", "a " * 9]

# LiteRT.js in Node.js: a runtime whose answers the test gives.
RUNTIME = """
export class Tensor {
  constructor(values) { this.values = values; }
  toTypedArray() { return this.values; }
  delete() {}
}
export const loadLiteRt = async () => ({ liteRtWasm: {} });
export const loadAndCompile = async () => ({
  run: (inputs) => globalThis.run(inputs),
  getOutputDetails: () => [{ shape: Int32Array.of(1, globalThis.outputLength ?? 384) }],
});
"""
ANSWER = """
import { readFileSync } from "node:fs";
import { Tensor } from "./litert/core/dist/index.js";
import { QuestionAnswerer, windowsOf } from "./question_answerer.js";

const { vocabulary, cases } = JSON.parse(readFileSync(process.argv[2]));
globalThis.self = globalThis;

async function answererOf(info) {
  const settings = JSON.stringify({ fixed_length: false, ...info });
  const files = { "vocab.txt": vocabulary.join("\\n"), "model_info.json": settings };
  globalThis.fetch = async (address) => ({ ok: true, text: async () => files[address.split("/").pop()] });
  globalThis.run = ({ token_ids }) => logitsOf(Array(2 * token_ids.values.length).fill(0));
  return QuestionAnswerer.load();
}

function logitsOf(numbers) {
  const half = numbers.length / 2, tensor = (part) => new Tensor(Float32Array.from(part));
  return { start_logits: tensor(numbers.slice(0, half)), end_logits: tensor(numbers.slice(half)) };
}

const rows = [];
for (const given of cases) {
  const answerer = await answererOf(given), { tokenizer } = answerer, inputs = [];
  const asked = tokenizer.pieces(given.question), context = tokenizer.pieces(given.context);
  const windows = windowsOf(tokenizer, asked.slice(0, given.max_question), context, given);
  globalThis.run = ({ token_ids, segment_ids, padding_mask }) => {
    inputs.push([token_ids, segment_ids, padding_mask].map(({ values }) => [...values]));
    return logitsOf(given.windows[inputs.length - 1].logits);
  };
  const told = [], answer = await answerer.answer(given.question, given.context, (...read) => told.push(read));
  rows.push({ windows, inputs, answer, told, isPart: given.context.slice(answer.start, answer.end) === answer.text });
}
const answerer = await answererOf(cases[0]), long = await answerer.answer("film ".repeat(65), "film"), odd = [];
for (const [question, context] of [["", "film"], [" \\n", "film"], ["film", ""], ["film", "\\u0007\\u200b "]]) {
  odd.push(await answerer.answer(question, context));
}
globalThis.run = () => logitsOf(Array(12).fill(NaN));
const error = await answerer.answer("good", "film").catch(({ message }) => message);
globalThis.outputLength = -1;
const other = await answererOf(cases[0]).catch(({ message }) => message);
console.log(JSON.stringify({ rows, long, odd, error, other }));
"""
CHECK = """
<!doctype html><meta charset="utf-8"><iframe src="index.html" width="360" height="700"></iframe>
<script type="module">
const until = async (what) => { while (!what()) await new Promise((done) => setTimeout(done, 20)); };
const frame = document.querySelector("iframe"), found = {};
addEventListener("error", (event) => (found.error = event.message));
await new Promise((done) => (frame.onload = done));
const page = frame.contentDocument, given = await (await fetch("questions.json")).json();
const element = (id) => page.getElementById(id);
function isSeen() { // the mark, where a long context scrolls
  const [outer, inner] = ["#marked", "mark"].map((name) => page.querySelector(name)?.getBoundingClientRect());
  return !inner || (inner.top >= outer.top && inner.bottom <= outer.bottom);
}
await until(() => "ready" in page.documentElement.dataset || element("status").textContent.includes("not"));
found.status = element("status").hidden ? "" : element("status").textContent;
if (!found.status) {
  found.focus = page.activeElement.id;
  found.card = element("facts").textContent;
  found.shown = [];
  for (const [question, context] of given) {
    element("context").value = context;
    element("question").value = question;
    element("answer").textContent = "";
    page.querySelector("button").click();
    let bar;
    const observer = new MutationObserver(() => { if (!element("progress").hidden) bar = element("progress").max; });
    observer.observe(element("progress"), { attributes: true });
    await until(() => !["", "Reading …"].includes(element("answer").textContent));
    observer.disconnect();
    found.shown.push({
      answer: element("answer").textContent,
      latency: element("latency").textContent,
      isSeen: isSeen(),
      bar,
      hasBar: !element("progress").hidden,
      marked: element("marked").hidden ? null : [...element("marked").childNodes].map((node) => node.textContent),
    });
  }
  found.isWider = page.documentElement.scrollWidth > 360;
  const { QuestionAnswerer } = await frame.contentWindow.eval('import("./question_answerer.js")');
  const answerer = await QuestionAnswerer.load();
  found.answers = [];
  for (const [question, context] of given) found.answers.push(await answerer.answer(question, context));
}
const requests = frame.contentWindow.performance.getEntriesByType("resource");
found.hosts = [...new Set(requests.map(({ name }) => new URL(name).host))];
found.here = location.host;
await fetch("/", { method: "POST", body: JSON.stringify(found) });
</script>
"""


@needs_node
def test_windows_and_answers_are_the_golden_vectors(tmp_path):
    runtime = tmp_path / "litert" / "core" / "dist" / "index.js"
    runtime.parent.mkdir(parents=True)
    for file, text in ((runtime, RUNTIME), (tmp_path / "package.json", '{"type": "module"}')):
        file.write_text(text)
    for file in web.page_files(QUESTION_ANSWERING):
        shutil.copy(file, tmp_path)
    (tmp_path / "answer.js").write_text(ANSWER)
    found = printed_by(tmp_path / "answer.js", GOLDEN)
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    assert len(found["rows"]) == len(cases) == 90
    for row, case in zip(found["rows"], cases):
        check_windows(row, case["windows"])
        answer, expected = row["answer"], case["answer"]
        names = {"text": "text", "start": "start", "end": "end", "score": "score", "nullOdds": "null_odds"}
        names |= {"isNone": "no_answer"}
        assert {ours: answer[ours] for ours in names} == {ours: expected[theirs] for ours, theirs in names.items()}
        assert answer["probability"] == pytest.approx(expected["probability"], rel=1e-12) and row["isPart"], case
        count = len(case["windows"])
        assert answer["windows"] == count and row["told"] == [[read, count] for read in range(1, count + 1)]
        assert answer["tokens"] == sum(len(window["token_ids"]) for window in case["windows"])
        assert not answer["isQuestionCut"]
    assert found["long"]["isQuestionCut"] and found["long"]["tokens"] == 64 + 4
    assert found["odd"] == [None] * 4 and found["error"] == "the model gives no numbers"
    assert found["other"] == "student.tflite is another one; export again with --export_formats=web"


def check_windows(row: dict, expected: list[dict]):
    assert len(row["windows"]) == len(row["inputs"]) == len(expected)
    for window, inputs, wanted in zip(row["windows"], row["inputs"], expected):
        ids, first = wanted["token_ids"], wanted["first"]
        segments = [0] * first + [1] * (len(ids) - first)
        assert inputs == [ids, segments, [1] * len(ids)] and window["first"] == first
        assert [piece["begin"] for piece in window["pieces"]] == wanted["begins"]
        assert [piece["end"] for piece in window["pieces"]] == wanted["ends"]
        assert window["best"] == [best == 1 for best in wanted["best"]]


def test_the_phones_file_serves_where_its_outputs_have_a_fixed_length(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(assets, "fetch", lambda _: web.PAGE)
    monkeypatch.setattr(litert, "export", lambda *_, padded: made.append(padded) or {"student.tflite": {}})
    for fixed, expected in ((True, {}), (False, {"web/student.tflite": {}})):
        folder = tmp_path / str(fixed)
        folder.mkdir()
        for name in (web.MODEL, web.VOCABULARY, web.SETTINGS):
            (folder / name).write_text(name)
        config = ExportConfig(export_formats=("litert", "web"), fixed_length=fixed)
        assert web.export(object.__new__(SpanReference), folder, config) == expected
        assert (folder / "web" / "student.tflite").exists() == fixed
        assert (folder / "web" / "question_answerer.js").exists()
    assert made == [True]


@pytest.fixture
def page(make_encoder, tmp_path):
    """The folder of a page, of a model that finds an answer to some questions."""
    model = BertQuestionAnswerer(make_encoder(num_layers=1))
    randomize(model.qa_outputs, 3)
    questions = Questions(QUESTIONS, CONTEXTS)
    odds = sorted(span.null_odds for span in SpanReference(model, None, questions, 24).spans)
    model.null_threshold = (odds[1] + odds[2]) / 2
    reference = SpanReference(model, None, questions, 24)
    found = web.export(reference, tmp_path, ExportConfig(export_formats=("web",), variants=("float32",)))
    assert found["web/student.tflite"]["agreement"] == 1.0
    return tmp_path / "web"


@pytest.mark.assets
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm, which fetches LiteRT.js, is not installed")
def test_chromium_answers_as_python_does(page):
    odd = [["", "film"], ["film", " \u200b"]]
    (page / "questions.json").write_text(json.dumps([*map(list, zip(QUESTIONS, CONTEXTS)), *odd]))
    (page / "check.html").write_text(CHECK)
    found = found_by(page, "check.html")
    assert "error" not in found and not found["status"], found
    spans = QuestionAnswerer(page / "student.tflite").predict(QUESTIONS, CONTEXTS)
    for span, context, answer, shown in zip(spans, CONTEXTS, found["answers"], found["shown"]):
        given = span.text, in_utf16(context, span.start), in_utf16(context, span.end), span.no_answer
        assert (answer["text"], answer["start"], answer["end"], answer["isNone"]) == given
        percent = f"{100 * span.probability:.1f} %"
        assert shown["answer"] == (f"No answer, {percent}" if span.no_answer else f"{span.text}, {percent}")
        parts = [context[: span.start], span.text, context[span.end :]]
        assert shown["marked"] == (None if span.no_answer else parts)
        assert shown["isSeen"] and not shown["hasBar"]
        assert shown.get("bar") == (answer["windows"] if answer["windows"] > 1 else None)
        windows = f" in {answer['windows']} windows" if answer["windows"] > 1 else ""
        assert re.fullmatch(rf"[\d.]+ ms for {answer['tokens']} tokens{windows}", shown["latency"])
    assert sorted(span.no_answer for span in spans) == [False, False, True, True]
    for name, ours in (("score", "score"), ("probability", "probability"), ("null_odds", "nullOdds")):
        assert_close([answer[ours] for answer in found["answers"][:4]], [getattr(span, name) for span in spans])
    lines = [shown["answer"] for shown in found["shown"][4:]]
    assert lines == ["There is no question.", "There is no word in the context."] and found["answers"][4:] == [None] * 2
    assert found["focus"] == "context" and not found["isWider"] and found["hosts"] == [found["here"]]
    assert "longest answer30 tokens" in found["card"] and "no answerat odds above" in found["card"]
