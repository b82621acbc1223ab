"""Timing of builds, archives and analysis beside the tools of the field: `python -m tools.bench`."""
