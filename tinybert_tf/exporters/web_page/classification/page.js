/** The page: it classifies while you type, and says what the model is. */

import { TextClassifier } from "./classifier.js";
import { describe, element, oneAtATime, open, percent } from "./parts.js";

const MOST_BARS = 8;
let classifier, announcement;

const classify = oneAtATime(async () => {
  const text = element("text").value, pair = classifier.info.text_pairs ? element("pair").value : null;
  if (text.trim() || pair?.trim()) show(await classifier.predict(text, pair));
  else clear();
});

function clear() {
  element("bars").replaceChildren();
  element("latency").textContent = "";
  announce("");
}

function show({ values, tokens, milliseconds }) {
  const { labels, multi_label, sequence_length, abstain_below } = classifier.info;
  const cut = tokens >= sequence_length ? ", the most that the model reads" : "";
  element("latency").textContent = `${milliseconds.toFixed(1)} ms for ${tokens} tokens${cut}`;
  if (labels.length === 1) {
    element("bars").replaceChildren(row(labels[0], values[0].toPrecision(4)));
    return announce(`${labels[0]}: ${values[0].toPrecision(4)}`);
  }
  const places = labels.map((_, place) => place), best = [...places].sort((a, b) => values[b] - values[a]);
  const shown = labels.length > MOST_BARS ? best.slice(0, MOST_BARS) : places;
  const isUnsure = labels.length > 1 && !multi_label && classifier.isUnsure(values);
  if (isUnsure) element("latency").prepend(`Unsure: no label has a probability of ${abstain_below}. `);
  const chosen = multi_label ? best.filter((place) => values[place] >= 0.5) : isUnsure ? [] : [best[0]];
  element("bars").replaceChildren(
    ...shown.map((place) => row(labels[place], percent(values[place]), values[place], chosen.includes(place))),
  );
  announce(chosen.map((place) => `${labels[place]}, ${percent(values[place])}`).join("; ") || (isUnsure ? "unsure" : "no label"));
}

function row(label, number, share, isChosen) {
  const item = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("i");
  const value = document.createElement("b");
  [name.textContent, value.textContent] = [label, number];
  item.classList.toggle("chosen", Boolean(isChosen));
  item.append(name, value);
  if (share === undefined) return item;
  bar.style.setProperty("--share", share);
  item.append(bar);
  return item;
}

/** Tells a screen reader the answer once the typing pauses. */
function announce(text) {
  clearTimeout(announcement);
  announcement = setTimeout(() => (element("answer").textContent = text), 600);
}

await open(TextClassifier, async (student) => {
  classifier = student;
  describe(classifier.info, [["labels", classifier.info.labels.join(", ")]], "texts");
  element("second").hidden = !classifier.info.text_pairs;
  for (const id of ["text", "pair"]) element(id).addEventListener("input", classify);
  element("text").focus();
  await classify(); // browsers keep what was typed over a reload
});
