"""The run store: run folders, their tables, their catalogue, the trial registry, the second audit."""
