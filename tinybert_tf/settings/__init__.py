"""The settings of every stage: frozen dataclasses, one flag per field. Needs no TensorFlow."""
