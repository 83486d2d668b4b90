"""What a model answers, how good its answers are, and what they cost."""
