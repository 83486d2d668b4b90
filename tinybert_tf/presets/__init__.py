"""What a model's name stands for, and reading and writing model folders. Knows no model class."""
