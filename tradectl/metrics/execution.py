"""How well a run on tick data traded: formulas and sources in docs/execution.md. Undefined figures are NaN.

Pure functions over the tables of a run folder. Means of ticks are weighted by lots, those of basis points by the
notional at the mid, so a figure in bps is money ÷ that notional.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tradectl.db.audit import Market
from tradectl.db.tables import HORIZONS
from tradectl.metrics.execution_tables import fills_frame, scales
from tradectl.metrics.pnl import PARTS, Holding, hold, split_pnl

__all__ = ["figures_of", "inventory_of", "measure", "profit_in"]

NAN = math.nan
BPS = 1e4
QUANTILE = 0.9
COSTS = ("delay", "impact", "fee", "opportunity", "shortfall")
Figures = dict[str, Any]
Sums = Mapping[str, Any]


def _share(part: float | None, whole: float | None) -> float:
    return part / whole if part is not None and whole else NAN


def _moves(name: str, ticks: pl.Expr, among: pl.Expr) -> list[pl.Expr]:
    """Return the sums from which a signed difference in ticks is told: money, lots × ticks, lots, notional, fills."""
    there = among & ticks.is_not_null()
    known = {
        "money": (ticks * pl.col("worth")).filter(there).sum(),
        "moved": (ticks * pl.col("qty_lots")).filter(there).sum(),
        "lots": pl.col("qty_lots").filter(there).sum(),
        "notional": (pl.col("mid_ticks") * pl.col("worth")).filter(there).sum(),
        "fills": there.sum(),
    }
    return [expression.alias(f"{name}.{key}") for key, expression in known.items()]


def _move(row: Mapping[str, Any], name: str, one_grid: bool) -> Figures:
    lots, notional = row[f"{name}.lots"], row[f"{name}.notional"]
    money = row[f"{name}.money"] if row[f"{name}.fills"] else NAN
    return {
        "ticks": _share(row[f"{name}.moved"], lots) if one_grid else NAN,
        "bps": _share(row[f"{name}.money"], notional) * BPS,
        "money": money,
        "fills": int(row[f"{name}.fills"]),
    }


def _fill_sums() -> list[pl.Expr]:
    """Return all sums over fills."""
    sign, mid, price = pl.col("sign"), pl.col("mid_ticks"), pl.col("price_ticks")
    taker = pl.col("taker")
    expressions = [
        pl.len().alias("fills"),
        pl.col("qty_lots").sum().alias("lots"),
        pl.col("qty_lots").filter(~taker).sum().alias("maker_lots"),
        pl.col("money").sum().alias("money"),
        pl.col("money").filter(~taker).sum().alias("maker_money"),
        pl.col("queue_ahead").mean().alias("queue_mean"),
        pl.col("queue_ahead").median().alias("queue_median"),
    ]
    for label in HORIZONS:
        later = pl.col(f"mid_{label}_ticks")
        expressions += _moves(f"all.{label}", sign * (later - mid), pl.lit(True))
        for side, among, aggressor in (("maker", ~taker, -sign), ("taker", taker, sign)):
            expressions += _moves(f"{side}.mark.{label}", sign * (later - mid), among)
            expressions += _moves(f"{side}.kept.{label}", 2.0 * aggressor * (price - later), among & mid.is_not_null())
    for side, among, aggressor in (("maker", ~taker, -sign), ("taker", taker, sign)):
        expressions += _moves(f"{side}.spread", 2.0 * aggressor * (price - mid), among)
    return expressions


def _order_sums() -> list[pl.Expr]:
    """Return all sums over orders."""
    touched, status = pl.col("filled_lots") > 0, pl.col("status").cast(pl.String)
    priced = pl.col("shortfall").is_not_null()  # of an order all parts are counted, or none
    expressions = [
        pl.len().alias("sent"),
        (status == "FILLED").sum().alias("filled"),
        touched.sum().alias("touched"),
        status.is_in(["CANCELED", "EXPIRED"]).sum().alias("canceled"),
        pl.col("qty_lots").sum().alias("ordered_lots"),
        pl.col("filled_lots").sum().alias("filled_lots"),
        *(pl.col(name).filter(priced).sum().alias(name) for name in ("wanted", *COSTS)),
        priced.sum().alias("priced"),
    ]
    for name in ("first_fill_s", "done_s", "queue_at_post"):
        expressions += [
            pl.col(name).median().alias(f"{name}.median"),
            pl.col(name).quantile(QUANTILE, "linear").alias(f"{name}.p90"),
            pl.col(name).mean().alias(f"{name}.mean"),
        ]
    return expressions


def _by_symbol(frame: pl.LazyFrame, sums: list[pl.Expr], symbols: Sequence[str]) -> tuple[Sums, list[Sums]]:
    """Return sums over all rows, and over those of each symbol."""
    whole = frame.select(sums).collect().row(0, named=True)
    if len(symbols) == 1:
        return whole, [whole]
    each = {row["symbol"]: row for row in frame.group_by("symbol").agg(sums).collect().to_dicts()}
    none = frame.filter(pl.lit(False)).select(sums).collect().row(0, named=True)
    return whole, [each.get(symbol, none) for symbol in symbols]


def _nan(value: float | None) -> float:
    return NAN if value is None else float(value)


def figures_of(order: Sums, fill: Sums, one_grid: bool) -> Figures:
    """Return the figures of the sums over some orders and their fills.

    `one_grid`: they are of one instrument, so that lots and ticks add up; else figures in these are NaN.
    """
    shortfall = {name: float(order[name]) if order["priced"] else NAN for name in COSTS}
    return {
        "orders": int(order["sent"]),
        "orders_filled": int(order["filled"]),
        "orders_touched": int(order["touched"]),
        "fills": int(fill["fills"]),
        "fill_ratio_orders": _share(order["filled"], order["sent"]),
        "fill_ratio_qty": _share(order["filled_lots"], order["ordered_lots"]) if one_grid else NAN,
        "maker_share_qty": _share(fill["maker_lots"], fill["lots"]) if one_grid else NAN,
        "maker_share_notional": _share(fill["maker_money"], fill["money"]),
        "cancel_fill_ratio": _share(order["canceled"], order["touched"]),
        "first_fill_s": {key: _nan(order[f"first_fill_s.{key}"]) for key in ("median", "p90")},
        "done_s": {key: _nan(order[f"done_s.{key}"]) for key in ("median", "p90")},
        "queue_at_post_lots": {
            key: _nan(order[f"queue_at_post.{key}"]) if one_grid else NAN for key in ("mean", "median")
        },
        "queue_at_fill_lots": {
            key: _nan(fill[f"queue_{key}"]) if one_grid else NAN for key in ("mean", "median")
        },
        "markout": {label: _move(fill, f"all.{label}", one_grid) for label in HORIZONS},
        **{
            side: {
                "effective_spread": _move(fill, f"{side}.spread", one_grid),
                "realised_spread": {label: _move(fill, f"{side}.kept.{label}", one_grid) for label in HORIZONS},
                "markout": {label: _move(fill, f"{side}.mark.{label}", one_grid) for label in HORIZONS},
            }
            for side in ("maker", "taker")
        },
        "shortfall": {
            **shortfall,
            "bps": _share(shortfall["shortfall"], order["wanted"]) * BPS,
            "orders": int(order["priced"]),
        },
    }


def inventory_of(holding: Holding, first_ts: int) -> Figures:
    """Return an instrument's inventory over time, in base units; `flat_share`: of the time without a position."""
    span = holding.last_ts - first_ts
    lot = float(holding.market.lot_size)
    return {
        "end": holding.lots * lot,
        "max_abs": holding.max_lots * lot,
        "mean": _share(holding.lots_ns * lot, span),
        "mean_abs": _share(holding.abs_lots_ns * lot, span),
        "flat_share": 1.0 - _share(holding.held_ns, span),
    }


