"""TinyBERT in Keras 3 and TensorFlow: from a heavy BERT to a text classifier that runs on a phone.

Importing this package imports neither Keras nor TensorFlow; its subpackages do.
"""

__version__ = "0.1.0"
