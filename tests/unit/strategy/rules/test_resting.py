"""Entries of rules that rest: sent, moved, taken back, on bars whose fills are reckoned here by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tests.unit.strategy.test_shipped_rules import MARGIN, Ran, closes, ran
from tradectl.strategy.loader import load_strategy
from tradectl.strategy.rules import RuleSet, Side, analyse, source_of


def ended(made: Ran) -> list[tuple[Any, ...]]:
    """Return (minute, side, type, status, limit, stop) of each order."""
    words = [pl.col(name).cast(pl.String) for name in ("order_type", "status")]
    return made.sent(*words, "limit", "stop")


def test_a_limit_entry_moves_each_bar_until_it_fills(tmp_path: Path) -> None:
    rules = {"long": {"entry": "close > 99", "entry_limit": "close - 1", "size": "10"}}
    bars = [*closes(100, 101), (101, 101, 99.5, 100.5), *closes(100.5, 99.2)]
    made = ran(tmp_path, rules, {"AAA": bars})
    # at 99 after the first bar, at 100 after the second, where the third one takes it; a position gets no second one
    assert ended(made) == [(1, "BUY", "LIMIT", "FILLED", 100.0, None)]
    assert made.filled() == [("BUY", 10.0, 100.0)]


def test_an_entry_is_taken_back_where_it_is_not_wanted_or_has_no_price(tmp_path: Path) -> None:
    rules = {"long": {"entry": "close > 99", "entry_limit": "close - 10 + 0 * log(close - 100.5)", "size": "1"}}
    made = ran(tmp_path, rules, {"AAA": closes(101, 98, 102, 100, 103)})
    #                                          sent, not wanted, sent, no price, sent
    assert [row[0] for row in ended(made)] == [1, 3, 5]
    assert [row[3] for row in ended(made)] == ["CANCELED", "CANCELED", "ACCEPTED"]


def test_of_two_stop_entries_one_fills_and_the_other_goes(tmp_path: Path) -> None:
    rules = {
        "long": {"entry": "close > 0", "entry_stop": "close + 1", "stop": "entry_price - 2", "size": "1"},
        "short": {"entry": "close > 0", "entry_stop": "close - 1", "entry_limit": "close - 1.5", "size": "1"},
    }
    bars = [*closes(100), (100, 101.5, 100, 101.5), *closes(101.5, 101.4, 98.0), *closes(98, 96.9, 96.9)[1:]]
    made = ran(tmp_path, rules, {"AAA": bars}, account=MARGIN)
    assert ended(made) == [
        (1, "BUY", "STOP_MARKET", "FILLED", None, 101.0),
        (1, "SELL", "STOP_LIMIT", "CANCELED", 98.5, 99.0),
        (2, "SELL", "STOP_MARKET", "FILLED", None, 99.0),  # the stop of the position
        (5, "BUY", "STOP_MARKET", "CANCELED", None, 99.0),
        (5, "SELL", "STOP_LIMIT", "FILLED", 96.5, 97.0),
    ]
    assert [row[::2] for row in made.filled()] == [("BUY", 101.0), ("SELL", 99.0), ("SELL", 97.0)]


def test_an_entry_at_the_market_does_not_wait_for_one_that_rests(tmp_path: Path) -> None:
    rules = {
        "long": {"entry": "close > 0", "entry_limit": "close - 10", "size": "1"},
        "short": {"entry": "close < 99", "size": "1"},
    }
    made = ran(tmp_path, rules, {"AAA": closes(100, 98, 97, 97)}, account=MARGIN)
    assert [row[:4] for row in ended(made)] == [(1, "BUY", "LIMIT", "CANCELED"), (2, "SELL", "MARKET", "FILLED")]


def test_sizes_and_exits_of_resting_entries_are_a_strategy_without_findings(tmp_path: Path) -> None:
    for k, parts in enumerate(({}, {"size": "0.5 * equity"}, {"exit": "close < 3", "trail": "low"})):
        made = analyse(RuleSet(long=Side("close > 3", "close", **parts), short=Side("close < 2", None, "low")))
        assert made.troubles == []
        path = tmp_path / f"rules_{k}.py"
        path.write_text(source_of(made), encoding="utf-8")
        assert load_strategy(path).findings == ()
