"""What `stress --out` writes: stress.json, stress.parquet, and stress.html where Plotly is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tradectl.cli.output import json_text
from tradectl.errors import StoreError

__all__ = ["PLOT_HINT", "write_stress"]

PLOT_HINT = "stress.html needs Plotly: pip install 'tradectl[plot]'"
COLOURS = {
    "pnl": [[0.0, "#b2182b"], [0.5, "#eeeeee"], [1.0, "#007748"]],
    "fill_ratio": [[0.0, "#eeeeee"], [1.0, "#08589e"]],
}


def write_stress(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the files, each under its name only when whole; return their paths. Without Plotly there is no picture."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = [
            _placed(folder / "stress.json", lambda path: _write_text(path, json_text(result, indent=1) + "\n")),
            _placed(folder / "stress.parquet", lambda path: _write_table(result, path)),
        ]
        figure = _figure(result)
        if figure is not None:
            html = folder / "stress.html"
            made.append(_placed(html, lambda path: figure.write_html(path, include_plotlyjs=True, full_html=True)))
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return made


def _placed(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write a file under another name and put it in its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_table(result: Mapping[str, Any], path: Path) -> None:
    import polars as pl

    from tradectl.db.parquet import write_frame

    texts = ("queue", "latency", "fee_level", "slippage", "state_hash", "fills_hash", "error")
    counts = ("entry_ns", "response_ns", "orders", "fills", "denied", "rejected", "ambiguous_bars", "strategy_errors")
    types: dict[str, Any] = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(counts, pl.Int64)}
    rows = result["cells"]
    write_frame(pl.DataFrame(rows, schema={name: types.get(name, pl.Float64) for name in rows[0]}), path)


def _figure(result: Mapping[str, Any]) -> Any:
    """Return the two heat maps side by side as a Plotly figure, or None without Plotly."""
    try:
        from plotly import graph_objects
        from plotly.subplots import make_subplots
    except ImportError:
        return None
    from tradectl.cli.stress_table import AXIS_NAMES

    grid = result["grid"]
    titles = {"pnl": f"P&L in {result['currency']}", "fill_ratio": "fill ratio"}
    figure = make_subplots(rows=1, cols=2, subplot_titles=list(titles.values()), horizontal_spacing=0.12)
    for column, name in enumerate(titles, 1):
        written = ",.2f" if name == "pnl" else ".1%"
        bar = {"x": 0.45 if column == 1 else 1.01, "tickformat": ",.4~g" if name == "pnl" else ".0%"}
        figure.add_trace(
            graph_objects.Heatmap(
                z=grid[name], x=grid["column_labels"], y=grid["row_labels"], colorscale=COLOURS[name],
                zmid=0 if name == "pnl" else None, zmin=None if name == "pnl" else 0,
                texttemplate=f"%{{z:{written}}}", hovertemplate=f"%{{y}}, %{{x}}: %{{z:{written}}}<extra></extra>",
                colorbar=bar,
            ),
            row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(title=AXIS_NAMES[grid["columns"]], type="category", row=1, col=column)
        figure.update_yaxes(
            title=AXIS_NAMES[grid["rows"]] if column == 1 else None, type="category", autorange="reversed",
            row=1, col=column,
        )  # fmt: skip
    row, column_label = grid["base"]
    figure.update_layout(title=f"{result['name']}: the config itself is {row}, {column_label}", height=520)
    return figure
