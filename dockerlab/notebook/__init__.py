"""What lessons call."""
