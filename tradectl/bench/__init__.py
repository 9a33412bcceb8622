"""Measurements: what the engines cost per operation, with the clocks that say so."""
