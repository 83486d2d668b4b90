/** A student in the browser: LiteRT.js and the tokenizer. Everything is read from this folder, nothing from elsewhere. */

import { Tensor, loadAndCompile, loadLiteRt } from "./litert/core/dist/index.js";
import { BertTokenizer } from "./tokenizer.js";

let runtime; // one per page

const here = (name) => new URL(name, import.meta.url).href;

async function load() {
  // Lines on every run that resizes, which would take a quarter of its time.
  self.Module = { printErr: (line) => /^(INFO|WARNING)/.test(line) || console.error(line) };
  const { liteRtWasm } = await loadLiteRt(here("litert/core/wasm/"));
  // It refuses tensors of some length for a dimension of any length, which the runtime below it resizes.
  liteRtWasm.checkTensorBufferCompatible = () => {};
}

async function read(name) {
  const response = await fetch(here(name));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response.text();
}

export class TextClassifier {
  static async load() {
    const [settings, vocabulary] = await Promise.all([read("model_info.json"), read("vocab.txt")]);
    const classifier = new TextClassifier();
    classifier.info = JSON.parse(settings);
    classifier.tokenizer = new BertTokenizer(vocabulary.replace(/\n$/, "").split("\n"), classifier.info);
    runtime ??= load();
    await runtime;
    classifier.model = await loadAndCompile(here("student.tflite"), { accelerator: "wasm" });
    await classifier.predict("The first answer is slow."); // so that it is not the user's
    return classifier;
  }

  /** Whether the model gives no label: `abstain_below` is a float32 number, as its probabilities are. */
  isUnsure(values) {
    return Math.max(...values) < Math.fround(this.info.abstain_below ?? 0);
  }

  /** Returns `{values, tokens, milliseconds}`: a probability per label, or one number where the model has one output. */
  async predict(text, textPair = null) {
    const start = performance.now();
    const { ids, segments } = this.tokenizer.encode(text, textPair);
    const length = this.info.fixed_length ? this.info.sequence_length : ids.length;
    const rows = { token_ids: ids, segment_ids: segments, padding_mask: ids.map(() => 1) };
    const padding = this.tokenizer.ids.get("[PAD]");
    const inputs = Object.entries(rows).map(([name, row]) => {
      const values = new Int32Array(length).fill(name === "token_ids" ? padding : 0);
      values.set(row);
      return [name, new Tensor(values, [1, length])];
    });
    const outputs = await this.model.run(Object.fromEntries(inputs));
    const values = [...outputs[this.info.output].toTypedArray()];
    for (const tensor of [...inputs.map((pair) => pair[1]), ...Object.values(outputs)]) tensor.delete(); // no collector
    return { values, tokens: ids.length, milliseconds: performance.now() - start };
  }
}
