"""The embedded engine: a Dockerfile builder for Linux that needs no daemon and no root."""

from dockerlab.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
