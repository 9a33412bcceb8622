"""Numbers from a run: one function each, with its formula, unit and source, and a registry."""
