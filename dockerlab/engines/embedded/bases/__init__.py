"""Base images: pulled from a registry, or made as stand-ins."""
