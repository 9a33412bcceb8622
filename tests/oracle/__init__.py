"""Slow, obvious simulators in plain Python integers; they share no code with the kernels."""
