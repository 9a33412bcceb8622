"""Readable scripts, one line = command -> expected result, run through every backend."""
