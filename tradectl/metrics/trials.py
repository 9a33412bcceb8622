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


@dataclass(frozen=True)
class Trials:
    """Different trials of a strategy family: their number (0: unknown), the variance of their daily Sharpe ratios."""

    count: int = 0
    variance: float = NAN  # n − 1, of mean ÷ deviation of daily returns; NaN for fewer than two


def trials_of(folder: Path) -> Trials:
    """Return the trials of the run in `folder`: lines of trials.ndjson beside it with the same strategy family.

    A config that was run twice on the same data is one trial, its last line counts. A run that is not in the
    registry (a paper session, a failed run) has none.
    """
    lines = read_trials(folder.parent)
    own = next((line for line in lines if line.get("run") == folder.name), None)
    if own is None:
        return Trials()
    distinct = {
        (line.get("config_hash"), line.get("data_hash")): _sharpe(line.get("returns") or {})
        for line in lines
        if line.get("family") == own.get("family")
    }
    known = [value for value in distinct.values() if np.isfinite(value)]
    return Trials(len(distinct), float(np.var(known, ddof=1)) if len(known) > 1 else NAN)


def _sharpe(returns: Mapping[str, Any]) -> float:
    mean, spread = returns.get("mean"), returns.get("std")
    return float(mean) / float(spread) if mean is not None and spread else NAN
