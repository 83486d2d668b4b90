"""A student in the formats that other runtimes read: one file per format."""
