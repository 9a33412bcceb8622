"""Plotly traces as plain dicts: packed lines, markers, bars, heat maps; colours name the page's palette."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.report.series import MOST, pack, pick

__all__ = ["bars", "broken", "heat", "line", "markers", "stamps", "steps", "throughout"]

Trace = dict[str, Any]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def stamps(column: pl.Series) -> Ints:
    """Return times as ns UTC."""
    return np.asarray(column.cast(pl.Int64).to_numpy())


def line(name: str, ts: Ints, values: Floats, colour: str, *, most: int = MOST, **more: Any) -> Trace:
    """Return a line over time (ns UTC); NaN breaks nothing, it is left out."""
    kept = np.isfinite(values)
    style: Trace = {"color": f"@{colour}", "width": 1.6} | more.pop("line", {})
    return {
        "type": "scatter", "mode": "lines", "name": name, "line": style,
        "packed": pack(ts[kept], values[kept], most=most), **more,
    }  # fmt: skip


def steps(name: str, ts: Ints, values: Floats, colour: str, **more: Any) -> Trace:
    """Return a line that holds each value until the next."""
    return line(name, ts, values, colour, line={"shape": "hv"}, **more)


def throughout(span: tuple[int, int], ts: Ints, *held: Floats) -> tuple[Any, ...]:
    """Return the stamps (ns) and values of what is held between stamps, from 0 at a span's start until its end."""
    ends = min(span[0], int(ts[0])), max(span[1], int(ts[-1]))
    return np.concatenate((ends[:1], ts, ends[1:])), *(np.concatenate(([0.0], one, one[-1:])) for one in held)


def broken(name: str, ts: Ints, values: Floats, colour: str, style: str, *, most: int = MOST, **more: Any) -> Trace:
    """Return a series that NaN interrupts, as `line`, `steps` or `dots`; where gaps are too many, they are left out."""
    kept = np.isfinite(values)
    gaps = np.flatnonzero(~kept[1:] & kept[:-1]) + 1
    gaps = gaps if len(gaps) <= most // 2 else gaps[:0]
    at = np.flatnonzero(kept)
    at = np.union1d(at[pick(ts[at], values[at], most - len(gaps))], gaps)
    drawn: Trace = {"mode": "markers", "marker": {"size": 4, "color": f"@{colour}"}}
    if style != "dots":
        shape = "hv" if style == "steps" else "linear"
        drawn = {"mode": "lines", "line": {"color": f"@{colour}", "width": 1.3, "shape": shape}}
    return {"type": "scatter", "name": name, **drawn, "packed": pack(ts[at], values[at], most=most), **more}


def markers(name: str, ts: Ints, values: Floats, extra: Floats, angle: int, colour: str) -> Trace:
    """Return arrowheads at points with a quantity each, turned by degrees: 0 points up; close ones share one."""
    return {
        "type": "scatter", "mode": "markers", "name": name, "packed": pack(ts, values, extra, most=20_000),
        "marker": {
            "symbol": "arrow", "angle": angle, "opacity": 1, "color": f"@{colour}",
            "line": {"width": 1, "color": "@card"},
        },
        "hovertemplate": "%{x}<br>%{customdata}<extra>" + name + "</extra>",
    }  # fmt: skip


def bars(names: Sequence[Any], values: Sequence[float | None], *, across: bool = False, **more: Any) -> Trace:
    """Return bars coloured by the sign of their value; `across`: names stand at the left."""
    colours = ["@gain" if (value or 0.0) >= 0 else "@loss" for value in values]
    axes: Mapping[str, Any] = {"x": names, "y": values}
    if across:
        axes = {"x": values, "y": names, "orientation": "h"}
    return {"type": "bar", **axes, "marker": {"color": colours}, **more}


def heat(columns: Sequence[str], rows: Sequence[str], values: Sequence[Sequence[float | None]]) -> Trace:
    """Return a heat map of percentages, the largest absolute one at the end of the scale."""
    largest = max((abs(v) for row in values for v in row if v is not None), default=0.0) or 1.0
    text = [["" if v is None else f"{v:.1f}".replace("-", "−") for v in row] for row in values]
    return {
        "type": "heatmap", "x": columns, "y": rows, "z": values, "text": text, "texttemplate": "%{text}",
        "zmin": -largest, "zmax": largest, "zmid": 0, "colorscale": "@diverging", "showscale": False,
        "xgap": 3, "ygap": 3, "hoverongaps": False, "hovertemplate": "%{y} %{x}: %{z:.2f} %<extra></extra>",
    }  # fmt: skip
