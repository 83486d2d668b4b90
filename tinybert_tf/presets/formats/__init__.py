"""The forms in which weights are stored, one file per form: each gives tensors by Hugging Face's names, unread."""
