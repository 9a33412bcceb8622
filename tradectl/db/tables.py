"""Records as tables that people and data frames read: names for codes, floats beside the exact integers.

Every price and quantity stands twice: as a float, and as `*_ticks` or `*_lots`; money as a float and as
`*_atoms` (1e-8 of the currency). Times are Datetime in ns, UTC. What a record does not have is null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import (
    FillPhase,
    LiquiditySide,
    OrderFlag,
    OrderStatus,
    OrderType,
    Reason,
    TimeInForce,
)  # fmt: skip
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.markouts import HORIZONS_NS
from tradectl.core.resting import UNKNOWN_FRONT
from tradectl.engine.state import State
from tradectl.history.grid import nearest_floats
from tradectl.strategy.plots import key_of

__all__ = [
    "HORIZONS", "OPTIONAL", "TABLES", "Names", "equity_table", "fills_table", "funding_table", "markouts_table",
    "orders_table", "plots_table", "positions_table",
]  # fmt: skip

STAMP = pl.Datetime("ns", "UTC")
PICO = 10**12
HORIZONS = tuple(f"{ns // 1_000_000_000}s" for ns in HORIZONS_NS)  # of mark-outs, as columns name them
RESTED = (int(FillPhase.QUEUE), int(FillPhase.THROUGH))  # fills of orders that stood in a queue
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Names:
    """What a run's indexes mean: instruments and strategies by name, the grid of each instrument as floats."""

    symbols: Sequence[str]
    strategies: Sequence[str]
    currencies: Sequence[str]  # the quote currency of each instrument
    grid: npt.NDArray[np.float64]  # (n, 4): tick numerator and denominator, lot numerator and denominator
    series: Sequence[str] = ()  # that strategies plot

    @staticmethod
    def of(state: State) -> Names:
        """Return the names of a state's run."""
        n = len(state.spec.instruments)
        columns = [state.markets[:n][f] for f in ("tick_num", "tick_den", "lot_num", "lot_den")]
        return Names(
            [one.id for one in state.spec.instruments],
            [one.tag or one.name for one in state.spec.strategies],
            [one.quote for one in state.spec.instruments],
            np.stack(columns, axis=1),
            sorted({name for one in state.spec.strategies for name in one.plots}, key=key_of),
        )

    def price(self, ticks: Rows, instrument: Rows) -> Rows:
        """Return prices as the nearest floats to the decimals."""
        return nearest_floats([ticks, self.grid[instrument, 0]], [self.grid[instrument, 1]])

    def qty(self, lots: Rows, instrument: Rows) -> Rows:
        """Return quantities as the nearest floats to the decimals."""
        return nearest_floats([lots, self.grid[instrument, 2]], [self.grid[instrument, 3]])

    @cached_property
    def _money(self) -> npt.NDArray[np.float64]:
        """Return (n, 4): the atoms of one lot at a price of one, and at one tick, as numerators and denominators."""
        made = []
        for tick, ticks, lot, lots in self.grid.astype(np.int64).tolist():
            unit = Fraction(lot * ATOMS_PER_UNIT, lots)
            made.append((*unit.as_integer_ratio(), *(unit * Fraction(tick, ticks)).as_integer_ratio()))
        return np.array(made, np.float64)

    def average(self, rows: Rows) -> Rows:
        """Return the average prices of orders; NaN without fills.

        Where fills are rounded, each by less than an atom, a whole tick that explains their sum is the price.
        """
        made = np.full(len(rows), np.nan)
        at = np.flatnonzero(rows["filled_lots"] > 0)
        where, lots, notional = rows["instrument"][at], rows["filled_lots"][at], rows["notional_atoms"][at]
        unit, units, atoms, ticks = self._money[where].T
        made[at] = nearest_floats([notional, units], [lots, unit])
        near = np.rint(notional / lots * ticks / atoms)
        explained = nearest_floats([near, lots, atoms], [ticks])
        is_tick = (ticks > 1) & (np.abs(notional - explained) < rows["n_fills"][at])
        made[at[is_tick]] = self.price(near[is_tick], where[is_tick])
        return made


@cache
def _enum_names(kind: type[IntEnum]) -> tuple[npt.NDArray[np.int64], pl.Series]:
    members = sorted(kind)
    names = [member.name for member in members]
    return np.array(members, np.int64), pl.Series(names, dtype=pl.Enum(names))


def _coded(kind: type[IntEnum], codes: Rows) -> pl.Series:
    """Return codes as names; a code outside the enumeration is null."""
    known, names = _enum_names(kind)
    at = np.searchsorted(known, codes)
    at[at == len(known)] = 0
    return names.gather(pl.Series(np.where(known[at] == codes, at, -1)).replace(-1, None))


def _named(names: Sequence[str], index: Rows) -> pl.Series:
    unique = list(dict.fromkeys(names))
    place = np.array([unique.index(name) for name in names] or [0], np.int64)
    return pl.Series(unique, dtype=pl.Enum(unique)).gather(pl.Series(place[index]))


