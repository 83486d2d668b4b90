"""The whole product in one short script: teacher weights to an int8 LiteRT file that answers.

Real weights and real text, few steps: 50 of general distillation, 50 of task distillation on movie reviews
against a briefly fine-tuned teacher. Its accuracy means nothing yet; it shows that the parts fit one another.

    python benchmarks/whole_chain.py
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tinybert_tf.configs import STUDENT_PRESETS, LossWeights
from tinybert_tf.data.tasks import load_task
from tinybert_tf.data.text import Corpus
from tinybert_tf.distillation import TinyBertDistiller
from tinybert_tf.models import BertClassifier, BertEncoder
from tinybert_tf.models.encoder import encoder_inputs

STEPS, BATCH, LENGTH = 50, 32, 64


def batches(tokenizer, texts, *labels, repeat=True):
    data = tf.data.Dataset.from_tensor_slices((list(texts), *map(list, labels)))
    data = data.shuffle(10_000, seed=0).repeat() if repeat else data
    return data.batch(BATCH).map(lambda text, *y: (tokenizer(text, sequence_length=LENGTH), *y))


def main():
    keras.utils.set_random_seed(0)
    teacher = BertEncoder.from_preset("minilm_l6")
    student = BertEncoder.from_shape(STUDENT_PRESETS["tinybert_4l_312"])
    student.tokenizer = teacher.tokenizer

    general = TinyBertDistiller(teacher, student)
    general.compile(keras.optimizers.AdamW(5e-4, global_clipnorm=1.0))
    general.fit(batches(teacher.tokenizer, Corpus(["wiki_openings"]).documents()), steps_per_epoch=STEPS)

    task = load_task("movie_reviews")
    train, test = task.split("train"), task.split("test")
    train_data = batches(teacher.tokenizer, train.texts, train.labels)
    test_data = batches(teacher.tokenizer, test.texts, test.labels, repeat=False)
    teacher = BertClassifier.from_preset("minilm_l6", labels=task.labels)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher.compile(keras.optimizers.AdamW(5e-5), loss=loss, metrics=["accuracy"])
    teacher.fit(train_data, steps_per_epoch=STEPS)

    student = BertClassifier(student, task.labels)
    distiller = TinyBertDistiller(teacher, student, loss_weights=LossWeights.joint())
    distiller.compile(keras.optimizers.AdamW(3e-4, global_clipnorm=1.0), metrics=["accuracy"])
    distiller.fit(train_data, steps_per_epoch=STEPS)
    print("held out:", {k: round(v, 4) for k, v in distiller.evaluate(test_data, return_dict=True, verbose=0).items()})

    folder = Path(tempfile.mkdtemp())
    student.save_to_preset(folder / "student")
    student = BertClassifier.from_preset(folder / "student")
    inputs = encoder_inputs(batch=1)
    phone = keras.Model(inputs, keras.ops.softmax(student(inputs)))
    phone.export(folder / "saved_model", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved_model"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    model = converter.convert()

    interpreter = Interpreter(model_content=model, num_threads=1)
    run = interpreter.get_signature_runner()
    text = "A gripping, beautifully acted film that I would gladly see again."
    tokens = {name: value.numpy() for name, value in student.tokenizer([text]).items()}
    answer = next(iter(run(**tokens).values()))[0]
    times = []
    for _ in range(50):
        start = time.perf_counter()
        run(**tokens)
        times.append(time.perf_counter() - start)
    float_answer = phone({k: tf.constant(v) for k, v in tokens.items()}).numpy()[0]
    print(
        f"int8 LiteRT file: {len(model):,} bytes; {np.median(times) * 1e3:.2f} ms for {tokens['token_ids'].size} tokens"
    )
    print(f"{text!r}: {dict(zip(task.labels, answer.round(4).tolist()))}, Keras {float_answer.round(4).tolist()}")


if __name__ == "__main__":
    main()
