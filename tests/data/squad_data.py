"""Questions for tests: contexts of many scripts, and files of SQuAD's form."""

import json
import os
from pathlib import Path

from tests.conftest import PIECES
from tinybert_tf.data.questions import Questions
from tinybert_tf.tflite.tokenizer import bert_tokenizer

REAL = Path(os.environ.get("TINYBERT_SQUAD") or Path(__file__).parents[2].parent / "shared/data/squad").expanduser()
VOCABULARY = [*PIECES, "cafe", "##s", "中", "文", "한", "who", "what", "?", "2", "##0", "😀", "ᄒ", "##ᅡ", "##ᆫ"]


def tokenizer(**rules):
    return bert_tokenizer(VOCABULARY, **({"lowercase": True} | rules))


def questions(*rows):
    """Questions of (question, context, answer texts); offsets are the first places of the answers."""
    asked, contexts, answers = zip(*rows)
    found = [tuple((text, context.index(text)) for text in texts) for context, texts in zip(contexts, answers)]
    return Questions(list(asked), list(contexts), found)


def squad_json(*paragraphs, version="1.1"):
    """SQuAD's JSON of paragraphs (context, [question objects])."""
    parts = [{"context": context, "qas": qas} for context, qas in paragraphs]
    return json.dumps({"version": version, "data": [{"title": "t", "paragraphs": parts}]})


def question(key="q", text="The film?", answers=(("fine", 2),), **more):
    return {"id": key, "question": text, "answers": [{"text": a, "answer_start": s} for a, s in answers]} | more
