"""A report of an evaluation: one HTML file that works offline, in light and dark, on a phone and on paper."""
