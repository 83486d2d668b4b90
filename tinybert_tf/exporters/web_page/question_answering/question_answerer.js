/** Answers to questions in the browser: windows and spans as `tinybert_tf/data/windows.py` and `spans.py` make them. */

import { Student } from "./student.js";

const N_BEST = 20, KEPT = 4 * N_BEST; // spans of different text, and spans of a window

export class QuestionAnswerer extends Student {
  warmUp() {
    return this.answer("?", ".");
  }

  /**
   * Returns what `bestSpan` returns, with `isQuestionCut`, `windows`, `tokens` and `milliseconds`; null if there is no
   * question, or no word in the context. Of a longer question, the first `max_question` WordPieces are read.
   * `onWindow(read, windows)` is called after each window.
   */
  async answer(question, context, onWindow = () => {}) {
    const start = performance.now(), asked = this.tokenizer.pieces(question), pieces = this.tokenizer.pieces(context);
    if (!question.trim() || !pieces.length) return null;
    const windows = windowsOf(this.tokenizer, asked.slice(0, this.info.max_question), pieces, this.info);
    const logits = [];
    for (const window of windows) {
      await new Promise((done) => setTimeout(done)); // a long context must not freeze the page
      const { start_logits, end_logits } = await this.run(window);
      onWindow(logits.push([start_logits, end_logits]), windows.length);
    }
    return {
      ...bestSpan(context, windows, logits, this.info),
      isQuestionCut: asked.length > this.info.max_question,
      windows: windows.length,
      tokens: windows.reduce((sum, { ids }) => sum + ids.length, 0),
      milliseconds: performance.now() - start,
    };
  }
}

/**
 * Cuts a context into rows of a question and a part of the context, each `stride` WordPieces after the one before.
 * A window has `ids`, `segments`, the place `first` of its first piece, its `pieces`, and for each of these whether
 * no other window shows more context around it (`best`).
 */
export function windowsOf(tokenizer, question, context, { sequence_length, stride }) {
  const room = sequence_length - question.length - 3, spans = [];
  for (let begin = 0, end = 0; end < context.length; begin += Math.min(end - begin, stride)) {
    end = Math.min(begin + room, context.length);
    spans.push({ begin, end });
  }
  const around = (place, { begin, end }) =>
    place < begin || place >= end ? -1 : Math.min(place - begin, end - 1 - place) + 0.01 * (end - begin);
  const shownBest = context.map((_, place) => {
    let best = -1, most = -1;
    for (let n = Math.max(0, Math.floor((place - room) / Math.min(room, stride))); spans[n]?.begin <= place; n++) {
      const score = around(place, spans[n]);
      if (score > most) [best, most] = [n, score]; // the first of equal ones
    }
    return best;
  });
  const ids = (pieces) => pieces.map(({ id }) => id);
  return spans.map(({ begin, end }, number) => {
    const pieces = context.slice(begin, end), best = pieces.map((_, place) => shownBest[begin + place] === number);
    return { ...tokenizer.row(ids(question), ids(pieces)), first: question.length + 2, pieces, best };
  });
}

/**
 * Returns the best span over all windows: `text`, `start` and `end` (`context.slice(start, end)` is the text), `score`,
 * `probability` of the answer that is given, `nullOdds`, and whether that answer is "no answer" (`isNone`).
 * `logits`: for each window the start logits of its tokens, and the end logits.
 */
export function bestSpan(context, windows, logits, { null_threshold, max_answer }) {
  const byText = new Map();
  for (const span of sorted(windows.flatMap((window, number) => spansOf(window, ...logits[number], max_answer)))) {
    const text = context.slice(span.start, span.end);
    if (!byText.has(text)) byText.set(text, span);
    if (byText.size === N_BEST) break;
  }
  if (!byText.size) throw new Error("the model gives no numbers");
  const none = Math.min(...logits.map(([starts, ends]) => starts[0] + ends[0]));
  const [text, { start, end, score }] = byText.entries().next().value;
  const always = null_threshold === null, isNone = !always && none - score > null_threshold;
  const scores = [...[...byText.values()].map((span) => span.score), ...(always ? [] : [none])], most = Math.max(...scores);
  const sum = scores.reduce((total, each) => total + Math.exp(each - most), 0);
  const probability = Math.exp((isNone ? none : score) - most) / sum;
  return { text, start, end, score, probability, nullOdds: none - score, isNone };
}

/** A window's best spans; each begins at a WordPiece that no other window shows with more context. */
function spansOf({ first, pieces, best }, starts, ends, maxAnswer) {
  const found = [];
  pieces.forEach(({ begin: start }, place) => {
    const lasts = best[place] ? pieces.slice(place, place + maxAnswer) : [];
    lasts.forEach(({ end }, more) => {
      const score = starts[first + place] + ends[first + place + more];
      if (Number.isFinite(score)) found.push({ start, end, score });
    });
  });
  return sorted(found).slice(0, KEPT);
}

const sorted = (spans) => spans.sort((one, other) => other.score - one.score); // of equal spans, the earlier one first
