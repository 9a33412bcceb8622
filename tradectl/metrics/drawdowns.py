"""Drawdowns of daily equity: each from its peak to the day that reaches that peak again, and figures over all."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.metrics.numbers import NAN, Floats, mean
from tradectl.metrics.sample import Metric, Sample

__all__ = ["METRICS", "drawdown_table", "underwater"]

UNITS = {"depth": pl.Float64(), "peak": pl.Int64(), "trough": pl.Int64(), "end": pl.Int64()}


def underwater(levels: Floats) -> Floats:
    """Return 1 − level ÷ highest level so far, for each level."""
    if not len(levels):
        return levels
    return np.asarray(1.0 - levels / np.maximum.accumulate(levels))


def drawdown_table(levels: Floats) -> pl.DataFrame:
    """Return the drawdowns of a series in order: depth (a fraction), and indexes into `levels`.

    peak: the last level at the peak; trough: the lowest; end: the first level back at the peak, null where the
    series ends below it. So end − peak is the duration and end − trough the recovery, in steps.
    """
    depth = underwater(levels)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], depth > 0.0, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    troughs: list[int] = [
        int(s) + int(np.argmax(depth[s:e])) for s, e in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return pl.DataFrame(
        {
            "depth": depth[troughs] if troughs else [],
            "peak": starts - 1,
            "trough": troughs,
            "end": [None if end == len(levels) else end for end in ends.tolist()],
        },
        schema=UNITS,
    )


def _spans(sample: Sample, since: str) -> npt.NDArray[np.float64]:
    """Return the days from `since` to the end of each drawdown; one that goes on ends with the data."""
    table = drawdown_table(sample.levels)
    return (table["end"].fill_null(len(sample.returns)) - table[since]).cast(pl.Float64).to_numpy()


def daily_drawdown(sample: Sample) -> float:
    """Return the largest 1 − equity ÷ peak of daily equity, a fraction (max_drawdown looks inside the days too)."""
    return float(underwater(sample.levels).max()) if _whole(sample) else NAN


def mean_drawdown(sample: Sample) -> float:
    """Return the mean depth of all drawdowns of daily equity, a fraction; NaN without any."""
    return mean(drawdown_table(sample.levels)["depth"].to_numpy()) if _whole(sample) else NAN


def drawdown_count(sample: Sample) -> float:
    """Return how many drawdowns daily equity had, finished or not, a count."""
    return float(drawdown_table(sample.levels).height) if _whole(sample) else NAN


def current_drawdown(sample: Sample) -> float:
    """Return 1 − equity ÷ peak of daily equity on the last day, a fraction."""
    return float(underwater(sample.levels)[-1]) if _whole(sample) else NAN


def longest_drawdown(sample: Sample) -> float:
    """Return the most days from a peak until it was reached again, or until the end."""
    spans = _spans(sample, "peak") if _whole(sample) else np.array([NAN])
    return float(spans.max()) if len(spans) else 0.0


def mean_drawdown_days(sample: Sample) -> float:
    """Return the mean number of days from a peak until it was reached again, or until the end; NaN without any."""
    return mean(_spans(sample, "peak")) if _whole(sample) else NAN


def longest_recovery(sample: Sample) -> float:
    """Return the most days from the lowest point of a drawdown until its peak was reached again."""
    spans = _recoveries(sample)
    return float(spans.max()) if len(spans) else NAN


def mean_recovery(sample: Sample) -> float:
    """Return the mean number of days from the lowest point of a drawdown until its peak was reached again."""
    return mean(_recoveries(sample))


def _recoveries(sample: Sample) -> Floats:
    if not _whole(sample):
        return np.zeros(0)
    table = drawdown_table(sample.levels).drop_nulls("end")
    return np.asarray((table["end"] - table["trough"]).cast(pl.Float64).to_numpy())


def time_under_water(sample: Sample) -> float:
    """Return the days that end below an earlier peak ÷ all days, a fraction."""
    return float((underwater(sample.levels)[1:] > 0.0).mean()) if _whole(sample) else NAN


def ulcer_index(sample: Sample) -> float:
    """Return √(Σ drawdown² ÷ n) over the days (P. Martin, 1987), a fraction."""
    return math.sqrt(float((underwater(sample.levels)[1:] ** 2).mean())) if _whole(sample) else NAN


def pain_index(sample: Sample) -> float:
    """Return the mean drawdown over the days, those at a peak included (Zephyr, 2006), a fraction."""
    return float(underwater(sample.levels)[1:].mean()) if _whole(sample) else NAN


def _whole(sample: Sample) -> bool:
    """Return whether there is a day at all, and every return is a number not below −1."""
    returns = sample.returns
    return len(returns) > 0 and bool(np.isfinite(returns).all() and (returns >= -1.0).all())


METRICS: dict[str, Metric] = {
    "daily_drawdown": Metric(daily_drawdown, "fraction", "largest drawdown of daily equity"),
    "mean_drawdown": Metric(mean_drawdown, "fraction", "mean drawdown"),
    "current_drawdown": Metric(current_drawdown, "fraction", "drawdown at the end"),
    "drawdown_count": Metric(drawdown_count, "count", "drawdowns"),
    "longest_drawdown": Metric(longest_drawdown, "days", "longest drawdown"),
    "mean_drawdown_days": Metric(mean_drawdown_days, "days", "mean drawdown duration"),
    "longest_recovery": Metric(longest_recovery, "days", "longest recovery"),
    "mean_recovery": Metric(mean_recovery, "days", "mean recovery"),
    "time_under_water": Metric(time_under_water, "fraction", "time under water"),
    "ulcer_index": Metric(ulcer_index, "fraction", "ulcer index"),
    "pain_index": Metric(pain_index, "fraction", "pain index"),
}
