"""Container registries: logging in, reading, pushing, and one that runs on this machine alone."""
