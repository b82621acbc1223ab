"""Build, measure and draw Docker image layers, with Docker or without it."""

__version__ = "0.1.0"
