"""The second audit's columns against the same accounting fill by fill, in small and in overflowing figures."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tradectl.db.rebuild import MAX_FAULTS, NANO, Holding, Market, book_fills
from tradectl.db.rebuild import _kind as kind_of

WRITTEN = ("notional_atoms", "fee_atoms", "realised_atoms", "position_lots")


def market(tick: str = "0.01", lot: str = "0.001", maker: int = -25_000, taker: int = 450_000) -> Market:
    return Market("X:A/USD", "USD", "A", Decimal(tick), Decimal(lot), maker, taker, 0)


def book_one(holding: Holding, on: Market, side: int, price: int, lots: int, takes: bool) -> tuple[int, ...]:
    """Book one fill the obvious way; return (cash, notional, fee, realised, position)."""
    num, den = on.unit
    exact = price * lots * num
    paid = -(-exact // den) if side > 0 else exact // den
    charged = -(-paid * (on.taker_nano if takes else on.maker_nano) // NANO)
    closing = min(lots, abs(holding.lots)) if holding.lots * side < 0 else 0
    gained, opening = 0, paid
    if closing:
        part = paid if closing == lots else paid * closing // lots
        opening = paid - part
        held = abs(holding.lots)
        share = abs(holding.cost) if closing == held else abs(holding.cost) * closing // held
        freed = share if holding.cost >= 0 else -share
        gained = -side * part - freed
        holding.cost -= freed
    holding.cost += side * opening
    holding.lots += side * lots
    holding.realised += gained
    holding.fees += charged
    return -(side * paid + charged), paid, charged, gained, holding.lots


def draw(rng: np.random.Generator, n: int, prices: int, lots: int) -> dict[str, Any]:
    """Draw fills: openings, additions, partial and whole closes and flips all occur."""
    sizes = rng.integers(1, lots, n, endpoint=True)
    buys = rng.random(n) < 0.5
    position = 0
    for k in range(n):  # a third of what could close closes everything
        if position and (position > 0) != buys[k] and rng.random() < 0.34:
            sizes[k] = abs(position)
        position += int(sizes[k]) if buys[k] else -int(sizes[k])
    return {
        "fill_id": np.arange(n), "price_ticks": rng.integers(1, prices, n, endpoint=True), "qty_lots": sizes,
        "buys": buys, "takes": rng.random(n) < 0.5,
    }  # fmt: skip


def booked(fills: dict[str, Any], on: Market, holding: Holding) -> tuple[int, list[tuple[int, ...]]]:
    names = ("buys", "price_ticks", "qty_lots", "takes")
    rows = zip(*(fills[name].tolist() for name in names), strict=True)
    made = [book_one(holding, on, 1 if buys else -1, p, lots, takes) for buys, p, lots, takes in rows]
    return sum(row[0] for row in made), [row[1:] for row in made]


def with_rows(fills: dict[str, Any], rows: list[tuple[int, ...]]) -> dict[str, Any]:
    fits = max(abs(value) for row in rows for value in row) < 2**63
    columns = np.array(rows, np.int64 if fits else object).T
    return fills | dict(zip(WRITTEN, columns, strict=True))


CASES = {  # prices, lots, tick, lot size, kind
    "small": (500, 20, "0.01", "0.001", np.int64),
    "odd unit": (500, 7, "0.00003", "0.00007", np.int64),
    "usual": (10_000_000, 500_000, "0.01", "0.001", np.int64),
    "overflowing": (2**40, 2**40, "0.01", "0.001", object),
    "tiny unit": (2**30, 2**40, "0.0000000001", "0.00000000000001", object),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(6))
def test_columns_equal_fill_by_fill(case: str, seed: int) -> None:
    prices, lots, tick, lot, kind = CASES[case]
    rng = np.random.default_rng(seed)
    on = market(tick, lot)
    mine, plain = Holding(), Holding()
    for n in (400, 1, 2, 300):  # a holding goes on from piece to piece
        fills = draw(rng, n, prices, lots)
        cash, rows = booked(fills, on, plain)
        given = with_rows(fills, rows)
        if n == 400:
            assert kind_of(mine, on, given) is kind
        assert book_fills(mine, on, given) == (cash, [])
        assert mine == plain


@pytest.mark.parametrize("case", ["usual", "overflowing"])
def test_every_kind_of_row_is_drawn_and_every_wrong_figure_named(case: str) -> None:
    prices, lots, tick, lot, _ = CASES[case]
    on = market(tick, lot)
    fills = draw(np.random.default_rng(9), 600, prices, lots)
    _, rows = booked(fills, on, Holding())
    positions = [0] + [row[3] for row in rows]
    flips = sum(a * b < 0 for a, b in pairwise(positions))
    parts = sum(0 < b / a < 1 for a, b in pairwise(positions) if a)
    assert flips > 30
    assert parts > 30
    assert positions.count(0) > 30
    for column in range(4):
        changed = [list(row) for row in rows]
        changed[77][column] += 1
        _, faults = book_fills(Holding(), on, with_rows(fills, [tuple(row) for row in changed]))
        assert [number for number, _ in faults] == [77]
    nothing = [(0, 0, 0, 0)] * len(rows)
    assert len(book_fills(Holding(), on, with_rows(fills, nothing))[1]) == MAX_FAULTS + 1


def test_an_int64_that_would_wrap_is_not_used() -> None:
    on = market("1", "1", maker=0, taker=2 * NANO)
    fills = {
        "fill_id": np.arange(2), "price_ticks": np.array([3_000_000_000] * 2),
        "qty_lots": np.array([40_000_000_000] * 2), "buys": np.array([True, False]), "takes": np.array([True] * 2),
    }  # fmt: skip
    mine, plain = Holding(), Holding()
    cash, rows = booked(fills, on, plain)
    paid = 3_000_000_000 * 40_000_000_000 * 10**8
    assert rows[0] == (paid, 2 * paid, 0, 40_000_000_000)
    assert book_fills(mine, on, with_rows(fills, rows)) == (cash, [])
    assert mine == plain == Holding(0, 0, 0, 4 * paid)
