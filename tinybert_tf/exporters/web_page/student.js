/** A student in the browser: LiteRT.js and the tokenizer. Everything is read from this folder, nothing from elsewhere. */

import { Tensor, loadAndCompile, loadLiteRt } from "./litert/core/dist/index.js";
import { BertTokenizer } from "./tokenizer.js";

let runtime; // one per page

const here = (name) => new URL(name, import.meta.url).href;

async function start() {
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

export class Student {
  static async load() {
    const [settings, vocabulary] = await Promise.all([read("model_info.json"), read("vocab.txt")]);
    const student = new this();
    student.info = JSON.parse(settings);
    student.tokenizer = new BertTokenizer(vocabulary.replace(/\n$/, "").split("\n"), student.info);
    runtime ??= start();
    await runtime;
    student.model = await loadAndCompile(here("student.tflite"), { accelerator: "wasm" });
    if (student.model.getOutputDetails().some(({ shape }) => shape.at(-1) < 0)) {
      throw new Error("student.tflite is another one; export again with --export_formats=web"); // the runtime would write beyond its outputs
    }
    await student.warmUp(); // the first answer is slow: it should not be the user's
    return student;
  }

  /** Returns the numbers of each output, by name, for a row of tokens. */
  async run({ ids, segments }) {
    const length = this.info.fixed_length ? this.info.sequence_length : ids.length;
    const rows = { token_ids: ids, segment_ids: segments, padding_mask: ids.map(() => 1) };
    const padding = this.tokenizer.ids.get("[PAD]");
    const inputs = Object.entries(rows).map(([name, row]) => {
      const values = new Int32Array(length).fill(name === "token_ids" ? padding : 0);
      values.set(row);
      return [name, new Tensor(values, [1, length])];
    });
    const outputs = Object.entries(await this.model.run(Object.fromEntries(inputs)));
    const numbers = outputs.map(([name, tensor]) => [name, [...tensor.toTypedArray()]]);
    for (const [, tensor] of [...inputs, ...outputs]) tensor.delete(); // no collector
    return Object.fromEntries(numbers);
  }
}
