"""A student cut out of its teacher by least squares, layer by layer, without a gradient step: docs/closed_form.md."""

from tinybert_tf.distillation.closed_form.cut import LayerFit, copy_position_bias, cut_from_teacher, explained

__all__ = ["LayerFit", "copy_position_bias", "cut_from_teacher", "explained"]
