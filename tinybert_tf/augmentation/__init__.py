"""Data augmentation: variants of labelled texts."""
