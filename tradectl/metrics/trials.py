"""How many trials stand behind a run, and how widely their Sharpe ratios spread: from the trial registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tradectl.db.trials import read_trials
from tradectl.metrics.numbers import NAN

__all__ = ["Trials", "trials_of"]

FAMILY = ("family", "symbols")  # what a line shares with those that it is compared with
MOMENTS = ("n", "mean", "std", "skew", "kurtosis")  # of daily returns: together they tell one result from another


@dataclass(frozen=True)
class Trials:
    """Different trials of the same kind: their number (0: unknown), the variance of their daily Sharpe ratios."""

    count: int = 0
    variance: float = NAN  # n − 1, of mean ÷ deviation of daily returns; NaN for fewer than two


def trials_of(folder: Path) -> Trials:
    """Return the trials of the run in `folder`: lines of trials.ndjson beside it with its strategies and symbols.

    Runs with the same daily returns are one trial, whatever their settings; those without a Sharpe ratio are none. A
    run that is not in the registry (a paper session, a failed run, one that never traded) has no trials.
    """
    lines = [line for line in read_trials(folder.parent) if np.isfinite(_sharpe(line))]
    own = next((line for line in lines if line.get("run") == folder.name), None)
    if own is None:
        return Trials()
    distinct = {
        tuple(line["returns"].get(name) for name in MOMENTS): _sharpe(line)
        for line in lines
        if all(line.get(name) == own.get(name) for name in FAMILY)
    }
    return Trials(len(distinct), float(np.var(list(distinct.values()), ddof=1)) if len(distinct) > 1 else NAN)


def _sharpe(line: Mapping[str, Any]) -> float:
    returns = line.get("returns") or {}
    mean, spread = returns.get("mean"), returns.get("std")
    return float(mean) / float(spread) if mean is not None and spread else NAN
