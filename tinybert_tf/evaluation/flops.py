"""The cost of an encoder: floating-point operations of its matrix products; a multiply-add counts as two."""

from tinybert_tf.configs import EncoderConfig


def forward_flops(config: EncoderConfig, length: int, num_layers: int | None = None) -> float:
    """Returns the operations of one forward pass over one sequence.

    Args:
        config: Shape of the encoder.
        length: Number of tokens in the sequence.
        num_layers: Number of layers to count; all by default.
    """
    d, f = config.hidden_dim, config.intermediate_dim
    per_token = 2 * (4 * d * d + 2 * d * f) + 4 * length * d
    return (num_layers or config.num_layers) * per_token * length


def size_of(model, length: int) -> dict:
    """Returns a model's parameters, bytes in float32, and operations for this many tokens, for `run.json`."""
    parameters = model.count_params()
    return {
        "parameters": parameters,
        "size_bytes": 4 * parameters,
        "flops": forward_flops(model.config, length),
        "length": length,
    }
