"""Where the profit of tick data comes from: spread, inventory, fees, funding, in atoms that add up exactly.

With V(q, m) = floor(q × m × unit), what the account values a net position q at a mid m, and for each fill of an
instrument its mid m, side s, notional n and the position before and after it, p and q:

    spread    = Σ  V(q, m) − V(p, m) − s·n        what a fill paid or earned against the mid just before it
    inventory = Σ  V(p, m) − V(p, m')             what the position did between two fills (m': the mid at the last one)
                +  V(q, mark at the end) − V(q, m of the last fill)
    fees      = − Σ fee,   funding = − Σ funding paid

The sums telescope, so spread + inventory + fees + funding = balance + value − initial balance, to the atom. A fill
before its instrument had a mid is measured against its own price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.db.audit import Market
from tradectl.errors import InvariantViolation

__all__ = ["GROUP", "PARTS", "Holding", "check_parts", "hold", "split_pnl"]

GROUP = 131_072  # fills looked at at a time
SAFE = 2**61
PARTS = ("spread", "inventory", "fees", "funding")
COLUMNS = ("side", "price_ticks", "qty_lots", "notional_atoms", "fee_atoms", "mid_ticks", "ts")
Columns = Mapping[str, npt.NDArray[Any]]


def exact_sum(values: npt.NDArray[Any]) -> int:
    """Return the exact sum of int64 values or Python integers."""
    large = float(np.abs(values.astype(np.float64)).sum()) >= SAFE
    return sum(values.tolist()) if large else int(values.sum())


@dataclass
class Holding:
    """An instrument's net position over a run: parts of the profit in quote atoms, and what was held how long."""

    market: Market
    lots: int = 0
    value: int = 0  # of the position at the mid of its last fill, atoms
    spread: int = 0
    inventory: int = 0
    fees: int = 0
    funding: int = 0
    max_lots: int = 0
    held_ns: int = 0  # with any position
    lots_ns: float = 0.0  # position × time, signed and absolute
    abs_lots_ns: float = 0.0
    last_ts: int = 0

    def pass_time(self, ts: int) -> None:
        """Hold what is held until `ts`."""
        step = max(ts - self.last_ts, 0)
        self.held_ns += step if self.lots else 0
        self.lots_ns += float(self.lots) * step
        self.abs_lots_ns += abs(float(self.lots)) * step
        self.last_ts = max(self.last_ts, ts)

    def feed(self, fills: Columns) -> None:
        """Take fills of the instrument in the order in which they happened."""
        side, twice, price = fills["side"], fills["twice"], fills["price_ticks"]
        num, den = self.market.unit
        held = abs(self.lots) + float(fills["qty_lots"].sum())
        dear = float(np.maximum(np.abs(twice), 2 * np.abs(price)).max())
        kind: Any = np.int64 if held * dear * num < SAFE and 2 * den < SAFE else object
        after = self.lots + np.cumsum((side * fills["qty_lots"]).astype(kind))
        before = np.concatenate((np.array([self.lots], kind), after[:-1]))
        marks = np.where(twice == 0, 2 * price, twice).astype(kind)
        worth_before, worth_after = before * marks * num // (2 * den), after * marks * num // (2 * den)
        cash = side.astype(kind) * fills["notional_atoms"].astype(kind)
        self.spread += exact_sum(worth_after - worth_before - cash)
        carried = np.concatenate((np.array([self.value], kind), worth_after[:-1]))
        self.inventory += exact_sum(worth_before - carried)
        self.fees -= exact_sum(fills["fee_atoms"])
        self._time(fills["ts"], before, after)
        self.lots, self.value = int(after[-1]), int(worth_after[-1])

    def _time(self, ts: npt.NDArray[Any], before: npt.NDArray[Any], after: npt.NDArray[Any]) -> None:
        self.max_lots = max(self.max_lots, int(np.abs(after).max()))
        times = np.maximum.accumulate(np.maximum(ts, self.last_ts))
        steps = np.diff(times, prepend=self.last_ts)
        lots = before.astype(np.float64)
        self.held_ns += int(steps[before != 0].sum())
        self.lots_ns += float((lots * steps).sum())
        self.abs_lots_ns += float((np.abs(lots) * steps).sum())
        self.last_ts = int(times[-1])

    def finish(self, last_ts: int) -> None:
        """Value what is left at the mark with which the run ends."""
        num, den = self.market.unit
        final = self.lots * self.market.twice_mark * num // (2 * den)
        self.inventory += final - self.value
        self.value = final
        self.pass_time(last_ts)

    def parts(self) -> dict[str, int]:
        """Return spread, inventory, fees and funding, in atoms of the quote currency."""
        return {name: getattr(self, name) for name in PARTS}


def _columns(group: pl.DataFrame) -> Columns:
    made = {name: group[name].to_numpy() for name in ("price_ticks", "qty_lots", "notional_atoms", "fee_atoms")}
    made["side"] = np.where((group["side"] == "BUY").to_numpy(), 1, -1)
    made["twice"] = (group["mid_ticks"].fill_null(0.0).to_numpy() * 2.0).astype(np.int64)  # halves are exact
    made["ts"] = group["ts"].cast(pl.Int64).to_numpy()
    return made


def hold(
    fills: pl.LazyFrame,
    markets: Sequence[Market],
    first_ts: int,
    last_ts: int,
    funding: pl.LazyFrame | None = None,
) -> dict[str, Holding]:
    """Return the holding of every instrument from a run's fills (and funding), `first_ts` to `last_ts` in ns UTC."""
    made = {market.symbol: Holding(market, last_ts=first_ts) for market in markets}
    for part in _parts(fills.select("symbol", *COLUMNS)):
        for (symbol,), group in part.partition_by("symbol", as_dict=True, maintain_order=True).items():
            made[str(symbol)].feed(_columns(group))
    if funding is not None:
        paid = funding.group_by(pl.col("symbol").cast(pl.String)).agg(pl.col("funding_atoms").sum())
        for symbol, atoms in paid.collect().rows():
            made[symbol].funding = -atoms
    for holding in made.values():
        holding.finish(last_ts)
    return made


def _parts(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    start = 0
    while (part := frame.slice(start, GROUP).collect()).height:
        start += part.height
        yield part


def split_pnl(holdings: Mapping[str, Holding], ledgers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts of the profit of each currency, the account's own first, in atoms; `pnl` is their sum."""
    rows = []
    for ledger in ledgers:
        mine = [one.parts() for one in holdings.values() if one.market.currency == ledger["currency"]]
        parts = {f"{name}_atoms": sum(one[name] for one in mine) for name in PARTS}
        rows.append({"currency": ledger["currency"], **parts, "pnl_atoms": sum(parts.values())})
    return rows


def check_parts(rows: Sequence[Mapping[str, Any]], ledgers: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvariantViolation where the parts of a currency are not what its ledger gained, to the atom."""
    for row, ledger in zip(rows, ledgers, strict=True):
        gained = int(ledger["balance_atoms"]) + int(ledger["value_atoms"]) - int(ledger["initial_atoms"])
        if row["pnl_atoms"] != gained:
            raise InvariantViolation(
                f"{row['currency']}: the parts of the profit add up to {row['pnl_atoms']} atoms, "
                f"the account gained {gained}"
            )
