"""What a model name stands for, and model folders in and out. Knows no model class."""