def _stamp(ts: Rows) -> pl.Series:
    return pl.Series(np.ascontiguousarray(ts)).cast(STAMP)


def _optional(values: Rows, there: Rows) -> pl.Series:
    """Return values, null where `there` is false."""
    made = pl.Series(np.ascontiguousarray(values))
    if there.all():
        return made
    mask = pl.Series(np.ascontiguousarray(there))
    return pl.select(pl.when(mask).then(made).alias("x"))["x"]


def _sides(side: Rows) -> pl.Series:
    return pl.Series(["SELL", "BUY"], dtype=pl.Enum(["SELL", "BUY"])).gather(
        pl.Series((side > 0).astype(np.int64))
    )


def _money(rows: Rows, name: str) -> dict[str, Any]:
    atoms = np.ascontiguousarray(rows[f"{name}_atoms"])
    return {name: nearest_floats([atoms], [ATOMS_PER_UNIT]), f"{name}_atoms": atoms}


def _mid(twice: Rows, where: Rows, names: Names, name: str) -> dict[str, Any]:
    """Return bid + ask in ticks as their mean: a price, and ticks (half ones occur); null where it is 0."""
    there = twice != 0
    return {
        name: _optional(names.price(twice, where) / 2.0, there),
        f"{name}_ticks": _optional(twice / 2.0, there),
    }


def _queue(lots: Rows, there: Rows) -> pl.Series:
    """Return quantities ahead, lots; null where there is no queue, or an L1 book does not show it."""
    return _optional(lots, there & (lots < UNKNOWN_FRONT))


def orders_table(rows: Rows, names: Names) -> pl.DataFrame:
    """Return ORDER records as a table, one row an order."""
    where, flags = rows["instrument"], rows["flags"]
    limit, stop = rows["price_ticks"], rows["trigger_ticks"]
    filled = rows["filled_lots"]
    return pl.DataFrame({
        "order_id": rows["id"],
        "ts_submitted": _stamp(rows["ts_submitted"]),
        "ts_accepted": _optional(rows["ts_accepted"], rows["ts_accepted"] != 0).cast(STAMP),
        "ts_last": _stamp(rows["ts_last"]),
        "strategy": _named(names.strategies, rows["strategy"]),
        "symbol": _named(names.symbols, where),
        "side": _sides(rows["side"]),
        "order_type": _coded(OrderType, rows["order_type"]),
        "time_in_force": _coded(TimeInForce, rows["time_in_force"]),
        "post_only": (flags & int(OrderFlag.POST_ONLY)) != 0,
        "reduce_only": (flags & int(OrderFlag.REDUCE_ONLY)) != 0,
        "system": (flags & int(OrderFlag.SYSTEM)) != 0,
        "status": _coded(OrderStatus, rows["status"]),
        "reason": _coded(Reason, rows["reason"]),
        "qty": names.qty(rows["qty_lots"], where), "qty_lots": rows["qty_lots"],
        "filled": names.qty(filled, where), "filled_lots": filled,
        "limit": _optional(names.price(limit, where), limit != 0), "limit_ticks": _optional(limit, limit != 0),
        "stop": _optional(names.price(stop, where), stop != 0), "stop_ticks": _optional(stop, stop != 0),
        "avg_price": _optional(names.average(rows), filled > 0),
        **_money(rows, "notional"),
        **_money(rows, "fees"),
        "n_fills": rows["n_fills"],
        "priority": rows["priority"],
        "tag": rows["tag"],
        **_mid(rows["twice_submit"], where, names, "mid_submit"),
        **_mid(rows["twice_arrival"], where, names, "mid_arrival"),
        **_mid(rows["twice_end"], where, names, "mid_end"),
        "queue_at_post": _queue(rows["front_post"], rows["front_post"] >= 0.0),
    })  # fmt: skip


