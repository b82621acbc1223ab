"""A build context: its files, and which of them .dockerignore leaves out."""
