"""One file per model family: `config.json`, names of the tensors, order of the vocabulary."""
