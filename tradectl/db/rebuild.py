"""Positions and money rebuilt from fills: exact integers over whole columns, nothing of the kernels.

A strategy's fills in one instrument are booked together. Columns are int64 where every product and sum is
proven to fit, else Python integers in object arrays; the arithmetic is the same source for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ATOMS", "MAX_FAULTS", "NANO", "Holding", "Market", "book_fills"]

NANO, ATOMS = 10**9, 10**8
MAX_FAULTS = 8  # differences that are named
SAFE = 2**61  # sums of two products below it fit an int64
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Market:
    """What the audit must know of an instrument: its grid, money, fees in 1e-9, and twice its mark, ticks."""

    symbol: str
    currency: str
    base: str
    tick_size: Decimal
    lot_size: Decimal
    maker_nano: int
    taker_nano: int
    twice_mark: int

    @cached_property
    def unit(self) -> tuple[int, int]:
        """Return the atoms of one lot at one tick, as a fraction."""
        made = Fraction(self.tick_size) * Fraction(self.lot_size) * ATOMS
        return made.numerator, made.denominator


@dataclass
class Holding:
    """One strategy's position in one instrument; money in atoms."""

    lots: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0
    funding: int = 0


def book_fills(
    holding: Holding, market: Market, fills: Mapping[str, Rows]
) -> tuple[int, list[tuple[int, str]]]:
    """Book one strategy's fills in one instrument (columns of equal length, in order) into `holding`.

    Returns the cash they moved, in atoms, and (fill_id, text) of at most MAX_FAULTS + 1 rows that differ.
    """
    kind = _kind(holding, market, fills)
    side = np.where(fills["buys"], 1, -1).astype(kind)
    price, lots = fills["price_ticks"].astype(kind), fills["qty_lots"].astype(kind)
    num, den = market.unit
    exact = price * lots * num
    paid = np.where(fills["buys"], -(-exact // den), exact // den)
    rate = np.where(fills["takes"], market.taker_nano, market.maker_nano).astype(kind)
    charged = paid // NANO * rate - (-(paid % NANO * rate) // NANO)  # paid × rate ÷ NANO, rounded up

    after = holding.lots + np.cumsum(side * lots)
    before = after - side * lots
    closes = before * side < 0
    closing = np.where(closes, np.minimum(lots, np.abs(before)), 0)
    part = np.where(closes, paid, 0)
    for k in np.flatnonzero(closes & (closing < lots)).tolist():  # a flip closes and opens
        part[k] = int(paid[k]) * int(closing[k]) // int(lots[k])
    opened = side * (paid - part)
    freed, cost = _release(holding.cost, opened, closes, np.abs(before), closing)
    gained = np.where(closes, -side * part - freed, 0)

    cash = -int((side * paid + charged).sum())
    holding.lots, holding.cost = int(after[-1]), cost
    holding.realised += int(gained.sum())
    holding.fees += int(charged.sum())
    return cash, _differences(market.symbol, fills, (paid, charged, gained, after))


def _kind(holding: Holding, market: Market, fills: Mapping[str, Rows]) -> Any:
    """Return int64 if nothing computed from these fills can leave it, else object (Python integers)."""
    price, lots = (np.abs(fills[name].astype(np.float64)) for name in ("price_ticks", "qty_lots"))
    num, den = market.unit
    rates = max(abs(market.maker_nano), abs(market.taker_nano))
    turnover = abs(holding.cost) + float((price * lots).sum()) * max(1.0, num / den) + len(lots)
    largest = float(price.max()) * float(lots.max()) * num
    size = abs(holding.lots) + float(lots.sum())
    return np.int64 if max(turnover, largest, size, num, den) < SAFE and rates <= NANO else object


def _release(cost: int, opened: Rows, closes: Rows, held: Rows, closing: Rows) -> tuple[Rows, int]:
    """Return the cost (signed atoms) that each closing fill frees, pro rata and rounded down, and the last cost.

    `cost` is held at the start, `opened` what each fill adds; a fill closes `closing` of `held` lots. Closing
    all of them frees all that is left, so only partial closes depend on each other, and only these are walked.
    """
    n = len(opened)
    whole = closes & (closing == held)
    latest = np.maximum.accumulate(np.where(whole, np.arange(n), -1))
    start = np.concatenate([[-1], latest[:-1]])  # the last fill before this one that closed everything
    added = np.cumsum(opened) - opened
    basis = added - np.where(start >= 0, added[start], -cost)  # what was added since, this fill excluded

    parts = np.zeros(n, opened.dtype)
    gone, episode = 0, -1
    rows = np.flatnonzero(closes & ~whole)
    columns = (column[rows].tolist() for column in (start, basis, closing, held))
    for k, since, there, lots, of in zip(rows.tolist(), *columns, strict=True):
        if since != episode:
            gone, episode = 0, since
        share = abs(there - gone) * lots // of
        parts[k] = share if there >= gone else -share
        gone += int(parts[k])

    taken = np.cumsum(parts) - parts
    left = basis - (taken - np.where(start >= 0, taken[start], 0))
    freed = np.where(whole, left, parts)
    return freed, int(left[-1] - freed[-1] + opened[-1])


def _differences(symbol: str, fills: Mapping[str, Rows], mine: tuple[Rows, ...]) -> list[tuple[int, str]]:
    names = ("notional_atoms", "fee_atoms", "realised_atoms", "position_lots")
    written = [fills[name] for name in names]
    wrong = np.any([np.asarray(a != b, bool) for a, b in zip(mine, written, strict=True)], axis=0)
    made = []
    for k in np.flatnonzero(wrong)[: MAX_FAULTS + 1].tolist():
        number = int(fills["fill_id"][k])
        here, there = (tuple(int(column[k]) for column in columns) for columns in (mine, written))
        text = f"(notional, fee, realised, position) should be {here}, the row says {there}"
        made.append((number, f"fill {number} ({symbol}): {text}"))
    return made
