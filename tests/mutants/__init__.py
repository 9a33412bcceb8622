"""Planted faults of the kernels, each of which some test must notice."""
