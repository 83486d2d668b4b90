"""One module a stage; each has `run(config) -> RunDirectory`."""
