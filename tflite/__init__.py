"""Students as LiteRT (TFLite) files: conversion, metadata, and what runs them without TensorFlow.

Importing this package imports neither Keras nor TensorFlow; `tinybert_tf.tflite.convert` does.
"""

from tinybert_tf.tflite.classifier import TextClassifier
from tinybert_tf.tflite.question_answerer import QuestionAnswerer

__all__ = ["QuestionAnswerer", "TextClassifier"]
