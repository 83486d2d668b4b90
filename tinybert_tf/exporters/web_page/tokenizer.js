/** BERT's tokenizer: the ids that `tinybert_tf.models.BertTokenizer` gives in Python. No imports; browsers and Node. */

const SPACE = /[\t\n\r\p{Z}]/u;
const DROPPED = /[\p{Cc}\p{Cf}\p{Co}\ufffd]/u;
const CONTROL_SPACE = /[\x0b\x0c\x85]/; // white space that cleaning drops
const PUNCTUATION = "!-\\/:-@\\[-`{-~\\p{P}";
const IDEOGRAPHS =
  "\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2ceaf}\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}";
const LONGEST_WORD = 100; // characters

export class BertTokenizer {
  /** `vocabulary`: the WordPieces in the order of their ids; `settings`: what model_info.json says. */
  constructor(vocabulary, settings) {
    this.ids = new Map(vocabulary.map((piece, id) => [piece, id])); // the last of equal pieces counts
    this.longest = vocabulary.reduce((longest, piece) => Math.max(longest, piece.length), 0);
    this.settings = { strip_accents: settings.lowercase, tokenize_chinese_chars: true, clean_text: true, ...settings };
    const alone = PUNCTUATION + (this.settings.tokenize_chinese_chars ? IDEOGRAPHS : "");
    this.alone = new RegExp(`[${alone}]`, "gu"); // words by themselves
  }

  /** Returns `{ids, segments}`: [CLS] text [SEP], and for a pair the second text and [SEP], cut to the model's length. */
  encode(text, textPair = null) {
    const first = this.pieces(text), second = textPair === null ? [] : this.pieces(textPair);
    const room = this.settings.sequence_length - (textPair === null ? 2 : 3);
    const [some, more] = cutLongest(first.length, second.length, room);
    const separator = this.ids.get("[SEP]");
    const ids = [this.ids.get("[CLS]"), ...first.slice(0, some), separator];
    const segments = ids.map(() => 0);
    if (textPair !== null) ids.push(...second.slice(0, more), separator);
    return { ids, segments: [...segments, ...Array(ids.length - segments.length).fill(1)] };
  }

  pieces(text) {
    const words = this.normalize(text).replace(this.alone, " $& ").split(" ");
    return words.filter(Boolean).flatMap((word) => this.wordPieces(word));
  }

  normalize(text) {
    const { lowercase, strip_accents, clean_text } = this.settings;
    let result = "";
    for (const character of text) {
      if (character >= " " && character <= "~") result += lowercase ? character.toLowerCase() : character;
      else if (SPACE.test(character)) result += " ";
      else if (/\p{Cs}/u.test(character) || (clean_text && DROPPED.test(character))) continue;
      else if (CONTROL_SPACE.test(character)) result += " ";
      else {
        const whole = strip_accents ? character.normalize("NFD").replace(/\p{Mn}/gu, "") : character;
        for (const part of whole) result += lowercase ? part.toLowerCase() : part; // one by one: a final Σ is a σ
      }
    }
    return result;
  }

  /** Cuts a word into the longest pieces, from its start on. */
  wordPieces(word) {
    const unknown = [this.ids.get("[UNK]")], found = [];
    if (word.length > LONGEST_WORD && [...word].length > LONGEST_WORD) return unknown;
    for (let at = 0, end; at < word.length; at = end) {
      const prefix = at ? "##" : "";
      for (end = Math.min(word.length, at + this.longest); end > at; end--) {
        if (this.ids.has(prefix + word.slice(at, end))) break;
      }
      if (end === at) return unknown;
      found.push(this.ids.get(prefix + word.slice(at, end)));
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
