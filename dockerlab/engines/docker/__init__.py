"""The Docker engine: BuildKit through buildx, the rest through the Docker API."""
