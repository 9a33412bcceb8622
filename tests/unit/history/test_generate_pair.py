"""Synthetic bars of instruments that follow the first one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tradectl.errors import ConfigError
from tradectl.history.generate import Walk, generate, walk

PAIR = Walk(("A/USD", "B/USD"), bars=70_000, seed=7, price=Decimal(2000), spread_ppm=600)


def closes(spec: Walk, index: int) -> np.ndarray:
    return np.concatenate([block[4] for block in walk(spec, index)]).astype(float)


def test_the_spread_comes_back() -> None:
    first, second = closes(PAIR, 0), closes(PAIR, 1)
    assert first.tolist() == closes(replace(PAIR, spread_ppm=0), 0).tolist()
    spread = second * 10 / first - 1.0
    steps = np.diff(spread)
    assert steps.std() == pytest.approx(600e-6, rel=0.1)
    # pulled back by a 64th a bar: a deviation of step × sqrt(32), and half of a spread is gone after 44 bars
    assert spread.std() == pytest.approx(600e-6 * 32**0.5, rel=0.1)
    assert abs(spread.mean()) < 600e-6
    kept = np.corrcoef(spread[:-44], spread[44:])[0, 1]
    assert kept == pytest.approx(0.5, abs=0.06)


def test_bars_are_whole_and_join() -> None:
    blocks = list(walk(PAIR, 1))
    assert [len(block[0]) for block in blocks] == [65_536, 70_000 - 65_536]
    ends, opens, highs, lows, last, volumes = (np.concatenate(column) for column in zip(*blocks, strict=True))
    assert (np.diff(ends) == 60_000_000_000).all()
    assert (opens[1:] == last[:-1]).all()
    assert (highs >= np.maximum(opens, last)).all()
    assert (lows <= np.minimum(opens, last)).all()
    assert volumes.min() >= 1


def test_gaps_of_one_do_not_move_the_other(tmp_path: Path) -> None:
    gapped = replace(PAIR, gap_per_million=100_000)
    kept = {int(end): close for block in walk(gapped, 1) for end, close in zip(block[0], block[4], strict=True)}
    whole = {int(end): close for block in walk(PAIR, 1) for end, close in zip(block[0], block[4], strict=True)}
    assert 0.88 < len(kept) / len(whole) < 0.92
    assert all(whole[end] == close for end, close in kept.items())
    with pytest.raises(ConfigError, match="at least 1000 ticks"):
        generate(replace(PAIR, price=Decimal(50)), tmp_path / "{symbol}.csv")
