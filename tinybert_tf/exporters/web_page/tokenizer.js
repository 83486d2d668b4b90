/** BERT's tokenizer: the ids that `tinybert_tf.models.BertTokenizer` gives in Python. No imports; browsers and Node. */

const SPACE = /[\t\n\r\p{Z}]/u;
const DROPPED = /[\p{Cc}\p{Cf}\p{Co}\ufffd]/u;
const CONTROL_SPACE = /[\x0b\x0c\x85]/; // white space that cleaning drops
const PUNCTUATION = "!-\\/:-@\\[-`{-~\\p{P}";
const IDEOGRAPHS =
  "\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2ceaf}\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}";
const MARKS = /\p{M}+/uy;
const LONGEST_WORD = 100; // characters

export class BertTokenizer {
  /** `vocabulary`: the WordPieces in the order of their ids; `settings`: what model_info.json says. */
  constructor(vocabulary, settings) {
    this.ids = new Map(vocabulary.map((piece, id) => [piece, id])); // the last of equal pieces counts
    this.longest = vocabulary.reduce((longest, piece) => Math.max(longest, piece.length), 0);
    this.settings = { strip_accents: settings.lowercase, tokenize_chinese_chars: true, clean_text: true, ...settings };
    const alone = PUNCTUATION + (this.settings.tokenize_chinese_chars ? IDEOGRAPHS : "");
    this.words = new RegExp(`[${alone}]|[^ ${alone}]+`, "gu");
  }

  /** Returns `{ids, segments}` of a text, or of a pair, cut to the model's length. */
  encode(text, textPair = null) {
    const ids = (given) => this.pieces(given).map(({ id }) => id);
    const first = ids(text), second = textPair === null ? null : ids(textPair);
    const room = this.settings.sequence_length - (second ? 3 : 2);
    const [some, more] = cutLongest(first.length, second?.length ?? 0, room);
    return this.row(first.slice(0, some), second?.slice(0, more));
  }

  /** Returns `{ids, segments}`: [CLS] first [SEP], and where there is a second, it and [SEP]. */
  row(first, second) {
    const separator = this.ids.get("[SEP]"), ids = [this.ids.get("[CLS]"), ...first, separator];
    const segments = Array(ids.length).fill(0);
    if (second) ids.push(...second, separator);
    return { ids, segments: [...segments, ...Array(ids.length - segments.length).fill(1)] };
  }

  /** Returns the WordPieces, `{id, begin, end}`: an accent belongs to what it is on. `text.slice(begin, end)` is the source. */
  pieces(text) {
    const [normalized, sources] = this.normalize(text), found = [];
    for (const { 0: word, index } of normalized.matchAll(this.words)) {
      for (const { id, from, to } of this.wordPieces(word)) {
        found.push({ id, begin: sources[index + from].begin, end: sources[index + to - 1].end });
      }
    }
    found.forEach((piece, place) => {
      const next = found[place + 1]?.begin ?? text.length;
      MARKS.lastIndex = piece.end;
      if (piece.end < next && MARKS.test(text)) piece.end = Math.min(next, MARKS.lastIndex);
    });
    return found;
  }

  /** Returns the text as the vocabulary spells it, and for each of its places the part of `text` that it comes from. */
  normalize(text) {
    const sources = [];
    let normalized = "", end = 0;
    for (const character of text) {
      const spelled = this.spell(character), source = { begin: end, end: (end += character.length) };
      normalized += spelled;
      for (let count = spelled.length; count; count--) sources.push(source);
    }
    return [normalized, sources];
  }

  spell(character) {
    const { lowercase, strip_accents, clean_text } = this.settings;
    if (character >= " " && character <= "~") return lowercase ? character.toLowerCase() : character;
    if (SPACE.test(character)) return " ";
    if (/\p{Cs}/u.test(character) || (clean_text && DROPPED.test(character))) return "";
    if (CONTROL_SPACE.test(character)) return " ";
    const whole = strip_accents ? character.normalize("NFD").replace(/\p{Mn}/gu, "") : character;
    return lowercase ? Array.from(whole, (part) => part.toLowerCase()).join("") : whole; // one by one: a final Σ is a σ
  }

  /** Cuts a word into the longest pieces, from its start on: each `{id, from, to}`, its id and its part of the word. */
  wordPieces(word) {
    const unknown = [{ id: this.ids.get("[UNK]"), from: 0, to: word.length }], found = [];
    if (word.length > LONGEST_WORD && [...word].length > LONGEST_WORD) return unknown;
    for (let from = 0, to; from < word.length; from = to) {
      const prefix = from ? "##" : "";
      for (to = Math.min(word.length, from + this.longest); to > from; to--) {
        if (this.ids.has(prefix + word.slice(from, to))) break;
      }
      if (to === from) return unknown;
      found.push({ id: this.ids.get(prefix + word.slice(from, to)), from, to });
    }
    return found;
  }
}

/** Cuts two lengths to `room` together, the longer one first. */
function cutLongest(first, second, room) {
  let short = Math.min(first, second);
  if (first + second > room) short = Math.min(short, Math.floor(room / 2));
  const long = Math.min(Math.max(first, second), room - short);
  return first > second ? [long, short] : [short, long];
}
