"""Typer commands: the only place that prints and that turns exceptions into exit codes."""
