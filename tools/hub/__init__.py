"""A class on one server: the configuration of its hub, and a test of it under load."""
