"""A RUN in namespaces of its own, on an overlay."""
