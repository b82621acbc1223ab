"""A class's progress files as a table and a heat map."""
