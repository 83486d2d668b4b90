"""Training a masked language model."""

from tinybert_tf.stages import masked_lm


def test_the_masked_lm_learns(runs):
    results = runs["masked_lm"].record["results"]
    assert results["held_out"]["loss"] < 0.9 * results["untrained"]["loss"]
    assert results["held_out"]["top5"] > results["held_out"]["top1"] >= 0
    assert "top-5" in masked_lm.summary(runs["masked_lm"])
