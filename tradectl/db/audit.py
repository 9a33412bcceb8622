"""The second audit: the account rebuilt from the fills on disk, by other code than the fold's, and compared.

It reads the fills, funding and positions of a run folder; the arithmetic (`db.rebuild`) is exact and shares nothing
with the kernels. Every figure must agree to the atom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tradectl.db.rebuild import MAX_FAULTS, Holding, Market, book_fills
from tradectl.db.rebuild_funding import funding_of
from tradectl.errors import InvariantViolation

__all__ = ["Market", "audit_fills"]

GROUP = 131_072  # fills read at a time
PICO = 10**12
KEY = ("strategy", "symbol")
COLUMNS = (
    "fill_id", "price_ticks", "qty_lots", "notional_atoms", "fee_atoms", "realised_atoms", "position_lots",
)  # fmt: skip


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
    fees_atoms, realised_atoms, funding_atoms, rate_pico); `final_atoms` is the equity it ended with. Raises
    InvariantViolation, which names the first differences.
    """
    known = {market.symbol: market for market in markets}
    books = Books(balances={row["currency"]: int(row["initial_atoms"]) for row in ledgers})
    for fills in _fills(folder / "fills.parquet"):
        _book(books, known, fills)
        if len(books.faults) > MAX_FAULTS:
            _refuse(books.faults)
    paid, wrong = funding_of(folder, known)
    books.faults += wrong
    for key, atoms in paid.items():
        books.holdings.setdefault(key, Holding()).funding = atoms
        books.balances[known[key[1]].currency] -= atoms
    _compare_positions(books, folder / "positions.parquet", known)
    _compare_ledgers(books, markets, ledgers)
    equity = _equity(books, markets, ledgers)
    if equity != final_atoms:
        books.faults.append(f"equity is {equity} atoms from the fills, {final_atoms} in the run")
    if books.faults:
        _refuse(books.faults)
    return books.fills


def _refuse(faults: Sequence[str]) -> None:
    raise InvariantViolation("the audit of the fills on disk failed: " + "; ".join(faults[:MAX_FAULTS]))


def _fills(path: Path) -> Iterator[pl.DataFrame]:
    """Yield the fills, some at a time: KEY, COLUMNS, and whether a fill `buys` and `takes`."""
    frame = pl.scan_parquet(path).select(
        *KEY,
        *COLUMNS,
        (pl.col("side") == "BUY").alias("buys"),
        (pl.col("liquidity_side") == "TAKER").fill_null(False).alias("takes"),
    )
    start = 0
    while (part := frame.slice(start, GROUP).collect()).height:
        start += part.height
        yield part


def _book(books: Books, known: Mapping[str, Market], fills: pl.DataFrame) -> None:
    """Book fills, one strategy and instrument at a time; differences are told in the file's order."""
    faults = []
    for (strategy, symbol), group in fills.partition_by(KEY, as_dict=True, maintain_order=True).items():
        market = known[symbol]
        holding = books.holdings.setdefault((strategy, symbol), Holding())
        columns = {name: group[name].to_numpy() for name in (*COLUMNS, "buys", "takes")}
        cash, wrong = book_fills(holding, market, columns)
        books.balances[market.currency] += cash
        faults += wrong
    books.faults += [text for _, text in sorted(faults)]
    books.fills += fills.height


def _compare_positions(books: Books, path: Path, known: Mapping[str, Market]) -> None:
    names = ("strategy", "symbol", "qty_lots", "cost_atoms", "realised_atoms", "fees_atoms", "funding_atoms")
    rows = {
        (row[0], row[1]): row[2:] for row in pl.read_parquet(path, columns=list(names)).select(names).rows()
    }
    for key, holding in books.holdings.items():
        mine = (holding.lots, holding.cost, holding.realised, holding.fees, holding.funding)
        there = rows.pop(key, None)
        for name, here, written in zip(names[2:], mine, there or (0,) * 5, strict=True):
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
            "funding_atoms": sum(holding.funding for holding in mine),
        }
        for field_name, here in sums.items():
            if here != int(row[field_name]):
                books.faults.append(
                    f"{name}: {field_name} {here} from the fills, {row[field_name]} in the run"
                )
        cost = sum(holding.cost for holding in mine)
        spent = cost + sums["fees_atoms"] + sums["funding_atoms"]
        if books.balances[name] + spent != int(row["initial_atoms"]) + sums["realised_atoms"]:
            books.faults.append(f"{name}: balance + cost + fees + funding differ from initial + realised")


def _equity(books: Books, markets: Sequence[Market], ledgers: Sequence[Mapping[str, Any]]) -> int:
    """Return equity: balances and net positions at their marks, each rounded down, in the account's currency."""
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
                worth += net[market.symbol] * market.twice_mark * num // (2 * den)
        total += worth * int(row["rate_pico"]) // PICO
    return total
