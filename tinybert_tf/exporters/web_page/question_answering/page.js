/** The page: it answers a question, marks the answer in the context, and says what the model is. */

import { describe, element, oneAtATime, open, percent } from "./parts.js";
import { QuestionAnswerer } from "./question_answerer.js";

let answerer, answered;

const answer = oneAtATime(async () => {
  const question = element("question").value, context = element("context").value;
  if (answered === JSON.stringify([question, context])) return; // Enter was pressed again
  show("Reading …");
  const found = await answerer.answer(question, context, (value, max) =>
    Object.assign(element("progress"), { value, max, hidden: max === 1 })).finally(() => (element("progress").hidden = true));
  answered = JSON.stringify([question, context]);
  if (!found) return show(question.trim() ? "There is no word in the context." : "There is no question.");
  const { text, start, end, probability, isNone, isQuestionCut, tokens, windows, milliseconds } = found;
  const cut = isQuestionCut ? `. The question is long: its first ${answerer.info.max_question} tokens were read` : "";
  const rows = windows > 1 ? ` in ${windows} windows` : "";
  show(`${isNone ? "No answer" : text}, ${percent(probability)}`, `${milliseconds.toFixed(1)} ms for ${tokens} tokens${rows}${cut}`);
  if (!isNone) mark(context, start, end);
});

function show(text, latency = "") {
  element("answer").textContent = text;
  element("latency").textContent = latency;
  element("marked").hidden = true;
}

function mark(context, start, end) {
  const marked = element("marked"), answer = document.createElement("mark");
  answer.textContent = context.slice(start, end);
  marked.replaceChildren(context.slice(0, start), answer, context.slice(end));
  marked.hidden = false;
  marked.scrollTop = answer.offsetTop - marked.clientHeight / 2; // a long context scrolls
}

await open(QuestionAnswerer, (student) => {
  answerer = student;
  const { max_answer, null_threshold } = student.info;
  const none = null_threshold === null ? "never: the model always answers" : `at odds above ${null_threshold.toFixed(2)}`;
  describe(student.info, [["longest answer", `${max_answer} tokens`], ["no answer", none]], "questions");
  element("form").addEventListener("submit", answer);
  element("context").focus();
});
