/** Classes of texts in the browser. */

import { Student } from "./student.js";

export class TextClassifier extends Student {
  warmUp() {
    return this.predict("The first answer is slow.");
  }

  /** Whether the model gives no label: `abstain_below` is a float32 number, as its probabilities are. */
  isUnsure(values) {
    return Math.max(...values) < Math.fround(this.info.abstain_below ?? 0);
  }

  /** Returns `{values, tokens, milliseconds}`: a probability per label, or one number where the model has one output. */
  async predict(text, textPair = null) {
    const start = performance.now(), row = this.tokenizer.encode(text, textPair);
    const { [this.info.output]: values } = await this.run(row);
    return { values, tokens: row.ids.length, milliseconds: performance.now() - start };
  }
}
