"""The build cache as both engines see it: what a step reads, its key, why it missed."""