def fills_table(rows: Rows, names: Names) -> pl.DataFrame:
    """Return FILL records as a table; `position` is the strategy's own after the fill.

    On tick data `mid`, `bid` and `ask` are those before the event that filled it, `queue_ahead` (lots) is what stood
    before a resting order just then.
    """
    where = rows["instrument"]
    there = (rows["bid"] > NO_BID) & (rows["ask"] < NO_ASK) & (rows["ask"] > 0)
    return pl.DataFrame({
        "fill_id": rows["fill_id"],
        "order_id": rows["order_id"],
        "ts": _stamp(rows["ts_event"]),
        "strategy": _named(names.strategies, rows["strategy"]),
        "symbol": _named(names.symbols, where),
        "side": _sides(rows["side"]),
        "price": names.price(rows["price_ticks"], where), "price_ticks": rows["price_ticks"],
        "qty": names.qty(rows["qty_lots"], where), "qty_lots": rows["qty_lots"],
        **_money(rows, "notional"),
        **_money(rows, "fee"),
        **_money(rows, "realised"),
        "position": names.qty(rows["position_lots"], where), "position_lots": rows["position_lots"],
        "liquidity_side": _coded(LiquiditySide, rows["liquidity_side"]),
        "phase": _coded(FillPhase, rows["phase"]),
        "ambiguous": rows["ambiguous"] != 0,
        "order_type": _coded(OrderType, rows["order_type"]),
        "time_in_force": _coded(TimeInForce, rows["time_in_force"]),
        "tag": rows["tag"],
        **_mid(rows["twice_mark"], where, names, "mid"),
        "bid": _optional(names.price(rows["bid"], where), there), "bid_ticks": _optional(rows["bid"], there),
        "ask": _optional(names.price(rows["ask"], where), there), "ask_ticks": _optional(rows["ask"], there),
        "queue_ahead": _queue(np.maximum(rows["front"], 0.0), np.isin(rows["phase"], RESTED)),
    })  # fmt: skip


def markouts_table(rows: Rows, names: Names) -> pl.DataFrame:
    """Return MARKOUT records as a table, one row a fill on tick data: the mid after each horizon, null: not known."""
    where = rows["instrument"]
    later = {
        name: column
        for k, label in enumerate(HORIZONS)
        for name, column in _mid(rows["twice"][:, k], where, names, f"mid_{label}").items()
    }
    return pl.DataFrame({
        "fill_id": rows["fill_id"],
        "ts": _stamp(rows["ts_event"]),
        "symbol": _named(names.symbols, where),
        "side": _sides(rows["side"]),
        **_mid(rows["twice_mark"], where, names, "mid"),
        **later,
    })  # fmt: skip


def funding_table(rows: Rows, names: Names) -> pl.DataFrame:
    """Return FUNDED records as a table: what each position paid (below 0: received) at each settlement.

    `fill_id` is the run's last fill before it, 0: there was none.
    """
    where = rows["instrument"]
    return pl.DataFrame({
        "ts": _stamp(rows["ts_event"]),
        "strategy": _named(names.strategies, rows["strategy"]),
        "symbol": _named(names.symbols, where),
        "position": names.qty(rows["lots"], where), "position_lots": rows["lots"],
        "price": names.price(rows["price_ticks"], where), "price_ticks": rows["price_ticks"],
        "rate": nearest_floats([rows["rate_pico"]], [PICO]), "rate_pico": rows["rate_pico"],
        **_money(rows, "funding"),
        "fill_id": rows["fill_id"],
    })  # fmt: skip


def plots_table(rows: Rows, names: Names) -> pl.DataFrame:
    """Return PLOT records as a table, one row a value of a strategy's own series; NaN is a gap that it asked for."""
    keys = np.array([key_of(name) for name in names.series], np.int64)
    return pl.DataFrame({
        "ts": _stamp(rows["ts_event"]),
        "strategy": _named(names.strategies, rows["strategy"]),
        "symbol": _named(names.symbols, rows["instrument"]),
        "series": _named(names.series, np.searchsorted(keys, rows["series"])),
        "value": np.ascontiguousarray(rows["value"]),
    })  # fmt: skip


def equity_table(rows: Rows, _names: Names) -> pl.DataFrame:
    """Return EQUITY records as a table; equity is in the account's currency."""
    return pl.DataFrame({"ts": _stamp(rows["ts_event"]), **_money(rows, "equity")})


def positions_table(state: State) -> pl.DataFrame:
    """Return every strategy's position in every instrument that it has ever held, at the end of the run."""
    names = Names.of(state)
    n, s = len(names.symbols), len(names.strategies)
    held = np.flatnonzero((state.positions["n_trades"] != 0) | (state.positions["lots"] != 0))
    held = held[held < n * s]
    rows, where = state.positions[held], held % n
    last = state.markets["last"][where]
    return pl.DataFrame({
        "strategy": _named(names.strategies, held // n),
        "symbol": _named(names.symbols, where),
        "currency": _named(names.currencies, where),
        "qty": names.qty(rows["lots"], where), "qty_lots": rows["lots"],
        **_money(rows, "cost"),
        **_money(rows, "realised"),
        **_money(rows, "fees"),
        **_money(rows, "funding"),
        "last_price": names.price(last, where), "last_ticks": np.ascontiguousarray(last),
        "trades": rows["n_trades"],
        "ts_opened": _optional(rows["ts_opened"], rows["lots"] != 0).cast(STAMP),
    })  # fmt: skip


TABLES: dict[str, Callable[[Rows, Names], pl.DataFrame]] = {
    "orders": orders_table,
    "fills": fills_table,
    "equity": equity_table,
    "markouts": markouts_table,
    "funding": funding_table,
    "plots": plots_table,
}
OPTIONAL = frozenset({"markouts", "funding", "plots"})  # of runs on tick data, with funding, of strategies that plot
