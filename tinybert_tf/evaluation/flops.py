"""What an encoder costs: floating-point operations of its matrix products, a multiplication and an addition each."""

from tinybert_tf.configs import EncoderConfig


def forward_flops(config: EncoderConfig, length: int, num_layers: int | None = None) -> float:
    """Returns the operations of one forward pass over one sequence.

    Args:
        config: the encoder's shape.
        length: tokens in the sequence.
        num_layers: of them so many; all by default.
    """
    d, f = config.hidden_dim, config.intermediate_dim
    per_token = 2 * (4 * d * d + 2 * d * f) + 4 * length * d
    return (num_layers or config.num_layers) * per_token * length
