"""Synthetic book data: the same for a seed, never crossed, with the features that it promises."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.unit.history.book_files import book, joined
from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError
from tradectl.history.book_events import concat_ticks
from tradectl.history.generate_book import SAMPLE, BookWalk, book_walk, generate_book

SHIPPED = Path(__file__).parents[3] / "data" / "sample" / "book"
MINUTE = 60_000_000_000  # ns
WALK = BookWalk(("A/USD", "B/USD"), 20 * MINUTE, seed=3, price=Decimal(200))


def touches(index: int = 0) -> tuple[np.ndarray, np.ndarray, int]:
    """Return (n, 2) best bid and ask after each message, their stamps and the trades outside the book."""
    rows = concat_ticks(list(book_walk(WALK, index)))
    sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
    best, stamps, strange = [], [], 0
    columns = [rows.ts_recv, *(rows.full(name) for name in ("kind", "side", "flags", "price", "qty"))]
    for ts, kind, side, flags, price, qty in zip(*(column.tolist() for column in columns), strict=True):
        if kind == EventKind.TRADE:
            strange += qty > sides[-side].get(price, 0)
            continue
        sides[side].pop(price, None)
        if qty:
            sides[side][price] = qty
        if flags & EventFlag.MESSAGE_END:
            best.append((max(sides[1]), min(sides[-1])))
            stamps.append(ts)
    return np.array(best), np.array(stamps), strange


def test_the_book_is_whole_and_its_spread_closes_again() -> None:
    best, stamps, strange = touches()
    spread = best[:, 1] - best[:, 0]
    assert strange == 0
    assert spread.min() >= 1
    assert 1.2 < spread.mean() < 3.0
    wide = np.flatnonzero(spread >= 5)
    assert len(wide) > 20
    assert np.median(spread[np.minimum(wide + 50, len(spread) - 1)]) <= 2  # some seconds later
    assert (np.diff(stamps) >= 0).all()


def test_trades_come_as_a_poisson_process_of_changing_pace() -> None:
    rows = concat_ticks(list(book_walk(WALK, 0)))
    trade = rows.full("kind") == EventKind.TRADE
    at = np.unique(rows.ts_recv[trade])  # a sweep of several levels is one arrival
    waits = np.diff(at) / 1e9
    assert 1.0 < len(at) / 1_200 < 5.0
    assert 0.9 < waits.std() / waits.mean() < 1.6  # 1 of a steady pace
    per_minute = np.histogram(at, 20)[0]
    assert per_minute.var() > 1.5 * per_minute.mean()  # a steady pace would have them equal
    assert abs(rows.full("side")[trade].astype(int).mean()) < 0.2


def test_a_seed_is_a_market_and_each_symbol_its_own() -> None:
    first, again = (concat_ticks(list(book_walk(WALK, 0))) for _ in range(2))
    for one, two in zip(first.columns(), again.columns(), strict=True):
        assert np.array_equal(one, two)
    other = concat_ticks(list(book_walk(WALK, 1)))
    assert abs(int(other.price[0]) - 2_000) < 2 < abs(int(first.price[0]) - 2_000)
    assert len(other) != len(first)


def test_a_catalogue_holds_what_was_made(tmp_path: Path) -> None:
    rows = generate_book(WALK, tmp_path / "cat")
    events = joined(book(str(tmp_path / "cat"), "book", symbols=["A/USD"]))
    ticks = concat_ticks(list(book_walk(WALK, 0)))
    assert len(events) == len(ticks) < rows
    for name, column in (("ts_recv", "ts_recv"), ("kind", "kind"), ("w0", "price"), ("w1", "qty")):
        assert np.array_equal(events[name], ticks.full(column))


def test_the_shipped_sample_is_what_its_seed_makes() -> None:
    events = joined(book(str(SHIPPED), "book"))
    ticks = concat_ticks(list(book_walk(SAMPLE, 0)))
    assert len(events) == len(ticks)
    for name, column in (("ts_recv", "ts_recv"), ("kind", "kind"), ("side", "side"), ("w0", "price"), ("w1", "qty")):
        assert np.array_equal(events[name], ticks.full(column)), name
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) < 1_500_000


@pytest.mark.parametrize(
    ("walk", "out"),
    [
        (BookWalk(("A/USD",), MINUTE, price=Decimal(1)), "cat"),
        (BookWalk(("A/USD",), 1), "cat"),
        (BookWalk(("A/USD",), MINUTE), "a.csv.gz"),
    ],
)
def test_what_cannot_be_made(walk: BookWalk, out: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="generate"):
        generate_book(walk, tmp_path / out)
