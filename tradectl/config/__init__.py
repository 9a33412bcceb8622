"""YAML → validated models → what a run needs; every mistake is named with its line."""
