/** The page: it classifies while you type, and says what the model is. */

import { TextClassifier } from "./classifier.js";

const MOST_BARS = 8;
const element = (id) => document.getElementById(id);
const percent = (value) => `${(100 * value).toFixed(1)} %`;
let classifier, isBusy = false, isStale = false, announcement;

async function classify() {
  if (isBusy) return void (isStale = true); // one run at a time; the last text counts
  isBusy = true;
  try {
    do {
      isStale = false;
      const text = element("text").value, pair = classifier.info.text_pairs ? element("pair").value : null;
      if (text.trim() || pair?.trim()) show(await classifier.predict(text, pair));
      else clear();
    } while (isStale);
  } catch (error) {
    fail(error);
  } finally {
    isBusy = false;
  }
}

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

function fail(error) {
  element("status").textContent = `It does not work here: ${error.message ?? error}`;
  element("status").hidden = false;
}

function describe(info) {
  const metrics = Object.entries(info.metrics ?? {}).map(([name, value]) => [name.replaceAll("_", " "), value.toFixed(4)]);
  const facts = [
    ["task", info.task || "not known"], ["labels", info.labels.join(", ")],
    ...metrics, ...(metrics.length ? [["measured on", `${info.metric_texts.toLocaleString("en")} texts`]] : []),
    ["parameters", info.parameters.toLocaleString("en")], ["number format", info.variant],
    ["size", `${(info.size_bytes / 1e6).toFixed(2)} MB`], ["most tokens", info.sequence_length],
    ["WordPieces", info.vocabulary_size.toLocaleString("en")], ["SHA-256", info.sha256],
  ];
  element("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const term = document.createElement("dt"), fact = document.createElement("dd");
    [term.textContent, fact.textContent] = [name, value];
    return [term, fact];
  }));
}

try {
  classifier = await TextClassifier.load();
  describe(classifier.info);
  element("second").hidden = !classifier.info.text_pairs;
  element("status").hidden = true;
  element("form").hidden = element("card").hidden = false;
  for (const id of ["text", "pair"]) element(id).addEventListener("input", classify);
  element("text").focus();
  await classify(); // browsers keep what was typed over a reload
  document.documentElement.dataset.ready = "";
} catch (error) {
  fail(error);
}
