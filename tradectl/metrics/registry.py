"""All metrics by family and name, computed at once: `compute_all`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tradectl.metrics import (
    basic,
    benchmark,
    drawdowns,
    profile_empyrical,
    profile_quantstats,
    ratios,
    returns,
    risk,
    trades,
)  # fmt: skip
from tradectl.metrics.load import RunData
from tradectl.metrics.numbers import Floats
from tradectl.metrics.sample import Metric, Sample, sample_of

__all__ = ["FAMILIES", "METRICS", "compute_all", "compute_sample"]

BASIC = {  # unit, label; the functions and their formulas stand in `basic`
    "total_return": ("fraction", "total return"),
    "cagr": ("fraction", "compound annual growth"),
    "max_drawdown": ("fraction", "max drawdown"),
    "volatility": ("fraction", "volatility, a year"),
    "sharpe": ("ratio", "Sharpe ratio"),
    "win_rate": ("fraction", "trades won"),
    "profit_factor": ("ratio", "profit factor"),
    "exposure": ("fraction", "time in the market"),
    "turnover": ("ratio", "turnover"),
    "fees": ("money", "fees"),
}


def _streaming(function: Callable[[basic.Run], float]) -> Callable[[Sample], float]:
    def of_sample(sample: Sample) -> float:
        return function(sample.run)

    of_sample.__doc__ = function.__doc__
    return of_sample


FAMILIES: dict[str, Mapping[str, Metric]] = {
    "headline": {name: Metric(_streaming(basic.METRICS[name]), *told) for name, told in BASIC.items()},
    "ratios": ratios.METRICS,
    "returns": returns.METRICS,
    "risk": risk.METRICS,
    "drawdowns": drawdowns.METRICS,
    "trades": trades.METRICS,
    "benchmark": benchmark.METRICS,
}
METRICS: dict[str, Metric] = {name: one for family in FAMILIES.values() for name, one in family.items()}
PROFILED: dict[str, Mapping[str, Callable[[Sample], float]]] = {
    "tradectl": {},
    "quantstats": profile_quantstats.METRICS,
    "empyrical": profile_empyrical.METRICS,
}


def compute_sample(sample: Sample) -> dict[str, float]:
    """Return every metric by name; those that the sample's profile knows are the profile's."""
    profiled = PROFILED[sample.conventions.profile]
    return {name: float(profiled.get(name, one.function)(sample)) for name, one in METRICS.items()}


def compute_all(
    data: RunData, benchmark: Floats | None = None, profile: str = "tradectl"
) -> dict[str, float]:
    """Return every metric of a run by name, in the order of `METRICS`; what is undefined is NaN.

    `benchmark`: one return a day of `data.daily` (without it: buy and hold of `data.prices`, where given). `profile`
    is tradectl, quantstats or empyrical; what those packages do not have is as tradectl has it.
    """
    return compute_sample(sample_of(data, benchmark, profile))
