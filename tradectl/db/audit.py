"""The second audit: the account rebuilt from the fills on disk, by other code than the fold's, and compared.

It reads fills.parquet and positions.parquet of a run folder and uses Python integers and fractions only; the
kernels' money helpers are not involved. Every figure must agree to the atom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from tradectl.errors import InvariantViolation

__all__ = ["Market", "audit_fills"]

GROUP = 100_000  # fills read at a time
NANO, PICO, ATOMS = 10**9, 10**12, 10**8
COLUMNS = (
    "fill_id", "strategy", "symbol", "side", "price_ticks", "qty_lots", "notional_atoms", "fee_atoms",
    "realised_atoms", "position_lots", "liquidity_side",
)  # fmt: skip


@dataclass(frozen=True)
class Market:
    """What the audit must know of an instrument: its grid, its money, its fees in 1e-9, its last price."""

    symbol: str
    currency: str
    base: str
    tick_size: Decimal
    lot_size: Decimal
    maker_nano: int
    taker_nano: int
    last_ticks: int

    @cached_property
    def unit(self) -> tuple[int, int]:
        """Return the atoms of one lot at one tick, as a fraction."""
        made = Fraction(self.tick_size) * Fraction(self.lot_size) * ATOMS
        return made.numerator, made.denominator


@dataclass
class Holding:
    """One strategy's position in one instrument."""

    lots: int = 0
    cost: int = 0
    realised: int = 0
    fees: int = 0


@dataclass
class Books:
    """The rebuilt account."""

    holdings: dict[tuple[str, str], Holding] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    fills: int = 0


def audit_fills(
    folder: Path, markets: Sequence[Market], ledgers: Sequence[Mapping[str, Any]], final_atoms: int
) -> int:
    """Rebuild everything from the fills of a run folder; return their number.

    `ledgers` are the run's currencies, the account's own first (currency, initial_atoms, balance_atoms,
    fees_atoms, realised_atoms, rate_pico); `final_atoms` is the equity it ended with. Raises
    InvariantViolation, which names the first differences.
    """
    known = {market.symbol: market for market in markets}
    books = Books(balances={row["currency"]: int(row["initial_atoms"]) for row in ledgers})
    for fills in _fills(folder / "fills.parquet"):
        for fill in fills:
            _book(books, known[fill[2]], fill)
            if len(books.faults) > 8:
                _refuse(books.faults)
    _compare_positions(books, folder / "positions.parquet", known)
    _compare_ledgers(books, markets, ledgers)
    equity = _equity(books, markets, ledgers)
    if equity != final_atoms:
        books.faults.append(f"equity is {equity} atoms from the fills, {final_atoms} in the run")
    if books.faults:
        _refuse(books.faults)
    return books.fills


def _refuse(faults: Sequence[str]) -> None:
    raise InvariantViolation("the audit of the fills on disk failed: " + "; ".join(faults[:8]))


def _fills(path: Path) -> Iterator[Iterator[tuple[Any, ...]]]:
    """Yield the fills as tuples of COLUMNS, some at a time."""
    frame = pl.scan_parquet(path).select(COLUMNS)
    start = 0
    while (part := frame.slice(start, GROUP).collect()).height:
        start += part.height
        yield zip(*(column.to_list() for column in part), strict=True)


def _book(books: Books, market: Market, fill: tuple[Any, ...]) -> None:
    number, strategy, symbol, side_name, price, lots, notional, fee, realised, position, liquidity = fill
    side = 1 if side_name == "BUY" else -1
    rate = market.taker_nano if liquidity == "TAKER" else market.maker_nano
    num, den = market.unit
    holding = books.holdings.setdefault((strategy, symbol), Holding())
    exact = price * lots * num
    paid = -(-exact // den) if side > 0 else exact // den
    charged = -(-paid * rate // NANO)
    closing = min(lots, abs(holding.lots)) if holding.lots * side < 0 else 0
    gained = 0
    opening = paid
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
    books.balances[market.currency] -= side * paid + charged
    books.fills += 1
    if (paid, charged, gained, holding.lots) != (notional, fee, realised, position):
        books.faults.append(
            f"fill {number} ({symbol}): (notional, fee, realised, position) should be "
            f"{(paid, charged, gained, holding.lots)}, the row says {(notional, fee, realised, position)}"
        )


def _compare_positions(books: Books, path: Path, known: Mapping[str, Market]) -> None:
    names = ("strategy", "symbol", "qty_lots", "cost_atoms", "realised_atoms", "fees_atoms")
    rows = {
        (row[0], row[1]): row[2:] for row in pl.read_parquet(path, columns=list(names)).select(names).rows()
    }
    for key, holding in books.holdings.items():
        mine = (holding.lots, holding.cost, holding.realised, holding.fees)
        there = rows.pop(key, None)
        for name, here, written in zip(names[2:], mine, there or (0,) * 4, strict=True):
            if here != written:
                books.faults.append(
                    f"position {key[0]} {key[1]}: {name} {here} from the fills, {written} in the run"
                )
    for key in rows:
        books.faults.append(
            f"position {key[0]} {key[1]} has no fill" + ("" if key[1] in known else " and no market")
        )


def _compare_ledgers(books: Books, markets: Sequence[Market], ledgers: Sequence[Mapping[str, Any]]) -> None:
    currency = {market.symbol: market.currency for market in markets}
    for row in ledgers:
        name = row["currency"]
        mine = [holding for (_, symbol), holding in books.holdings.items() if currency[symbol] == name]
        sums = {
            "balance_atoms": books.balances[name],
            "fees_atoms": sum(holding.fees for holding in mine),
            "realised_atoms": sum(holding.realised for holding in mine),
        }
        for field_name, here in sums.items():
            if here != int(row[field_name]):
                books.faults.append(
                    f"{name}: {field_name} {here} from the fills, {row[field_name]} in the run"
                )
        cost = sum(holding.cost for holding in mine)
        if (
            books.balances[name] + cost + sums["fees_atoms"]
            != int(row["initial_atoms"]) + sums["realised_atoms"]
        ):
            books.faults.append(f"{name}: balance + cost + fees differ from initial + realised")


def _equity(books: Books, markets: Sequence[Market], ledgers: Sequence[Mapping[str, Any]]) -> int:
    """Return equity: balances and net positions at their last prices, each rounded down, in the account's currency."""
    net: dict[str, int] = {}
    for (_, symbol), holding in books.holdings.items():
        net[symbol] = net.get(symbol, 0) + holding.lots
    total = 0
    for row in ledgers:
        name = row["currency"]
        worth = books.balances[name]
        for market in markets:
            if market.currency == name and net.get(market.symbol):
                num, den = market.unit
                worth += net[market.symbol] * market.last_ticks * num // den
        total += worth * int(row["rate_pico"]) // PICO
    return total
