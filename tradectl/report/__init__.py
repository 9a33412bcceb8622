"""Pages from finished runs: one self-contained HTML file that needs no network."""
