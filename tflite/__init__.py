"""Students as LiteRT (TFLite) files: conversion, metadata, and a classifier that needs no TensorFlow.

Importing this package imports neither Keras nor TensorFlow; `tinybert_tf.tflite.convert` does.
"""

from tinybert_tf.tflite.classifier import TextClassifier

__all__ = ["TextClassifier"]
