"""History: files and catalogues in, checked events out (Polars lives in the submodules)."""