def profit_in(rows: Sequence[Mapping[str, Any]], rates: Mapping[str, float], gained: float) -> Figures:
    """Return the parts in the account's currency, whole units; `conversion` is what rates and rounding changed."""
    made = {
        name: sum(row[f"{name}_atoms"] * rates[row["currency"]] for row in rows) / 1e8 for name in PARTS
    }
    made["conversion"] = 0.0 if len(rows) == 1 else round(gained - sum(made.values()), 8)
    return {**made, "total": gained, "currencies": [dict(row) for row in rows]}


def measure(
    tables: Mapping[str, pl.LazyFrame],
    markets: Sequence[Market],
    ledgers: Sequence[Mapping[str, Any]],
    span: tuple[int, int],
    gained: float,
) -> Figures:
    """Return the figures of a run.

    `tables` execution (`orders_frame`), fills, funding, markouts; `ledgers` as in the audit; `span` first and last
    time, ns UTC; `gained` is what the account gained, in its currency.
    """
    rates, scale = scales(markets, ledgers)
    symbols = [market.symbol for market in markets]
    holdings = hold(tables["fills"], markets, *span, tables.get("funding"))
    fills = fills_frame(tables["fills"], tables["markouts"], scale)
    all_fills, by_fills = _by_symbol(fills, _fill_sums(), symbols)
    all_orders, by_orders = _by_symbol(tables["execution"], _order_sums(), symbols)
    each = {
        symbol: {**figures_of(order, fill, True), "inventory": inventory_of(holdings[symbol], span[0])}
        for symbol, order, fill in zip(symbols, by_orders, by_fills, strict=True)
    }
    whole = figures_of(all_orders, all_fills, len(symbols) == 1)
    profit = profit_in(split_pnl(holdings, ledgers), rates, gained)
    return {**whole, "pnl": profit, "instruments": each}
