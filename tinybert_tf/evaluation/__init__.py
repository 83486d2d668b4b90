"""A model's answers, how good they are, and what they cost."""
